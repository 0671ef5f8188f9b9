"""Why a wished time cannot be had, as the front desk would say it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

from appointments import availability, diary, rules
from appointments.availability import Objection, Slot
from appointments.openings import Search
from appointments.refusals import Unavailable
from chatbot.when import Wish
from practice import services as practice
from practice.models import Provider

MOST_ASKED = 6
"""So many providers are looked at; the others would say the same."""

HALF_HOURS = [time(hour, minute) for hour in range(6, 22) for minute in (0, 30)]
"""Where a day is tried when no hour was wished for."""

_TELLING = (
    "patient_busy",
    "slot_taken",
    "resource_taken",
    "kept_for_urgent",
    "closed",
    "off_the_grid",
    "outside_hours",
)
"""Whose reason is told when one says this and another that: the nearest to a yes first."""

_MAY_COME_FREE = frozenset(
    {"patient_busy", "slot_taken", "resource_taken", "kept_for_urgent", "off_the_grid"}
)
"""Reasons that pass when somebody cancels; nobody can wait for a day on which the practice is closed."""

_SAYS_LITTLE = frozenset({"outside_hours", "off_the_grid", "not_bookable"})
"""What is true of some hour of every day."""


@dataclass(frozen=True)
class Reason:
    """Why nothing is free, in a sentence, and whether waiting may help."""

    sentence: str
    may_come_free: bool = False


def why_not(search: Search, wish: Wish) -> Reason | None:
    """Return why nothing of a wish is free; None where there is no one reason."""
    if not wish.days:
        return None
    if refusal := _out_of_range(search, wish):
        return Reason(refusal.sentence)
    if wish.names_one_start:
        return _at_one_time(search, wish)
    return _on_one_day(search, wish) if len(_days(wish)) == 1 else None


def _days(wish: Wish) -> list[date]:
    """Return the one day of a wish that names a single day, the first and the last of a wider one."""
    return sorted({day for days in wish.days for day in (days.first, days.last)})


def _out_of_range(search: Search, wish: Wish) -> Unavailable | None:
    """Return why no time of the wish may be booked yet, or any more."""
    earliest, latest = diary.bookable_range(search.visit_type)
    zone = practice.zone()
    last = datetime.combine(_days(wish)[-1], wish.exact or time(23, 59), zone)
    first = datetime.combine(_days(wish)[0], wish.exact or time.min, zone)
    if earliest <= last and first <= latest:
        return None
    provider = next(iter(_providers(search)), None)
    location = provider.locations.first() if provider else None
    if provider is None or location is None:
        return None
    slot = availability.slot(search.visit_type, provider, location, last if last < earliest else first, zone)
    try:
        rules.check_bookable(search.visit_type, slot, patient=search.patient, moving=search.moving)
    except Unavailable as refusal:
        return refusal
    return None


def _at_one_time(search: Search, wish: Wish) -> Reason | None:
    objections = _objections(search, wish, [wish.exact or time.min])
    told = min(objections, key=lambda objection: _rank(objection.code), default=None)
    return Reason(_in_words(told, search, wish), told.code in _MAY_COME_FREE) if told else None


def _in_words(told: Objection, search: Search, wish: Wish) -> str:
    when = f"{datetime.combine(_days(wish)[0], wish.exact or time.min):%A, %B %-d at %-I:%M %p}"
    if told.code == availability.SLOT_TAKEN:
        whose = f" with {search.provider}" if search.provider else ""
        return f"{when}{whose} is taken."
    if told.code == availability.OUTSIDE_HOURS and search.provider is None:
        return f"We see nobody for this on {when}."
    return told.sentence


def _on_one_day(search: Search, wish: Wish) -> Reason | None:
    """Say what is true of the whole day, or of the hours that were wished for."""
    objections = list(_objections(search, wish, HALF_HOURS))
    telling = [objection for objection in objections if objection.code not in _SAYS_LITTLE]
    if objections and not telling:
        whose = f"{search.provider} does not see patients" if search.provider else "We see nobody for this"
        return Reason(f"{whose} then ({wish.describe()}).")
    codes = {objection.code for objection in telling}
    if codes == {availability.CLOSED}:
        closed = min(telling, key=lambda objection: not objection.sentence.startswith("We "))
        return Reason(closed.sentence)
    return None


def _objections(search: Search, wish: Wish, times: Iterable[time]) -> Iterator[Objection]:
    """Yield what speaks against these times of the wished day, with everybody and everywhere."""
    zone, (day, *_) = practice.zone(), _days(wish)
    starts = [start for moment in times if wish.matches(start := datetime.combine(day, moment, zone))]
    for provider in _providers(search):
        for slots in _by_place(search, provider, starts):
            known = diary.read(search.visit_type, slots[0], patient=search.patient, moving=search.moving)
            for slot in slots:
                if objection := availability.objection(known, search.visit_type, slot):
                    yield objection


def _by_place(search: Search, provider: Provider, starts: list[datetime]) -> Iterator[list[Slot]]:
    zone = practice.zone()
    for location in provider.locations.all():
        if starts and location.is_active and search.location in (None, location):
            yield [availability.slot(search.visit_type, provider, location, start, zone) for start in starts]


def _providers(search: Search) -> list[Provider]:
    if search.provider:
        return [search.provider]
    rows = search.visit_type.providers.filter(is_active=True).prefetch_related("locations")
    return list(rows[:MOST_ASKED])


def _rank(code: str) -> int:
    return _TELLING.index(code) if code in _TELLING else len(_TELLING)
