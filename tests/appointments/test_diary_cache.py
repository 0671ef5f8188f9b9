"""What searches remember is never older than the diary, and costs one question to the database."""

import threading
from datetime import date, time, timedelta

import pytest
from django.db import transaction

from appointments import diary, services
from appointments.memory import Memory
from appointments.models import (
    Appointment,
    Resource,
    ResourceBooking,
    ResourceKind,
    ScheduleException,
    UrgentBlock,
    VisitType,
    WeeklyHours,
)
from eyecare import clock
from practice.models import Location, Provider
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")

TUESDAY = date(2026, 3, 3)
State = Appointment.State


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    diary.forget()


@pytest.fixture
def chen(main_street: Location, exam: VisitType) -> Provider:
    """A second one who does exams, on Tuesdays from nine to ten."""
    provider = factories.ProviderFactory(last_name="Chen", locations=[main_street])
    factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=1, ends_at=time(10))
    exam.providers.add(provider)
    return provider


def on_tuesday(visit_type, **more):
    return diary.find_slots(visit_type=visit_type, first_day=TUESDAY, last_day=TUESDAY, **more)


def times(visit_type, **more):
    return [f"{slot:%H:%M}" for slot in on_tuesday(visit_type, **more)]


def stand(slot, **more):
    """Write a visit as a row, past all services."""
    return factories.AppointmentFactory(
        provider=slot.provider, location=slot.location, starts_at=slot.starts_at, **more
    )


def test_what_has_not_changed_is_found_again_with_one_question(exam, chen, django_assert_num_queries):
    first = on_tuesday(exam)
    with django_assert_num_queries(1):
        again = on_tuesday(exam)
    assert again == first
    assert len(again) == 18


def test_a_patients_own_times_are_one_question_more(exam, ana, django_assert_num_queries):
    on_tuesday(exam)
    with django_assert_num_queries(2):
        on_tuesday(exam, patient=ana)


def test_after_a_booking_only_that_providers_diary_is_read_again(
    exam, chen, ana, tuesday_nine, django_assert_num_queries
):
    on_tuesday(exam)
    stand(tuesday_nine, patient=ana, visit_type=exam)
    with django_assert_num_queries(2) as asked:
        found = on_tuesday(exam)
    assert len(found) == 17
    assert f"IN ({tuesday_nine.provider.pk})" in asked.captured_queries[1]["sql"]


@pytest.mark.parametrize("days", [1, 400])
@pytest.mark.parametrize("others", [0, 3])
def test_a_search_asks_the_same_few_questions_whatever_the_range(
    exam, ana, main_street, tuesday_nine, others, days, django_assert_num_queries
):
    for number in range(others):
        provider = factories.ProviderFactory(last_name=f"Reyes{number}", locations=[main_street])
        factories.WeeklyHoursFactory(provider=provider, location=main_street, weekday=number)
        exam.providers.add(provider)
    stand(tuesday_nine, patient=ana, visit_type=exam)
    VisitType.objects.update(horizon_days=days)
    exam.refresh_from_db()
    with django_assert_num_queries(9):
        diary.find_slots(visit_type=exam, first_day=TUESDAY, last_day=date.max, patient=ana)


def test_a_booked_time_is_gone_and_a_cancelled_one_comes_back(exam, ana, tuesday_nine):
    before = times(exam)
    visit = services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web")
    assert times(exam) == before[1:]
    services.cancel(appointment=visit, channel="web")
    assert times(exam) == before


def test_a_time_comes_back_by_itself_when_its_hold_runs_out(exam, tuesday_nine):
    until = MONDAY + timedelta(minutes=10)
    stand(tuesday_nine, visit_type=exam, state=State.HELD, held_until=until)
    assert "09:00" not in times(exam)
    with clock.frozen_at(until - timedelta(seconds=1)):
        assert "09:00" not in times(exam)
    with clock.frozen_at(until):
        assert "09:00" in times(exam)
    assert "09:00" not in times(exam)  # the clock of a test may go back


def test_a_hold_that_ends_within_a_second_is_not_remembered_beyond_it(exam, tuesday_nine):
    until = MONDAY + timedelta(seconds=1.5)
    stand(tuesday_nine, visit_type=exam, state=State.HELD, held_until=until)
    for seconds, is_free in [(0, False), (1.4, False), (1.6, True)]:
        with clock.frozen_at(MONDAY + timedelta(seconds=seconds)):
            assert ("09:00" in times(exam)) is is_free


