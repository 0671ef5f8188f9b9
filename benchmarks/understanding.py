"""What the shipped model understands, against keywords, the nearest example, and Rasa's DIET.

    python benchmarks/understanding.py [--model GGUF] [--rasa PYTHON] [--cases FILE …] [--json FILE]

Every system reads the same hand-written messages in the same state; none was trained on them. The nearest
example and DIET learn from the product's example bank. All but "DIET alone" run as the product runs an engine
(`chatbot.engines`): a plain yes or no is read by rules first. "DIET with rules" puts DIET in the place
of the nearest example: it says what is asked for, the keywords' rules find the details.

"Exactly right" wants every command with every argument, articles and signs aside; "first command" wants the
first command's name alone, all that DIET can be asked for a message with two. A difference is in points,
model less other, with a 95 % interval from 10,000 paired bootstrap samples. Triage does not run before.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CASES = ROOT / "tests" / "assistant"
SHIPPED = ROOT / "finetune" / "shipped" / "eyecare-command.gguf"
KEPT = ROOT / "var" / "benchmarks"
SEED = 65
SAMPLES = 10_000


@dataclass(frozen=True)
class Result:
    """What one system made of each case, in the cases' order."""

    name: str
    exact: tuple[bool, ...]
    first: tuple[bool, ...]
    milliseconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--rasa", type=Path, help="a Python in which Rasa 3.6 is installed")
    parser.add_argument("--epochs", type=int, default=100, help="of DIET")
    parser.add_argument("--json", type=Path, help="where to write the figures as well")
    parser.add_argument(
        "--cases", type=Path, nargs="+", default=[CASES / "messages.jsonl", CASES / "unseen.jsonl"]
    )
    chosen = parser.parse_args()
    set_up(chosen.model)
    cases = [case for path in chosen.cases for case in read(path)]
    results = [run(name, engine, cases) for name, engine in engines().items()]
    if chosen.rasa:
        results += diet(chosen.rasa, cases, chosen.epochs)
    figures = [figure for path in (*chosen.cases, None) for figure in figures_of(results, cases, path)]
    print(table(figures))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def set_up(model: Path) -> None:
    """Make a database in memory with the product's examples and their vectors."""
    from finetune.measure.systems import style_of

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
    os.environ.setdefault("DEMO", "1")
    os.environ.update(
        DATABASE_URL="sqlite://:memory:",
        LLM_BACKEND="benchmarks.in_process.Gguf",
        LLM_MODEL_PATH=str(model.resolve()),
        LLM_PROMPT_STYLE=style_of(model).value,
        EMBEDDINGS_BACKEND="benchmarks.in_process.Embedder",
        OMP_WAIT_POLICY="passive",  # as in the model host; llama.cpp reads it once, when loaded
    )
    import django

    django.setup()
    from django.core.management import call_command

    from chatbot import bank, examples

    call_command("migrate", verbosity=0)
    examples.load_shipped()
    started = time.perf_counter()
    print(f"{bank.sweep()} examples embedded in {time.perf_counter() - started:.0f} s; {model.name}\n")


@dataclass(frozen=True)
class Case:
    """A message with what it means, the file it stands in, and when it is said."""

    file: str
    turn: Any
    line: Mapping[str, Any]
    now: str | None


def read(path: Path) -> Iterable[Case]:
    """Yield the messages of a file that are scored alone, in a given state."""
    from chatbot.prompt import Turn

    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    for line in lines:
        state = line.get("context")
        if state is not None and line["expect"].get("commands"):
            turn = Turn(
                line["text"], state.get("task") or "", state.get("asked") or "", state.get("last") or ""
            )
            expect = {"expect": {"commands": line["expect"]["commands"]}}
            yield Case(path.name, turn, expect, line.get("now") or lines[0].get("now"))


Understand = Callable[[Any], Sequence[Any]]


def engines() -> dict[str, Understand]:
    from chatbot import engines
    from chatbot.tools import registry

    def by(engine: str) -> Understand:
        return lambda turn: engines.understand(turn, registry.outlines(), engine=engine).commands

    return {"model": by("model"), "keywords": by("rules"), "nearest example": by("retrieval")}


def run(name: str, understand: Understand, cases: Sequence[Case]) -> Result:
    """Ask one system everything; the first message does not count for the time."""
    from django.utils import timezone

    from chatbot.management.commands.converse import stopped_clock
    from practice import services as practice

    exact, first, took = [], [], []
    for case in cases:
        with stopped_clock(case.now), timezone.override(practice.zone()):
            started = time.perf_counter()
            commands = understand(case.turn)
            took.append(1000 * (time.perf_counter() - started))
        exact.append(is_exact(case, commands))
        first.append(first_of(commands) == case.line["expect"]["commands"][0]["name"])
    print(f"{name}: {len(cases)} messages", file=sys.stderr)
    return Result(name, tuple(exact), tuple(first), median(took[1:] or took))


def is_exact(case: Case, commands: Sequence[Any]) -> bool:
    from chatbot.evaluation import judge

    told = [{"name": command.name, "arguments": dict(command.arguments)} for command in commands]
    return judge(case.line, {"commands": told}).is_right


def first_of(commands: Sequence[Any]) -> str:
    return commands[0].name if commands else ""


# Rasa


