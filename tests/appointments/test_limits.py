"""What the practice allows its patients, and what the front desk may do all the same."""

from datetime import date, time, timedelta

import pytest
from django.utils import timezone

from appointments import rules, services
from appointments.models import (
    Appointment,
    DiarySettings,
    Opening,
    Reminder,
    ScheduleException,
    UrgentBlock,
    WaitlistEntry,
)
from eyecare import clock
from eyecare.errors import Invalid
from messaging.models import Message
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")

State = Appointment.State


def book(patient, exam, slot, channel="web", **more):
    return services.book(patient=patient, visit_type=exam, slot=slot, channel=channel, **more)


def past_visit(patient, exam, okafor, state, days=30):
    start = MONDAY - timedelta(days=days)
    return factories.AppointmentFactory(
        patient=patient,
        visit_type=exam,
        provider=okafor,
        location=okafor.locations.get(),
        starts_at=start,
        state=state,
    )


# Limits of a patient.


def test_a_patient_books_only_so_many_visits_to_come(ana, exam, slot_at):
    DiarySettings.objects.create(most_open_visits=2)
    for hour in (9, 10):
        book(ana, exam, slot_at(3, hour))
    with pytest.raises(services.TooManyVisits, match=r"2 visits to come.*\(212\) 555-0100") as refusal:
        book(ana, exam, slot_at(3, 11))
    assert refusal.value.alternatives == ()  # no other time would do
    assert refusal.value.code == "too_many_visits"
    assert Appointment.objects.count() == 2


def test_visits_that_are_over_or_cancelled_do_not_count(ana, exam, okafor, slot_at):
    DiarySettings.objects.create(most_open_visits=1)
    past_visit(ana, exam, okafor, State.DONE)
    services.cancel(appointment=book(ana, exam, slot_at(3, 9)), channel="web")
    assert book(ana, exam, slot_at(3, 9)).is_active


def test_a_hold_is_refused_like_a_booking_and_does_not_count_itself(ana, exam, slot_at):
    DiarySettings.objects.create(most_open_visits=1)
    services.hold(patient=ana, visit_type=exam, slot=slot_at(3, 9), channel="web")
    assert book(ana, exam, slot_at(3, 9)).is_active
    with pytest.raises(services.TooManyVisits):
        services.hold(patient=ana, visit_type=exam, slot=slot_at(3, 10), channel="web")


def test_a_patient_with_as_many_visits_as_allowed_can_still_move_one(ana, exam, slot_at):
    DiarySettings.objects.create(most_open_visits=1)
    visit = book(ana, exam, slot_at(3, 9))
    assert services.reschedule(appointment=visit, slot=slot_at(4, 9), channel="web").is_active


def test_the_front_desk_books_beyond_the_limits(ana, dana, exam, okafor, slot_at):
    DiarySettings.objects.create(most_open_visits=0, most_no_shows=1)
    past_visit(ana, exam, okafor, State.NO_SHOW)
    booked = book(ana, exam, slot_at(3, 9), "staff", actor=dana)
    assert not booked.events.get().is_override


def test_after_several_missed_visits_the_next_is_booked_by_the_front_desk(ana, ben, exam, okafor, slot_at):
    for days in (10, 20, 360):
        past_visit(ana, exam, okafor, State.NO_SHOW, days)
    past_visit(ben, exam, okafor, State.NO_SHOW, days=380)  # too long ago to count
    for days in (30, 40):
        past_visit(ben, exam, okafor, State.NO_SHOW, days)
    with pytest.raises(services.NeedsStaff, match="by phone"):
        book(ana, exam, slot_at(3, 9))
    assert book(ben, exam, slot_at(3, 9)).is_active


def test_the_defaults_hold_until_the_practice_says_otherwise(db):
    assert (rules.settings().most_open_visits, rules.settings().most_no_shows) == (4, 3)


