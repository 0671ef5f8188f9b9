"""What the admin's pages show of a version, a training and an upload: figures as people read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eyecare import clock
from eyecare.errors import Refusal
from workshop import gate, services
from workshop.models import Dataset, FineTuneJob, ModelVersion

STEPS = {
    "data": "reading the examples",
    "embed": "comparing them",
    "train": "learning",
    "export": "writing the model",
    "quantize": "making it smaller",
    "parity": "checking the file",
    "evaluate": "trying it out",
}
ORDER = list(STEPS)

METRICS = {
    "held_out_loss": "Loss on the examples kept back",
    "perplexity": "Perplexity on the examples kept back",
    "held_out_exact": "Examples kept back that it understood exactly",
    "held_out_commands": "… with the right commands, words aside",
    "train_loss": "Loss while it learnt",
    "corpus_loss": "Loss on what it knew before",
    "seconds": "Seconds that it took",
}


@dataclass(frozen=True)
class Row:
    """One figure of a version beside the same of the model that serves."""

    label: str
    now: str
    before: str
    change: str
    is_worse: bool
    is_part: bool


@dataclass(frozen=True)
class Verdict:
    """What the gate says, in a word and in lines."""

    mood: str
    icon: str
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A step of a training: done, under way or to come."""

    words: str
    icon: str
    is_now: bool


def rows(version: ModelVersion) -> list[Row]:
    if version.evaluation is None:
        return []
    return [_row(finding) for finding in version.evaluation.findings]


def _row(finding: Mapping[str, Any]) -> Row:
    now, before = gate.Figure(**finding["now"]), gate.Figure(**finding["before"])
    return Row(
        label=finding["label"],
        now=_of(now),
        before=_of(before),
        change=_change(now, before),
        is_worse=bool(finding["objection"]),
        is_part=finding["name"] in {gate.GENERAL, gate.OWN},
    )


def _of(figure: gate.Figure) -> str:
    return f"{100 * figure.share:.1f} % ({figure.right} of {figure.total})"


def _change(now: gate.Figure, before: gate.Figure) -> str:
    points = 100 * (now.share - before.share)
    return "the same" if abs(points) < 0.05 else f"{points:+.1f}".replace("-", "−")


def verdict(version: ModelVersion) -> Verdict:
    """Return whether the version may serve, as it stands at this moment."""
    state = ModelVersion.State(version.state)
    if state is ModelVersion.State.PROMOTED:
        return Verdict("good", "verified", "In use: it understands for its assistant now.")
    if state is ModelVersion.State.RETIRED:
        return Verdict("wait", "inventory_2", "Retired: it can no longer be put to use.")
    if version.evaluation_asked_at:
        return Verdict("wait", "hourglass_top", "It is being scored.", _told(version.evaluation_error))
    return _standing(version)


def _standing(version: ModelVersion) -> Verdict:
    try:
        objections = services.objections_to(version)
    except Refusal as refusal:
        lines = tuple(filter(None, (version.evaluation_error, refusal.sentence)))
        return Verdict("wait", "pending", "It cannot be put to use yet.", lines)
    if objections:
        return Verdict("bad", "block", "It does not pass: it stays out of use.", tuple(objections))
    line = "Read what it got wrong below, then press Promote. Nothing changes until you do."
    return Verdict("good", "check_circle", "It passes the gate.", (line,))


def _told(error: str) -> tuple[str, ...]:
    return (error,) if error else ("This takes some minutes; the page looks again by itself.",)


def metrics(version: ModelVersion, serving: ModelVersion | None) -> list[tuple[str, str, str]]:
    """Return what the training measured, beside what that of the version in use did."""
    before = serving.metrics if serving and serving.pk != version.pk else {}
    return [
        (_metric(name), _number(value), _number(before.get(name)))
        for name, value in version.metrics.items()
        if _is_number(value)
    ]


def _metric(name: str) -> str:
    of_base = name.removesuffix("_before")
    words = METRICS.get(of_base, of_base.replace("_", " "))
    return words if of_base == name else f"{words}, of the base"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> str:
    if not _is_number(value):
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def wrong(version: ModelVersion) -> dict[str, list[dict[str, str]]]:
    """Return what it misread under headings: safety first, then the practice's own, then ours."""
    cases = version.evaluation.wrong_cases if version.evaluation else []
    headings = {
        "What it got wrong where safety is at stake": set(gate.SAFETY),
        "What it got wrong of your own messages": {gate.OWN},
        "What it got wrong of ours": {gate.GENERAL},
    }
    found = {title: [case for case in cases if case["kind"] in kinds] for title, kinds in headings.items()}
    return {title: misread for title, misread in found.items() if misread}


def steps(job: FineTuneJob) -> list[Step]:
    if job.state == FineTuneJob.State.DONE:
        return [Step(words, "check_circle", False) for words in STEPS.values()]
    reached = ORDER.index(_kind(job)) if _kind(job) in STEPS else -1
    return [_step(words, position - reached) for position, words in enumerate(STEPS.values())]


def _step(words: str, distance: int) -> Step:
    icon = "check_circle" if distance < 0 else "radio_button_unchecked" if distance else "pending"
    return Step(words, icon, distance == 0)


def step_in_words(job: FineTuneJob) -> str:
    return STEPS.get(_kind(job), job.step.replace("_", " "))


def _kind(job: FineTuneJob) -> str:
    """Return the kind of step: `train tune` is a stretch of `train`."""
    return job.step.partition(" ")[0]


def time_left(job: FineTuneJob) -> str:
    """Return about how long this step still takes, in words; empty while nobody can say."""
    if job.step_ends_at is None:
        return ""
    seconds = (job.step_ends_at - clock.now()).total_seconds()
    if seconds < 60:
        return "less than a minute left"
    return f"about {round(seconds / 60)} minute{'s' if round(seconds / 60) > 1 else ''} left"


def of_upload(dataset: Dataset) -> dict[str, list[tuple[str, int]]]:
    """Return the counts of an upload's report, table by table, empty ones left out."""
    report = dataset.report
    tables = {
        "What the messages ask for": report.get("commands"),
        "Left out, and why": dataset.dropped,
        "Personal data that was replaced": report.get("personal_data"),
        "Languages": report.get("languages"),
    }
    return {title: _counts(counts) for title, counts in tables.items() if counts}


def rows_named(dataset: Dataset) -> list[tuple[str, str]]:
    """Return the first rows that were left out for each reason."""
    named: Mapping[str, Iterable[str]] = dataset.report.get("dropped_rows") or {}
    return [(reason, ", ".join(rows)) for reason, rows in named.items()]


def _counts(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(name.replace("_", " "), count) for name, count in counts.items()]
