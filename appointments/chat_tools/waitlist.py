"""What the assistant may do with the waitlist, and what patients answer to a time that came free."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from django.urls import reverse

from appointments import names, services, waitlist
from appointments.chat_tools.arguments import (
    LocationArgument,
    MovableArgument,
    ProviderArgument,
    VisitTypeArgument,
)
from appointments.chat_tools.told import patient_of, standing, visit_type_of
from appointments.chat_tools.wording import CHANNELS, at, card, line
from appointments.models import Appointment, VisitType, WaitlistEntry, WaitlistOffer
from appointments.refusals import ByPhone, SlotTaken, TooLate
from chatbot import when
from chatbot.tools import (
    Argument,
    Card,
    Choice,
    Effect,
    Misunderstood,
    Options,
    Question,
    Reply,
    Situation,
    ToolContext,
    quick_replies,
    tool,
)
from chatbot.when import Wish
from chatbot.when.words import bare
from eyecare import clock
from eyecare.errors import Invalid, NotFound
from messaging.models import Message
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider

NOON = time(12)
ALL_DAYS = frozenset(range(7))

EXACTLY = timedelta(minutes=30)
"""Somebody who names one hour takes a time that begins within so much of it."""


@dataclass(frozen=True)
class Times:
    """The days and times of day that somebody waits for; nothing means any."""

    first_day: date | None = None
    last_day: date | None = None
    weekdays: tuple[int, ...] = ()
    from_time: time | None = None
    until_time: time | None = None

    @classmethod
    def of(cls, wish: Wish) -> "Times":
        """Return what the waitlist can keep of a wish: one run of days, weekdays, one window of hours."""
        first = min((days.first for days in wish.days), default=None)
        last = max((days.last for days in wish.days), default=date.max)
        weekdays = (wish.weekdays or ALL_DAYS) - wish.excluded_weekdays
        earliest, latest = _window(wish)
        return cls(
            first_day=first,
            last_day=None if last == date.max else last,
            weekdays=() if weekdays == ALL_DAYS else tuple(sorted(weekdays)),
            from_time=None if earliest == time.min else earliest,
            until_time=None if latest == time.max else latest,
        )

    @classmethod
    def loads(cls, key: str) -> "Times":
        kept = json.loads(key)
        return cls(
            first_day=_day(kept["first_day"]),
            last_day=_day(kept["last_day"]),
            weekdays=tuple(kept["weekdays"]),
            from_time=_hour(kept["from_time"]),
            until_time=_hour(kept["until_time"]),
        )

    def dumps(self) -> str:
        return json.dumps(asdict(self), default=str)


ANY_TIME = Times()
MORNINGS, AFTERNOONS = Times(until_time=NOON), Times(from_time=NOON)


class TimesArgument(Argument[Times]):
    """Days and times of day, as wide as somebody likes."""

    name = "slot"
    description = "the words that say which days and times"

    _ANY = re.compile(
        r"\b(?:any(?: ?time| day|thing)?|whenever|earlier|sooner|earliest|soonest|asap|first|next|openings?|"
        r"opens? up|available|free|flexible|doesnt matter|dont (?:care|mind))\b"
    )

    def ask(self, situation: Situation) -> Question:
        return Question(
            "Which days and times would suit you?",
            [
                Choice("Any time", ANY_TIME.dumps()),
                Choice("Mornings", MORNINGS.dumps()),
                Choice("Afternoons", AFTERNOONS.dumps()),
            ],
        )

    def read(self, text: str, situation: Situation) -> Times:
        now = situation.context.now.astimezone(practice.zone())
        try:
            return Times.of(when.read(text, now, None))
        except when.NotUnderstood:
            if self._ANY.search(bare(text).replace("'", "")):
                return ANY_TIME
            raise

    def dump(self, value: Times) -> str:
        return value.dumps()

    def load(self, key: str, situation: Situation) -> Times:
        """Return the times behind a key: one of ours, a slot that was spoken of, or the patient's words."""
        if key.startswith("{"):
            return Times.loads(key)
        visit_type = visit_type_of(situation)
        try:
            slot = services.slot_from_key(visit_type, key) if visit_type else None
        except Invalid:
            slot = None
        if slot is None:
            return self.read(key, situation)
        day, (earliest, latest) = slot.starts_at.date(), _around(slot.starts_at.time())
        return Times(first_day=day, last_day=day, from_time=earliest, until_time=latest)

    def label(self, value: Times) -> str:
        return _words(value)


