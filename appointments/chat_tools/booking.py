"""What the assistant may do with the diary, and how it reads visits, people, places and times."""

import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from django.db.models import QuerySet
from django.urls import reverse

from appointments import names, rules, services
from appointments.availability import Slot, closest
from appointments.models import Appointment, VisitType
from appointments.openings import OFFERED, Search, spread
from appointments.refusals import NotBookable
from chatbot import when
from chatbot.tools import (
    Argument,
    Card,
    Effect,
    Misunderstood,
    NotFoundYet,
    Options,
    Question,
    Reply,
    Situation,
    ToolContext,
    quick_replies,
    tool,
)
from chatbot.when import Days, NotUnderstood, Wish
from chatbot.when.words import bare
from eyecare.errors import NotFound
from messaging.models import Message
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider

CHANNELS = {"web": Appointment.Channel.CHAT, "sms": Appointment.Channel.SMS}

_ANY = re.compile(
    r"\b(any|anyone|anybody|anywhere|whoever|whichever|wherever|either|no preference|first available|"
    r"(doesnt|does not|dont|do not) (matter|care|mind)|cualquiera)\b"
)
_AS_BEFORE = re.compile(r"\b(same|usual|regular|last time|always see|my (doctor|dr|od|optometrist))\b")
MOST_UPCOMING = 6
"""As many of a patient's visits are offered to choose from."""

Row = TypeVar("Row")


class VisitTypeArgument(Argument[VisitType]):
    """A kind of visit that patients may book, by its name or by what they call it."""

    name = "visit_type"
    description = "the words that say what kind of visit"

    def ask(self, situation: Situation) -> Question:
        return Question("What kind of visit do you need?", [self.choice(known) for known in _online()])

    def read(self, text: str, situation: Situation) -> VisitType | Options:
        meant = names.visit_types(text, VisitType.objects.all())
        online = [visit_type for visit_type in meant if visit_type.is_online]
        if len(online) == 1:
            return online[0]
        if meant and not online:
            raise NotBookable(f"{meant[0]}: we arrange that by phone. Please call {rules.phone_words()}.")
        if online or not names.telling(text):
            choices = [self.choice(known) for known in online or _online()]
            return Options("What kind of visit do you need?", choices)
        raise Misunderstood("I am not sure which visit that is. Which of these fits best?")

    def default(self, situation: Situation) -> VisitType | None:
        known = list(_online()[:2])
        return known[0] if len(known) == 1 else None

    def dump(self, value: VisitType) -> str:
        return value.slug

    def load(self, key: str, situation: Situation) -> VisitType:
        return _standing(_online().filter(slug=key).first(), "That visit cannot be booked online any more.")


class ProviderArgument(Argument[Provider | None]):
    """Somebody whom patients see; None is anybody."""

    name = "provider"
    description = "the words that say with whom"

    def ask(self, situation: Situation) -> Question:
        return Question(
            "Whom would you like to see?", [self.choice(known) for known in _providers(situation)]
        )

    def read(self, text: str, situation: Situation) -> Provider | Options | None:
        said = bare(text)
        if (before := _seen_last(situation.patient)) and _AS_BEFORE.search(said):
            return before
        named = names.named(text, Provider.objects.active(), _provider_names)
        if not named and _ANY.search(said.replace("'", "")):
            return None
        able = [known for known in named if known in _providers(situation)]
        if len(able) == 1:
            return able[0]
        if able:
            return Options("Whom do you mean?", [self.choice(known) for known in able])
        if named:
            raise Misunderstood(f"{named[0]} does not do this visit. Whom would you like to see?")
        raise Misunderstood("I do not know that name. Whom would you like to see?")

    def dump(self, value: Provider | None) -> str:
        return str(value.pk) if value else ""

    def load(self, key: str, situation: Situation) -> Provider | None:
        if not key:
            return None
        found = Provider.objects.active().filter(pk=key).first()
        return _standing(found, "That provider sees no patients here any more.")

    def label(self, value: Provider | None) -> str:
        return value.name if value else "Anyone"


