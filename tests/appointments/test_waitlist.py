"""A time that comes free goes to those who wait for it: a few at a time, the first yes wins."""

from datetime import date, time, timedelta

import pytest

from appointments import services, waitlist
from appointments.models import (
    Appointment,
    DiarySettings,
    Opening,
    ScheduleException,
    VisitType,
    WaitlistEntry,
    WaitlistOffer,
)
from appointments.refusals import ByPhone, Ended, SlotTaken, TooLate
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from messaging import services as messaging
from messaging.backends import memory
from messaging.models import Message
from patients.models import Consent
from tests import factories
from tests.factories import MONDAY

pytestmark = pytest.mark.usefixtures("monday")

State, Offered = Opening.State, WaitlistOffer.State


@pytest.fixture
def waits(exam):
    """Put a patient who agreed to texts on the waitlist for an exam: waits(ana, weekdays=[1]).

    The clock stands, but who came first waits longest.
    """

    def waits(patient, visit_type=exam, **wish):
        factories.ConsentFactory(patient=patient)
        entry = waitlist.join(patient=patient, visit_type=visit_type, channel="web", **wish)
        if entry.created_at == clock.now():
            entry.created_at += timedelta(seconds=WaitlistEntry.objects.count())
            entry.save(update_fields=["created_at"])
        return entry

    return waits


@pytest.fixture
def carl(practice):
    return factories.PatientFactory(first_name="Carl", last_name="Ito")


@pytest.fixture
def taken(exam, tuesday_nine):
    """Somebody's exam on Tuesday, March 3, 9 a.m."""
    somebody = factories.PatientFactory(first_name="Somebody")
    return services.book(patient=somebody, visit_type=exam, slot=tuesday_nine, channel="web")


@pytest.fixture
def frees(django_capture_on_commit_callbacks):
    """Cancel a visit at the front desk and let everything that follows happen."""

    def frees(visit):
        with django_capture_on_commit_callbacks(execute=True):
            services.cancel(appointment=visit, channel="staff")
        return Opening.objects.filter(freed_by=visit).first()

    return frees


@pytest.fixture
def after(django_capture_on_commit_callbacks):
    """Do something and let everything that follows happen: after(waitlist.decline, offer=…)."""

    def after(verb, **given):
        with django_capture_on_commit_callbacks(execute=True):
            return verb(**given)

    return after


def later(**span):
    return clock.frozen_at(MONDAY + timedelta(**span))


def sent_to(patient):
    return [text.body for text in memory.outbox if text.to == str(patient.phone)]


def states(opening):
    return {offer.entry.patient.first_name: offer.state for offer in opening.offers.all()}


# Joining and leaving


def test_a_wish_is_kept_as_it_was_said(ana, exam, okafor, main_street):
    entry = waitlist.join(
        patient=ana,
        visit_type=exam,
        provider=okafor,
        location=main_street,
        first_day=date(2026, 3, 4),
        last_day=date(2026, 3, 20),
        weekdays=[3, 1],
        until_time=time(12),
        channel="web",
    )
    assert (entry.first_day, entry.last_day, entry.weekdays) == (
        date(2026, 3, 4), date(2026, 3, 20), [1, 3]
    )  # fmt: skip
    assert waitlist.words_of(entry) == (
        "Tuesdays or Thursdays, before 12:00 PM, from March 4 until March 20, with Dr. Maya Okafor, "
        "at Main Street"
    )
    assert list(waitlist.entries_for(ana)) == [entry]


def test_a_wish_without_anything_is_for_any_time(ana, exam):
    entry = waitlist.join(patient=ana, visit_type=exam, channel="web")
    assert entry.first_day == date(2026, 3, 2)
    assert waitlist.words_of(entry) == "any time"


def test_the_same_wish_twice_is_changed_and_keeps_its_place(ana, exam):
    first = waitlist.join(patient=ana, visit_type=exam, channel="web", weekdays=[1])
    with later(days=3):
        second = waitlist.join(patient=ana, visit_type=exam, channel="sms", from_time=time(13))
    assert second.pk == first.pk
    assert (second.weekdays, second.from_time, second.created_at) == ([], time(13), first.created_at)
    assert WaitlistEntry.objects.count() == 1


def test_who_comes_back_after_the_last_day_waits_from_then_on(ana, exam):
    waitlist.join(patient=ana, visit_type=exam, channel="web", last_day=date(2026, 3, 3))
    with later(days=3):
        assert waitlist.join(patient=ana, visit_type=exam, channel="web").created_at == clock.now()


