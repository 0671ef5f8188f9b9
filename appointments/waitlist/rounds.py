"""How a time that came free goes through the waitlist: a few are asked at a time, it is held for them.

The work stands in the rows: an opening that is new or whose round has run out is taken one step on
by whoever claims it, so a step is safe to run twice, by two workers at once, and after a crash.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet

from appointments import availability, rules, services, tasks, texts
from appointments.availability import Slot
from appointments.models import Appointment, Opening, VisitType, WaitlistEntry, WaitlistOffer
from appointments.refusals import Unavailable
from appointments.waitlist import matching, wishes
from appointments.waitlist.matching import Chance, Wish
from eyecare import clock
from eyecare.errors import Refusal
from messaging import services as messaging
from messaging.models import Message
from patients.models import Patient
from practice import services as practice

OFFER, OFFER_MOVE, GONE, ENDED = (
    "waitlist_offer",
    "waitlist_offer_move",
    "waitlist_gone",
    "waitlist_ended",
)

DAY = timedelta(days=1)
RECENT = timedelta(days=3)
"""How long after its last day somebody may still be told that a wish is over: the sweep may be late."""

SHORTEST = timedelta(minutes=10)
"""With less time than this to answer, nobody is asked."""

AT_ONCE = 50
"""Openings that one sweep nudges."""

State = Opening.State


def note_freed(appointment: Appointment) -> None:
    """Note, in the caller's transaction, that a visit's time came free, if somebody waits for such a time.

    A hold that is given back frees nothing: its time was free before.
    """
    if appointment.state in Appointment.HOLDS:
        return
    notice = _shortest_notice(appointment)
    if notice is None or appointment.busy_until <= clock.now() + timedelta(hours=notice):
        return
    opening, _ = Opening.objects.get_or_create(
        freed_by=appointment,
        defaults={
            "provider_id": appointment.provider_id,
            "location_id": appointment.location_id,
            "busy_from": appointment.busy_from,
            "busy_until": appointment.busy_until,
            "created_at": clock.now(),
        },
    )
    tasks.offer_opening.delay_on_commit(opening.pk)


def work_on(opening_id: int) -> int:
    """Take an opening one step on, and return how many people were asked.

    A round whose time has run out is ended; then the next few are asked, or, when nobody is left, the
    time is free for everybody. In quiet hours nobody is asked, and nothing is held.
    """
    end_if_over(opening_id)
    if _is_quiet():
        return 0
    with transaction.atomic():
        return _ask_the_next(opening_id)


def sweep() -> int:
    """Nudge every opening that waits for a step, and return how many."""
    waiting = Q(state=State.NEW) if not _is_quiet() else Q(pk=None)
    unfinished = Opening.objects.filter(waiting | Q(pk__in=_over().values("pk"))).order_by("created_at")
    found = list(unfinished.values_list("pk", flat=True)[:AT_ONCE])
    for opening_id in found:
        tasks.offer_opening.delay(opening_id)
    return len(found)


def offer_again(*, opening: Opening) -> None:
    """Put a time that is free for everybody before those who have come to wait for it since."""
    closed = Opening.objects.filter(pk=opening.pk, state=State.CLOSED)
    if closed.update(state=State.NEW):
        tasks.offer_opening.delay_on_commit(opening.pk)


def end_if_over(opening_id: int) -> bool:
    """End a round that nobody can win any more: its offers lapse, and its time is given back."""
    opening = _over().filter(pk=opening_id).select_related("hold").first()
    if opening is None:
        return False
    with transaction.atomic():
        claimed = Opening.objects.filter(pk=opening_id, state=State.OFFERED, round=opening.round)
        if not claimed.update(state=State.NEW, hold=None):
            return False  # somebody said yes, or another worker got here first
        unanswered = WaitlistOffer.objects.filter(opening=opening, state=WaitlistOffer.State.OFFERED)
        unanswered.update(state=WaitlistOffer.State.LAPSED, answered_at=clock.now())
        if opening.hold:
            services.release_hold(hold=opening.hold)
    return True


def tell_ended() -> int:
    """Tell those whose last day has passed without a time; return how many wishes were looked at.

    Once for each wish and last day; who has a visit to come, which could have been earlier, is not told.
    """
    today = clock.today()
    over = WaitlistEntry.objects.filter(
        state=WaitlistEntry.State.WAITING, moving=None, last_day__range=(today - RECENT, today - DAY)
    )
    ended = [wish.entry for wish in wishes.read(list(over.with_details())) if wish.moves is None]
    for entry in ended:
        for channel in messaging.reachable(patient=entry.patient, kind=ENDED)[:1]:
            reason = f"{ENDED}:{entry.pk}:{entry.last_day}"
            messaging.queue(
                kind=ENDED, reason=reason, patient=entry.patient, channel=channel, subject_id=str(entry.pk)
            )
    return len(ended)


def obstacle(patient: Patient) -> str:
    """Return a sentence for somebody whom we could not tell that a time came free, "" where we can."""
    if messaging.reachable(patient=patient, kind=OFFER):
        return ""
    return (
        "But we can neither text nor e-mail you about it yet: please call us at "
        f"{rules.phone_words()}, so that we may tell you when a time comes free."
    )


def slot_of(offer: WaitlistOffer) -> Slot:
    """Return the time that an offer speaks of, as a slot of the wished kind of visit."""
    opening = offer.opening
    return availability.slot(
        offer.entry.visit_type, opening.provider, opening.location, offer.starts_at, practice.zone()
    )


def tell_gone(offers: QuerySet[WaitlistOffer]) -> None:
    """Tell those who were asked, and whose offer has left, that somebody else was first."""
    asked = offers.filter(message__in=Message.objects.that_left())
    for offer in asked.select_related("entry__patient", "entry__visit_type", "opening", "message"):
        messaging.queue(
            kind=GONE,
            reason=f"{GONE}:{offer.pk}",
            patient=offer.entry.patient,
            channel=offer.message.channel if offer.message else Message.Channel.SMS,
            context=_words(offer),
            subject_id=str(offer.pk),
        )


def _over() -> QuerySet[Opening]:
    """Return the openings whose round is over: all have answered, or the hold has gone."""
    open_offers = WaitlistOffer.objects.open().filter(opening=OuterRef("pk"))
    held = Appointment.objects.held().filter(pk=OuterRef("hold"))
    return Opening.objects.filter(~Exists(open_offers) | ~Exists(held), state=State.OFFERED)


def _shortest_notice(appointment: Appointment) -> int | None:
    """Return the least notice of the kinds of visit that somebody waits for with this provider."""
    waiting = WaitlistEntry.objects.waiting().filter(
        Q(provider=None) | Q(provider=appointment.provider_id),
        visit_type__providers=appointment.provider_id,
    )
    others = waiting.exclude(patient=appointment.patient_id)
    return others.aggregate(least=Min("visit_type__minimum_notice_hours"))["least"]


def _is_quiet() -> bool:
    return messaging.leaves_at(Message.Channel.SMS) > clock.now()


def _ask_the_next(opening_id: int) -> int:
    """Hold the best time for the best few and ask them, all in one transaction, or let the time go.

    While somebody whom it suits is being asked about another time, it waits for them: free for
    everybody, and offered as soon as they have answered.
    """
    claimed = Opening.objects.filter(pk=opening_id, state=State.NEW)
    if not claimed.update(state=State.OFFERED):
        return 0  # asked, taken or closed, here or by another worker
    opening = Opening.objects.select_related("freed_by", "provider", "location").get(pk=opening_id)
    chances, busy = _chances(opening), _lines_being_asked()
    for chance in chances:
        until = _answer_until(chance)
        if until < clock.now() + SHORTEST:
            continue
        asked = list(islice(_who_may(chance, busy), rules.settings().offers_at_once))
        if asked and _hold(opening, chance, until):
            return _ask(opening, chance.slot, until, asked)
    is_awaited = any(_line_to(wish.entry.patient) in busy for chance in chances for wish in chance.wishes)
    claimed = Opening.objects.filter(pk=opening_id)
    claimed.update(state=State.NEW if is_awaited else State.CLOSED)
    return 0


def _chances(opening: Opening) -> list[Chance]:
    waiting = wishes.read(list(wishes.open_to(opening)))
    kinds = {wish.entry.visit_type_id: wish.entry.visit_type for wish in waiting}
    return matching.chances(waiting, _free(opening, kinds))


def _free(opening: Opening, kinds: Mapping[int, VisitType]) -> dict[int, Sequence[Slot]]:
    """Return what can be booked of the time that came free, for each kind of visit."""
    zone = practice.zone()
    days = opening.busy_from.astimezone(zone).date(), opening.busy_until.astimezone(zone).date()
    return {
        pk: matching.within(
            services.find_slots(
                visit_type=visit_type,
                first_day=days[0],
                last_day=days[1],
                provider=opening.provider,
                location=opening.location,
            ),
            opening.busy_from,
            opening.busy_until,
        )
        for pk, visit_type in kinds.items()
    }


def _who_may(chance: Chance, busy: Collection[str]) -> Iterator[Wish]:
    """Yield those who may book this time by every rule, and whom we can reach to ask.

    A household's phone is asked one thing at a time: a "1" must say what it answers.
    """
    lines = set(busy)
    for wish in chance.wishes:
        line = _line_to(wish.entry.patient)
        if line not in lines and _may(wish, chance.slot):
            lines.add(line)
            yield wish


def _may(wish: Wish, slot: Slot) -> bool:
    entry = wish.entry
    try:
        if wish.moves:
            rules.check_movable(wish.moves)
        rules.check_bookable(entry.visit_type, slot, patient=entry.patient, moving=wish.moves)
    except Refusal:
        return False
    return bool(messaging.reachable(patient=entry.patient, kind=OFFER))


def _lines_being_asked() -> set[str]:
    offers = WaitlistOffer.objects.filter(state=WaitlistOffer.State.OFFERED)
    return {_line_to(offer.entry.patient) for offer in offers.select_related("entry__patient__guarantor")}


def _line_to(patient: Patient) -> str:
    """Return the phone that a household shares, or else what stands for the patient alone."""
    return str(patient.phone or patient.payer.phone) or str(patient.pk)


def _answer_until(chance: Chance) -> datetime:
    """Return until when an offer stands: not longer than the time can still be booked."""
    last = chance.slot.starts_at - timedelta(hours=chance.visit_type.minimum_notice_hours)
    return min(clock.now() + timedelta(minutes=rules.settings().offer_minutes), last)


def _hold(opening: Opening, chance: Chance, until: datetime) -> bool:
    """Hold a time for several people; say no where it has gone meanwhile."""
    try:
        with transaction.atomic():
            hold = services.hold_for_several(visit_type=chance.visit_type, slot=chance.slot, until=until)
    except Unavailable:
        return False
    Opening.objects.filter(pk=opening.pk).update(hold=hold, round=F("round") + 1)
    return True


def _ask(opening: Opening, slot: Slot, until: datetime, asked: Sequence[Wish]) -> int:
    for wish in asked:
        offer = WaitlistOffer.objects.create(
            entry=wish.entry,
            opening=opening,
            starts_at=slot.starts_at,
            answer_until=until,
            offered_at=clock.now(),
        )
        offer.message = _write(offer, OFFER_MOVE if wish.moves else OFFER)
        offer.save(update_fields=["message"])
    return len(asked)


def _write(offer: WaitlistOffer, kind: str) -> Message | None:
    patient = offer.entry.patient
    return messaging.queue(
        kind=kind,
        reason=f"{OFFER}:{offer.pk}",
        patient=patient,
        channel=messaging.reachable(patient=patient, kind=kind)[0],
        context={**_words(offer), "held_until": offer.answer_until},
        subject_id=str(offer.pk),
    )


def _words(offer: WaitlistOffer) -> dict[str, object]:
    opening = offer.opening
    visit = Appointment(provider=opening.provider, location=opening.location, starts_at=offer.starts_at)
    return texts.details(visit)