@pytest.mark.parametrize(
    ("intended_for", "has_been_here", "allowed"),
    [
        ("anyone", False, True),
        ("anyone", True, True),
        ("new", False, True),
        ("new", True, False),
        ("known", False, False),
        ("known", True, True),
    ],
)
def test_a_visit_for_new_or_known_patients_is_for_those(
    ana, dana, exam, okafor, slot_at, intended_for, has_been_here, allowed
):
    exam.intended_for = intended_for
    exam.save()
    if has_been_here:
        past_visit(ana, exam, okafor, State.DONE)
    if allowed:
        assert book(ana, exam, slot_at(3, 9)).is_active
        return
    with pytest.raises(services.NotForYou) as refusal:
        book(ana, exam, slot_at(3, 9))
    assert refusal.value.alternatives == ()
    assert book(ana, exam, slot_at(3, 9), "staff", actor=dana).is_active


def test_a_visit_that_was_missed_makes_nobody_known(ana, exam, okafor):
    past_visit(ana, exam, okafor, State.NO_SHOW)
    assert not rules.is_known(ana)


# The practice's schedule.


def test_a_holiday_is_refused_with_the_practices_reason(ana, exam, slot_at):
    ScheduleException.objects.create(kind="closed", date=date(2026, 3, 3), reason="Town holiday")
    with pytest.raises(services.Closed, match="Town holiday") as refusal:
        book(ana, exam, slot_at(3, 9))
    assert refusal.value.code == "closed"
    assert [f"{slot:%a}" for slot in refusal.value.alternatives] == ["Mon", "Mon", "Mon"]


def test_leave_is_refused_without_the_reason_for_it(ana, exam, okafor, slot_at):
    ScheduleException.objects.create(
        kind="closed", date=date(2026, 3, 3), provider=okafor, reason="Knee operation"
    )
    with pytest.raises(services.Closed) as refusal:
        book(ana, exam, slot_at(3, 9))
    assert "Knee" not in refusal.value.sentence


@pytest.fixture
def block(okafor, main_street):
    """Tuesdays nine to ten are kept for urgent visits, until four hours before."""
    return UrgentBlock.objects.create(
        provider=okafor, location=main_street, weekday=1, starts_at=time(9), ends_at=time(10)
    )


def test_time_kept_for_urgent_visits_is_refused_to_others(ana, block, exam, slot_at):
    with pytest.raises(services.KeptForUrgent):
        book(ana, exam, slot_at(3, 9))
    exam.is_urgent = True
    exam.save()
    assert book(ana, exam, slot_at(3, 9)).is_active


def test_what_nobody_urgent_took_is_for_everybody_some_hours_before(ana, block, exam, slot_at):
    with clock.frozen_at(MONDAY + timedelta(hours=20)):
        assert book(ana, exam, slot_at(3, 9)).is_active


def test_a_visit_takes_place_only_where_it_may(ana, dana, exam, slot_at):
    exam.locations.add(factories.LocationFactory(name="Harbor"))
    with pytest.raises(services.NotBookable, match="does not take place at Main Street"):
        book(ana, exam, slot_at(3, 9))
    booked = book(ana, exam, slot_at(3, 9), "staff", actor=dana, override_reason="Lift is broken")
    assert booked.events.get().is_override


@pytest.mark.parametrize("leaves", ["hours", "kind", "block", "holiday"])
def test_the_front_desk_leaves_the_schedule_only_with_a_reason_and_never_silently(
    ana, dana, exam, okafor, main_street, slot_at, leaves
):
    slot = slot_at(3, 8) if leaves == "hours" else slot_at(3, 9)
    if leaves == "kind":
        exam.providers.clear()
    elif leaves == "block":
        UrgentBlock.objects.create(
            provider=okafor, location=main_street, weekday=1, starts_at=time(9), ends_at=time(10)
        )
    elif leaves == "holiday":
        ScheduleException.objects.create(kind="closed", date=date(2026, 3, 3))
    with pytest.raises(services.NotBookable):
        book(ana, exam, slot, "staff", actor=dana)
    event = book(ana, exam, slot, "staff", actor=dana, override_reason="Lens broke").events.get()
    assert (event.is_override, event.reason, event.actor) == (True, "Lens broke", dana)


def test_a_reason_that_was_not_needed_is_no_override(ana, dana, exam, slot_at):
    event = book(ana, exam, slot_at(3, 9), "staff", actor=dana, override_reason="To be safe").events.get()
    assert (event.is_override, event.reason) == (False, "To be safe")


def test_a_blank_reason_overrides_nothing(ana, dana, exam, slot_at):
    with pytest.raises(services.OutsideHours):
        book(ana, exam, slot_at(3, 8), "staff", actor=dana, override_reason="  ")


