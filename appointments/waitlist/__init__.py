"""Who waits for an earlier time, and how a time that came free is offered to them."""

from appointments.waitlist.offers import accept, decline, offer_for, offers_for, register_checks
from appointments.waitlist.rounds import (
    note_freed,
    obstacle,
    offer_again,
    slot_of,
    sweep,
    tell_ended,
    work_on,
)
from appointments.waitlist.wishes import (
    MOST_WISHES,
    entries_for,
    entry_for,
    join,
    visit_that_moves,
    withdraw,
    words_of,
)

__all__ = [
    "MOST_WISHES",
    "accept",
    "decline",
    "entries_for",
    "entry_for",
    "join",
    "note_freed",
    "obstacle",
    "offer_again",
    "offer_for",
    "offers_for",
    "register_checks",
    "slot_of",
    "sweep",
    "tell_ended",
    "visit_that_moves",
    "withdraw",
    "words_of",
    "work_on",
]