class EarlierArgument(MovableArgument):
    """The visit for which an earlier time is wished."""

    def default(self, situation: Situation) -> Appointment | None:
        try:
            return super().default(situation)
        except NotFound as refusal:
            raise NotFound(
                "You have no visit yet that could be earlier. To wait for a new one, just write: waitlist."
            ) from refusal


class WishArgument(Argument[WaitlistEntry]):
    """One of the wishes that the patient has on the waitlist."""

    name = "waitlist_entry"
    description = "the words that say what the patient no longer waits for"

    def ask(self, situation: Situation) -> Question:
        return Question("Which one do you mean?", [self.choice(entry) for entry in _wishes(situation)])

    def read(self, text: str, situation: Situation) -> WaitlistEntry | Options:
        wishes = _wishes(situation)
        kinds = names.visit_types(text, [entry.visit_type for entry in wishes])
        meant = [entry for entry in wishes if entry.visit_type in kinds]
        if not meant:
            raise Misunderstood("I see no such wish. Which one do you mean?")
        if len(meant) == 1:
            return meant[0]
        return Options("Which one do you mean?", [self.choice(entry) for entry in meant])

    def default(self, situation: Situation) -> WaitlistEntry | None:
        wishes = _wishes(situation)
        return wishes[0] if len(wishes) == 1 else None

    def dump(self, value: WaitlistEntry) -> str:
        return str(value.pk)

    def load(self, key: str, situation: Situation) -> WaitlistEntry:
        entry = waitlist.entries_for(patient_of(situation)).filter(pk=key).first()
        return standing(entry, "You are not on our waitlist for that visit.")

    def label(self, value: WaitlistEntry) -> str:
        return f"{value.visit_type}: {waitlist.words_of(value)}"


_LIST = r"wait(?:ing)? ?list"
_AM_I = (
    rf"\b(?:am i|are we)(?: still| already)? (?:on|in) (?:\w+ )?{_LIST}\b|\bmy place on (?:\w+ )?{_LIST}\b"
)
_LEAVE = (
    rf"\b(?:off|leave|out of|from)(?: (?:the|your|that|this))? (?:{_LIST}|cancellation list)\b|"
    rf"\b(?:remove|delete|cancel)(?: \w+){{0,3}} {_LIST}\b|\bno longer (?:waiting|on the {_LIST})\b|"
    r"\b(?:stop|quit) waiting\b"
)
_TELL_ME = r"(?:let me know|(?:tell|text|notify|message|ping|alert|email|contact) me|reach out)"
_EARLIER = (
    rf"\b{_TELL_ME}(?: please)? (?:if|when|once|as soon as|in case)(?: \w+){{0,6}} (?:earlier|sooner)\b|"
    r"\b(?:if|when|in case)(?: (?:someone|somebody|anyone|anybody|another patient|a patient))(?: else)? "
    r"(?:cancels|drops out|canceled|cancelled)\b|"
    r"\b(?:if|when) (?:there is|theres|you (?:have|get)) an? (?:cancellation|cancelation)\b|"
    r"\bcancellation list\b|"
    r"\b(?:if|when)(?: \w+){0,4} (?:earlier|sooner)(?: \w+){0,2} (?:opens?|comes?|becomes?|frees?|pops?)\b"
)
_JOIN = (
    rf"^(?!.*\b(?:off|leave|out of|remove|delete|cancel|how (?:long|many)|what)\b).*\b{_LIST}\b|"
    rf"\b{_TELL_ME}(?: please)? (?:if|when|once|as soon as|in case)(?: \w+){{0,4}} "
    r"(?:opens? up|comes? (?:free|up)|becomes? (?:free|available)|frees? up|is free|gets free)\b|"
    r"\b(?:any|had|have|get|got)(?: \w+){0,2} cancell?ations?\b(?! (?:fees?|policy|charges?))"
)


