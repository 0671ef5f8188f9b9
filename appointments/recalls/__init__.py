"""When patients should come again, and how they are asked."""

from appointments.recalls.asking import AGAIN, FIRST, NotAsked, ask, ask_due, objection, register_checks
from appointments.recalls.changes import (
    change,
    decline,
    decline_all,
    get_among,
    get_for,
    later,
    put_back,
    put_off,
    put_on,
    snooze,
    take_off,
)
from appointments.recalls.defaults import load_defaults
from appointments.recalls.deriving import refresh, visit_completed, work_through
from appointments.recalls.intervals import due_on, next_attempt_on

__all__ = [
    "AGAIN",
    "FIRST",
    "NotAsked",
    "ask",
    "ask_due",
    "change",
    "decline",
    "decline_all",
    "due_on",
    "get_among",
    "get_for",
    "later",
    "load_defaults",
    "next_attempt_on",
    "objection",
    "put_back",
    "put_off",
    "put_on",
    "refresh",
    "register_checks",
    "snooze",
    "take_off",
    "visit_completed",
    "work_through",
]