def test_time_kept_for_urgent_visits_is_offered_from_its_release_on(exam, okafor, main_street):
    UrgentBlock.objects.create(
        provider=okafor, location=main_street, weekday=1, starts_at=time(9), ends_at=time(10),
        released_hours_before=4,
    )  # fmt: skip
    VisitType.objects.update(minimum_notice_hours=0)
    exam.refresh_from_db()
    five = MONDAY + timedelta(hours=20)
    for moment, first in [(MONDAY, "10:00"), (five - timedelta(seconds=1), "10:00"), (five, "09:00")]:
        with clock.frozen_at(moment):
            assert times(exam)[0] == first
    exam.is_urgent = True
    assert times(exam)[0] == "09:00"


def test_notice_goes_on_although_the_answer_is_remembered(exam):
    with clock.frozen_at(MONDAY + timedelta(hours=22)):
        assert times(exam)[0] == "09:00"
    with clock.frozen_at(MONDAY + timedelta(hours=22, minutes=1)):
        assert times(exam)[0] == "09:30"


@pytest.fixture
def field_test(exam, chen, main_street):
    """Every exam needs the one machine of Main Street."""
    kind = ResourceKind.objects.create(name="Visual field machine")
    machine = Resource.objects.create(kind=kind, location=main_street, name="Field 1")
    exam.needs.add(kind)
    return machine


def use(machine, visit):
    return ResourceBooking.objects.create(
        appointment=visit,
        resource=machine,
        lineage=visit.lineage,
        busy_from=visit.busy_from,
        busy_until=visit.busy_until,
    )


def test_a_machine_taken_by_one_provider_is_not_offered_with_another(exam, chen, field_test, tuesday_nine):
    assert times(exam, provider=chen) == ["09:00", "09:30"]
    use(field_test, stand(tuesday_nine, visit_type=exam))
    assert times(exam, provider=chen) == ["09:30"]


def test_a_machine_that_is_held_comes_back_for_all_when_the_hold_runs_out(
    exam, chen, field_test, tuesday_nine
):
    until = MONDAY + timedelta(minutes=10)
    use(field_test, stand(tuesday_nine, visit_type=exam, state=State.HELD, held_until=until))
    assert times(exam, provider=chen) == ["09:30"]
    with clock.frozen_at(until):
        assert times(exam, provider=chen) == ["09:00", "09:30"]


def test_a_visit_that_is_given_another_machine_frees_the_first(
    exam, chen, field_test, tuesday_nine, main_street
):
    booking = use(field_test, stand(tuesday_nine, visit_type=exam))
    assert times(exam, provider=chen) == ["09:30"]
    spare = Resource.objects.create(
        kind=ResourceKind.objects.create(name="Spare"), location=main_street, name="Spare"
    )
    ResourceBooking.objects.filter(pk=booking.pk).update(resource=spare)
    assert times(exam, provider=chen) == ["09:00", "09:30"]
    ResourceBooking.objects.filter(pk=booking.pk).update(resource=field_test)
    assert times(exam, provider=chen) == ["09:30"]
    ResourceBooking.objects.all().delete()
    assert times(exam, provider=chen) == ["09:00", "09:30"]


def change_the_rules(exam, chen, main_street):
    """Yield after each change of the rules that closes Dr. Chen's Tuesday, and undo it."""
    leave = ScheduleException.objects.create(kind="closed", date=TUESDAY, provider=chen)
    yield "leave"
    leave.delete()
    hours = WeeklyHours.objects.get(provider=chen)
    hours.delete()
    yield "hours"
    hours.save()
    for row, name in [(chen, "is_active"), (main_street, "is_active")]:
        type(row).objects.filter(pk=row.pk).update(**{name: False})
        yield str(row)
        type(row).objects.filter(pk=row.pk).update(**{name: True})
    exam.providers.remove(chen)
    yield "providers"
    exam.providers.add(chen)
    exam.needs.add(ResourceKind.objects.create(name="Nobody has one"))
    yield "needs"
    exam.needs.clear()
    elsewhere = factories.LocationFactory(name="Harbor")
    exam.locations.add(elsewhere)
    yield "locations"
    exam.locations.clear()


