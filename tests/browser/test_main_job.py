"""The main job in a real browser: as new, book by chat, see it, move it, cancel it; pay; confirm by text."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from appointments import services, waitlist
from appointments.models import Appointment, Opening, VisitType, WaitlistEntry, WaitlistOffer
from billing import services as billing
from eyecare import cast, clock
from practice import services as practice
from tests.browser.conftest import PHONE, SignedIn


def say(page: Page, text: str) -> None:
    """Send a line and wait until the assistant has answered it."""
    page.wait_for_load_state()  # until its script runs, Enter only begins a new line
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


def choose_first_time(page: Page) -> str:
    """Press the first free time and return its key."""
    first = page.locator(".slot").first
    key = first.get_attribute("value")
    first.click()
    return key or ""


def test_a_time_is_held_while_it_is_checked_and_given_back_for_another(visit: SignedIn) -> None:
    page, theo = visit("order_ready", viewport=PHONE), cast.patient("order_ready")
    page.goto("/appointments/book/exam/")
    key = choose_first_time(page)
    held = services.hold_of(theo)
    until = held.held_until.astimezone(practice.zone())
    expect(page.get_by_role("status")).to_contain_text(f"Held for you until {until:%-I:%M %p}")

    page.reload()  # looking again holds nothing anew
    assert services.hold_of(theo).held_until == held.held_until
    page.get_by_role("button", name="Choose another time").click()
    expect(page.get_by_role("heading", name="When would you like to come?")).to_be_visible()
    expect(page.locator(f'.slot[value="{key}"]')).to_be_visible()
    assert services.hold_of(theo) is None


def test_a_hold_that_runs_out_says_so_once_and_the_yes_still_counts(visit: SignedIn) -> None:
    page = visit("order_ready", viewport=PHONE)
    page.clock.install()
    page.goto("/appointments/book/exam/")
    choose_first_time(page)
    expect(page.get_by_role("status")).to_contain_text("Held for you until")
    page.clock.run_for(timedelta(minutes=11).total_seconds() * 1000)
    expect(page.get_by_role("status")).to_contain_text("The time is no longer held, but it may still be free")
    Appointment.objects.held().update(held_until=clock.now() - timedelta(seconds=1))
    page.get_by_role("button", name="Book this visit").click()
    expect(page.get_by_role("status")).to_contain_text("Your visit is booked")


def test_a_time_lost_to_another_patient_while_thinking_leads_to_others_and_a_booking(visit: SignedIn) -> None:
    page, theo = visit("order_ready", viewport=PHONE), cast.patient("order_ready")
    exam = VisitType.objects.get(slug="exam")
    page.goto("/appointments/book/exam/")
    key = choose_first_time(page)
    Appointment.objects.held().update(held_until=clock.now() - timedelta(seconds=1))
    services.book(
        patient=cast.patient("new"),
        visit_type=exam,
        slot=services.slot_from_key(exam, key),
        channel="web",
    )
    page.get_by_role("button", name="Book this visit").click()
    expect(page.get_by_role("alert")).to_contain_text("Sorry, that time has just been taken.")
    other = choose_first_time(page)
    page.get_by_role("button", name="Book this visit").click()
    expect(page.get_by_role("status")).to_contain_text("Your visit is booked")
    assert services.slot_of(Appointment.objects.for_patient(theo).upcoming().get()).key == other != key


@pytest.fixture
def midday():
    """Offers are made outside the quiet hours only."""
    noon = clock.now().astimezone(practice.zone()).replace(hour=12, minute=0)
    return lambda: clock.frozen_at(noon)


def test_who_waits_takes_the_time_that_came_free(visit: SignedIn, midday) -> None:
    page, theo = visit("order_ready", viewport=PHONE), cast.patient("order_ready")
    page.goto("/appointments/book/exam/")
    page.get_by_role("link", name="Tell me when something earlier comes free").click()
    page.get_by_label("Time of day").select_option("Any time")
    page.get_by_role("button", name="Put me on the waitlist").click()
    expect(page.get_by_role("status")).to_contain_text("You are on the waitlist.")
    assert WaitlistEntry.objects.waiting().filter(patient=theo).exists()

    bookings = Appointment.objects.active().filter(
        visit_type__slug="exam", starts_at__gt=clock.now() + timedelta(days=3)
    )
    with midday():
        services.cancel(appointment=bookings.with_details().earliest("starts_at"), channel="staff")
        waitlist.work_on(Opening.objects.latest("created_at").pk)
    WaitlistOffer.objects.filter(entry__patient=theo).update(answer_until=clock.now() + timedelta(minutes=30))
    Appointment.objects.filter(state="held").update(held_until=clock.now() + timedelta(minutes=30))
    page.get_by_role("link", name="Visits", exact=True).click()
    offered = page.get_by_role("region", name="A time came free")
    expect(offered).to_contain_text("Comprehensive eye exam")
    offered.get_by_role("button", name="Take it").click()
    expect(page.get_by_role("status")).to_contain_text("It is yours")
    assert Appointment.objects.for_patient(theo).upcoming().count() == 1
    assert not WaitlistEntry.objects.waiting().filter(patient=theo).exists()


def test_a_visit_is_fetched_by_a_calendar_under_its_link(visit: SignedIn) -> None:
    page = visit("booked", viewport=PHONE, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/appointments/")
    page.get_by_role("link", name="Subscribe in your calendar").click()
    page.get_by_role("button", name="Make my link").click()
    address = page.get_by_label("Your calendar’s link").input_value()
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == address
    stranger = visit()
    answer = stranger.request.get(address)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.text().count("BEGIN:VEVENT") == 1
    page.get_by_role("button", name="Make a new link").click()
    assert stranger.request.get(address).status == 404


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
