"""What a task has been told so far, as every argument of the diary looks at it."""

from typing import TypeVar

from appointments.models import VisitType
from chatbot.tools import Situation
from eyecare.errors import NotFound
from patients.models import Patient

Row = TypeVar("Row")


def patient_of(situation: Situation) -> Patient:
    return standing(situation.patient, "Please sign in first.")


def visit_type_of(situation: Situation) -> VisitType | None:
    moving = situation.filled.get("appointment")
    return moving.visit_type if moving else situation.filled.get("visit_type")


def standing(row: Row | None, sentence: str) -> Row:
    """Return what was looked for; NotFound with the sentence when it is not there."""
    if row is None:
        raise NotFound(sentence)
    return row
