"""The front desk's day in a real browser: book, check in, move by click and by keys; news without reload."""

import re
from datetime import date, datetime, time, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from appointments import availability, services
from appointments.availability import Slot
from appointments.models import Appointment, VisitType, WeeklyHours
from eyecare import cast, clock
from eyecare.demo.diary import next_working_day
from practice import services as practice
from practice.models import Provider
from tests.browser.conftest import DESK, PHONE, SignedIn

BOARD = "/admin/appointments/appointment/board/"
TASK = "Comprehensive eye exam"


def exam() -> VisitType:
    return VisitType.objects.get(slug="exam")


def okafor() -> Provider:
    return Provider.objects.get(last_name="Okafor")


def free_slots(first: date) -> list[Slot]:
    """Return the free exams with Dr. Okafor of the first working day from then on that has several."""
    day = next_working_day(first)
    found = services.find_slots(visit_type=exam(), first_day=day, last_day=day, provider=okafor())
    return found if len(found) > 1 else free_slots(day + timedelta(days=1))


def later_slots() -> list[Slot]:
    return free_slots(clock.today() + timedelta(days=3))


def day_of(slot: Slot) -> date:
    return slot.starts_at.date()


def start(page: Page, slot: Slot) -> Locator:
    return page.locator(f'[id="start-{slot.key}"]')


def block(page: Page, visit: Appointment) -> Locator:
    return page.locator(f"#visit-{visit.pk}")


def visit_of(role: str) -> Appointment:
    return Appointment.objects.active().for_patient(cast.patient(role)).get()


def book(role: str, slot: Slot, channel: str = "web") -> Appointment:
    return services.book(patient=cast.patient(role), visit_type=exam(), slot=slot, channel=channel)


def book_today(role: str) -> Appointment:
    """Book a visit for this morning, whatever day and hour it is: outside the hours, so that it fits."""
    place = WeeklyHours.objects.filter(provider=okafor())[0].location
    zone = practice.zone()
    morning = datetime.combine(clock.today(), time(6), zone)
    return services.book(
        patient=cast.patient(role),
        visit_type=exam(),
        slot=availability.slot(exam(), okafor(), place, morning, zone),
        channel="staff",
        override_reason="Before the hours",
    )


def choose_patient(page: Page, role: str) -> None:
    name = cast.MEMBERS[role].name
    page.get_by_role("combobox", name="Patient").press_sequentially(name)
    page.get_by_role("option", name=re.compile(name)).wait_for()
    page.keyboard.press("Enter")
    expect(page.locator("#desk-body")).to_contain_text("born")


def test_the_front_desk_books_by_click_and_lands_on_the_new_visit(visit: SignedIn) -> None:
    slot = later_slots()[0]
    page = visit("front_desk", viewport=DESK)
    page.goto(f"{BOARD}?day={day_of(slot)}")
    start(page, slot).click()
    choose_patient(page, "new")
    page.get_by_label("Kind of visit").select_option(label=f"{TASK}, 30 min")
    expect(page.locator("#desk-body")).to_contain_text("Until")
    page.get_by_label("Note for the front desk").fill("Brings her old glasses")
    page.get_by_role("button", name="Book it").click()
    expect(page.get_by_role("status")).to_contain_text("Sam Carter is booked")
    booked = visit_of("new")
    assert (booked.starts_at, booked.note, booked.channel) == (
        slot.starts_at, "Brings her old glasses", "staff"
    )  # fmt: skip
    expect(block(page, booked)).to_be_focused()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_time_that_was_taken_meanwhile_is_refused_and_the_next_one_is_booked(visit: SignedIn) -> None:
    slot = later_slots()[0]
    page = visit("front_desk", viewport=DESK)
    page.goto(f"{BOARD}?day={day_of(slot)}")
    start(page, slot).click()
    choose_patient(page, "new")
    page.get_by_label("Kind of visit").select_option(label=f"{TASK}, 30 min")
    expect(page.locator("#desk-body")).to_contain_text("Until")
    book("parent", slot)
    page.get_by_role("button", name="Book it").click()
    expect(page.get_by_role("alert")).to_contain_text("that time has just been taken")
    page.get_by_role("group", name="Free instead").get_by_role("button").first.click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Book it").click()
    expect(page.get_by_role("status")).to_contain_text("Sam Carter is booked")
    assert visit_of("new").starts_at != slot.starts_at


def test_a_visit_is_checked_in_and_taken_through_its_day(visit: SignedIn) -> None:
    today = book_today("new")
    page = visit("front_desk", viewport=DESK)
    page.goto(BOARD)
    for button, state in (("Check in", "arrived"), ("Start the exam", "in_exam"), ("Done", "done")):
        block(page, today).click()
        page.get_by_role("dialog").get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(block(page, today)).to_have_attribute("data-is", state)
        today.refresh_from_db()
        assert today.state == state