def diet(python: Path, cases: Sequence[Case], epochs: int) -> list[Result]:
    """Train DIET on the bank and ask it, alone and in the place of the nearest example."""
    from chatbot import rules
    from chatbot.commands import Command
    from chatbot.prompt import allowed_arguments
    from chatbot.tools import registry

    tools = registry.outlines()
    texts = sorted({text for case in cases for text in pieces(case.turn)})
    told = ask_rasa(python, {"examples": learnt(), "texts": texts, "epochs": epochs})
    known = dict(zip(texts, told["told"], strict=True))
    allowed = allowed_arguments(tools)

    def alone(turn: Any) -> Sequence[Any]:
        found = known[whole(turn)]
        name = found["ranking"][0][0]
        return [
            Command(name, {key: words for key, words in found["entities"].items() if key in allowed[name]})
        ]

    def intent(text: str, among: Collection[str]) -> str:
        ranking = known[text]["ranking"] if text in known else []
        best = next((name for name, _ in ranking if name in among), "")
        return "" if best in {"unclear", "set"} else best

    results = [
        run("DIET alone", alone, cases),
        run("DIET with rules", lambda turn: rules.understand(turn, tools, classify=intent), cases),
    ]
    print(f"Rasa {told['version']}: DIET trained in {told['training_seconds']:.0f} s", file=sys.stderr)
    milliseconds = median(known[whole(case.turn)]["milliseconds"] for case in cases)
    return [Result(found.name, found.exact, found.first, milliseconds) for found in results]


def whole(turn: Any) -> str:
    from chatbot.prompt import normalise

    return normalise(turn.message)


def pieces(turn: Any) -> list[str]:
    """Return the texts that a classifier is asked about: the message, and each of its clauses."""
    from chatbot import rules

    said = whole(turn)
    return [said, *(said[start:end] for start, end in rules.pieces(said))]


def learnt() -> list[dict[str, Any]]:
    """Return the bank as Rasa's training data: the first command is the intent, its arguments entities."""
    from chatbot.models import Example

    return [_as_rasa(row.text, row.commands) for row in Example.objects.banked().order_by("pk")]


def _as_rasa(text: str, commands: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    entities = []
    for name, words in (commands[0].get("arguments") or {}).items():
        start = text.casefold().find(words.casefold())
        if start >= 0 and not (name == "question" and words == text):
            entities.append({"start": start, "end": start + len(words), "entity": name})
    return {"text": text, "intent": commands[0]["name"], "entities": entities}


def ask_rasa(python: Path, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what DIET says; the same question is not asked twice, as training takes minutes."""
    question = json.dumps(asked, sort_keys=True)
    kept = KEPT / f"diet-{hashlib.sha256(question.encode()).hexdigest()[:16]}.json"
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        runner = [str(python), str(Path(__file__).with_name("rasa_diet.py"))]
        done = subprocess.run(runner, input=question, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"Rasa did not train:\n{done.stderr[-2000:]}")
        kept.write_text(done.stdout, "utf-8")
    found: Mapping[str, Any] = json.loads(kept.read_text("utf-8"))
    return found


# Figures


@dataclass(frozen=True)
class Figure:
    """One system on one file; the differences are the model's, in points, with their intervals."""

    file: str
    system: str
    messages: int
    exact: float
    first: float
    milliseconds: float
    exact_ahead: tuple[float, float, float]
    first_ahead: tuple[float, float, float]


def figures_of(results: Sequence[Result], cases: Sequence[Case], path: Path | None) -> list[dict[str, Any]]:
    places = [place for place, case in enumerate(cases) if path is None or case.file == path.name]
    model = results[0]
    return [
        asdict(
            Figure(
                path.name if path else "all",
                result.name,
                len(places),
                _share(result.exact, places),
                _share(result.first, places),
                result.milliseconds,
                ahead(model.exact, result.exact, places),
                ahead(model.first, result.first, places),
            )
        )
        for result in results
    ]


def _share(right: Sequence[bool], places: Sequence[int]) -> float:
    return sum(right[place] for place in places) / len(places)


def ahead(one: Sequence[bool], other: Sequence[bool], places: Sequence[int]) -> tuple[float, float, float]:
    """Return by how many points the one is ahead, and the 95 % interval of that."""
    differences = [one[place] - other[place] for place in places]
    chance, count = random.Random(SEED), len(differences)
    drawn = sorted(100 * sum(chance.choices(differences, k=count)) / count for _ in range(SAMPLES))
    return 100 * sum(differences) / count, drawn[int(0.025 * SAMPLES)], drawn[int(0.975 * SAMPLES)]


def table(figures: Sequence[Mapping[str, Any]]) -> str:
    heads = (
        "file",
        "system",
        "messages",
        "exactly right",
        "model ahead",
        "first command",
        "model ahead",
        "ms",
    )
    rows = [heads, tuple("---" for _ in heads), *map(_row, figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(figure: Mapping[str, Any]) -> Sequence[str]:
    return (
        figure["file"], figure["system"], str(figure["messages"]), f"{figure['exact']:.1%}",
        _points(figure, "exact"), f"{figure['first']:.1%}", _points(figure, "first"),
        f"{figure['milliseconds']:.1f}",
    )  # fmt: skip


def _points(figure: Mapping[str, Any], what: str) -> str:
    points, low, high = figure[f"{what}_ahead"]
    return "" if figure["system"] == "model" else f"{points:+.1f} ({low:+.1f} to {high:+.1f})"


if __name__ == "__main__":
    main()