class LocationArgument(Argument[Location | None]):
    """One of the practice's offices; None is any of them."""

    name = "location"
    description = "the words that say at which office"

    def ask(self, situation: Situation) -> Question:
        return Question("Which office suits you?", [self.choice(known) for known in _locations()])

    def read(self, text: str, situation: Situation) -> Location | Options | None:
        named = names.named(text, _locations(), _location_names)
        if not named and _ANY.search(bare(text).replace("'", "")):
            return None
        if len(named) == 1:
            return named[0]
        if named:
            return Options("Which office do you mean?", [self.choice(known) for known in named])
        raise Misunderstood("I do not know that office. Which of ours suits you?")

    def dump(self, value: Location | None) -> str:
        return str(value.pk) if value else ""

    def load(self, key: str, situation: Situation) -> Location | None:
        return _standing(_locations().filter(pk=key).first(), "That office is closed.") if key else None

    def label(self, value: Location | None) -> str:
        return value.name if value else "Any office"


class AppointmentArgument(Argument[Appointment]):
    """One of the patient's own visits to come that may still be moved or cancelled."""

    name = "appointment"
    description = "the words that say which appointment"

    def ask(self, situation: Situation) -> Question:
        return Question("Which appointment do you mean?", [self.choice(row) for row in _upcoming(situation)])

    def read(self, text: str, situation: Situation) -> Appointment | Options:
        meant = _meant(text, _upcoming(situation), situation)
        if not meant:
            raise Misunderstood("I see no such visit. Which of these do you mean?")
        if len(meant) == 1:
            return _changeable(meant[0])
        return Options("Which one do you mean?", [self.choice(row) for row in meant])

    def default(self, situation: Situation) -> Appointment | None:
        upcoming = _upcoming(situation)
        return _changeable(upcoming[0]) if len(upcoming) == 1 else None

    def dump(self, value: Appointment) -> str:
        return str(value.pk)

    def load(self, key: str, situation: Situation) -> Appointment:
        return _changeable(services.get_for(_patient(situation), key))

    def label(self, value: Appointment) -> str:
        return SlotArgument().label(services.slot_of(value))


class SlotArgument(Argument[Slot]):
    """A free time for the visit that is being booked or moved."""

    name = "slot"
    description = "the words that say which day and time"
    depends_on = ("visit_type", "appointment", "provider", "location")

    def ask(self, situation: Situation) -> Question:
        search, wish = _search(situation), _wish_in(situation.wish, situation)
        if wish:
            return self._offer(_within(search, wish), wish)
        return self._question("When would you like to come?", spread(search.slots))

    def read(self, text: str, situation: Situation) -> Slot | Options | NotFoundYet:
        if _visit_type(situation) is None:
            return NotFoundYet()
        words = _with_earlier_words(text, situation)
        wish = _wish(words, situation)
        search = _within(_search(situation), wish)
        matching = search.matching(wish)
        if len(matching) == 1 and not wish.soonest:
            return matching[0]
        offer = self._offer(search, wish)
        return Options(offer.text, offer.choices, words)

    def _offer(self, search: Search, wish: Wish) -> Question:
        """Return times as wished for; or else the nearest, with the same person or with anybody."""
        matching = search.matching(wish)
        if matching:
            which = f": {wish.describe()}" if wish.days else ""
            return self._question(f"These times are free{which}. Which suits you?", _best(matching, wish))
        whose = f" with {search.provider}" if search.provider else ""
        sentence = f"Nothing is free{whose} then ({wish.describe()}). These are the nearest times."
        return self._question(sentence, _nearest(search, wish))

    def _question(self, sentence: str, slots: Sequence[Slot]) -> Question:
        if not slots:
            raise NotBookable(f"I find no free time for this. Please call us at {rules.phone_words()}.")
        return Question(sentence, [self.choice(slot) for slot in slots])

    def more(self, situation: Situation) -> Question:
        """Offer others: as well wished for where there are any, else the nearest.

        A wish for one start has been offered, or refused, when others are asked for.
        """
        search, known = _search(situation), {choice.key for choice in situation.offered}
        wish = _wish_in(situation.wish, situation)
        matching = _within(search, wish).matching(wish) if wish else search.slots
        if wish and wish.names_one_start:
            known |= {slot.key for slot in matching}
        fresh = _best([slot for slot in matching if slot.key not in known], wish)
        if wish and not fresh:
            fresh = search.nearest(wish, without=known)
        return Question("What about one of these?", [self.choice(slot) for slot in fresh])

    def dump(self, value: Slot) -> str:
        return value.key

    def load(self, key: str, situation: Situation) -> Slot:
        visit_type = _visit_type(situation)
        return services.slot_from_key(_standing(visit_type, "When would you like to come?"), key)

    def label(self, value: Slot) -> str:
        return f"{value:%a, %b %-d at %-I:%M %p} with {value.provider}"


