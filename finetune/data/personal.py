"""Replaces personal data by made-up data of the same form, so that no model can learn who wrote.

Found by rule: names after words that announce one, or that a list of names knows; phone numbers, e-mail
addresses, dates of birth, street addresses, and numbers of accounts, insurances, cards and persons. A name
in small letters that nothing announces stays: the report says how much was found, not that all of it was.

A practice's own providers and offices are no personal data of patients, and their names are what labels are
made of: they stay. A replacement keeps the number of words and the capitals, is the same throughout one
conversation, and differs between conversations.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chatbot import prompt
from chatbot.commands import Command
from finetune.data import inventions
from finetune.data.findings import Finding, find
from finetune.examples import Example

KEPT: Mapping[str, frozenset[str]] = {
    "provider": frozenset({"name"}),
    "location": frozenset({"name", "address", "postcode"}),
    "visit_type": frozenset({"name"}),
    "slot": frozenset({"date of birth", "name", "number"}),
    "appointment": frozenset({"date of birth", "name", "number"}),
}
"""What stays as it is within an argument: it is the practice's, or what the label is about."""


@dataclass
class Disguise:
    """The replacements within one conversation."""

    chance: random.Random
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, kind: str, words: str) -> str:
        """Return what stands for these words from now on; never what stands for others.

        A name is replaced word by word, so that a first name alone stays the same person's.
        """
        if kind == "name" and " " in words:
            return " ".join(
                self.of("surname" if position else kind, word) for position, word in enumerate(words.split())
            )
        key = kind, words.casefold()
        if key not in self.known:
            taken = set(self.known.values())
            drawn = (inventions.OF[kind](self.chance, words) for _ in range(50))
            self.known[key] = next((new for new in drawn if new not in taken and new != words), "")
        return inventions.alike(self.known[key], words) or words


def disguise(example: Example, worn: Disguise) -> tuple[Example, Counter[str]]:
    """Return the example without personal data, its arguments still runs of its words, and what was found.

    The message is normalised on the way.
    """
    said = prompt.normalise(example.turn.message)
    places = {
        (number, name): _place(said, span)
        for number, command in enumerate(example.commands)
        for name, span in command.arguments.items()
    }
    findings = [
        finding
        for finding in find(said, asked=example.turn.asked)
        if not any(
            finding.kind in KEPT.get(key[1], ()) and finding.overlaps(*at) for key, at in places.items()
        )
    ]
    told = _Retold(said, findings, worn)
    commands = tuple(
        Command(
            command.name,
            {name: told.span(places[number, name], span) for name, span in command.arguments.items()},
        )
        for number, command in enumerate(example.commands)
    )
    reply, found = disguise_text(example.turn.reply, worn)
    found.update(finding.kind for finding in findings)
    turn = replace(example.turn, message=told.text, reply=reply)
    return replace(example, turn=turn, commands=commands), found


def disguise_text(text: str, worn: Disguise) -> tuple[str, Counter[str]]:
    """Return a text without personal data, and what was found in it."""
    findings = find(text)
    return _Retold(text, findings, worn).text, Counter(finding.kind for finding in findings)


class _Retold:
    """A text with its findings replaced; knows where each place of the old text has gone."""

    def __init__(self, said: str, findings: Sequence[Finding], worn: Disguise) -> None:
        self.moves: list[tuple[Finding, int, int]] = []
        self.text, at = "", 0
        for finding in findings:
            self.text += said[at : finding.start]
            start = len(self.text)
            self.text += worn.of(finding.kind, said[finding.start : finding.end])
            self.moves.append((finding, start, len(self.text)))
            at = finding.end
        self.text += said[at:]

    def span(self, place: tuple[int, int], words: str) -> str:
        """Return the words of the new text at an old place; a half-replaced finding is taken whole."""
        if place[0] < 0:
            return words
        return self.text[self._moved(place[0], is_end=False) : self._moved(place[1], is_end=True)]

    def _moved(self, position: int, *, is_end: bool) -> int:
        shift = 0
        for finding, start, end in self.moves:
            if finding.start < position < finding.end or position == (
                finding.end if is_end else finding.start
            ):
                return end if is_end else start
            if finding.end <= position:
                shift = end - finding.end
        return position + shift


def _place(said: str, span: str) -> tuple[int, int]:
    """Return where the span stands as whole words; (-1, -1) when it does not."""
    start = said.find(span) if span else -1
    while start >= 0:
        end = start + len(span)
        if not (said[max(0, start - 1) : start].isalnum() or said[end : end + 1].isalnum()):
            return start, end
        start = said.find(span, start + 1)
    return -1, -1
