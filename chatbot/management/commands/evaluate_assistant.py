"""Score the assistant on hand-written conversations; nothing of them stays in the database."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from chatbot import assistants, engines, triage
from chatbot.commands import Command as Meaning
from chatbot.evaluation import Case, Score, Told, Verdict, judge
from chatbot.management.commands.converse import add_listener, listener, stopped_clock
from chatbot.prompt import Turn
from chatbot.rehearsal import Rehearsal
from practice import services as practice

COLUMNS = (
    "lines",
    "right",
    "commands",
    "effects",
    "handoff",
    "urgent_recall",
    "over_triage",
    "milliseconds_median",
)


class Command(BaseCommand):
    help = "Plays the lines of each file through the turn loop and scores them against their `expect`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--cases", nargs="+", required=True, type=Path, help="JSON Lines files")
        add_listener(parser)
        parser.add_argument("--now", help="stop the clock here where a conversation names no time of its own")
        parser.add_argument("--json", action="store_true", help="print the scores as JSON")
        parser.add_argument("--wrong", action="store_true", help="list the lines that are not right")

    def handle(self, *args: Any, **options: Any) -> None:
        rehearsed = partial(Rehearsal, options["engine"], listener(options))
        scores = [_score(path, rehearsed, options["now"]) for path in options["cases"]]
        if len(scores) > 1:
            scores.append(Score("all", [verdict for score in scores for verdict in score.verdicts]))
        if options["json"]:
            self.stdout.write(json.dumps([score.as_json() for score in scores], indent=2))
        else:
            self._print_table(scores)
        if options["wrong"]:
            self._print_wrong(scores[: len(options["cases"])])

    def _print_wrong(self, scores: Sequence[Score]) -> None:
        for verdict in itertools.chain.from_iterable(score.verdicts for score in scores):
            if verdict.is_right:
                continue
            said = {"reply": verdict.told["reply"], "commands": verdict.told["commands"]}
            self.stdout.write(f"\n{verdict.case.get('conversation')}: {verdict.case['text']}")
            self.stdout.write(
                f"  expected {json.dumps({name: verdict.case['expect'][name] for name in verdict.wrong})}"
            )
            self.stdout.write(f"  got {json.dumps(said, ensure_ascii=False)}")

    def _print_table(self, scores: Sequence[Score]) -> None:
        width = max(len(score.name) for score in scores)
        self.stdout.write(f"{'file':{width}}  " + "  ".join(f"{name:>12}" for name in COLUMNS))
        for score in scores:
            shown = score.as_json()
            self.stdout.write(
                f"{score.name:{width}}  " + "  ".join(f"{_cell(shown[name]):>12}" for name in COLUMNS)
            )


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if isinstance(value, float) and value <= 1 else str(round(value))


def _score(path: Path, rehearsed: Callable[[], Rehearsal], now: str | None) -> Score:
    score = Score(path.name)
    for conversation in _conversations(path):
        with stopped_clock(conversation[0].get("now") or now), transaction.atomic():
            score.verdicts += _verdicts(conversation, rehearsed())
            transaction.set_rollback(True)  # the next conversation finds the practice as this one did
    return score


def _verdicts(conversation: Sequence[Case], rehearsal: Rehearsal) -> Iterator[Verdict]:
    for case in conversation:
        told = _understood(case, rehearsal) if "context" in case else rehearsal.play(case)
        yield judge(case, told)


def _understood(case: Case, rehearsal: Rehearsal) -> Told:
    """Return what a message means in a given context, without playing the conversation before it."""
    started = time.monotonic()
    context = case["context"]
    turn = Turn(case["text"], context.get("task", ""), context.get("asked", ""), context.get("last", ""))
    with timezone.override(practice.zone()):
        commands = _meaning(turn, rehearsal)
    return {
        "reply": "",
        "choices": [],
        "sources": [],
        "effects": [],
        "handoff": any(command.name == "handoff" for command in commands),
        "urgent": any(command.name == "urgent" for command in commands),
        "commands": [{"name": command.name, "arguments": dict(command.arguments)} for command in commands],
        "milliseconds": (time.monotonic() - started) * 1000,
    }


def _meaning(turn: Turn, rehearsal: Rehearsal) -> list[Meaning]:
    if triage.Triage(triage.default_flags()).check(turn.message):
        return [Meaning("urgent")]
    assistant = rehearsal.assistant or assistants.default()
    tools = assistants.toolbox(assistant).outlines()
    return engines.understand(turn, tools, engine=rehearsal.engine, assistant=assistant).commands


def _conversations(path: Path) -> Iterator[list[Case]]:
    """Yield the lines of each conversation; a "now" in a file's first line holds for all of them."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}") from error
    if not lines:
        raise CommandError(f"{path} holds no cases")
    now = lines[0].get("now")
    for number, line in enumerate(lines, start=1):
        if not isinstance(line.get("text"), str):
            raise CommandError(f"{path}:{number} has no text")
    for _, grouped in itertools.groupby(lines, key=lambda line: line.get("conversation")):
        conversation = list(grouped)
        yield [{"now": now, **conversation[0]}, *conversation[1:]] if now else conversation