def test_every_change_of_the_rules_is_seen_at_once(exam, chen, main_street):
    assert times(exam, provider=chen) == ["09:00", "09:30"]
    for change in change_the_rules(exam, chen, main_street):
        assert times(exam, provider=chen) == [], change
    assert times(exam, provider=chen) == ["09:00", "09:30"]


def test_a_visit_type_in_hand_is_searched_as_it_is(exam, chen):
    assert times(exam, provider=chen) == ["09:00", "09:30"]
    exam.minutes = 60
    assert times(exam, provider=chen) == ["09:00"]
    exam.minutes = 30
    assert times(exam, provider=chen) == ["09:00", "09:30"]


def test_what_was_rolled_back_is_neither_remembered_nor_found(exam, ana, ben, tuesday_nine, slot_at):
    before = times(exam)
    for _ in range(2):
        with transaction.atomic():
            stand(tuesday_nine, patient=ana, visit_type=exam)
            assert times(exam) == before[1:]
            transaction.set_rollback(True)
        assert times(exam) == before
    with transaction.atomic():
        stand(slot_at(3, 9, 30), patient=ben, visit_type=exam)
        assert times(exam) == [before[0], *before[2:]]
        transaction.set_rollback(True)
    assert times(exam) == before


def test_what_is_held_for_a_patient_is_free_for_them_and_for_nobody_else(exam, ana, ben, tuesday_nine):
    until = MONDAY + timedelta(minutes=10)
    stand(tuesday_nine, patient=ana, visit_type=exam, state=State.HELD, held_until=until)
    for _ in range(2):
        assert "09:00" in times(exam, patient=ana)
        assert "09:00" not in times(exam, patient=ben)
        assert "09:00" not in times(exam)


def test_a_visit_that_moves_is_in_nobody_elses_answer_left_out(anas_exam, exam, ben):
    for _ in range(2):
        assert "09:00" in times(exam, moving=anas_exam)
        assert "09:00" not in times(exam, patient=ben)
        assert "09:00" not in times(exam)


def test_a_moving_visit_leaves_its_machine_too(exam, chen, field_test, ana, tuesday_nine):
    visit = stand(tuesday_nine, patient=ana, visit_type=exam)
    use(field_test, visit)
    for _ in range(2):
        assert times(exam, provider=chen, moving=visit) == ["09:00", "09:30"]
        assert times(exam, provider=chen) == ["09:30"]


def test_the_stamps_tell_whose_diary_has_changed(exam, chen, okafor, ana, tuesday_nine):
    before = diary.stamps()
    stand(tuesday_nine, patient=ana, visit_type=exam)
    after = diary.stamps()
    assert {whose for whose in after if after[whose] != before.get(whose)} == {okafor.pk}
    assert diary.stamps([okafor.pk]) == {0: after[0], okafor.pk: after[okafor.pk]}


def test_memory_forgets_what_was_asked_for_least_recently():
    memory = Memory[str](most=10)
    for key in "abc":
        memory.keep(key, 1, key.upper(), weight=3)
    assert memory.recall("a", 1) == "A"
    memory.keep("d", 1, "D", weight=3)
    assert [memory.recall(key, 1) for key in "abcd"] == ["A", None, "C", "D"]


def test_memory_does_not_keep_what_is_heavier_than_all_it_may_keep():
    memory = Memory[str](most=10)
    memory.keep("a", 1, "A", weight=3)
    memory.keep("b", 1, "B", weight=11)
    assert len(memory) == 0


def test_memory_answers_for_its_version_and_its_time_only():
    memory = Memory[str](most=10)
    memory.keep("a", 1, "A", weight=1, since=100, until=200)
    asked = [(1, 99), (1, 100), (1, 199), (1, 200), (2, 150)]
    assert [memory.recall("a", version, now) for version, now in asked] == [None, "A", "A", None, None]


def test_threads_share_memory_without_losing_count():
    memory = Memory[int](most=50)

    def use_it(first: int) -> None:
        for number in range(first, first + 3000):
            memory.keep(number % 97, 1, number % 97, weight=number % 5 + 1)
            assert memory.recall(number % 89, 1) in (None, number % 89)

    threads = [threading.Thread(target=use_it, args=[first]) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.weight == sum(kept.weight for kept in memory._kept.values())
    assert memory.weight <= 50
