"""Measures one GGUF in a process of its own, so that the memory is the model's: a job on stdin, figures out.

The parent is `finetune.measure.systems`; nobody else needs to start this.
"""

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatbot.commands import Command
from chatbot.modelhost.llama import GgufModel, NothingFits, Prompt, Tally
from chatbot.prompt import Style, Turn, Unreadable, read, render
from finetune.examples import Example
from finetune.measure.measured import Answer, summarise
from finetune.tasks import TOOLS

ANSWER_TOKENS = 192
WARM_UP = 2
"""Answers that are written before the clock counts: the first ones read the weights from disk."""


@dataclass(frozen=True)
class Job:
    """What to measure."""

    name: str
    path: str
    style: str
    cases: list[dict[str, Any]]
    adapter: str = ""
    context_tokens: int = 1024
    threads: int = 0
    with_loss: bool = True


def main() -> None:
    job = Job(**json.load(sys.stdin))
    scored = [example(row) for row in job.cases]
    started = time.perf_counter()
    adapter = Path(job.adapter) if job.adapter else None
    model = GgufModel(Path(job.path), context_tokens=job.context_tokens, threads=job.threads, adapter=adapter)
    figures: dict[str, Any] = {"load_seconds": time.perf_counter() - started}
    style = Style(job.style)
    for case in scored[:WARM_UP]:
        understand(model, case.turn, style)
    answers = []
    for done, case in enumerate(scored, 1):
        answers.append(understand(model, case.turn, style))
        print(json.dumps({"done": done}), flush=True)
    figures |= {"memory_mb": peak_memory_mb(), "size_mb": _size_mb(job)}
    model.close()
    if job.with_loss:
        figures |= _loss(job, scored, style)
    measured = summarise(scored, answers, name=job.name, where=job.path, style=job.style, **figures)
    print(json.dumps({"measured": asdict(measured)}, ensure_ascii=False), flush=True)


def understand(model: GgufModel, turn: Turn, style: Style) -> Answer:
    """Answer one message under the grammar, as the model host does, and take the times."""
    from chatbot import grammar

    rules = grammar.command_grammar(TOOLS, turn.message)
    tally, first = Tally(), 0.0
    pieces: list[str] = []
    started = time.perf_counter()
    with contextlib.suppress(NothingFits):
        for piece in model.generate(Prompt(render(turn, TOOLS, style), rules, ANSWER_TOKENS), tally):
            if piece and not pieces:
                first = time.perf_counter() - started
            pieces.extend([piece] if piece else [])
    whole = time.perf_counter() - started
    return Answer(
        commands("".join(pieces), turn), 1000 * (first or whole), 1000 * whole, tally.completion_tokens
    )


def commands(text: str, turn: Turn) -> tuple[Command, ...]:
    """Return the commands in a model's text; none when it is no answer."""
    try:
        return tuple(read(text, message=turn.message, tools=TOOLS))
    except Unreadable:
        return ()


def as_row(case: Example) -> dict[str, Any]:
    """Return a case in the form that travels to the process."""
    return {"turn": asdict(case.turn), "commands": [asdict(command) for command in case.commands]}


def example(row: Mapping[str, Any]) -> Example:
    turn = {
        **row["turn"],
        "near": tuple((name, tenths) for name, tenths in row["turn"]["near"]),
        "samples": (),
    }
    return Example(Turn(**turn), tuple(Command(**command) for command in row["commands"]), "case")


def peak_memory_mb() -> float:
    """Return the most memory this process held. Not from `getrusage`: that counts the parent's as well."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _size_mb(job: Job) -> float:
    return sum(Path(path).stat().st_size for path in (job.path, job.adapter) if path) / 1e6


def _loss(job: Job, scored: list[Example], style: Style) -> dict[str, float]:
    from finetune.measure.loss import Reader

    reader = Reader(
        Path(job.path),
        adapter=Path(job.adapter) if job.adapter else None,
        context_tokens=job.context_tokens,
    )
    found = reader.answers(scored, style)
    reader.close()
    if not found.tokens:
        return {}
    return {
        "loss": found.per_token,
        "perplexity": found.perplexity,
        "bits_per_byte": found.bits_per_byte,
    }


if __name__ == "__main__":
    main()
