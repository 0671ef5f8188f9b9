"""Whatever patients, the front desk and the clock do, in whatever order: the diary stays whole.

Hypothesis draws the order. Every step goes through the services; what must hold is worked out here anew,
from the rows alone, and a refusal must be right and change nothing.
"""

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, pairwise

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from appointments import services
from appointments.models import Appointment, DiarySettings, Reminder, ResourceBooking, VisitType
from eyecare import clock
from eyecare.errors import Invalid, Refusal
from patients.models import Patient
from practice.models import Location, Provider
from tests import factories
from tests.factories import MONDAY, ZONE

State = Appointment.State

TAKES_TIME = {State.BOOKED, State.CONFIRMED, State.ARRIVED, State.IN_EXAM}

FOLLOWS = {
    "": {State.HELD, State.BOOKED},
    State.HELD: {State.BOOKED, State.RELEASED},
    State.BOOKED: {
        State.CONFIRMED, State.ARRIVED, State.IN_EXAM, State.DONE, State.NO_SHOW, State.CANCELLED, State.MOVED
    },
    State.CONFIRMED: {
        State.ARRIVED, State.IN_EXAM, State.DONE, State.NO_SHOW, State.CANCELLED, State.MOVED
    },
    State.ARRIVED: {State.IN_EXAM, State.DONE},
    State.IN_EXAM: {State.DONE},
    State.NO_SHOW: {State.ARRIVED},
}  # fmt: skip
"""What may come after what, written down a second time."""

PEOPLE, KINDS, PROVIDERS = (st.integers(0, last) for last in (3, 2, 1))
SOME = st.integers(0, 5)
TUESDAY_NINE = datetime(2026, 3, 3, 9, tzinfo=ZONE)
STARTS = st.integers(0, 4).map(lambda number: TUESDAY_NINE + number * timedelta(minutes=30))
"""Few times, so that many want the same."""

CHANNELS = st.sampled_from(["web", "sms", "staff"])


@pytest.fixture
def house(practice, main_street):
    """Two providers, mornings nine to noon; a long visit, one with a buffer, one that needs the machine."""
    okafor, chen = (
        factories.ProviderFactory(last_name=name, locations=[main_street]) for name in ("Okafor", "Chen")
    )
    for provider in (okafor, chen):
        for weekday in range(3):
            factories.WeeklyHoursFactory(
                provider=provider,
                location=main_street,
                weekday=weekday,
                ends_at=time(12),
            )
    both = [okafor, chen]
    factories.VisitTypeFactory(name="A fitting", slug="fitting", minutes=60, providers=both)
    factories.VisitTypeFactory(
        name="B exam", slug="exam", minutes=30, buffer_after_minutes=10, providers=both
    )
    fields = factories.VisitTypeFactory(name="C fields", slug="fields", minutes=30, providers=both)
    fields.needs.add(factories.ResourceFactory(location=main_street).kind)
    DiarySettings.objects.create(most_open_visits=3, most_no_shows=2)
    for number in range(4):
        factories.PatientFactory(first_name=f"Patient {number}")


