"""When somebody would like to come: what they said of it, turn by turn."""

import functools
import re
from dataclasses import replace
from datetime import datetime

from appointments import services
from appointments.chat_tools.told import visit_type_of
from chatbot import when
from chatbot.tools import Situation
from chatbot.when import Days, NotUnderstood, Wish
from chatbot.when.words import bare
from practice import services as practice


def wish_of(said: str, situation: Situation) -> Wish:
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
    moving, visit_type = situation.filled.get("appointment"), visit_type_of(situation)
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


def with_earlier_words(text: str, situation: Situation) -> str:
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


def wish_in(text: str, situation: Situation) -> Wish | None:
    try:
        return wish_of(text, situation)
    except NotUnderstood:
        return None