@tool(label="See what I wait for", words=_AM_I, menu=False)
def see_waitlist(patient: Patient) -> Reply:
    """Say which times the patient waits for."""
    wishes = list(waitlist.entries_for(patient))
    if not wishes:
        return Reply.say("You are not on our waitlist. Shall I put you on it?", start="join_waitlist")
    lines = [waitlist.words_of(entry) for entry in wishes]  # by text message never what for
    return Reply.say("\n".join(["Yes. We write to you when one of these times comes free:", *lines]))


@tool(
    confirm=lambda *, waitlist_entry: (
        f"Take you off the waitlist for {waitlist_entry.visit_type} ({waitlist.words_of(waitlist_entry)})?"
    ),
    label="Leave the waitlist",
    examples=("take me off the waitlist",),
    words=_LEAVE,
    menu=False,
)
def leave_waitlist(
    patient: Patient, waitlist_entry: Annotated[WaitlistEntry, WishArgument], *, context: ToolContext
) -> Reply:
    """Leave the waitlist."""
    waitlist.withdraw(entry=waitlist_entry, channel=CHANNELS[context.channel], actor=context.actor)
    effect = Effect("waitlist.left", "waitlist_entry", str(waitlist_entry.pk))
    return Reply.done("All right, you are no longer on the waitlist for that visit.", effect=effect)


def _earlier_question(*, appointment: Appointment, slot: Times | None = None, **_: Any) -> str:
    now = services.slot_of(appointment)
    narrowed = f" ({_words(slot)})" if slot and slot != ANY_TIME else ""
    return f"Write to you when a time before {now:%A, %B %-d at %-I:%M %p} comes free{narrowed}?"


@tool(
    confirm=_earlier_question,
    label="Ask for an earlier time",
    examples=("let me know if something earlier opens up",),
    words=_EARLIER,
    needs_person=(TooLate,),
    menu=False,
)
def wait_for_earlier(
    patient: Patient,
    appointment: Annotated[Appointment, EarlierArgument],
    slot: Annotated[Times, TimesArgument] | None = None,
    *,
    context: ToolContext,
) -> Reply:
    """Wait for an earlier time than the appointment that the patient has."""
    entry = waitlist.join(
        patient=patient,
        visit_type=appointment.visit_type,
        moving=appointment,
        channel=CHANNELS[context.channel],
        actor=context.actor,
        **asdict(slot or ANY_TIME),
    )
    return _joined(entry, "Done. You keep your visit, and we write to you when an earlier time comes free.")


def _join_question(
    *,
    visit_type: VisitType,
    slot: Times,
    provider: Provider | None = None,
    location: Location | None = None,
) -> str:
    return f"Put you on the waitlist for {visit_type}: {_words(slot, provider, location)}?"


@tool(
    confirm=_join_question,
    label="Join the waitlist",
    examples=("put me on the waitlist", "let me know when something opens up"),
    words=_JOIN,
    needs_person=(ByPhone,),
)
def join_waitlist(
    patient: Patient,
    visit_type: Annotated[VisitType, VisitTypeArgument],
    slot: Annotated[Times, TimesArgument],
    provider: Annotated[Provider, ProviderArgument] | None = None,
    location: Annotated[Location, LocationArgument] | None = None,
    *,
    context: ToolContext,
) -> Reply:
    """Wait for a time that is not free yet."""
    entry = waitlist.join(
        patient=patient,
        visit_type=visit_type,
        provider=provider,
        location=location,
        channel=CHANNELS[context.channel],
        actor=context.actor,
        **asdict(slot),
    )
    return _joined(entry, "You are on the waitlist. We write to you as soon as such a time comes free.")


@quick_replies(
    "waitlist_offer_move",
    no=2,
    said={
        2: r"(?:(?:no|thanks|thank you) )*(?:i(?:ll| will) |lets )?(?:keep|stay with|stick with) "
        r"(?:mine|my (?:visit|appointment|time|exam)|the (?:one|old one|other one)(?: i have)?|it)",
        1: r"(?:yes )?(?:please )?(?:move|change|switch) (?:it|me|my (?:visit|appointment|exam))",
    },
)
def answer_earlier_offer(patient: Patient, message: Message, digit: int, context: ToolContext) -> Reply:
    """Take the answer to an earlier time: 1 moves the visit there, 2 keeps it."""
    return answer_offer(patient, message, digit, context)