def test_nobody_waits_for_more_than_five_visits(ana, okafor):
    for number in range(6):
        kind = factories.VisitTypeFactory(name=f"Kind {number}", slug=f"kind{number}", providers=[okafor])
        if number < 5:
            waitlist.join(patient=ana, visit_type=kind, channel="web")
    with pytest.raises(Invalid, match="You wait for 5 visits already"):
        waitlist.join(patient=ana, visit_type=kind, channel="web")
    assert WaitlistEntry.objects.count() == 5


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"last_day": date(2026, 3, 1)}, "The last day has passed."),
        ({"first_day": date(2026, 3, 9), "last_day": date(2026, 3, 4)}, "must not lie before the first"),
        ({"last_day": date(2026, 12, 1)}, "Our diary is open until August 29."),
        ({"first_day": date.max}, "Our diary is open until August 29."),
        ({"from_time": time(12), "until_time": time(9)}, "must end after it begins"),
        ({"weekdays": [7]}, "not a day of the week"),
        ({"weekdays": ["monday"]}, "not a day of the week"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_a_sentence(ana, exam, wish, sentence):
    with pytest.raises(Invalid, match=sentence):
        waitlist.join(patient=ana, visit_type=exam, channel="web", **wish)
    assert not WaitlistEntry.objects.exists()


def test_nobody_waits_for_what_they_could_not_say_yes_to(ana, exam, okafor):
    VisitType.objects.filter(pk=exam.pk).update(is_online=False)
    exam.refresh_from_db()
    for channel in ("web", "staff"):
        with pytest.raises(ByPhone):
            waitlist.join(patient=ana, visit_type=exam, channel=channel)


@pytest.mark.parametrize(
    "wish",
    [
        {"weekdays": [5, 6]},
        {"first_day": date(2026, 3, 7), "last_day": date(2026, 3, 8)},
        {"first_day": date(2026, 3, 3), "last_day": date(2026, 3, 4), "weekdays": [3, 4]},
        {"until_time": time(9)},
        {"from_time": time(17)},
    ],
)
def test_nobody_waits_for_times_at_which_nobody_works(ana, exam, wish):
    with pytest.raises(Invalid, match="We see no patients at such times"):
        waitlist.join(patient=ana, visit_type=exam, channel="web", **wish)
    assert not WaitlistEntry.objects.exists()


def test_extra_hours_can_be_waited_for(ana, exam, okafor, main_street):
    ScheduleException.objects.create(
        kind="extra",
        date=date(2026, 3, 7),
        provider=okafor,
        location=main_street,
        starts_at=time(9),
        ends_at=time(12),
    )
    assert waitlist.join(patient=ana, visit_type=exam, channel="web", weekdays=[5]).weekdays == [5]


def test_a_provider_who_does_not_do_this_visit_is_not_waited_for(ana, exam):
    with pytest.raises(Invalid, match="does not do this kind of visit"):
        waitlist.join(patient=ana, visit_type=exam, provider=factories.ProviderFactory(), channel="web")


def test_another_patients_wish_offer_and_visit_look_missing(ana, ben, exam, waits, taken, frees):
    entry = waits(ben)
    offer = frees(taken).offers.get()
    for look in (waitlist.entry_for, waitlist.offer_for):
        for key in (entry.pk, offer.pk, "nonsense", ""):
            with pytest.raises(NotFound):
                look(ana, key)
    assert waitlist.offer_for(ben, offer.pk) == offer
    assert not waitlist.offers_for(ana)
    with pytest.raises(NotFound):
        waitlist.join(patient=ana, visit_type=exam, moving=taken, channel="web")


def test_who_has_left_the_waitlist_is_not_asked(ana, waits, taken, frees):
    entry = waits(ana)
    waitlist.withdraw(entry=entry, channel="web")
    waitlist.withdraw(entry=entry, channel="web")
    assert entry.state == WaitlistEntry.State.WITHDRAWN
    assert frees(taken) is None
    assert not Message.objects.filter(kind="waitlist_offer").exists()


def test_who_leaves_while_being_asked_makes_room_for_the_next(ana, ben, waits, taken, frees, after):
    DiarySettings.objects.create(offers_at_once=1)
    first, second = waits(ana), waits(ben)
    opening = frees(taken)
    after(waitlist.withdraw, entry=first, channel="web")
    assert states(opening) == {"Ana": Offered.DECLINED, "Ben": Offered.OFFERED}
    assert second.offers.count() == 1


# The story


def test_a_cancelled_time_is_held_for_those_who_are_asked(ana, ben, waits, taken, frees, exam):
    waits(ana), waits(ben)
    opening = frees(taken)
    assert (opening.state, opening.round) == (State.OFFERED, 1)
    assert states(opening) == {"Ana": Offered.OFFERED, "Ben": Offered.OFFERED}
    assert (opening.hold.state, opening.hold.patient, opening.hold.starts_at) == (
        Appointment.State.HELD, None, taken.starts_at
    )  # fmt: skip
    assert opening.hold.held_until == MONDAY + timedelta(minutes=45)
    day = date(2026, 3, 3)
    free = services.find_slots(visit_type=exam, first_day=day, last_day=day)
    assert taken.starts_at not in {slot.starts_at for slot in free}


def test_the_text_names_the_time_and_nothing_of_the_visit(ana, waits, taken, frees):
    waits(ana)
    frees(taken)
    (text,) = sent_to(ana)
    assert "Tue, Mar 3 at 9:00 AM with Dr. Maya Okafor, Main Street" in text
    assert "9:45 AM" in text
    assert "Reply 1" in text
    assert "exam" not in text.casefold().replace("example", "")


def test_the_first_yes_gets_the_time_and_the_others_are_told_kindly(ana, ben, waits, taken, frees, after):
    waits(ana), waits(ben)
    opening = frees(taken)
    hers, his = waitlist.offers_for(ana).get(), waitlist.offers_for(ben).get()
    visit = after(waitlist.accept, offer=his, channel="sms")
    assert (visit.patient, visit.state, visit.starts_at) == (ben, "booked", taken.starts_at)
    opening.refresh_from_db()
    assert (opening.state, opening.hold) == (State.TAKEN, visit)
    assert states(opening) == {"Ana": Offered.LOST, "Ben": Offered.ACCEPTED}
    assert "no longer free" in sent_to(ana)[-1]
    assert "still on our list" in sent_to(ana)[-1]
    assert not any("no longer free" in text for text in sent_to(ben))
    assert waitlist.entries_for(ana).exists()
    assert not waitlist.entries_for(ben).exists()
    with pytest.raises(SlotTaken, match="You keep your place") as refused:
        waitlist.accept(offer=hers, channel="sms")
    assert len(refused.value.alternatives) == 3
    assert Appointment.objects.active().count() == 1


def test_the_same_yes_twice_is_one_visit(ana, waits, taken, frees):
    waits(ana)
    offer = frees(taken).offers.get()
    visit = waitlist.accept(offer=offer, channel="sms")
    assert waitlist.accept(offer=offer, channel="web") == visit
    assert Appointment.objects.active().get() == visit


def test_whose_text_has_not_left_yet_is_not_told_that_the_time_is_gone(ana, ben, waits, taken, frees, after):
    waits(ana), waits(ben)
    opening = frees(taken)
    hers = opening.offers.get(entry__patient=ana)
    Message.objects.filter(pk=hers.message_id).update(state="queued", due_at=clock.now())
    after(waitlist.accept, offer=opening.offers.get(entry__patient=ben), channel="sms")
    assert not Message.objects.filter(kind="waitlist_gone").exists()
    messaging.send(hers.message_id)
    hers.message.refresh_from_db()
    assert (hers.message.state, hers.message.explanation) == ("dropped", "the offer is over")


def test_when_all_have_declined_the_next_are_asked_at_once(ana, ben, carl, waits, taken, frees, after):
    DiarySettings.objects.create(offers_at_once=2)
    for patient in (ana, ben, carl):
        waits(patient)
    opening = frees(taken)
    assert states(opening) == {"Ana": Offered.OFFERED, "Ben": Offered.OFFERED}
    after(waitlist.decline, offer=waitlist.offers_for(ana).get(), channel="sms")
    assert opening.offers.count() == 2
    after(waitlist.decline, offer=waitlist.offers_for(ben).get(), channel="sms")
    assert states(opening) == {"Ana": Offered.DECLINED, "Ben": Offered.DECLINED, "Carl": Offered.OFFERED}
    opening.refresh_from_db()
    assert (opening.round, opening.state) == (2, State.OFFERED)
    assert Appointment.objects.held().get() == opening.hold


def test_who_declined_may_think_better_of_it_while_the_time_is_held(ana, ben, waits, taken, frees):
    waits(ana), waits(ben)
    opening = frees(taken)
    offer = waitlist.offers_for(ana).get()
    waitlist.decline(offer=offer, channel="sms")
    assert waitlist.accept(offer=offer, channel="sms").patient == ana
    assert states(opening) == {"Ana": Offered.ACCEPTED, "Ben": Offered.LOST}


def test_without_an_answer_the_next_are_asked_and_then_the_time_is_free(
    ana, ben, waits, taken, frees, after, exam
):
    DiarySettings.objects.create(offers_at_once=1)
    waits(ana), waits(ben)
    opening = frees(taken)
    with later(minutes=44):
        assert waitlist.sweep() == 0
    with later(minutes=45):
        assert after(waitlist.sweep) == 1
        assert states(opening) == {"Ana": Offered.LAPSED, "Ben": Offered.OFFERED}
        assert Appointment.objects.held().count() == 1
    with later(minutes=90):
        assert waitlist.sweep() == 1
        assert waitlist.sweep() == 0
        opening.refresh_from_db()
        assert (opening.state, opening.round, opening.hold) == (State.CLOSED, 2, None)
        assert not Appointment.objects.filter(state="held").exists()
        day = date(2026, 3, 3)
        free = services.find_slots(visit_type=exam, first_day=day, last_day=day)
        assert free[0].starts_at == taken.starts_at
    assert len(sent_to(ana)) == len(sent_to(ben)) == 1


def test_a_late_yes_gets_the_time_while_it_is_free(ana, waits, taken, frees):
    waits(ana)
    opening = frees(taken)
    offer = opening.offers.get()
    with later(minutes=50):
        waitlist.sweep()
        visit = waitlist.accept(offer=offer, channel="sms")
    assert (visit.patient, visit.starts_at) == (ana, taken.starts_at)
    opening.refresh_from_db()
    assert (opening.state, opening.hold) == (State.TAKEN, visit)


def test_a_late_yes_that_no_sweep_has_seen_gets_the_time_too(ana, waits, taken, frees):
    waits(ana)
    offer = frees(taken).offers.get()
    with later(minutes=46):
        assert waitlist.accept(offer=offer, channel="sms").patient == ana
    assert not Appointment.objects.filter(state="held").exists()


def test_a_late_yes_does_not_take_what_is_offered_to_others_by_now(ana, ben, waits, taken, frees):
    DiarySettings.objects.create(offers_at_once=1)
    waits(ana), waits(ben)
    offer = frees(taken).offers.get()
    with later(minutes=46):
        waitlist.sweep()
        with pytest.raises(SlotTaken, match="offered to others by now"):
            waitlist.accept(offer=offer, channel="sms")
    assert not Appointment.objects.active().exists()
    assert waitlist.entries_for(ana).exists()


def test_a_late_yes_to_a_time_that_somebody_booked_is_refused_with_others(
    ana, ben, waits, taken, frees, exam
):
    waits(ana)
    offer = frees(taken).offers.get()
    with later(minutes=50):
        waitlist.sweep()
        services.book(patient=ben, visit_type=exam, slot=waitlist.slot_of(offer), channel="web")
        with pytest.raises(SlotTaken) as refused:
            waitlist.accept(offer=offer, channel="sms")
    assert len(refused.value.alternatives) == 3
    offer.opening.refresh_from_db()
    assert offer.opening.state == State.CLOSED


# Who is asked


def test_nobody_hears_of_a_time_that_nobody_waits_for(ana, waits, taken, frees):
    waits(ana, first_day=date(2026, 3, 4))
    opening = frees(taken)
    assert opening.state == State.CLOSED
    assert not sent_to(ana)


def test_who_gave_the_time_up_is_not_offered_it(ana, waits, anas_exam, frees):
    waits(ana)
    assert frees(anas_exam) is None


def test_who_cannot_be_reached_does_not_keep_others_waiting(ana, ben, waits, taken, frees):
    DiarySettings.objects.create(offers_at_once=1)
    waits(ana), waits(ben)
    messaging.opt_out(str(ana.phone), word="STOP")
    assert states(frees(taken)) == {"Ben": Offered.OFFERED}


def test_a_household_with_one_phone_is_asked_one_thing_at_a_time(ana, ben, waits, taken, frees):
    leo = factories.PatientFactory(first_name="Leo", phone=ana.phone, account=None, guarantor=ana)
    mia = factories.PatientFactory(first_name="Mia", phone="", account=None, guarantor=ana)
    for patient in (ana, leo, mia, ben):
        waits(patient)
    assert states(frees(taken)) == {"Ana": Offered.OFFERED, "Ben": Offered.OFFERED}


def test_without_a_phone_the_offer_goes_by_e_mail(ana, waits, taken, frees):
    ana.phone = ""
    ana.save()
    factories.ConsentFactory(patient=ana, kind=Consent.Kind.EMAIL)
    waits(ana)
    message = frees(taken).offers.get().message
    assert (message.channel, message.to) == ("email", ana.email)
    assert "Reply 1" not in message.body


def test_who_is_elsewhere_here_at_that_time_is_not_asked(ana, ben, waits, taken, frees, exam, main_street):
    waits(ana), waits(ben)
    other = factories.ProviderFactory()
    kind = factories.VisitTypeFactory(name="Fitting", slug="fitting")
    factories.AppointmentFactory(
        patient=ana,
        visit_type=kind,
        provider=other,
        location=main_street,
        starts_at=taken.starts_at + timedelta(minutes=15),
    )
    assert states(frees(taken)) == {"Ben": Offered.OFFERED}


def test_who_has_as_many_visits_as_they_may_book_is_not_asked(ana, ben, waits, taken, frees, main_street):
    DiarySettings.objects.create(most_open_visits=1)
    waits(ana), waits(ben)
    kind = factories.VisitTypeFactory(name="Fitting", slug="fitting")
    factories.AppointmentFactory(patient=ana, visit_type=kind, starts_at=MONDAY + timedelta(days=9))
    assert states(frees(taken)) == {"Ben": Offered.OFFERED}


def test_who_missed_visits_too_often_is_not_asked(ana, ben, waits, taken, frees):
    DiarySettings.objects.create(most_no_shows=1)
    waits(ana), waits(ben)
    factories.AppointmentFactory(patient=ana, state="no_show", starts_at=MONDAY - timedelta(days=9))
    assert states(frees(taken)) == {"Ben": Offered.OFFERED}


def test_a_time_that_is_too_soon_for_an_answer_is_free_for_everybody(ana, waits, exam, slot_at, frees):
    somebody = factories.PatientFactory()
    soon = services.book(patient=somebody, visit_type=exam, slot=slot_at(2, 11), channel="web")
    waits(ana)
    assert frees(soon).state == State.CLOSED
    soon = services.book(patient=somebody, visit_type=exam, slot=slot_at(2, 11, 30), channel="web")
    opening = frees(soon)
    assert opening.offers.get().answer_until == MONDAY + timedelta(minutes=30)


def test_a_long_visit_is_not_offered_a_short_gap(ana, waits, taken, frees, okafor, exam, slot_at):
    long = factories.VisitTypeFactory(name="Fitting", slug="fitting", minutes=60, providers=[okafor])
    services.book(patient=factories.PatientFactory(), visit_type=exam, slot=slot_at(3, 9, 30), channel="web")
    waits(ana, long)
    assert frees(taken).state == State.CLOSED


def test_who_is_being_asked_about_one_time_is_asked_about_the_next_after_their_answer(
    ana, waits, taken, frees, after, exam, slot_at
):
    somebody = factories.PatientFactory()
    second = services.book(patient=somebody, visit_type=exam, slot=slot_at(4, 9), channel="web")
    waits(ana)
    first = frees(taken)
    other = frees(second)
    assert (other.state, other.offers.count(), len(sent_to(ana))) == (State.NEW, 0, 1)
    assert Appointment.objects.filter(state="held").get() == first.hold
    after(waitlist.decline, offer=first.offers.get(), channel="sms")
    after(waitlist.sweep)
    assert states(other) == {"Ana": Offered.OFFERED}
    assert len(sent_to(ana)) == 2


def test_a_time_that_waited_for_an_answer_is_closed_by_a_yes_to_the_other(
    ana, waits, taken, frees, after, exam, slot_at
):
    somebody = factories.PatientFactory()
    second = services.book(patient=somebody, visit_type=exam, slot=slot_at(4, 9), channel="web")
    waits(ana)
    first, other = frees(taken), frees(second)
    after(waitlist.accept, offer=first.offers.get(), channel="sms")
    after(waitlist.sweep)
    other.refresh_from_db()
    assert other.state == State.CLOSED


def test_at_night_nobody_is_asked_and_nothing_is_held(ana, waits, exam, slot_at, frees, after):
    visit = services.book(
        patient=factories.PatientFactory(), visit_type=exam, slot=slot_at(4, 9), channel="web"
    )
    waits(ana)
    with later(hours=12, minutes=30):
        opening = frees(visit)
        assert waitlist.sweep() == 0
        assert opening.state == State.NEW
        assert not Appointment.objects.filter(state="held").exists()
        assert slot_at(4, 9).key in {
            slot.key
            for slot in services.find_slots(
                visit_type=exam, first_day=date(2026, 3, 4), last_day=date(2026, 3, 4)
            )
        }
    with later(days=1):
        assert after(waitlist.sweep) == 1
        assert states(opening) == {"Ana": Offered.OFFERED}
    assert len(sent_to(ana)) == 1


def test_a_time_that_somebody_booked_overnight_is_not_offered(ana, ben, waits, exam, slot_at, frees):
    visit = services.book(
        patient=factories.PatientFactory(), visit_type=exam, slot=slot_at(4, 9), channel="web"
    )
    waits(ana)
    with later(hours=12, minutes=30):
        opening = frees(visit)
        services.book(patient=ben, visit_type=exam, slot=slot_at(4, 9), channel="web")
    with later(days=1):
        waitlist.sweep()
    opening.refresh_from_db()
    assert opening.state == State.CLOSED
    assert not sent_to(ana)


def test_who_came_to_wait_since_is_asked_when_the_desk_offers_it_again(ana, ben, waits, taken, frees, after):
    waits(ana)
    opening = frees(taken)
    after(waitlist.decline, offer=opening.offers.get(), channel="sms")
    opening.refresh_from_db()
    assert opening.state == State.CLOSED
    waits(ben)
    after(waitlist.offer_again, opening=opening)
    assert states(opening) == {"Ana": Offered.DECLINED, "Ben": Offered.OFFERED}


# Earlier than the visit that one has


@pytest.fixture
def anas_late_exam(ana, exam, slot_at):
    return services.book(patient=ana, visit_type=exam, slot=slot_at(20, 9), channel="web")


def test_a_visit_moves_to_the_earlier_time_and_its_own_is_offered_on(
    ana, ben, exam, waits, taken, frees, after, anas_late_exam
):
    waits(ana, moving=anas_late_exam)
    waits(ben, first_day=date(2026, 3, 15))
    offer = frees(taken).offers.get()
    assert offer.message.kind == "waitlist_offer_move"
    visit = after(waitlist.accept, offer=offer, channel="sms")
    anas_late_exam.refresh_from_db()
    assert (visit.patient, visit.moved_from, visit.starts_at) == (ana, anas_late_exam, taken.starts_at)
    assert anas_late_exam.state == Appointment.State.MOVED
    assert Appointment.objects.for_patient(ana).upcoming().get() == visit
    chained = Opening.objects.get(freed_by=anas_late_exam)
    assert states(chained) == {"Ben": Offered.OFFERED}


def test_a_later_time_is_not_offered_to_who_wants_an_earlier_one(ana, exam, waits, slot_at, frees):
    hers = services.book(patient=ana, visit_type=exam, slot=slot_at(4, 9), channel="web")
    visit = services.book(
        patient=factories.PatientFactory(), visit_type=exam, slot=slot_at(4, 11), channel="web"
    )
    waits(ana, moving=hers)
    assert frees(visit).state == State.CLOSED


def test_a_wish_for_an_earlier_time_follows_its_visit_through_moves(
    ana, exam, waits, taken, frees, slot_at, anas_late_exam
):
    entry = waits(ana, moving=anas_late_exam)
    assert entry.last_day == date(2026, 3, 20)
    moved = services.reschedule(appointment=anas_late_exam, slot=slot_at(18, 9), channel="web")
    assert waitlist.visit_that_moves(entry) == moved
    visit = waitlist.accept(offer=frees(taken).offers.get(), channel="web")
    assert visit.moved_from == moved


def test_who_cancelled_their_visit_is_offered_no_earlier_time_for_it(
    ana, waits, taken, frees, anas_late_exam
):
    waits(ana, moving=anas_late_exam)
    services.cancel(appointment=anas_late_exam, channel="web")
    assert frees(taken).state == State.CLOSED


def test_who_booked_meanwhile_is_offered_earlier_times_and_ends_with_one_visit(
    ana, waits, taken, frees, exam, slot_at
):
    waits(ana)
    booked = services.book(patient=ana, visit_type=exam, slot=slot_at(20, 9), channel="web")
    visit = waitlist.accept(offer=frees(taken).offers.get(), channel="web")
    assert visit.moved_from == booked
    assert Appointment.objects.for_patient(ana).active().get() == visit


def test_a_visit_too_near_to_be_moved_is_not_waited_with(ana, exam, slot_at):
    near = services.book(patient=ana, visit_type=exam, slot=slot_at(2, 14), channel="web")
    with later(hours=4), pytest.raises(TooLate):
        waitlist.join(patient=ana, visit_type=exam, moving=near, channel="web")


def test_a_wish_that_was_fulfilled_cannot_be_withdrawn(ana, waits, taken, frees):
    entry = waits(ana)
    waitlist.accept(offer=frees(taken).offers.get(), channel="web")
    with pytest.raises(Ended):
        waitlist.withdraw(entry=entry, channel="web")


# Nothing leaks


def test_a_crash_between_the_hold_and_the_messages_leaves_neither(ana, waits, taken, monkeypatch):
    waits(ana)
    services.cancel(appointment=taken, channel="staff")
    opening = Opening.objects.get()
    with monkeypatch.context() as broken:
        broken.setattr(messaging, "queue", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            waitlist.work_on(opening.pk)
    assert not Appointment.objects.filter(state="held").exists()
    assert not WaitlistOffer.objects.exists()
    assert waitlist.sweep() == 1
    assert WaitlistOffer.objects.get().state == Offered.OFFERED


def test_the_hold_is_given_back_whichever_sweep_comes_first(ana, waits, taken, frees):
    waits(ana)
    opening = frees(taken)
    with later(minutes=45):
        assert services.sweep_holds() == 1
        assert waitlist.sweep() == 1
        assert services.sweep_holds() == waitlist.sweep() == 0
    opening.refresh_from_db()
    assert (opening.state, opening.hold, opening.offers.get().state) == (State.CLOSED, None, Offered.LAPSED)
    assert not Appointment.objects.filter(state="held").exists()


def test_an_offer_that_waits_to_be_sent_does_not_reach_who_has_left(ana, waits, taken, frees):
    entry = waits(ana)
    offer = frees(taken).offers.get()
    Message.objects.filter(pk=offer.message_id).update(state="queued", due_at=clock.now())
    WaitlistEntry.objects.filter(pk=entry.pk).update(state="withdrawn")  # while it was being asked
    messaging.send(offer.message_id)
    offer.message.refresh_from_db()
    assert offer.message.state == "dropped"


def test_a_hold_that_the_desk_gave_back_ends_the_round(ana, waits, taken, frees):
    waits(ana)
    opening = frees(taken)
    services.release_hold(hold=opening.hold)
    assert waitlist.sweep() == 1
    opening.refresh_from_db()
    assert (opening.state, opening.offers.get().state) == (State.CLOSED, Offered.LAPSED)
    assert not Appointment.objects.filter(state="held").exists()


def test_the_work_done_twice_asks_nobody_twice(ana, waits, taken, frees):
    waits(ana)
    opening = frees(taken)
    assert waitlist.work_on(opening.pk) == 0
    assert len(sent_to(ana)) == 1
    assert opening.offers.count() == 1


def test_a_move_within_its_own_time_offers_only_what_really_came_free(
    ana, waits, taken, exam, slot_at, after
):
    waits(ana)
    after(services.reschedule, appointment=taken, slot=slot_at(3, 9, 30), channel="staff")
    assert WaitlistOffer.objects.get().starts_at == taken.starts_at
    assert Appointment.objects.held().get().busy_until == slot_at(3, 9, 30).starts_at


def test_whose_days_are_over_is_told_once(ana, ben, exam, waits, slot_at, after):
    waits(ana, last_day=date(2026, 3, 3))
    waits(ben, last_day=date(2026, 3, 3))
    services.book(patient=ben, visit_type=exam, slot=slot_at(20, 9), channel="web")
    with later(days=1):
        assert waitlist.tell_ended() == 0
    with later(days=2):
        assert after(waitlist.tell_ended) == after(waitlist.tell_ended) == 1
    assert Message.objects.get(kind="waitlist_ended").patient == ana
    with later(days=9):
        assert waitlist.tell_ended() == 0
