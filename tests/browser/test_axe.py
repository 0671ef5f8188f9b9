"""Every page for poor eyes: no axe violation, 7:1, 18 px, whole at 400 % zoom, in both themes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from appointments import calendars, waitlist
from appointments import services as appointments
from appointments.models import Appointment, Opening, VisitType, WaitlistOffer
from billing.models import Statement, StatementRun
from chatbot.models import Document
from eyecare import cast, clock
from orders.models import Order
from patients.models import Patient
from payments import services as payments
from tests.browser.conftest import DESK, PHONE, SignedIn

ZOOMED = {"width": 320, "height": 256}
"""What is left of 1280 × 1024 at 400 %."""

RULES = {"rules": {"color-contrast-enhanced": {"enabled": True}}}

OPEN_PAGES = (
    "/",
    "/account/login/",
    "/account/password/reset/",
    "/account/logout/",
    "/chat/",
    "/phones/",
    "/phones/+12125550111/",
    "/nowhere/",
)

SMALL_TEXT = """() => [...document.querySelectorAll("body *")]
  .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
  .filter((node) => node.checkVisibility() && parseFloat(getComputedStyle(node).fontSize) < 18)
  .map((node) => node.outerHTML.slice(0, 120))"""


def pages_of(role: str) -> Iterator[str]:
    """Yield every page of the portal with rows of this patient's."""
    patient = cast.patient(role)
    visit = Appointment.objects.for_patient(patient).upcoming().first()
    exam = VisitType.objects.get(slug="exam")
    slot = appointments.find_slots(
        visit_type=exam, first_day=clock.today(), last_day=clock.today().replace(year=clock.today().year + 1)
    )[0]
    run = StatementRun.objects.create(as_of=clock.today(), minimum_cents=500)
    Statement.objects.create(run=run, payer=patient, number="S-1", as_of=run.as_of, state="sent", pdf=b"%PDF")
    checkout = payments.open_checkout(payer=patient, opened_by=patient.account)
    yield from ("/", "/chat/", "/people/profile/", "/dues/", "/dues/pay/", "/dues/statements/")
    yield from ("/appointments/", "/appointments/book/", "/appointments/book/exam/?start=never")
    yield f"/appointments/book/exam/{slot.key}/"
    yield from pages_of_the_waiting(patient, exam, slot)
    yield from (
        f"/appointments/{visit.pk}/{step}"
        for step in ("", "move/", f"move/{slot.key}/", "earlier/", "cancel/")
    )
    yield from ("/orders/", f"/orders/{Order.objects.for_patient(patient).first().pk}/")
    yield from (f"/pay/demo/{checkout.pk}/", f"/pay/back/{checkout.pk}/")
    yield f"/chat/documents/{Document.objects.readable_by('everyone').first().slug}/"
    yield from ("/account/password/change/", "/account/2fa/", "/account/2fa/totp/activate/")


def pages_of_the_waiting(patient: Patient, exam: VisitType, slot: appointments.Slot) -> Iterator[str]:
    """Yield the pages with a hold, a refusal, a wish and an open offer on them."""
    yield "/appointments/calendar/"
    calendars.renew(patient)
    appointments.hold(patient=patient, visit_type=exam, slot=slot, channel="web")
    wish = waitlist.join(patient=patient, visit_type=VisitType.objects.get(slug="follow-up"), channel="web")
    freed = Appointment.objects.filter(state="cancelled").first() or Appointment.objects.earliest("starts_at")
    opening = Opening.objects.create(
        freed_by=freed,
        provider=slot.provider,
        location=slot.location,
        busy_from=slot.starts_at,
        busy_until=slot.ends_at,
    )
    WaitlistOffer.objects.create(
        entry=wish,
        opening=opening,
        starts_at=slot.starts_at,
        answer_until=clock.now() + timedelta(minutes=30),
    )
    yield f"/appointments/book/exam/{slot.key}/"
    yield from ("/", "/appointments/", "/appointments/waitlist/", "/appointments/calendar/")
    yield from ("/appointments/waitlist/join/exam/", "/appointments/book/urgent-visit/")
    yield f"/appointments/book/exam/{slot.provider.pk}.{slot.location.pk}.20260101T1500/"


def problems_of(page: Page, path: str) -> list[str]:
    page.goto(path)
    found = Axe().run(page, options=RULES)
    violations = [f"{path}: {found.generate_report()}"] if found.violations_count else []
    return violations + [f"{path}: smaller than 18 px: {piece}" for piece in page.evaluate(SMALL_TEXT)]


def sideways(page: Page, path: str) -> list[str]:
    page.goto(path)
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"{path}: {over} px too wide"] if over > 0 else []


@pytest.mark.parametrize(("theme", "viewport"), [("light", PHONE), ("dark", DESK)], ids=["light", "dark"])
def test_no_page_has_an_axe_violation_or_small_print(visit: SignedIn, theme: str, viewport: dict) -> None:
    problems = []
    stranger = visit(color_scheme=theme, viewport=viewport)
    for path in OPEN_PAGES:
        problems += problems_of(stranger, path)
    nora = visit("booked", color_scheme=theme, viewport=viewport)
    for path in pages_of("booked"):
        problems += problems_of(nora, path)
    assert not problems, "\n".join(problems)


def test_pages_stay_whole_at_400_percent(visit: SignedIn) -> None:
    problems = []
    stranger, nora = visit(viewport=ZOOMED), visit("booked", viewport=ZOOMED)
    for path in OPEN_PAGES:
        problems += sideways(stranger, path)
    for path in pages_of("booked"):
        problems += sideways(nora, path)
    assert not problems, "\n".join(problems)


def test_a_conversation_with_choices_cards_and_a_warning_has_no_axe_violation(visit: SignedIn) -> None:
    page = visit("new", color_scheme="dark", viewport=PHONE)
    page.goto("/chat/")
    for text in ("I need my eyes checked next week", "I see flashes and a curtain over my left eye"):
        page.get_by_label("Your message").fill(text)
        page.keyboard.press("Enter")
        page.locator(".said--assistant[data-line]").last.wait_for()
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def test_the_keyboard_alone_reaches_the_content_and_every_focus_is_seen(visit: SignedIn) -> None:
    page = visit("booked", viewport=DESK)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(8):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid"
