"""Time on the board: stretches of minutes, and the clock of one day.

Minutes are counted since the day's midnight, as time passes and not as the wall counts it, so both days
on which the clocks change come out right.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

STEP = 15
"""Minutes between two times that can be clicked."""


class Span(NamedTuple):
    """A stretch of time in minutes; its end does not belong to it."""

    start: int
    end: int

    @property
    def minutes(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Wall:
    """The clock of one day: minutes since its midnight and back."""

    day: date
    zone: ZoneInfo

    @cached_property
    def midnight(self) -> datetime:
        return datetime.combine(self.day, time.min, self.zone).astimezone(UTC)

    @cached_property
    def whole(self) -> Span:
        """Return the whole day: 23, 24 or 25 hours."""
        return Span(0, self.minute(datetime.combine(self.day + timedelta(days=1), time.min, self.zone)))

    def minute(self, moment: datetime) -> int:
        return int((moment.astimezone(UTC) - self.midnight).total_seconds() // 60)

    def span(self, start: datetime, end: datetime) -> Span:
        return Span(self.minute(start), self.minute(end))

    def hours(self, starts_at: time, ends_at: time) -> Span:
        """Return wall-clock hours of this day."""
        start, end = (datetime.combine(self.day, at, self.zone) for at in (starts_at, ends_at))
        return self.span(start, end)

    def moment(self, minute: int) -> datetime:
        return (self.midnight + timedelta(minutes=minute)).astimezone(self.zone)

    def words(self, minute: int) -> str:
        """Return a time in words, with its weekday where it is another day's."""
        moment = self.moment(minute)
        return f"{moment:%-I:%M %p}" if moment.date() == self.day else f"{moment:%a %-I:%M %p}"

    def range_words(self, span: Span) -> str:
        start, end = self.moment(span.start), self.moment(span.end)
        return f"{start:%-I:%M}{'' if f'{start:%p}' == f'{end:%p}' else f' {start:%p}'}–{end:%-I:%M %p}"


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as sorted spans that neither touch nor overlap."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(span.end, result[-1].end))
        else:
            result.append(span)
    return result


def in_lanes(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Return for each span its lane and how many lanes there are beside each other then.

    Spans that touch share a lane; those of one run of overlaps are all as narrow as its widest place asks.
    """
    lanes: dict[int, tuple[int, int]] = {}
    for run in _runs(spans):
        ends: list[int] = []
        chosen = {}
        for index in run:
            free = next((lane for lane, end in enumerate(ends) if end <= spans[index].start), len(ends))
            ends[free : free + 1] = [spans[index].end]
            chosen[index] = free
        lanes |= {index: (lane, len(ends)) for index, lane in chosen.items()}
    return [lanes[index] for index in range(len(spans))]


def _runs(spans: Sequence[Span]) -> Iterator[list[int]]:
    """Yield the indices of spans that hang together by overlaps, each run sorted by start."""
    run: list[int] = []
    end = 0
    for index in sorted(range(len(spans)), key=lambda index: spans[index]):
        if run and spans[index].start >= end:
            yield run
            run = []
        end = max(end, spans[index].end) if run else spans[index].end
        run.append(index)
    if run:
        yield run


def without(spans: Iterable[Span], cuts: Iterable[Span]) -> list[Span]:
    """Return what is left of the spans between the cuts."""
    left = list(spans)
    for cut in cuts:
        pieces = (
            piece
            for span in left
            for piece in (
                Span(span.start, min(span.end, cut.start)),
                Span(max(span.start, cut.end), span.end),
            )
        )
        left = [piece for piece in pieces if piece.minutes > 0]
    return left


def quarters(span: Span) -> list[Span]:
    """Return a stretch cut where the clock shows a quarter of an hour."""
    first = -(-(span.start + 1) // STEP) * STEP
    edges = [span.start, *range(first, span.end, STEP), span.end]
    return [Span(*pair) for pair in pairwise(edges)]


def common(one: Span, other: Span) -> list[Span]:
    """Return the time that two stretches share: one stretch, or none."""
    shared = Span(max(one.start, other.start), min(one.end, other.end))
    return [shared] if shared.minutes > 0 else []
