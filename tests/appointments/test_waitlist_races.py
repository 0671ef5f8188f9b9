"""Many say yes, or work on the same opening, at the same moment: one visit, one round, nothing left held."""

import functools

import pytest

from appointments import services, waitlist
from appointments.models import Appointment, AppointmentEvent, DiarySettings, Opening, WaitlistOffer
from appointments.refusals import Ended, SlotTaken
from eyecare.errors import Refusal
from messaging.models import Message
from tests import factories
from tests.factories import MONDAY
from tests.threads import at_once

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def freed(exam, slot_at, monday):
    """Tuesday at 9 has come free; twenty wait for it and nobody was asked yet."""
    somebody = factories.PatientFactory(first_name="Somebody")
    visit = services.book(patient=somebody, visit_type=exam, slot=slot_at(3, 9), channel="web")
    for number in range(20):
        patient = factories.PatientFactory(first_name=f"P{number:02}")
        factories.ConsentFactory(patient=patient)
        waitlist.join(patient=patient, visit_type=exam, channel="web")
    DiarySettings.objects.create(offers_at_once=10)
    services.cancel(appointment=visit, channel="staff")  # the nudge asks the first ten
    return Opening.objects.get()


def all_at_once(*acts):
    """Do all at the same moment of that Monday; a refusal is an outcome."""
    return at_once(acts, now=MONDAY, outcomes=Refusal)


def yes(offer, channel="sms"):
    fresh = waitlist.offer_for(offer.entry.patient, offer.pk)
    return lambda: waitlist.accept(offer=fresh, channel=channel)


def test_of_twenty_who_say_yes_at_once_one_is_booked_and_the_others_are_told(freed):
    offers = list(WaitlistOffer.objects.open().select_related("entry__patient"))
    assert len(offers) == 10
    outcomes = all_at_once(*[yes(offer, channel) for offer in offers for channel in ("sms", "web")])
    visits = [outcome for outcome in outcomes if isinstance(outcome, Appointment)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, SlotTaken)]
    assert len(visits) + len(lost) == 20
    visit = Appointment.objects.active().get()
    assert {each.pk for each in visits} == {visit.pk}
    assert {each.patient_id for each in visits} == {visit.patient_id}
    assert all(len(refusal.alternatives) == 3 for refusal in lost)
    assert sorted(WaitlistOffer.objects.values_list("state", flat=True)) == ["accepted"] + ["lost"] * 9
    assert Message.objects.filter(kind="waitlist_gone").count() == 9
    assert visit.events.filter(to_state="booked").count() == 1
    assert not Appointment.objects.filter(state="held").exists()


def test_ten_workers_on_one_opening_ask_each_person_once(freed):
    services.release_hold(hold=Opening.objects.get().hold)
    outcomes = all_at_once(*[lambda: waitlist.work_on(freed.pk)] * 10)
    assert sorted(outcomes) == [0] * 9 + [10]
    assert sorted(WaitlistOffer.objects.values_list("state", flat=True)) == ["lapsed"] * 10 + ["offered"] * 10
    assert Message.objects.filter(kind="waitlist_offer").count() == 20
    assert Appointment.objects.filter(state="held").count() == 1
    freed.refresh_from_db()
    assert (freed.round, freed.state) == (2, "offered")


def test_yeses_noes_workers_and_a_booking_by_somebody_else_leave_one_visit(freed, exam, slot_at, ben):
    offers = list(WaitlistOffer.objects.open().select_related("entry__patient"))
    acts = [yes(offer) for offer in offers[:4]]
    acts += [lambda offer=offer: waitlist.decline(offer=offer, channel="sms") for offer in offers[4:8]]
    acts += [lambda: waitlist.work_on(freed.pk)] * 4
    acts += [lambda: services.book(patient=ben, visit_type=exam, slot=slot_at(3, 9), channel="web")]
    outcomes = all_at_once(*acts)
    errors = [each for each in outcomes if isinstance(each, Exception) and not isinstance(each, SlotTaken)]
    assert errors == []
    visit = Appointment.objects.active().get()
    assert WaitlistOffer.objects.get(state="accepted").entry.patient == visit.patient
    assert not WaitlistOffer.objects.open().exists()
    assert not Appointment.objects.filter(state="held").exists()
    assert AppointmentEvent.objects.filter(appointment=visit, to_state="booked").count() == 1


def test_a_late_yes_and_a_booking_at_once_share_one_time(freed, exam, slot_at, ben):
    DiarySettings.objects.update(offers_at_once=10)
    for offer in WaitlistOffer.objects.open().select_related("entry__patient"):
        waitlist.decline(offer=offer, channel="sms")
    offers = list(WaitlistOffer.objects.open().select_related("entry__patient"))
    for offer in offers:
        waitlist.decline(offer=offer, channel="sms")
    freed.refresh_from_db()
    assert freed.state == "closed"
    outcomes = all_at_once(
        *[yes(offer) for offer in offers[:5]],
        lambda: services.book(patient=ben, visit_type=exam, slot=slot_at(3, 9), channel="web"),
    )
    assert sum(isinstance(each, Appointment) for each in outcomes) == 1
    assert sum(isinstance(each, SlotTaken) for each in outcomes) == 5
    assert Appointment.objects.active().count() == 1


def test_who_says_yes_and_leaves_at_once_has_the_visit_or_has_left(freed):
    offers = list(WaitlistOffer.objects.open().select_related("entry__patient"))
    leave = [
        functools.partial(waitlist.withdraw, entry=offer.entry, channel="web")
        for offer in WaitlistOffer.objects.open().select_related("entry")
    ]
    outcomes = all_at_once(*[yes(offer) for offer in offers], *leave)
    errors = [each for each in outcomes if isinstance(each, Exception)]
    assert all(isinstance(error, (SlotTaken, Ended)) for error in errors)
    visits = Appointment.objects.active()
    assert visits.count() <= 1
    for offer in offers:
        offer.entry.refresh_from_db()
        has_visit = visits.for_patient(offer.entry.patient).exists()
        assert offer.entry.state == ("booked" if has_visit else "withdrawn")
