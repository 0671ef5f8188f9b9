"""The main job in a real browser: as new, book by chat, see it, move it, cancel it; pay; confirm by text."""

import re

from playwright.sync_api import Page, expect

from appointments.models import Appointment
from billing import services as billing
from eyecare import cast, clock
from tests.browser.conftest import PHONE, SignedIn


def say(page: Page, text: str) -> None:
    """Send a line and wait until the assistant has answered it."""
    answers = page.locator(".said--assistant[data-line]")
    before = answers.count()
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")
    expect(answers).to_have_count(before + 1)


def test_a_new_patient_books_by_chat_sees_it_moves_it_and_cancels_it(visit: SignedIn) -> None:
    page = visit("new", viewport=PHONE)
    page.get_by_role("link", name="Chat").click()
    say(page, "I need my eyes checked, sometime in the next two weeks")
    page.locator(".said__choices .choice").first.click()
    expect(page.locator("#log")).to_contain_text("Book Comprehensive eye exam")
    say(page, "yes")
    expect(page.locator("#log")).to_contain_text("You are booked")
    booked = Appointment.objects.for_patient(cast.patient("new")).get()

    page.get_by_role("link", name="Visits").click()
    page.get_by_role("link", name=re.compile("Comprehensive eye exam")).click()
    page.get_by_role("link", name="Move it").click()
    page.locator(".slot").first.click()
    page.get_by_role("button", name="Move my visit").click()
    expect(page.get_by_role("status")).to_contain_text("Your visit has moved to")
    booked.refresh_from_db()
    assert booked.state == "moved"

    page.get_by_role("link", name="Cancel it").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_role("status")).to_contain_text("Your visit is cancelled.")
    assert not Appointment.objects.for_patient(cast.patient("new")).upcoming().exists()


def test_the_balance_falls_when_it_is_paid_on_the_demo_checkout(visit: SignedIn) -> None:
    page = visit("booked")
    assert billing.balance_cents(cast.patient("booked")) > 0
    page.get_by_role("link", name="Dues", exact=True).click()
    page.get_by_role("button", name="Pay by card").click()
    page.get_by_role("button", name=re.compile(r"Pay \$")).click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.get_by_role("link", name="Go to your dues").click()
    expect(page.get_by_role("heading", name="All paid")).to_be_visible()
    assert billing.balance_cents(cast.patient("booked")) == 0


def test_a_reminder_is_confirmed_on_the_simulated_phone(visit: SignedIn) -> None:
    page = visit()
    page.goto("/phones/")
    page.get_by_role("link", name=re.compile(cast.MEMBERS["booked"].name)).click()
    expect(page.locator("#thread")).to_contain_text("Reply 1 to confirm")
    page.get_by_label("Text to the practice").fill("1")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#thread .text--out")).to_contain_text("1")
    expect(page.locator("#thread .text:not(.text--out)")).to_have_count(2)
    visit_of_nora = Appointment.objects.for_patient(cast.patient("booked")).upcoming().first()
    assert visit_of_nora.state == "confirmed"


def test_a_statement_opens_as_a_pdf(visit: SignedIn) -> None:
    billing.start_run(as_of=clock.today(), minimum_cents=500, actor=cast.account("manager"))
    page = visit("booked")
    page.goto("/dues/")
    path = page.locator('a[href^="/dues/statements/"]').first.get_attribute("href")
    document = page.request.get(path)
    assert document.headers["content-type"] == "application/pdf"
    assert document.body().startswith(b"%PDF-")


def test_the_chat_works_without_scripts(visit: SignedIn) -> None:
    page = visit("booked", java_script_enabled=False)
    page.goto("/chat/")
    page.get_by_label("Your message").fill("What do I owe?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said--assistant")).to_contain_text("$")


def test_a_parent_opens_a_childs_record(visit: SignedIn) -> None:
    page = visit("parent")
    page.locator(".menu summary").click()
    page.get_by_role("button", name=cast.MEMBERS["child"].name).click()
    expect(page.get_by_role("status")).to_contain_text("You now see the record of Leo Bennett.")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Leo")
