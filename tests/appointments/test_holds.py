"""Times held until the patient says yes: one each, given back when they run out, never in the way."""

from datetime import timedelta

import pytest

from appointments import services
from appointments.models import Appointment
from eyecare import clock
from eyecare.errors import NotFound
from messaging.models import Message
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")

State = Appointment.State


def hold(patient, exam, slot, channel="web", **more):
    return services.hold(patient=patient, visit_type=exam, slot=slot, channel=channel, **more)


def book(patient, exam, slot, channel="web", **more):
    return services.book(patient=patient, visit_type=exam, slot=slot, channel=channel, **more)


def steps(appointment):
    return [(event.from_state, event.to_state) for event in appointment.events.all()]


def later(minutes):
    return clock.frozen_at(MONDAY + timedelta(minutes=minutes))


@pytest.mark.parametrize(("channel", "minutes"), [("web", 10), ("chat", 10), ("api", 10), ("sms", 60)])
def test_a_time_is_held_for_as_long_as_answers_take_on_that_channel(
    ana, exam, tuesday_nine, channel, minutes
):
    held = hold(ana, exam, tuesday_nine, channel)
    assert (held.state, held.held_until) == (State.HELD, MONDAY + timedelta(minutes=minutes))
    assert steps(held) == [("", "held")]
    assert services.hold_of(ana) == held


def test_a_hold_is_no_visit_and_nobody_is_told_of_it(ana, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine)
    assert not Appointment.objects.visits().exists()
    assert not held.reminders.exists()
    assert not Message.objects.exists()
    with pytest.raises(NotFound):
        services.get_for(ana, held.pk)


def test_a_yes_turns_the_hold_into_the_visit(ana, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine)
    booked = book(ana, exam, tuesday_nine, note="New glasses", idempotency_key="k1")
    assert booked.pk == held.pk
    row = Appointment.objects.get()
    assert (row.state, row.held_until, row.note) == (State.BOOKED, None, "New glasses")
    assert steps(row) == [("", "held"), ("held", "booked")]
    assert book(ana, exam, tuesday_nine, idempotency_key="k1") == booked


def test_a_held_time_is_refused_to_others_with_times_that_are_free(ana, ben, exam, tuesday_nine):
    hold(ana, exam, tuesday_nine)
    with pytest.raises(services.SlotTaken) as refusal:
        book(ben, exam, tuesday_nine)
    assert [f"{slot:%a %H:%M}" for slot in refusal.value.alternatives] == [
        "Tue 09:30", "Tue 10:00", "Tue 10:30"
    ]  # fmt: skip


def test_another_time_gives_the_former_back(ana, ben, exam, tuesday_nine, slot_at):
    former = hold(ana, exam, tuesday_nine)
    held = hold(ana, exam, slot_at(3, 10))
    former.refresh_from_db()
    assert former.state == State.RELEASED
    assert steps(former) == [("", "held"), ("held", "released")]
    assert services.hold_of(ana) == held
    assert book(ben, exam, tuesday_nine).is_active


def test_a_refused_hold_leaves_the_former_held(ana, ben, exam, tuesday_nine, slot_at):
    held = hold(ana, exam, tuesday_nine)
    book(ben, exam, slot_at(3, 10))
    with pytest.raises(services.SlotTaken):
        hold(ana, exam, slot_at(3, 10))
    assert services.hold_of(ana) == held


def test_the_same_time_again_is_held_longer(ana, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine)
    with later(8):
        again = hold(ana, exam, tuesday_nine)
    assert (again.pk, again.held_until) == (held.pk, MONDAY + timedelta(minutes=18))
    assert Appointment.objects.count() == 1


def test_booking_another_time_gives_the_held_one_back(ana, exam, tuesday_nine, slot_at):
    held = hold(ana, exam, tuesday_nine)
    booked = book(ana, exam, slot_at(3, 10))
    held.refresh_from_db()
    assert (held.state, booked.state) == (State.RELEASED, State.BOOKED)
    assert services.hold_of(ana) is None