class Diary(RuleBasedStateMachine):
    """One run of events; it begins with an empty diary and leaves none behind."""

    def __init__(self):
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.now = MONDAY - timedelta(hours=1)
        self.kinds, self.providers = list(VisitType.objects.all()), list(Provider.objects.order_by("pk"))
        self.people, self.place = list(Patient.objects.order_by("pk")), Location.objects.get()
        self.asked_for = {}

    def teardown(self):
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    # What may happen.

    @initialize(kinds=st.tuples(KINDS, KINDS, KINDS), start=STARTS)
    def some_are_booked(self, kinds, start):
        for patient, kind in enumerate(kinds):
            self.book(patient, kind, patient % 2, start + patient * timedelta(minutes=30), "staff", why="")

    @rule(patient=PEOPLE, kind=KINDS, provider=PROVIDERS, start=STARTS, channel=CHANNELS)
    def hold(self, patient, kind, provider, start, channel):
        asked = self._asked(patient, kind, provider, start)
        with self._attempt(**asked):
            held = services.hold(**asked, channel=channel)
            assert held.held_until > self.now
        self.asked_for[patient] = asked

    @rule(
        patient=PEOPLE,
        kind=KINDS,
        provider=PROVIDERS,
        start=STARTS,
        channel=CHANNELS,
        why=st.sampled_from(["", "she insists"]),
    )
    def book(self, patient, kind, provider, start, channel, why):
        asked = self._asked(patient, kind, provider, start)
        with self._attempt(**asked):
            assert services.book(**asked, channel=channel, override_reason=why).state == State.BOOKED

    @rule(provider=PROVIDERS, patient=PEOPLE, kind=KINDS, minutes=st.sampled_from([-90, 200, 7]))
    def book_outside_the_hours(self, provider, patient, kind, minutes):
        start = TUESDAY_NINE + timedelta(days=1, minutes=minutes)
        asked = self._asked(patient, kind, provider, start)
        with self._attempt(**asked):
            booked = services.book(**asked, channel="staff", override_reason="an emergency")
            is_outside = minutes < 0 or minutes + asked["visit_type"].minutes > 180
            assert booked.events.last().is_override == is_outside

    @rule(patient=PEOPLE)
    def say_yes_to_what_was_held(self, patient):
        if asked := self.asked_for.get(patient):
            with self._attempt(**asked):
                assert services.book(**asked, channel="sms").state == State.BOOKED

    @rule(patient=PEOPLE, kind=KINDS, provider=PROVIDERS, start=STARTS, other=PEOPLE, swept=st.booleans())
    def answer_too_late(self, patient, kind, provider, start, other, swept):
        self.hold(patient, kind, provider, start, "web")
        self.now += timedelta(minutes=11)
        if swept:
            self.sweep()
        self.book(other, kind, provider, start, "web", why="")
        self.say_yes_to_what_was_held(patient)

    @rule(patient=PEOPLE, kind=KINDS, which=st.integers(0, 30))
    def book_what_is_offered(self, patient, kind, which):
        with clock.frozen_at(self.now):
            offered = services.find_slots(
                visit_type=self.kinds[kind],
                first_day=date(2026, 3, 2),
                last_day=date(2026, 3, 4),
                patient=self.people[patient],
            )
            if not offered:
                return
            slot = offered[which % len(offered)]
            try:
                services.book(
                    patient=self.people[patient], visit_type=self.kinds[kind], slot=slot, channel="web"
                )
            except (services.TooManyVisits, services.NeedsStaff):
                return

    @rule(patient=PEOPLE)
    def give_back(self, patient):
        with clock.frozen_at(self.now):
            services.release(patient=self.people[patient])
            assert services.hold_of(self.people[patient]) is None

    @rule(which=SOME, provider=PROVIDERS, start=STARTS, channel=CHANNELS, first_held=st.booleans())
    def move(self, which, provider, start, channel, first_held):
        if visit := self._visit(which):
            self._move(visit, self._slot(visit.visit_type, provider, start), channel, first_held=first_held)

    @rule(which=SOME, minutes=st.sampled_from([-30, -15, 10, 30]), channel=CHANNELS, first_held=st.booleans())
    def move_within_its_own_time(self, which, minutes, channel, first_held):
        if visit := self._visit(which):
            provider = self.providers.index(visit.provider)
            start = visit.starts_at + timedelta(minutes=minutes)
            self._move(visit, self._slot(visit.visit_type, provider, start), channel, first_held=first_held)

    @rule(which=SOME, channel=CHANNELS)
    def cancel(self, which, channel):
        if visit := self._visit(which):
            with self._attempt():
                assert services.cancel(appointment=visit, channel=channel).state == State.CANCELLED

    @rule(
        which=SOME,
        verb=st.sampled_from(["confirm", "check_in", "start_exam", "complete", "mark_no_show"]),
        why=st.sampled_from(["", "the day before"]),
    )
    def step(self, which, verb, why):
        by = {"confirm": {"channel": "sms"}}.get(verb, {})
        if verb in ("check_in", "start_exam"):
            by = {"override_reason": why}
        standing = [*self._visits(), *Appointment.objects.filter(state=State.NO_SHOW).with_details()]
        if standing:
            visit = standing[which % len(standing)]
            with self._attempt():
                getattr(services, verb)(appointment=visit, **by)

    @rule(which=SOME, provider=PROVIDERS)
    def come_early(self, which, provider):
        if visit := self._visit(which):
            slot = self._slot(visit.visit_type, provider, self.now)
            with self._attempt(visit.patient, visit.visit_type, slot, visit):
                seen = services.bring_forward(appointment=visit, slot=slot, reason="is here already")
                assert seen.state == State.ARRIVED

    @rule(kind=KINDS, provider=PROVIDERS, start=STARTS, answers=st.lists(PEOPLE, max_size=3))
    def offer_to_several(self, kind, provider, start, answers):
        slot = self._slot(self.kinds[kind], provider, start)
        with self._attempt(None, self.kinds[kind], slot):
            services.hold_for_several(
                visit_type=self.kinds[kind], slot=slot, until=self.now + timedelta(minutes=45)
            )
        for patient in answers:
            self.take_over(-1, patient, kind, moves=bool(patient % 2))

    @rule(which=SOME, patient=PEOPLE, kind=KINDS, moves=st.booleans())
    def take_over(self, which, patient, kind, moves):
        person, nobodys = self.people[patient], Appointment.objects.filter(state=State.HELD, patient=None)
        offered = list(nobodys.with_details().order_by("created_at", "pk"))
        mine = [visit for visit in self._visits() if visit.patient == person]
        moving = mine[which % len(mine)] if mine and moves else None
        if offered:
            hold = offered[which % len(offered)]
            visit_type = moving.visit_type if moving else self.kinds[kind]
            with self._attempt():
                won = services.take_over(
                    hold=hold, patient=person, visit_type=visit_type, channel="sms", moving=moving
                )
                assert (won.starts_at, won.patient, won.moved_from) == (hold.starts_at, person, moving)

    @rule(minutes=st.sampled_from([4, 11, 61, 61, 700]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule()
    def sweep(self):
        with clock.frozen_at(self.now):
            run_out = Appointment.objects.filter(state=State.HELD, held_until__lte=self.now).count()
            assert services.sweep_holds() == run_out

    # What must always be so.

    @invariant()
    def the_diary_is_whole(self):
        rows = list(Appointment.objects.prefetch_related("events", "resource_bookings", "reminders"))
        standing = [row for row in rows if row.state in TAKES_TIME or row.state == State.HELD]
        nobody_is_in_two_places(standing)
        no_machine_serves_two(rows)
        what_needs_the_machine_has_it(standing, {kind.pk for kind in self.kinds if kind.slug == "fields"})
        a_visit_stands_in_the_diary_once(standing)
        a_moved_visit_goes_on_in_one_place({row.pk: row for row in rows})
        for row in rows:
            the_history_leads_to_the_state(row)
            only_visits_to_come_are_reminded_of(row)

    # How it is asked and checked.

    @contextmanager
    def _attempt(self, patient=None, visit_type=None, slot=None, moving=None):
        """Take one step: a time that the rows show as taken must be refused, and no other as taken."""
        before = self._snapshot()
        clash = self._clash(patient, visit_type, slot, moving) if slot else None
        with clock.frozen_at(self.now):
            try:
                yield
            except (Refusal, Invalid) as answer:
                refusal = answer
            else:
                assert not clash, "given to somebody although it was taken"
                return
        assert self._snapshot() == before
        if isinstance(refusal, services.SlotTaken):
            assert clash is not False, f"refused as taken, but it is free: {refusal}"
            assert not slot or not any(
                self._clash(patient, visit_type, other, moving) for other in refusal.alternatives
            )

    def _clash(self, patient, visit_type, slot, moving=None):
        """Say whether the rows show the provider, the patient or the machine elsewhere at that time."""
        begin, end = slot.starts_at, slot.ends_at
        clear = end + timedelta(minutes=visit_type.buffer_after_minutes)
        machine = Counter(ResourceBooking.objects.values_list("appointment", flat=True))
        for row in self._rows(self._stands):
            is_own = row.patient_id is not None and patient is not None and row.patient_id == patient.pk
            if (is_own and row.state == State.HELD) or (moving and row.pk == moving.pk):
                continue
            if row.provider_id == slot.provider.pk and meet(begin, clear, row.busy_from, row.busy_until):
                return True
            if is_own and meet(begin, end, row.starts_at, row.ends_at):
                return True
            uses_it = visit_type.slug == "fields" and machine[row.pk]
            if uses_it and meet(begin, clear, row.busy_from, row.busy_until):
                return True
        return False

    def _stands(self, row):
        return row.state in TAKES_TIME or (row.state == State.HELD and row.held_until > self.now)

    def _move(self, visit, slot, channel, *, first_held):
        asked = {"slot": slot, "channel": channel}
        if first_held:
            with self._attempt(visit.patient, visit.visit_type, slot, visit):
                services.hold(patient=visit.patient, visit_type=visit.visit_type, moving=visit, **asked)
        with self._attempt(visit.patient, visit.visit_type, slot, visit):
            moved = services.reschedule(appointment=visit, **asked)
            assert (moved.lineage, moved.moved_from) == (visit.lineage, visit)

    def _asked(self, patient, kind, provider, start):
        visit_type = self.kinds[kind]
        slot = self._slot(visit_type, provider, start)
        return {"patient": self.people[patient], "visit_type": visit_type, "slot": slot}

    def _slot(self, visit_type, provider, start):
        key = f"{self.providers[provider].pk}.{self.place.pk}.{start.astimezone(UTC):%Y%m%dT%H%M}"
        return services.slot_from_key(visit_type, key)

    def _visits(self):
        return list(Appointment.objects.active().with_details().order_by("created_at", "starts_at", "pk"))

    def _visit(self, which):
        visits = self._visits()
        return visits[which % len(visits)] if visits else None

    def _rows(self, wanted):
        return [row for row in Appointment.objects.all() if wanted(row)]

    def _snapshot(self):
        rows = Appointment.objects.order_by("pk")
        return list(rows.values_list("pk", "state", "patient", "held_until", "starts_at", "lineage"))


def nobody_is_in_two_places(standing):
    for one, other in combinations(standing, 2):
        if one.lineage == other.lineage:
            continue
        if one.provider_id == other.provider_id:
            assert not meet(one.busy_from, one.busy_until, other.busy_from, other.busy_until)
        if one.patient_id is not None and one.patient_id == other.patient_id:
            assert not meet(one.starts_at, one.ends_at, other.starts_at, other.ends_at)


def no_machine_serves_two(rows):
    in_use = []
    for row in rows:
        for use in row.resource_bookings.all():
            assert use.is_active == (row.state in {*TAKES_TIME, State.HELD})
            assert (use.lineage, use.busy_from, use.busy_until) == (
                row.lineage, row.busy_from, row.busy_until
            )  # fmt: skip
            in_use += [use] if use.is_active else []
    for one, other in combinations(in_use, 2):
        if one.resource_id == other.resource_id and one.lineage != other.lineage:
            assert not meet(one.busy_from, one.busy_until, other.busy_from, other.busy_until)


def what_needs_the_machine_has_it(standing, needing):
    for row in standing:
        assert len(row.resource_bookings.all()) == (row.visit_type_id in needing)


def a_visit_stands_in_the_diary_once(standing):
    visits = Counter(row.lineage for row in standing if row.state in TAKES_TIME)
    holds = Counter(row.patient_id for row in standing if row.state == State.HELD and row.patient_id)
    assert {*visits.values(), *holds.values()} <= {1}


def a_moved_visit_goes_on_in_one_place(rows):
    successors = Counter(row.moved_from_id for row in rows.values() if row.moved_from_id)
    for row in rows.values():
        assert successors[row.pk] == (row.state == State.MOVED)
        assert row.moved_from_id is None or rows[row.moved_from_id].lineage == row.lineage


def the_history_leads_to_the_state(row):
    steps = [(event.from_state, event.to_state) for event in row.events.all()]
    assert steps[0][0] == ""
    assert steps[-1][1] == row.state
    assert all(before[1] == after[0] for before, after in pairwise(steps))
    assert all(to in FOLLOWS[came_from] for came_from, to in steps)


def only_visits_to_come_are_reminded_of(row):
    for reminder in row.reminders.all():
        if reminder.state == Reminder.State.WAITING:
            assert row.state in {State.BOOKED, State.CONFIRMED}
            assert reminder.starts_at == row.starts_at


def meet(start, end, other_start, other_end):
    return start < other_end and other_start < end


@pytest.mark.django_db
def test_the_diary_stays_whole_whatever_happens_in_whatever_order(house):
    run_state_machine_as_test(
        Diary,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