@quick_replies(
    "waitlist_offer",
    no=2,
    said={
        1: r"(?:yes )?(?:(?:ill|i will|i|id (?:like|love) to|please|let me) )*(?:take|have|want|grab|get) "
        r"(?:it|that|this|the (?:slot|spot|time|appointment))(?: (?:one|time|slot))?(?: please)?",
        2: r"(?:(?:no|thanks|thank you) )*(?:(?:ill|i will) )?(?:keep waiting|wait|pass|skip)"
        r"(?: (?:it|this one|that one|this time))?(?: please)?|"
        r"(?:that|this|it) (?:time |day |one )?(?:doesnt|does not|wont) (?:work|suit)(?: (?:for )?me)?|"
        r"(?:no |sorry )*(?:i )?(?:cant|cannot|can not)(?: (?:make (?:it|that|this)|come|do (?:it|that)))?"
        r"(?: then| that day)?",
    },
)
def answer_offer(patient: Patient, message: Message, digit: int, context: ToolContext) -> Reply:
    """Take the answer to a time that came free: 1 takes it, 2 keeps waiting."""
    offer = waitlist.offer_for(patient, message.subject_id)
    match digit:
        case 1:
            return _take(offer, context)
        case 2:
            waitlist.decline(offer=offer, channel=CHANNELS[context.channel], actor=context.actor)
            return Reply.say("All right. You keep your place, and we write to you about the next time.")
    return Reply.say("Reply 1 to take the time that came free, or 2 to keep waiting.")


def _take(offer: WaitlistOffer, context: ToolContext) -> Reply:
    try:
        visit = waitlist.accept(offer=offer, channel=CHANNELS[context.channel], actor=context.actor)
    except SlotTaken as refusal:
        return Reply.say(refusal.sentence, start=_others(offer) if refusal.alternatives else None)
    action, words = "appointment.booked", f"You are booked: {line(visit, context.channel)}."
    if visit.moved_from_id:
        action, words = "appointment.moved", f"Done. Your visit is now {at(services.slot_of(visit), '')}."
    return Reply.done(words, effect=Effect(action, "appointment", str(visit.pk)), cards=[card(visit)])


def _others(offer: WaitlistOffer) -> tuple[str, dict[str, str]]:
    """Return the task that shows other times to somebody who was not first."""
    if visit := waitlist.visit_that_moves(offer.entry):
        return "reschedule_appointment", {"appointment": str(visit.pk)}
    return "book_appointment", {"visit_type": offer.entry.visit_type.slug}


def _joined(entry: WaitlistEntry, sentence: str) -> Reply:
    obstacle = waitlist.obstacle(entry.patient)
    return Reply.done(
        f"{sentence} {obstacle}".strip(),
        effect=Effect("waitlist.joined", "waitlist_entry", str(entry.pk)),
        cards=[Card("Waitlist", (waitlist.words_of(entry),), reverse("appointments:waitlist"), "See it")],
    )


def _words(times: Times, provider: Provider | None = None, location: Location | None = None) -> str:
    """Return times in the words that their entry on the waitlist will have."""
    first_day = times.first_day or clock.today()
    columns = {**asdict(times), "first_day": first_day, "weekdays": list(times.weekdays)}
    return waitlist.words_of(WaitlistEntry(provider=provider, location=location, **columns))


def _wishes(situation: Situation) -> list[WaitlistEntry]:
    found = list(waitlist.entries_for(patient_of(situation)))
    if not found:
        raise NotFound("You are not on our waitlist.")
    return found


def _day(kept: str | None) -> date | None:
    return date.fromisoformat(kept) if kept else None


def _hour(kept: str | None) -> time | None:
    return time.fromisoformat(kept) if kept else None


def _window(wish: Wish) -> tuple[time, time]:
    if wish.exact is not None:
        return _around(wish.exact)
    earliest = min((hours.earliest for hours in wish.hours), default=time.min)
    return earliest, max((hours.latest for hours in wish.hours), default=time.max)


def _around(moment: time) -> tuple[time, time]:
    """Return the window of somebody who named one hour."""
    begins = datetime.combine(date.min, moment)
    ends = begins + EXACTLY
    return moment, ends.time() if ends.date() == begins.date() else time.max