def test_a_hold_for_another_kind_of_visit_does_not_stand_in_the_way(ana, exam, okafor, tuesday_nine):
    short = factories.VisitTypeFactory(name="Check", slug="check", minutes=15, providers=[okafor])
    held = hold(ana, exam, tuesday_nine)
    booked = book(ana, short, services.slot_from_key(short, tuesday_nine.key))
    held.refresh_from_db()
    assert (held.state, booked.visit_type) == (State.RELEASED, short)


def test_a_yes_after_the_hold_ran_out_gets_the_time_while_it_is_free(ana, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine)
    with later(11):
        assert services.hold_of(ana) is None
        assert book(ana, exam, tuesday_nine).pk == held.pk


def test_a_yes_after_the_hold_was_swept_gets_the_time_while_it_is_free(ana, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine)
    with later(11):
        assert services.sweep_holds() == 1
        booked = book(ana, exam, tuesday_nine)
    held.refresh_from_db()
    assert (booked.state, held.state) == (State.BOOKED, State.RELEASED)


def test_a_yes_after_somebody_else_took_the_time_is_told_what_is_free(ana, ben, exam, tuesday_nine):
    hold(ana, exam, tuesday_nine)
    with later(11):
        bens = book(ben, exam, tuesday_nine)
        with pytest.raises(services.SlotTaken, match="just been taken") as refusal:
            book(ana, exam, tuesday_nine)
    assert [f"{slot:%H:%M}" for slot in refusal.value.alternatives] == ["09:30", "10:00", "10:30"]
    assert Appointment.objects.active().get() == bens


def test_who_takes_a_run_out_time_gives_it_back_in_the_others_history(ana, ben, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine)
    with later(10):
        book(ben, exam, tuesday_nine)
    held.refresh_from_db()
    assert held.state == State.RELEASED
    event = held.events.last()
    assert (event.from_state, event.to_state, event.reason) == ("held", "released", "ran out")


def test_a_promise_kept_in_time_is_not_undone_by_the_notice(ana, exam, slot_at):
    eleven = slot_at(2, 11)  # two hours from now: just enough notice
    hold(ana, exam, eleven, "sms")
    with later(50):
        assert book(ana, exam, eleven, "sms").is_active


def test_a_promise_that_ran_out_is_bound_to_the_notice_again(ana, exam, slot_at):
    eleven = slot_at(2, 11)
    hold(ana, exam, eleven)
    with later(50), pytest.raises(services.TooSoon):
        book(ana, exam, eleven)


def test_the_sweep_gives_back_what_ran_out_and_nothing_else(ana, ben, exam, tuesday_nine, slot_at):
    hold(ana, exam, tuesday_nine)
    bens = hold(ben, exam, slot_at(3, 10), "sms")
    with later(10):
        assert services.sweep_holds() == 1
        assert services.sweep_holds() == 0
        assert services.hold_of(ben) == bens
    assert Appointment.objects.get(patient=ana).state == State.RELEASED


def test_a_patient_gives_back_what_is_held(ana, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine)
    for _ in range(2):
        services.release(patient=ana, channel="chat")
    assert services.hold_of(ana) is None
    assert steps(held) == [("", "held"), ("held", "released")]


@pytest.mark.parametrize("hour", [8, 20])
def test_what_cannot_be_booked_cannot_be_held(ana, exam, slot_at, hour):
    with pytest.raises(services.OutsideHours):
        hold(ana, exam, slot_at(3, hour))
    assert not Appointment.objects.exists()


def test_a_visit_keeps_its_time_while_its_new_one_is_held(ana, anas_exam, exam, slot_at):
    held = hold(ana, exam, slot_at(4, 14), moving=anas_exam)
    anas_exam.refresh_from_db()
    assert anas_exam.state == State.BOOKED
    assert held.lineage == anas_exam.lineage


def test_a_yes_to_the_new_time_moves_the_visit_there(ana, anas_exam, exam, slot_at):
    held = hold(ana, exam, slot_at(4, 14), moving=anas_exam)
    moved = services.reschedule(appointment=anas_exam, slot=slot_at(4, 14), channel="web")
    assert (moved.pk, moved.moved_from, moved.lineage) == (held.pk, anas_exam, anas_exam.lineage)
    assert Appointment.objects.active().get() == moved
    assert steps(moved) == [("", "held"), ("held", "booked")]
    assert moved.reminders.count() == anas_exam.reminders.count()