def test_a_visit_moves_to_another_day_by_two_clicks_and_a_yes(visit: SignedIn) -> None:
    slot = later_slots()[0]
    target = free_slots(day_of(slot) + timedelta(days=1))[0]
    booked = book("new", slot)
    page = visit("front_desk", viewport=DESK)
    page.goto(f"{BOARD}?day={day_of(slot)}")
    block(page, booked).click()
    page.get_by_role("dialog").get_by_role("link", name="Move").click()
    expect(page.get_by_role("region", name="Moving a visit")).to_contain_text("Moving Sam Carter")
    page.get_by_label("Go to day").fill(day_of(target).isoformat())
    page.wait_for_url(f"**day={day_of(target)}**")
    start(page, target).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{slot:%A, %B %-d at %-I:%M %p}")
    expect(dialog).to_contain_text(f"{target:%A, %B %-d at %-I:%M %p}")
    assert visit_of("new") == booked
    dialog.get_by_role("button", name="Move it").click()
    page.wait_for_url("**#visit-*")
    moved = visit_of("new")
    assert (moved.starts_at, moved.moved_from) == (target.starts_at, booked)
    expect(block(page, moved)).to_be_focused()
    expect(page.get_by_role("region", name="Moving a visit")).to_have_count(0)


def test_a_booking_of_a_patient_appears_without_a_reload_and_disturbs_no_dialog(visit: SignedIn) -> None:
    first, *_, last = later_slots()
    page = visit("front_desk", viewport=DESK)
    page.goto(f"{BOARD}?day={day_of(first)}")
    start(page, first).click()
    page.get_by_label("Note for the front desk").fill("Half a sentence")
    booked = book("parent", last, channel="web")
    expect(block(page, booked)).to_have_count(1)
    expect(page.get_by_label("Note for the front desk")).to_have_value("Half a sentence")
    expect(page.get_by_label("Note for the front desk")).to_be_focused()
    services.confirm(appointment=booked, channel="sms")
    expect(block(page, booked)).to_have_attribute("data-is", "confirmed")


def test_arrow_keys_go_through_the_day_and_escape_comes_back(visit: SignedIn) -> None:
    slot = later_slots()[0]
    page = visit("front_desk", viewport=DESK)
    page.goto(f"{BOARD}?day={day_of(slot)}")
    here = page.locator('#columns [tabindex="0"].start, #columns [tabindex="0"].visit')
    expect(here).to_have_count(1)
    start(page, slot).focus()
    expect(here).to_have_attribute("id", f"start-{slot.key}")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(start(page, slot)).to_be_focused()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('.column').querySelector('h2').textContent") != str(
        slot.provider
    )
    page.keyboard.press("ArrowLeft")
    start(page, slot).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Patient")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(start(page, slot)).to_be_focused()


def test_the_board_says_when_it_is_no_longer_connected(visit: SignedIn) -> None:
    page = visit("front_desk", viewport=DESK)
    page.goto(BOARD)
    expect(page.locator("[data-live]")).to_contain_text("Live")
    page.context.set_offline(True)
    expect(page.locator("[data-live]")).to_contain_text("Not connected since")
    page.context.set_offline(False)
    expect(page.locator("[data-live]")).to_contain_text("Live")


def problems_of(page: Page, what: str) -> list[str]:
    found = Axe().run(page, context="[data-board]")
    return [f"{what}: {found.generate_report()}"] if found.violations_count else []


@pytest.mark.parametrize(("theme", "viewport"), [("light", PHONE), ("dark", DESK)], ids=["light", "dark"])
def test_the_board_and_its_dialogs_have_no_axe_violation(
    visit: SignedIn, theme: str, viewport: dict[str, int]
) -> None:
    slot = later_slots()[0]
    booked = book("new", slot)
    free = next(free for free in free_slots(day_of(slot)) if free.starts_at != slot.starts_at)
    page = visit("front_desk", color_scheme=theme, viewport=viewport)
    problems = []
    page.goto(f"{BOARD}?day={day_of(slot)}&cancelled=1")
    problems += problems_of(page, "the board")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    block(page, booked).click()
    page.get_by_role("dialog").wait_for()
    problems += problems_of(page, "a visit")
    page.get_by_role("dialog").get_by_role("link", name="Move").click()
    page.get_by_role("region", name="Moving a visit").wait_for()
    problems += problems_of(page, "moving")
    page.goto(f"{BOARD}?day={day_of(free)}")
    start(page, free).click()
    page.get_by_role("dialog").wait_for()
    page.get_by_role("button", name="Book it").click()
    expect(page.locator("#desk-body")).to_contain_text("Choose a patient from the list.")
    problems += problems_of(page, "booking")
    page.goto(BOARD)
    problems += problems_of(page, "today")
    assert not problems, "\n".join(problems)


def test_who_was_signed_out_meanwhile_is_led_to_the_log_in(visit: SignedIn) -> None:
    page = visit("front_desk", viewport=DESK)
    page.goto(BOARD)
    page.context.clear_cookies()
    page.wait_for_url("**/account/login/**")
