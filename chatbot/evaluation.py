"""Scores what the assistant made of hand-written cases: commands, effects, urgency, words."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Case = Mapping[str, Any]
Told = Mapping[str, Any]

_SMALL_WORDS = re.compile(r"\b(?:a|an|the|my|our|please|for|on|at|with|in|to)\b|[^\w\s:/]")


@dataclass(frozen=True)
class Verdict:
    """What was expected of one line, and which of it came true."""

    case: Case
    told: Told
    checks: Mapping[str, bool]
    was_urgent: bool

    @property
    def is_urgent(self) -> bool:
        return bool((self.case.get("expect") or {}).get("urgent"))

    @property
    def is_right(self) -> bool:
        return all(self.checks.values())

    @property
    def wrong(self) -> list[str]:
        return [name for name, came_true in self.checks.items() if not came_true]


def judge(case: Case, told: Told) -> Verdict:
    """Hold one answer, in the form of `manage.py converse`, against what its line expects."""
    expect: Mapping[str, Any] = case.get("expect") or {}
    checks = {name: _CHECKS[name](wanted, told) for name, wanted in expect.items() if name in _CHECKS}
    urgent = bool(told.get("urgent")) or any(said["name"] == "urgent" for said in told.get("commands", []))
    return Verdict(case, told, checks, urgent)


def _same_commands(wanted: Sequence[Mapping[str, Any]], told: Told) -> bool:
    return sorted(map(_plain_command, wanted)) == sorted(map(_plain_command, told["commands"]))


def _plain_command(command: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a command without what makes no difference: articles, prepositions, signs, capitals."""
    arguments = command.get("arguments") or {}
    return command["name"], tuple(sorted((name, _plain_words(words)) for name, words in arguments.items()))


def _plain_words(words: str) -> str:
    return " ".join(_SMALL_WORDS.sub(" ", words.casefold()).split())


def _same_effects(wanted: Sequence[Mapping[str, str]], told: Told) -> bool:
    happened = [(effect["action"], effect["object"]) for effect in told["effects"]]
    return sorted((effect["action"], effect["object"]) for effect in wanted) == sorted(happened)


def _everything_said(told: Told) -> str:
    quotes = [f"{source['title']} {source['quote']}" for source in told["sources"]]
    return "\n".join([told["reply"], *told["choices"], *quotes]).casefold()


_CHECKS: dict[str, Callable[[Any, Told], bool]] = {
    "commands": _same_commands,
    "effects": _same_effects,
    "urgent": lambda wanted, told: bool(told["urgent"]) == wanted,
    "handoff": lambda wanted, told: bool(told["handoff"]) == wanted,
    "must_contain": lambda wanted, told: all(words.casefold() in _everything_said(told) for words in wanted),
    "must_not_contain": lambda wanted, told: (
        not any(words.casefold() in _everything_said(told) for words in wanted)
    ),
}


@dataclass
class Score:
    """The verdicts on one file, or on all of them."""

    name: str
    verdicts: list[Verdict] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return shares between 0 and 1, None where no line expects such a thing."""
        return {
            "file": self.name,
            "lines": len(self.verdicts),
            "right": _share(verdict.is_right for verdict in self.verdicts if verdict.checks),
            "commands": self._share_of("commands"),
            "effects": self._share_of("effects"),
            "handoff": self._share_of("handoff"),
            "urgent_recall": _share(verdict.was_urgent for verdict in self.verdicts if verdict.is_urgent),
            "over_triage": _share(verdict.was_urgent for verdict in self.verdicts if not verdict.is_urgent),
            "milliseconds_median": self._median_milliseconds(),
        }

    def _share_of(self, check: str) -> float | None:
        return _share(verdict.checks[check] for verdict in self.verdicts if check in verdict.checks)

    def _median_milliseconds(self) -> float:
        took = sorted(float(verdict.told.get("milliseconds", 0)) for verdict in self.verdicts)
        return took[len(took) // 2] if took else 0.0


def _share(came_true: Iterable[bool]) -> float | None:
    counted = list(came_true)
    return round(sum(counted) / len(counted), 4) if counted else None
