"""What people answer to an offer: the first yes gets the time, a no makes room for the next."""

from uuid import UUID

from django.db import transaction
from django.db.models import Exists, QuerySet

from appointments import services, tasks
from appointments.availability import Slot
from appointments.models import Appointment, Opening, WaitlistEntry, WaitlistOffer
from appointments.refusals import SlotTaken
from appointments.waitlist import rounds, wishes
from eyecare import clock
from eyecare.errors import NotFound
from messaging import checks
from messaging.models import Message
from patients.models import Account, Patient

State = WaitlistOffer.State

FIRST = "Sorry, somebody else was first. You keep your place on our waitlist."
OTHERS_ASKED = "Sorry, that time is offered to others by now. You keep your place on our waitlist."


def offers_for(patient: Patient) -> QuerySet[WaitlistOffer]:
    """Return what a patient is being offered, the newest first."""
    return _with_details(WaitlistOffer.objects.open()).filter(entry__patient=patient)


def offer_for(patient: Patient, offer_id: object) -> WaitlistOffer:
    """Return an offer that was made to this patient, open or over; NotFound for anybody else's."""
    try:
        wanted = UUID(str(offer_id))
    except ValueError as error:
        raise NotFound("We could not find that offer.") from error
    offer = _with_details(WaitlistOffer.objects.all()).filter(entry__patient=patient, pk=wanted).first()
    if offer is None:
        raise NotFound("We could not find that offer.")
    return offer


def accept(*, offer: WaitlistOffer, channel: str, actor: Account | None = None) -> Appointment:
    """Take the time that was offered and return the visit; the same yes again returns the same visit.

    The first yes wins. A yes after the time to answer is over gets the time where it is still free.
    Raises SlotTaken with the nearest other times, and what booking and moving raise; nothing has
    changed then.
    """
    if visit := _taken_before(offer):
        return visit
    rounds.end_if_over(offer.opening_id)
    moving = wishes.visit_that_moves(offer.entry)
    with transaction.atomic():
        visit = _first_yes(offer, moving, channel, actor) or _late_yes(offer, moving, channel, actor)
        if visit:
            _settle(offer, visit)
            return visit
    offer.opening.refresh_from_db(fields=["state"])
    is_taken = offer.opening.state == Opening.State.TAKEN
    raise SlotTaken(FIRST if is_taken else OTHERS_ASKED, alternatives=_others(offer, moving))


def decline(*, offer: WaitlistOffer, channel: str, actor: Account | None = None) -> WaitlistOffer:
    """Keep waiting for another time; once everybody has declined, the next few are asked at once."""
    asked = WaitlistOffer.objects.filter(pk=offer.pk, state=State.OFFERED)
    if asked.update(state=State.DECLINED, answered_at=clock.now()):
        tasks.offer_opening.delay_on_commit(offer.opening_id)
    offer.refresh_from_db(fields=["state", "answered_at"])
    return offer


def check(message: Message) -> str:
    """Look again just before an offer is sent: it still stands, the patient waits, the time is held."""
    waiting = WaitlistOffer.objects.open().filter(entry__state=WaitlistEntry.State.WAITING)
    offer = waiting.filter(message=message).select_related("opening__hold").first()
    if offer is None:
        return "the offer is over"
    return "" if offer.opening.hold and offer.opening.hold.is_held else "the time is no longer held"


def register_checks() -> None:
    for kind in (rounds.OFFER, rounds.OFFER_MOVE):
        checks.register(kind, check)


def _with_details(offers: QuerySet[WaitlistOffer]) -> QuerySet[WaitlistOffer]:
    return offers.select_related(
        "entry__patient", "entry__visit_type", "opening__provider", "opening__location"
    )


def _taken_before(offer: WaitlistOffer) -> Appointment | None:
    offer.refresh_from_db(fields=["state"])
    if offer.state != State.ACCEPTED:
        return None
    return Appointment.objects.with_details().get(held_for_opening=offer.opening_id)


def _first_yes(
    offer: WaitlistOffer, moving: Appointment | None, channel: str, actor: Account | None
) -> Appointment | None:
    """Let the hold become this patient's visit; None when their round is over or somebody was first."""
    asked = WaitlistOffer.objects.filter(
        pk=offer.pk, state__in=[State.OFFERED, State.DECLINED], answer_until__gt=clock.now()
    )
    running = Opening.objects.filter(Exists(asked), pk=offer.opening_id, state=Opening.State.OFFERED)
    if not running.update(state=Opening.State.TAKEN):
        return None
    hold = Appointment.objects.with_details().get(held_for_opening=offer.opening_id)
    return services.take_over(
        hold=hold,
        patient=offer.entry.patient,
        visit_type=offer.entry.visit_type,
        channel=channel,
        actor=actor,
        moving=moving,
    )


def _late_yes(
    offer: WaitlistOffer, moving: Appointment | None, channel: str, actor: Account | None
) -> Appointment | None:
    """Book the time if it is neither held for others by now nor taken; None when it is."""
    free = Opening.objects.filter(pk=offer.opening_id, state__in=[Opening.State.NEW, Opening.State.CLOSED])
    if not free.update(state=Opening.State.TAKEN):
        return None
    slot = rounds.slot_of(offer)
    if moving:
        return services.reschedule(appointment=moving, slot=slot, channel=channel, actor=actor)
    return services.book(
        patient=offer.entry.patient,
        visit_type=offer.entry.visit_type,
        slot=slot,
        channel=channel,
        actor=actor,
    )


def _settle(offer: WaitlistOffer, visit: Appointment) -> None:
    """Write down who got the time, and tell the others kindly; they keep their places."""
    Opening.objects.filter(pk=offer.opening_id).update(hold=visit)
    # the wish before its offer, as in `withdraw`: two who wait for each other would never end
    WaitlistEntry.objects.filter(pk=offer.entry_id).update(state=WaitlistEntry.State.BOOKED)
    WaitlistOffer.objects.filter(pk=offer.pk).update(state=State.ACCEPTED, answered_at=clock.now())
    offer.state, offer.entry.state = State.ACCEPTED, WaitlistEntry.State.BOOKED
    others = WaitlistOffer.objects.filter(opening=offer.opening_id, state=State.OFFERED)
    rounds.tell_gone(others)
    others.update(state=State.LOST, answered_at=clock.now())


def _others(offer: WaitlistOffer, moving: Appointment | None) -> list[Slot]:
    return services.alternatives(
        offer.entry.visit_type, rounds.slot_of(offer), patient=offer.entry.patient, moving=moving
    )
