"""Figures as Markdown tables."""

from collections.abc import Iterable, Sequence

from finetune.measure.measured import Measured

MISSING = "–"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; figures are set to the right, the first column to the left."""
    rule = [":--", *["--:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(map(_cell, cells)) + " |" for cells in (heads, rule, *rows))


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "\\<")


def number(value: float | None, digits: int = 1) -> str:
    return MISSING if value is None else f"{value:,.{digits}f}"


def percent(share: float) -> str:
    return f"{share:.1%}"


def comparison(measured: Sequence[Measured]) -> str:
    """Return one line a system, and how servers did with several callers where that was tried."""
    heads = (
        "Model", "exactly right", "right commands", "first token ms", "answer ms", "95 % within ms",
        "ms a token", "memory MB", "file MB", "loss", "perplexity", "bits a byte", "prompt",
    )  # fmt: skip
    whole = table(heads, map(_line, measured))
    served = [one for one in measured if one.levels]
    return "\n\n".join([whole, *map(_levels, served)])


def _line(one: Measured) -> Sequence[str]:
    return (
        one.name, percent(one.right), percent(one.names_right), number(one.first_ms), number(one.median_ms),
        number(one.p95_ms), number(one.ms_per_token, 2), number(one.memory_mb, 0), number(one.size_mb),
        number(one.loss, 4), number(one.perplexity, 4), number(one.bits_per_byte, 4), one.style,
    )  # fmt: skip


def _levels(one: Measured) -> str:
    heads = ("Callers at once", "answers a second", "median ms", "95 % within ms", "failed")
    rows = (
        (
            str(level.callers),
            number(level.answers_per_second),
            number(level.median_ms),
            number(level.p95_ms),
            str(level.failed),
        )
        for level in one.levels
    )
    return f"{one.name}:\n\n{table(heads, rows)}"