def _book_question(*, visit_type: VisitType, slot: Slot, **_: Any) -> str:
    return f"Book {visit_type} {_at(slot)}?"


@tool(
    confirm=_book_question,
    label="Book an appointment",
    examples=("I need an eye exam next week", "can I come in for new contacts"),
)
def book_appointment(
    patient: Patient,
    visit_type: Annotated[VisitType, VisitTypeArgument],
    slot: Annotated[Slot, SlotArgument],
    provider: Annotated[Provider, ProviderArgument] | None = None,
    location: Annotated[Location, LocationArgument] | None = None,
    *,
    context: ToolContext,
) -> Reply:
    """Book a new appointment: an exam, a contact lens fitting, a follow-up."""
    booked = services.book(
        patient=patient,
        visit_type=visit_type,
        slot=slot,
        channel=CHANNELS[context.channel],
        actor=context.actor,
        idempotency_key=context.idempotency_key,
    )
    return _written("appointment.booked", booked, f"You are booked: {_line(booked, context.channel)}.")


def _move_question(*, appointment: Appointment, slot: Slot, **_: Any) -> str:
    standing = services.slot_of(appointment)
    return f"Move your visit from {standing:%A, %B %-d at %-I:%M %p} to {_at(slot, '')}?"


@tool(
    confirm=_move_question,
    label="Move an appointment",
    examples=("can we make it later that day", "I have to move my exam to Friday"),
)
def reschedule_appointment(
    patient: Patient,
    appointment: Annotated[Appointment, AppointmentArgument],
    slot: Annotated[Slot, SlotArgument],
    provider: Annotated[Provider, ProviderArgument] | None = None,
    *,
    context: ToolContext,
) -> Reply:
    """Move an appointment."""
    moved = services.reschedule(
        appointment=appointment,
        slot=slot,
        channel=CHANNELS[context.channel],
        actor=context.actor,
        idempotency_key=context.idempotency_key,
    )
    return _written("appointment.moved", moved, f"Done. Your visit is now {_at(slot)}.")


def _cancel_question(*, appointment: Appointment) -> str:
    return f"Cancel your visit {_at(services.slot_of(appointment))}?"


@tool(
    confirm=_cancel_question,
    label="Cancel an appointment",
    examples=("I can't make it on Tuesday", "please cancel my exam"),
)
def cancel_appointment(
    patient: Patient, appointment: Annotated[Appointment, AppointmentArgument], *, context: ToolContext
) -> Reply:
    """Cancel an appointment."""
    services.cancel(appointment=appointment, channel=CHANNELS[context.channel], actor=context.actor)
    words = f"Your visit {_at(services.slot_of(appointment))} is cancelled."
    return Reply.done(words, effect=Effect("appointment.cancelled", "appointment", str(appointment.pk)))


@tool(label="See my appointments", examples=("when is my appointment?", "do I have anything booked"))
def list_appointments(patient: Patient, *, context: ToolContext) -> Reply:
    """Say when the next appointments are."""
    upcoming = list(Appointment.objects.for_patient(patient).upcoming().with_details()[:OFFERED])
    if not upcoming:
        return Reply.say("You have no visit coming up. Shall I book one?", start="book_appointment")
    lines = [_line(row, context.channel) for row in upcoming]
    opening = "Your next visit:" if len(lines) == 1 else "Your next visits:"
    return Reply.say("\n".join([opening, *lines]), cards=[_card(row) for row in upcoming])