def test_a_reason_of_any_length_is_kept_as_far_as_there_is_room(anas_exam):
    services.cancel(appointment=anas_exam, channel="sms", reason="so sorry " * 100)
    assert anas_exam.events.last().reason == ("so sorry " * 100)[:200].strip()


def test_the_front_desk_books_at_any_minute_of_the_hours_without_a_reason(ana, dana, exam, slot_at):
    booked = book(ana, exam, slot_at(3, 9, 10), "staff", actor=dana)
    assert not booked.events.get().is_override


def test_a_move_outside_the_rules_says_so_at_both_ends(anas_exam, dana, slot_at):
    moved = services.reschedule(
        appointment=anas_exam,
        slot=slot_at(3, 8),
        channel="staff",
        actor=dana,
        override_reason="Flight at ten",
    )
    assert [event.is_override for event in moved.events.all()] == [True]
    assert [event.reason for event in anas_exam.events.all()] == ["", "Flight at ten"]


# Rooms and machines.


@pytest.fixture
def machine(exam, main_street):
    """The practice's only visual field machine; an exam needs it."""
    found = factories.ResourceFactory(location=main_street)
    exam.needs.add(found.kind)
    return found


@pytest.fixture
def chen(exam, main_street):
    provider = factories.ProviderFactory(first_name="Li", last_name="Chen", locations=[main_street])
    factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=1)
    exam.providers.add(provider)
    return provider


def with_provider(exam, slot, provider):
    return services.slot_from_key(exam, f"{provider.pk}.{slot.key.partition('.')[2]}")


def test_a_machine_serves_one_visit_at_a_time(ana, ben, chen, exam, machine, slot_at):
    anas = book(ana, exam, slot_at(3, 9))
    assert [used.resource for used in anas.resource_bookings.all()] == [machine]
    with pytest.raises(services.ResourceTaken) as refusal:
        book(ben, exam, with_provider(exam, slot_at(3, 9), chen))
    assert refusal.value.code == "resource_taken"
    assert [f"{slot:%H:%M}" for slot in refusal.value.alternatives] == ["09:30", "10:00", "10:30"]
    assert Appointment.objects.get() == anas


def test_no_reason_takes_a_machine_twice(ana, ben, dana, chen, exam, machine, slot_at):
    book(ana, exam, slot_at(3, 9))
    with pytest.raises(services.ResourceTaken):
        book(ben, exam, with_provider(exam, slot_at(3, 9), chen), "staff", actor=dana, override_reason="VIP")


def test_the_second_machine_of_a_kind_serves_the_second_visit(ana, ben, chen, exam, machine, slot_at):
    second = factories.ResourceFactory(location=machine.location)
    book(ana, exam, slot_at(3, 9))
    bens = book(ben, exam, with_provider(exam, slot_at(3, 9), chen))
    assert bens.resource_bookings.get().resource == second


def test_a_machine_that_is_being_repaired_serves_nobody(ana, exam, machine, slot_at):
    machine.is_active = False
    machine.save()
    with pytest.raises(services.ResourceTaken):
        book(ana, exam, slot_at(3, 9))
    assert not Appointment.objects.exists()


def test_a_cancelled_visit_gives_its_machine_back(ana, ben, chen, exam, machine, slot_at):
    services.cancel(appointment=book(ana, exam, slot_at(3, 9)), channel="web")
    assert book(ben, exam, with_provider(exam, slot_at(3, 9), chen)).is_active


def test_a_visit_that_moves_keeps_its_machine_for_the_time_that_it_shares(ana, exam, machine, slot_at):
    exam.minutes = 20
    exam.save()
    visit = book(ana, exam, services.slot_from_key(exam, slot_at(3, 9).key))
    quarter_past = services.slot_from_key(exam, slot_at(3, 9, 15).key)
    moved = services.reschedule(appointment=visit, slot=quarter_past, channel="web")
    assert [used.is_active for used in (visit.resource_bookings.get(), moved.resource_bookings.get())] == [
        False, True
    ]  # fmt: skip


