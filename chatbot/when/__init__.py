"""Understands days and times in the patient's own words, by code and not by a model."""

from chatbot.when.birth import read_birth_date
from chatbot.when.reader import read
from chatbot.when.spans import find, find_all
from chatbot.when.wish import Days, Hours, NotUnderstood, Wish, clock_words

__all__ = [
    "Days",
    "Hours",
    "NotUnderstood",
    "Wish",
    "clock_words",
    "find",
    "find_all",
    "read",
    "read_birth_date",
]
