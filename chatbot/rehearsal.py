"""Plays lines of conversations through the real turn loop: for `converse` and `evaluate_assistant`."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from phonenumber_field.phonenumber import to_python

from chatbot import assistants, delivery, services
from chatbot.models import Assistant, ChatMessage, Conversation
from eyecare import cast, clock
from eyecare.errors import Refusal
from patients import services as patients
from patients.models import Account, Patient
from practice import services as practice

UNKNOWN_PHONE = "+12125559999"
"""Who texts when nobody is named."""


class Unplayable(ValueError):
    """A line that cannot be played; the message says why."""


@dataclass(frozen=True)
class Speaker:
    """Who says a line: an account and a patient on the portal, a phone by text message."""

    patient: Patient | None = None
    account: Account | None = None
    phone: str = ""


@dataclass
class Rehearsal:
    """Conversations by the names that the lines give them; each begins with its first line."""

    engine: str = ""
    assistant: Assistant | None = None
    """Who answers whatever the lines say: one with another model, before it is promoted."""

    conversations: dict[str, Conversation] = field(default_factory=dict)
    moments: dict[str, datetime] = field(default_factory=dict)
    """Where a line of theirs stopped the clock; it stands there until another one moves it on."""

    def play(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Say one line and return what came of it, in the form of `manage.py converse`."""
        name = str(line.get("conversation") or "a")
        text = line.get("text")
        if not isinstance(text, str):
            raise Unplayable("a line needs a text")
        if line.get("now"):
            self.moments[name] = moment_of(line["now"])
        stopped = clock.frozen_at(self.moments[name]) if name in self.moments else nullcontext()
        with stopped:
            return self._play(name, line, text)

    def _play(self, name: str, line: Mapping[str, Any], text: str) -> dict[str, Any]:
        if name not in self.conversations:
            self.conversations[name] = begin(line, self.assistant)
        started = time.monotonic()
        reply, sentence = self._say(self.conversations[name], text)
        milliseconds = round((time.monotonic() - started) * 1000)
        return {"conversation": name, **told(reply, sentence), "milliseconds": milliseconds}

    def _say(self, conversation: Conversation, text: str) -> tuple[ChatMessage | None, str]:
        try:
            message = services.receive(conversation, text)
        except Refusal as refusal:
            return None, refusal.sentence
        services.answer(conversation, engine=self.engine, assistant=self.assistant)
        return services.reply_to(message), ""


def moment_of(text: object) -> datetime:
    """Return a time on the practice's wall, written 2026-03-02T09:00; raises Unplayable."""
    try:
        parsed = parse_datetime(str(text))
    except ValueError:
        parsed = None
    if parsed is None:
        raise Unplayable(f"{text!r} is no time such as 2026-03-02T09:00")
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=practice.zone())


def heard_by(slug: str, model_name: str, prompt_style: str) -> Assistant | None:
    """Return the assistant that is meant, with another model where one is named; None when nothing is.

    Raises Unplayable.
    """
    if not (slug or model_name or prompt_style):
        return None
    try:
        found = assistants.get(slug)
        if not (model_name or prompt_style):
            return found
        style = prompt_style or found.prompt_style
        return assistants.as_if(found, model_name=model_name or found.model_name, prompt_style=style)
    except Refusal as refusal:
        raise Unplayable(refusal.sentence) from refusal


def begin(line: Mapping[str, Any], assistant: Assistant | None = None) -> Conversation:
    """Begin the conversation of a line, with the assistant that it names; raises Unplayable."""
    speaker = speaker_of(line.get("as"))
    assistant = heard_by(str(line.get("assistant") or ""), "", "") or assistant
    match line.get("channel", "web"):
        case "web":
            return services.begin(
                channel="web", patient=speaker.patient, account=speaker.account, assistant=assistant
            )
        case "sms":
            phone = speaker.phone or UNKNOWN_PHONE
            services.end_text_conversation(phone)
            return services.text_conversation(phone)
        case channel:
            raise Unplayable(f"no channel {channel!r}: web or sms")


def speaker_of(who: object) -> Speaker:
    """Find a role of the demo cast, an e-mail address or a phone number; raises Unplayable."""
    if who is None:
        return Speaker()
    if who in cast.MEMBERS:
        return _of(cast.find(str(who)))
    if "@" in str(who):
        return _of(_by_email(str(who)))
    phone = to_python(str(who))
    if not phone or not phone.is_valid():
        raise Unplayable(f"nobody is {who!r}: give a role of the cast, an e-mail address or a phone number")
    owner = next(iter(patients.with_phone(phone.as_e164)), None)
    return Speaker(owner, owner.account if owner else None, phone.as_e164)


def _by_email(email: str) -> Patient | Account:
    found = Account.objects.filter(email=email).first() or Patient.objects.filter(email=email).first()
    if found is None:
        raise Unplayable(f"nobody has the e-mail address {email}")
    return found


def _of(person: Patient | Account) -> Speaker:
    if isinstance(person, Patient):
        # a child has no log-in: a parent opens their record
        account = person.account or Account.objects.filter(patient__wards__patient=person).first()
        return Speaker(person, account, str(person.phone))
    patient = next(iter(patients.patients_of(person)), None)
    return Speaker(patient, person, str(patient.phone) if patient else "")


def told(reply: ChatMessage | None, sentence: str = "") -> dict[str, Any]:
    """Return a reply as `converse` writes it; there is none while a person has the conversation."""
    if reply is None:
        return {
            "reply": sentence,
            "choices": [],
            "commands": [],
            "effects": [],
            "sources": [],
            "urgent": False,
            "handoff": False,
        }
    is_text = reply.channel == Conversation.Channel.SMS
    return {
        "reply": delivery.as_text(reply) if is_text else reply.text,
        "choices": [choice["label"] for choice in reply.choices],
        "commands": reply.commands,
        "effects": reply.effects,
        "sources": reply.sources,
        "urgent": reply.urgent,
        "handoff": reply.handoff,
    }