def test_a_new_time_within_the_visits_own_can_be_held(ana, anas_exam, exam, slot_at):
    exam.minutes = 20
    exam.save()
    quarter_past = services.slot_from_key(exam, slot_at(3, 9, 15).key)
    hold(ana, exam, quarter_past, moving=anas_exam)
    assert services.reschedule(appointment=anas_exam, slot=quarter_past, channel="web").is_active


def test_booking_beside_a_visit_does_not_use_the_hold_for_its_move(ana, anas_exam, exam, slot_at):
    held = hold(ana, exam, slot_at(4, 14), moving=anas_exam)
    booked = book(ana, exam, slot_at(4, 14))
    held.refresh_from_db()
    assert held.state == State.RELEASED
    assert booked.lineage != anas_exam.lineage
    assert Appointment.objects.active().count() == 2


def test_a_cancelled_visit_gives_the_hold_for_its_move_back(ana, anas_exam, exam, slot_at):
    hold(ana, exam, slot_at(4, 14), moving=anas_exam)
    services.cancel(appointment=anas_exam, channel="web")
    assert services.hold_of(ana) is None


def test_cancelling_a_visit_leaves_a_hold_for_another(ana, anas_exam, exam, slot_at):
    held = hold(ana, exam, slot_at(4, 14))
    services.cancel(appointment=anas_exam, channel="web")
    assert services.hold_of(ana) == held


def test_a_visit_that_may_no_longer_be_moved_is_held_no_new_time(ana, anas_exam, exam, slot_at):
    with clock.frozen_at(anas_exam.starts_at - timedelta(hours=1)), pytest.raises(services.TooLate):
        hold(ana, exam, slot_at(4, 14), moving=anas_exam)
    assert services.hold_of(ana) is None


def test_the_front_desk_holds_for_as_long_as_it_says(ana, dana, exam, tuesday_nine):
    held = hold(ana, exam, tuesday_nine, "staff", actor=dana, minutes=3)
    assert held.held_until == MONDAY + timedelta(minutes=3)
    assert held.events.get().actor == dana


# A time held for several on the waitlist.


@pytest.fixture
def held_for_several(exam, tuesday_nine):
    return services.hold_for_several(visit_type=exam, slot=tuesday_nine, until=MONDAY + timedelta(minutes=45))


def take_over(held, patient, exam, **more):
    return services.take_over(hold=held, patient=patient, visit_type=exam, channel="sms", **more)


def test_the_first_yes_gets_the_time_and_the_second_is_told(held_for_several, ana, ben, exam):
    visit = take_over(held_for_several, ana, exam)
    assert (visit.pk, visit.patient, visit.state) == (held_for_several.pk, ana, State.BOOKED)
    stale = Appointment.objects.get(pk=visit.pk)
    with pytest.raises(services.SlotTaken, match="a little faster") as refusal:
        take_over(stale, ben, exam)
    assert len(refusal.value.alternatives) == 3
    assert Appointment.objects.get() == visit


def test_a_second_yes_of_the_winner_is_answered_with_the_visit(held_for_several, ana, exam):
    assert take_over(held_for_several, ana, exam) == take_over(held_for_several, ana, exam)
    assert steps(held_for_several) == [("", "held"), ("held", "booked")]


def test_nobody_else_is_offered_what_is_held_for_several(held_for_several, ben, exam, tuesday_nine):
    with pytest.raises(services.SlotTaken):
        book(ben, exam, tuesday_nine)


def test_a_yes_after_the_time_was_given_back_is_refused(held_for_several, ana, dana, exam):
    assert services.release_hold(hold=held_for_several, channel="staff", actor=dana, reason="Dr. is ill")
    event = held_for_several.events.last()
    assert (event.to_state, event.actor, event.reason) == ("released", dana, "Dr. is ill")
    assert not services.release_hold(hold=held_for_several)
    with pytest.raises(services.SlotTaken, match="no longer held"):
        take_over(held_for_several, ana, exam)
    assert not Appointment.objects.active().exists()


