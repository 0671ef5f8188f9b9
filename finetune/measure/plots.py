"""Plots for people who choose a model: what it understands, against the time and the memory it takes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from finetune.measure.measured import Measured

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Told apart with any colour vision (Okabe and Ito 2008); marks differ as well, for print in grey."""
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
FORMATS = ("png", "svg")

_STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.labelsize": 14,
    "svg.hashsalt": "eyecare",  # the same figures give the same file
    "svg.fonttype": "none",
}

Figures = Callable[[Measured], float | None]


def write(folder: Path, measured: Sequence[Measured]) -> list[Path]:
    """Write both plots as PNG and SVG and return their paths; what has no figure for one is left out."""
    return [
        *_write(
            folder / "accuracy-latency",
            measured,
            lambda one: one.median_ms,
            "Median time for an answer (ms)",
            "ms",
        ),
        *_write(
            folder / "accuracy-memory",
            measured,
            lambda one: one.memory_mb,
            "Most memory a fresh process held (MB)",
            "MB",
        ),
    ]


def _write(stem: Path, measured: Sequence[Measured], across: Figures, label: str, unit: str) -> list[Path]:
    shown = [(one, value) for one in measured if (value := across(one))]
    if not shown:
        return []
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 5.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _points(axes, shown, unit)
        _axes(axes, label)
        return [_save(figure, stem.with_suffix(f".{kind}")) for kind in FORMATS]


def _points(axes: Axes, shown: Sequence[tuple[Measured, float]], unit: str) -> None:
    """Draw each as a mark; its name and figures stand in the legend, where no two can cover each other."""
    for place, (one, value) in enumerate(shown):
        axes.scatter(
            value,
            one.right,
            s=150,
            c=COLOURS[place % len(COLOURS)],
            marker=MARKS[place % len(MARKS)],
            label=f"{one.name}\n{one.right:.1%}, {value:,.0f} {unit}",
            edgecolors="k",
            zorder=3,
        )


def _axes(axes: Axes, label: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, min_n_ticks=3, steps=[1, 2, 5, 10]))
    axes.set_xlabel(label)
    axes.set_ylabel("Messages understood exactly")
    axes.margins(x=0.15, y=0.2)
    axes.grid(visible=True, color="#cccccc", linewidth=0.6)
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, labelspacing=1.1)


def _save(figure: Figure, path: Path) -> Path:
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    figure.savefig(path, dpi=150, metadata=metadata)
    return path
