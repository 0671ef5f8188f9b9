"""What was measured of one model, and how it is kept between runs."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatbot.commands import Command
from finetune.examples import Example
from finetune.measure import cases


@dataclass(frozen=True)
class Answer:
    """What one message was understood as, and how long it took; no commands when it was no answer."""

    commands: tuple[Command, ...]
    first_ms: float
    """Until the first piece of text."""
    whole_ms: float
    tokens: int = 0


@dataclass(frozen=True)
class Level:
    """How a server answers that many callers at once."""

    callers: int
    answers_per_second: float
    median_ms: float
    p95_ms: float
    failed: int


@dataclass(frozen=True)
class Measured:
    """The figures of one model or endpoint; None where a figure does not apply."""

    name: str
    where: str
    style: str
    cases: int
    right: float
    """Share of messages with every command and argument as meant."""
    names_right: float
    first_ms: float
    median_ms: float
    p95_ms: float
    ms_per_token: float | None = None
    size_mb: float | None = None
    memory_mb: float | None = None
    """Most memory that a fresh process held, its interpreter included."""
    load_seconds: float | None = None
    loss: float | None = None
    """Nats a token of the right answers."""
    perplexity: float | None = None
    bits_per_byte: float | None = None
    """Loss that can be compared between tokenizers."""
    levels: tuple[Level, ...] = ()
    commands: tuple[str, ...] = ()
    """Each case's answer as JSON, to count how many differ between two models."""

    def changed(self, other: "Measured") -> int:
        """Return to how many cases two models answer differently."""
        return sum(one != another for one, another in zip(self.commands, other.commands, strict=True))


def summarise(scored: Sequence[Example], answers: Sequence[Answer], **figures: Any) -> Measured:
    """Return the figures of a model that answered these cases."""
    pairs = list(zip(scored, answers, strict=True))
    whole = sorted(answer.whole_ms for answer in answers)
    written = [answer for answer in answers if answer.tokens > 1]
    return Measured(
        cases=len(pairs),
        right=_share(cases.is_right(case, answer.commands) for case, answer in pairs),
        names_right=_share(cases.are_names_right(case, answer.commands) for case, answer in pairs),
        first_ms=statistics.median(answer.first_ms for answer in answers),
        median_ms=statistics.median(whole),
        p95_ms=percentile(whole, 0.95),
        ms_per_token=statistics.median(_per_token(answer) for answer in written) if written else None,
        commands=tuple(as_json(answer.commands) for answer in answers),
        **figures,
    )


def _share(came_true: Any) -> float:
    counted = list(came_true)
    return sum(counted) / len(counted)


def _per_token(answer: Answer) -> float:
    return (answer.whole_ms - answer.first_ms) / (answer.tokens - 1)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share of ordered values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def as_json(commands: Sequence[Command]) -> str:
    listed = [{"name": command.name, "arguments": dict(command.arguments)} for command in commands]
    return json.dumps(listed, ensure_ascii=False, sort_keys=True)


def save(path: Path, measured: Measured, key: str) -> None:
    """Keep the figures under a key that says what was measured; an unfinished file never has the name."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(
        json.dumps({"key": key, **asdict(measured)}, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    unfinished.replace(path)


def load(path: Path, key: str) -> Measured | None:
    """Return the figures kept there, unless they are of something else."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        return read(kept) if kept.pop("key") == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read(kept: Mapping[str, Any]) -> Measured:
    levels = tuple(Level(**level) for level in kept["levels"])
    return Measured(**{**kept, "levels": levels, "commands": tuple(kept["commands"])})
