"""Who is speaking: on the portal the session says it, by text the phone and the date of birth do."""

import re

from django.db.models import F

from chatbot import stack
from chatbot.arguments import Choice, Question
from chatbot.filling import Asking
from chatbot.models import Conversation
from chatbot.tools import Tool
from chatbot.when import read_birth_date
from eyecare import clock
from eyecare.errors import Refusal
from patients import services as patients
from patients.models import Patient
from practice import services as practice

TRIES = 5
"""Dates of birth that may be tried in one text conversation; then a person takes over."""


ORDINARY_WORDS = frozenset({"april", "art", "bill", "grace", "hope", "june", "mark", "may", "rose", "will"})
"""First names that are words as well: they count only with their capital."""


class NotKnown(Refusal):
    """Nobody's record is open in this conversation."""

    code = "not_known"
    status = 403


class TriesUsedUp(Refusal):
    """The date of birth was wrong too often."""

    code = "tries_used_up"
    status = 403


def missing_for(tool: Tool, conversation: Conversation) -> Asking | None:
    """Return what the patient must be asked before a tool may run; raises NotKnown, TriesUsedUp."""
    if tool.is_for_anyone:
        return None
    if conversation.channel == Conversation.Channel.SMS:
        return _by_text(tool, conversation)
    if conversation.patient is None and conversation.account is None:
        raise NotKnown("Please sign in first, so that I know whose record to open.")
    if conversation.patient is None:
        raise NotKnown(
            "Your log-in is not linked to a patient's record. Please call us and we put that right."
        )
    return None


def _by_text(tool: Tool, conversation: Conversation) -> Asking | None:
    people = patients.with_phone(conversation.phone)
    if not people:
        raise NotKnown(
            f"I do not know this phone number. Please call us at {phone_words()} so that we can add it."
        )
    if conversation.patient not in people:
        conversation.patient = people[0] if len(people) == 1 else None
    if conversation.patient is None:
        choices = [Choice(person.first_name, str(person.pk)) for person in people]
        return Asking(stack.PERSON, Question("Who is this about?", choices))
    needs_birth_date = tool.is_private or len(people) > 1
    if needs_birth_date and conversation.identity_checked_at is None:
        return _birth_date(conversation)
    return None


def _birth_date(conversation: Conversation) -> Asking:
    if conversation.identity_tries >= TRIES:
        raise TriesUsedUp("I could not check who you are. A colleague will get in touch with you.")
    name = conversation.patient.first_name if conversation.patient else "the patient"
    question = f"To keep the record private: what is {name}'s date of birth (month, day, year)?"
    return Asking(stack.BIRTH_DATE, Question(question))


def choose(conversation: Conversation, patient_id: str) -> None:
    """Take one of the people of this phone; what was checked for another no longer counts."""
    people = patients.with_phone(conversation.phone)
    conversation.patient = next((person for person in people if str(person.pk) == patient_id), None)
    conversation.identity_checked_at = None


def check_birth_date(conversation: Conversation, text: str) -> bool:
    """Say whether the text is the patient's date of birth; every readable date uses up a try.

    Raises NotUnderstood when it is no date, TriesUsedUp after the last try.
    """
    born = read_birth_date(text, clock.today())
    row = Conversation.objects.filter(pk=conversation.pk)
    if not row.filter(identity_tries__lt=TRIES).update(identity_tries=F("identity_tries") + 1):
        raise TriesUsedUp("I could not check who you are. A colleague will get in touch with you.")
    conversation.identity_tries += 1
    if conversation.patient is None or not patients.birth_matches(conversation.patient, born):
        return False
    conversation.identity_checked_at = clock.now()
    return True


def household(conversation: Conversation) -> list[Patient]:
    """Return everybody whom the person at the other end may speak for."""
    if conversation.channel == Conversation.Channel.SMS:
        return patients.with_phone(conversation.phone)
    return patients.patients_of(conversation.account) if conversation.account else []


def named_other(conversation: Conversation, message: str) -> Patient | None:
    """Return the one other person of the household whose first name a message says."""
    words = set(re.findall(r"[^\W\d_]+", message))
    words |= {word for word in map(str.casefold, words) if word not in ORDINARY_WORDS}
    others = [person for person in household(conversation) if person != conversation.patient]
    named = [person for person in others if {person.first_name, person.first_name.casefold()} & words]
    return named[0] if len(named) == 1 else None


def phone_words(*, urgent: bool = False) -> str:
    """Return the practice's phone as patients dial it; the one for emergencies where there is one."""
    known = practice.current()
    phone = known.emergency_phone if urgent and known.emergency_phone else known.phone
    return phone.as_national


def audience(patient: Patient | None) -> str:
    """Return whose documents may be quoted."""
    return "patients" if patient else "everyone"