@quick_replies("appointment_reminder")
def answer_reminder(patient: Patient, message: Message, digit: int, context: ToolContext) -> Reply:
    """Take the answer to a reminder: 1 confirms, 2 cancels after a yes, 3 looks for another time."""
    appointment = services.get_for(patient, message.subject_id)
    if not appointment.is_upcoming:
        return Reply.say("That visit is no longer in our diary.")
    key = {"appointment": str(appointment.pk)}
    if digit == 2:
        return Reply.say("All right.", start=("cancel_appointment", key))
    if digit == 3:
        return Reply.say("All right, let us find another time.", start=("reschedule_appointment", key))
    services.confirm(appointment=appointment, channel=CHANNELS[context.channel], actor=context.actor)
    words = f"Thank you, you are confirmed. See you {_at(services.slot_of(appointment), '')}."
    return Reply.done(words, effect=Effect("appointment.confirmed", "appointment", str(appointment.pk)))


# How visits and times are said.


def _at(slot: Slot, preposition: str = "on ") -> str:
    return f"{preposition}{slot:%A, %B %-d at %-I:%M %p} with {slot.provider}, {slot.location}"


def _line(appointment: Appointment, channel: str) -> str:
    # a text message may be read by others: it says when, never what for
    what = f"{appointment.visit_type} on " if channel == "web" else ""
    return _at(services.slot_of(appointment), what)


def _written(action: str, appointment: Appointment, words: str) -> Reply:
    effect = Effect(action, "appointment", str(appointment.pk))
    return Reply.done(words, effect=effect, cards=[_card(appointment)])


def _card(appointment: Appointment) -> Card:
    slot = services.slot_of(appointment)
    lines = (f"{slot:%A, %B %-d}", f"{slot:%-I:%M %p}", str(slot.provider), str(slot.location))
    preparation = (appointment.visit_type.preparation,) if appointment.visit_type.preparation else ()
    url = reverse("appointments:detail", args=[appointment.pk])
    return Card(appointment.visit_type.name, lines + preparation, url, "See the appointment")


# What a task says so far.


def _patient(situation: Situation) -> Patient:
    if situation.patient is None:
        raise NotFound("Please sign in first.")
    return situation.patient


def _visit_type(situation: Situation) -> VisitType | None:
    moving = situation.filled.get("appointment")
    return moving.visit_type if moving else situation.filled.get("visit_type")


def _search(situation: Situation) -> Search:
    """Return where to look: a visit that moves stays with its provider and office unless told otherwise."""
    moving, provider = situation.filled.get("appointment"), situation.filled.get("provider")
    location = situation.filled.get("location")
    if moving and "provider" not in situation.filled:
        provider, location = moving.provider, moving.location
    visit_type = _standing(_visit_type(situation), "What kind of visit do you need?")
    return Search(visit_type, situation.patient, provider, location, moving)


def _wish(said: str, situation: Situation) -> Wish:
    """Return when somebody would like to come; later words narrow or change the earlier ones."""
    zone = practice.zone()
    moving = situation.filled.get("appointment")
    now = situation.context.now.astimezone(zone)
    *earlier, last = (_WITH_WHOM.sub("", piece) for piece in said.split(_THEN))
    own = moving.starts_at.astimezone(zone) if moving else None
    spoken_of = _spoken_of(last, situation)
    wishes = [when.read(piece, now, own) for piece in earlier if not _THAN_OFFERED.fullmatch(bare(piece))]
    wishes.append(when.read(last, now, spoken_of.astimezone(zone) if spoken_of else None))
    if own and not _names_days(wishes[0]):
        wishes.insert(0, Wish(zone, days=(Days(own.date(), own.date()),)))
    return functools.reduce(_changed, wishes)


def _spoken_of(said: str, situation: Situation) -> datetime | None:
    """Return the time that "later" is meant against: what was read back or offered last, else the visit."""
    moving, visit_type = situation.filled.get("appointment"), _visit_type(situation)
    if situation.standing:
        return situation.standing.starts_at
    if visit_type and situation.offered and _THAN_OFFERED.fullmatch(bare(said).strip(" ?!.")):
        return services.slot_from_key(visit_type, situation.offered[-1].key).starts_at
    return moving.starts_at if moving else None


_THAN_OFFERED = re.compile(
    r"(?:(?:a (?:bit|little)|any|anything|something|no|or) )*(?:later|earlier)(?: that day)?|"
    r"(?:the )?(?:day after|next day|following day)"
)
"""A wish that means nothing but beside the times that were offered."""

_THEN = "; "
"""Between what was said of the time in one turn and in the next."""