def test_a_hold_takes_the_machine_and_a_run_out_hold_does_not(ana, ben, chen, exam, machine, slot_at):
    services.hold(patient=ana, visit_type=exam, slot=slot_at(3, 9), channel="web")
    at_chens = with_provider(exam, slot_at(3, 9), chen)
    with pytest.raises(services.ResourceTaken):
        book(ben, exam, at_chens)
    with clock.frozen_at(MONDAY + timedelta(minutes=10)):
        assert book(ben, exam, at_chens).is_active


# Notice to move and to cancel.


@pytest.mark.parametrize(("move", "cancel"), [(24, 48), (48, 24)])
def test_there_is_a_notice_to_move_and_another_to_cancel(anas_exam, exam, slot_at, move, cancel):
    exam.move_notice_hours, exam.cancel_notice_hours = move, cancel
    exam.save()
    anas_exam.refresh_from_db()
    refused = pytest.raises(services.TooLate, match=r"too late.*call us at \(212\) 555-0100")
    with clock.frozen_at(anas_exam.starts_at - timedelta(hours=30)):
        rules.check_changeable(anas_exam)
        if cancel > move:
            with refused:
                services.cancel(appointment=anas_exam, channel="web")
            assert services.reschedule(appointment=anas_exam, slot=slot_at(5, 9), channel="web").is_active
        else:
            with refused:
                services.reschedule(appointment=anas_exam, slot=slot_at(5, 9), channel="web")
            services.cancel(appointment=anas_exam, channel="web")


def test_nobody_cancels_on_the_portal_what_is_running(anas_exam):
    with clock.frozen_at(anas_exam.starts_at), pytest.raises(services.Ended, match="has passed"):
        services.cancel(appointment=anas_exam, channel="web")


def test_a_request_to_cancel_may_come_twice(anas_exam):
    for _ in range(2):
        cancelled = services.cancel(appointment=anas_exam, channel="api", idempotency_key="c1")
        assert cancelled.state == State.CANCELLED
    assert [event.to_state for event in anas_exam.events.all()] == ["booked", "cancelled"]


def test_the_key_of_a_booking_cancels_no_other_visit(ana, anas_exam, exam, slot_at):
    book(ana, exam, slot_at(4, 9), "api", idempotency_key="k1")
    with pytest.raises(Invalid, match="already used"):
        services.cancel(appointment=anas_exam, channel="api", idempotency_key="k1")
    anas_exam.refresh_from_db()
    assert anas_exam.is_active


# The day of the visit.


def test_a_visit_is_checked_in_on_its_own_day_only(anas_exam, dana):
    for moment in (MONDAY, anas_exam.starts_at + timedelta(days=1)):
        with clock.frozen_at(moment), pytest.raises(services.NotNow, match="Tuesday, March 3"):
            services.check_in(appointment=anas_exam, actor=dana)
    anas_exam.refresh_from_db()
    assert anas_exam.state == State.BOOKED


def test_the_day_of_a_visit_is_the_practices_not_greenwichs(ana, dana, exam, slot_at):
    late = book(ana, exam, slot_at(3, 21), "staff", actor=dana, override_reason="Evening clinic")
    with clock.frozen_at(late.starts_at.astimezone(timezone.get_fixed_timezone(0))):
        assert services.check_in(appointment=late, actor=dana).state == State.ARRIVED


def test_another_day_takes_a_reason_that_is_kept(anas_exam, dana):
    services.check_in(appointment=anas_exam, actor=dana, override_reason="Came a day early, is seen now")
    event = anas_exam.events.last()
    assert (event.to_state, event.is_override, event.actor) == ("arrived", True, dana)


def test_a_visit_is_not_completed_before_its_day_nor_missed_before_its_hour(anas_exam, dana):
    with pytest.raises(services.NotNow):
        services.complete(appointment=anas_exam, actor=dana)
    with clock.frozen_at(anas_exam.starts_at - timedelta(minutes=1)), pytest.raises(services.NotNow):
        services.mark_no_show(appointment=anas_exam, actor=dana)
    with clock.frozen_at(anas_exam.starts_at):
        assert services.mark_no_show(appointment=anas_exam, actor=dana).state == State.NO_SHOW


