"""Why a wished time cannot be had, as the front desk would say it."""

from collections.abc import Iterator
from datetime import datetime

from appointments import availability, rules
from appointments.availability import Slot
from appointments.openings import Search
from appointments.refusals import Unavailable
from chatbot.when import Wish
from practice import services as practice
from practice.models import Location, Provider

MOST_PLACES = 6
"""So many providers and offices are asked why; the others would say the same."""

_TELLING = (
    "too_soon",
    "too_far_ahead",
    "patient_busy",
    "slot_taken",
    "resource_taken",
    "kept_for_urgent",
    "closed",
    "off_the_grid",
    "outside_hours",
)
"""Whose reason is told when one office says this and another that: the nearest to a yes first."""


def why_not(search: Search, wish: Wish) -> str:
    """Return why nothing is free at the one time that was wished for; empty for a wider wish."""
    if not wish.names_one_start:
        return ""
    refusals = [refusal for slot in _wished(search, wish) if (refusal := _refusal(search, slot))]
    told = min(refusals, key=_rank, default=None)
    return _in_words(told, search, wish) if told else ""


def _wished(search: Search, wish: Wish) -> Iterator[Slot]:
    """Yield the visit at the wished time with everybody and everywhere that it could be."""
    zone = practice.zone()
    start = datetime.combine(wish.days[0].first, wish.exact or datetime.min.time(), zone)
    for provider, location in _places(search):
        yield availability.slot(search.visit_type, provider, location, start, zone)


def _places(search: Search) -> list[tuple[Provider, Location]]:
    providers = search.visit_type.providers.filter(is_active=True).prefetch_related("locations")
    found = [
        (provider, location)
        for provider in providers
        for location in provider.locations.all()
        if location.is_active and search.provider in (None, provider) and search.location in (None, location)
    ]
    return found[:MOST_PLACES]


def _refusal(search: Search, slot: Slot) -> Unavailable | None:
    try:
        rules.check_bookable(search.visit_type, slot, patient=search.patient, moving=search.moving)
    except Unavailable as refusal:
        return refusal
    return None


def _rank(refusal: Unavailable) -> int:
    return _TELLING.index(refusal.code) if refusal.code in _TELLING else len(_TELLING)


def _in_words(refusal: Unavailable, search: Search, wish: Wish) -> str:
    if refusal.code == "slot_taken":
        whose = f" with {search.provider}" if search.provider else ""
        return f"{_capitalised(wish.describe())}{whose} is taken."
    if refusal.code == "outside_hours" and search.provider is None:
        return f"We see nobody for this then ({wish.describe()})."
    return refusal.sentence


def _capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]