_WITH_WHOM = re.compile(r"(?<=[AP]M) with .*")
"""The end of a slot's label: a Dr. May is no month."""


def _with_earlier_words(text: str, situation: Situation) -> str:
    if not situation.wish or text == situation.wish:
        return text
    return _THEN.join([*situation.wish.split(_THEN)[-2:], text])


def _changed(earlier: Wish, later: Wish) -> Wish:
    """Keep the day when only the hour changes, and the hour when only the day does."""
    if later.soonest:
        return later
    if not _names_days(later):
        later = replace(later, days=earlier.days, weekdays=earlier.weekdays)
    if later.exact is None and later.around is None and not later.hours:
        later = replace(later, hours=earlier.hours)
        if all(days.is_one_day for days in later.days):
            later = replace(later, exact=earlier.exact, around=earlier.around)
    return later


def _names_days(wish: Wish) -> bool:
    return bool(wish.days or wish.weekdays or wish.soonest)


def _within(search: Search, wish: Wish) -> Search:
    if not wish.days:
        return search
    first, last = min(days.first for days in wish.days), max(days.last for days in wish.days)
    return replace(search, first_day=first, last_day=last)


def _nearest(search: Search, wish: Wish) -> list[Slot]:
    """Return the nearest times to a wish; a visit that moves keeps its day sooner than its provider."""
    near, that_day = search.nearest(wish), replace(wish, hours=(), exact=None, around=None)
    if search.moving and not any(that_day.matches(slot.starts_at) for slot in near):
        near = closest(search.with_anybody().matching(that_day), wish, OFFERED) or near
    return near or search.with_anybody().nearest(wish)


def _best(slots: Sequence[Slot], wish: Wish | None) -> list[Slot]:
    if wish and wish.soonest:
        return list(slots[:OFFERED])
    if wish and (wish.exact or wish.around):
        return closest(slots, wish, OFFERED)
    return spread(slots)


# What there is to choose from.


def _online() -> QuerySet[VisitType]:
    return VisitType.objects.filter(is_online=True)


def _providers(situation: Situation) -> list[Provider]:
    visit_type = _visit_type(situation)
    active = Provider.objects.active()
    return list(active.filter(visit_types=visit_type) if visit_type else active)


def _locations() -> QuerySet[Location]:
    return Location.objects.filter(is_active=True)


def _upcoming(situation: Situation) -> list[Appointment]:
    rows = Appointment.objects.for_patient(_patient(situation)).upcoming().with_details()
    found = list(rows[:MOST_UPCOMING])
    if not found:
        raise NotFound("You have no visit coming up.")
    return found


def _changeable(appointment: Appointment) -> Appointment:
    rules.check_changeable(appointment)
    return appointment


def _seen_last(patient: Patient | None) -> Provider | None:
    """Return whom the patient was last booked with."""
    rows = Appointment.objects.filter(patient=patient, provider__is_active=True).select_related("provider")
    last = rows.order_by("-starts_at").first()
    return last.provider if last else None


def _meant(text: str, upcoming: Sequence[Appointment], situation: Situation) -> list[Appointment]:
    """Return those that everything in the words fits: the kind of visit, the person, the day and time."""
    visit_types = names.visit_types(text, VisitType.objects.all())
    providers = names.named(text, Provider.objects.active(), _provider_names)
    wish = _wish_in(text, situation)
    if wish and wish.soonest and not wish.days:
        return list(upcoming[:1])
    return [
        row
        for row in upcoming
        if (not visit_types or row.visit_type in visit_types)
        and (not providers or row.provider in providers)
        and (wish is None or wish.matches(row.starts_at))
    ]


def _wish_in(text: str, situation: Situation) -> Wish | None:
    try:
        return _wish(text, situation)
    except NotUnderstood:
        return None


def _provider_names(provider: Provider) -> list[str]:
    return [provider.last_name, provider.first_name]


def _location_names(location: Location) -> list[str]:
    return [location.name, *sorted(names.telling(f"{location.name} {location.address}"))]


def _standing(row: Row | None, sentence: str) -> Row:
    """Return what was looked for; NotFound with the sentence when it is not there."""
    if row is None:
        raise NotFound(sentence)
    return row