def test_a_late_yes_to_what_nobody_gave_back_yet_gets_the_time(held_for_several, ana, exam):
    with later(50):
        assert take_over(held_for_several, ana, exam).pk == held_for_several.pk


def test_a_visit_moves_to_the_time_that_was_held_for_several(held_for_several, ana, exam, slot_at):
    later_visit = book(ana, exam, slot_at(10, 9))
    moved = take_over(held_for_several, ana, exam, moving=later_visit)
    later_visit.refresh_from_db()
    assert (later_visit.state, moved.moved_from, moved.lineage) == (
        State.MOVED, later_visit, later_visit.lineage
    )  # fmt: skip


def test_what_the_winner_held_elsewhere_is_given_back(held_for_several, ana, exam, slot_at):
    other = hold(ana, exam, slot_at(4, 9))
    take_over(held_for_several, ana, exam)
    other.refresh_from_db()
    assert other.state == State.RELEASED


def test_a_shorter_visit_fits_into_what_was_held_for_several(held_for_several, ana, okafor):
    short = factories.VisitTypeFactory(name="Check", slug="check", minutes=15, providers=[okafor])
    visit = take_over(held_for_several, ana, short)
    assert visit.ends_at - visit.starts_at == timedelta(minutes=15)
    held_for_several.refresh_from_db()
    assert held_for_several.state == State.RELEASED


def test_a_yes_that_the_rules_refuse_leaves_the_time_held_for_the_others(held_for_several, ana, ben, exam):
    exam.intended_for = "known"
    exam.save()
    with pytest.raises(services.NotForYou):
        take_over(held_for_several, ana, exam)
    held_for_several.refresh_from_db()
    assert (held_for_several.state, held_for_several.patient) == (State.HELD, None)


# Held with the machine that a visit needs.


@pytest.fixture
def machine(exam, main_street):
    found = factories.ResourceFactory(location=main_street)
    exam.needs.add(found.kind)
    return found


def test_a_new_time_within_the_visits_own_is_held_with_its_machine(machine, ana, exam, slot_at):
    exam.minutes = 20
    exam.save()
    visit = book(ana, exam, services.slot_from_key(exam, slot_at(3, 9).key))
    quarter_past = services.slot_from_key(exam, slot_at(3, 9, 15).key)
    held = hold(ana, exam, quarter_past, moving=visit)
    assert held.resource_bookings.get().resource == machine
    moved = services.reschedule(appointment=visit, slot=quarter_past, channel="web")
    assert moved.resource_bookings.get().is_active


def test_a_visit_moves_within_its_machines_time_to_what_was_held_for_several(machine, ana, exam, slot_at):
    second = factories.ResourceFactory(location=machine.location)
    chen = factories.ProviderFactory(last_name="Chen", locations=[machine.location])
    factories.WeeklyHoursFactory(provider=chen, location=machine.location, weekday=1)
    exam.providers.add(chen)
    visit = book(ana, exam, slot_at(3, 9))
    with_chen = services.slot_from_key(exam, f"{chen.pk}.{slot_at(3, 9).key.partition('.')[2]}")
    held = services.hold_for_several(visit_type=exam, slot=with_chen, until=MONDAY + timedelta(minutes=45))
    assert held.resource_bookings.get().resource == second
    moved = take_over(held, ana, exam, moving=visit)
    assert {use.lineage for use in moved.resource_bookings.all()} == {visit.lineage}
    assert Appointment.objects.active().get() == moved


def test_a_hold_that_ran_out_elsewhere_gives_its_machine_back(machine, ana, ben, exam, slot_at):
    chen = factories.ProviderFactory(last_name="Chen", locations=[machine.location])
    factories.WeeklyHoursFactory(provider=chen, location=machine.location, weekday=1)
    exam.providers.add(chen)
    held = hold(ana, exam, slot_at(3, 9))
    with later(10):
        booked = book(
            ben, exam, services.slot_from_key(exam, f"{chen.pk}.{slot_at(3, 9).key.partition('.')[2]}")
        )
    held.refresh_from_db()
    assert (held.state, booked.resource_bookings.get().resource) == (State.RELEASED, machine)