def test_who_was_given_up_and_comes_after_all_is_seen(anas_exam, dana):
    with clock.frozen_at(anas_exam.starts_at + timedelta(minutes=15)):
        services.mark_no_show(appointment=anas_exam, actor=dana)
        services.check_in(appointment=anas_exam, actor=dana)
    assert [event.to_state for event in anas_exam.events.all()] == ["booked", "no_show", "arrived"]


def test_who_was_given_up_does_not_get_back_what_somebody_else_has(anas_exam, ben, dana, exam, tuesday_nine):
    with clock.frozen_at(anas_exam.starts_at + timedelta(minutes=5)):
        services.mark_no_show(appointment=anas_exam, actor=dana)
        bens = book(ben, exam, tuesday_nine, "staff", actor=dana)
        with pytest.raises(services.SlotTaken) as refusal:
            services.check_in(appointment=anas_exam, actor=dana)
    assert refusal.value.alternatives
    anas_exam.refresh_from_db()
    assert (anas_exam.state, bens.state) == (State.NO_SHOW, State.BOOKED)


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        (State.HELD, services.confirm),
        (State.HELD, services.cancel),
        (State.RELEASED, services.cancel),
        (State.DONE, services.cancel),
        (State.DONE, services.check_in),
        (State.IN_EXAM, services.check_in),
        (State.ARRIVED, services.mark_no_show),
        (State.MOVED, services.start_exam),
        (State.NO_SHOW, services.start_exam),
    ],
)
def test_a_step_that_leads_nowhere_is_refused(anas_exam, state, verb):
    Appointment.objects.filter(pk=anas_exam.pk).update(
        state=state, held_until=MONDAY if state == State.HELD else None
    )
    by = {"channel": "staff"} if verb in (services.confirm, services.cancel) else {}
    with clock.frozen_at(anas_exam.starts_at), pytest.raises(services.Ended):
        verb(appointment=anas_exam, **by)
    assert Appointment.objects.get().state == state


def test_who_comes_early_is_seen_and_the_later_time_is_free_without_a_text(ana, ben, dana, exam, slot_at):
    # masslight/ottehr#3405
    afternoon = book(ana, exam, slot_at(3, 16), "sms")
    with clock.frozen_at(slot_at(3, 9, 5).starts_at):
        seen = services.bring_forward(
            appointment=afternoon, slot=slot_at(3, 9, 5), actor=dana, reason="Came in the morning"
        )
        assert (seen.state, seen.moved_from, seen.lineage) == (
            State.ARRIVED, afternoon, afternoon.lineage
        )  # fmt: skip
        assert book(ben, exam, slot_at(3, 16), "sms").is_active
    assert not Message.objects.exists()
    assert not Reminder.objects.filter(appointment__patient=ana, state=Reminder.State.WAITING).exists()


def test_who_comes_early_does_not_get_a_time_that_is_taken(ana, ben, dana, exam, slot_at):
    book(ben, exam, slot_at(3, 9))
    afternoon = book(ana, exam, slot_at(3, 16))
    with clock.frozen_at(slot_at(3, 9).starts_at), pytest.raises(services.SlotTaken):
        services.bring_forward(
            appointment=afternoon, slot=slot_at(3, 9), actor=dana, reason="Came in the morning"
        )
    afternoon.refresh_from_db()
    assert afternoon.state == State.BOOKED


# What a change of the diary sets going.


@pytest.mark.parametrize("change", ["cancel", "move"])
def test_a_time_that_comes_free_is_told_to_the_waitlist(anas_exam, ben, exam, slot_at, change):
    WaitlistEntry.objects.create(patient=ben, visit_type=exam, first_day=date(2026, 3, 2))
    if change == "cancel":
        services.cancel(appointment=anas_exam, channel="sms")
    else:
        services.reschedule(appointment=anas_exam, slot=slot_at(4, 9), channel="sms")
    assert Opening.objects.get().freed_by == anas_exam


def test_asking_why_not_writes_nothing(ana, anas_exam, ben, exam, tuesday_nine, slot_at):
    refusal = services.why_not(patient=ben, visit_type=exam, slot=tuesday_nine)
    assert isinstance(refusal, services.SlotTaken)
    assert len(refusal.alternatives) == 3
    assert services.why_not(patient=ben, visit_type=exam, slot=slot_at(3, 10)) is None
    assert Appointment.objects.get() == anas_exam
