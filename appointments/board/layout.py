"""Lays a day out in columns; pure calculation."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property

from appointments.board.parts import (
    Axis,
    Band,
    Block,
    Board,
    Closure,
    Column,
    Day,
    Hours,
    Kept,
    Place,
    Start,
    State,
)
from appointments.board.wall import Span, Wall, common, in_lanes, quarters, without
from appointments.models import Appointment
from practice.models import Provider

MARGIN = 30
"""Minutes shown before the first hours and after the last, for whoever is squeezed in."""

SMALLEST = 10
"""Shorter gaps, in minutes, are shown but cannot be clicked: no visit fits in."""

LATE_ENTRIES = 30
"""So many minutes back a free time can still be clicked, for who came without an appointment."""

GRACE = 5
"""Minutes after its start from which a visit counts as late."""

USUAL_HOURS = time(9), time(17)
"""What is shown of a day on which nobody works."""


def laid_out(read: Day) -> Board:
    """Return the day in columns."""
    axis = _axis(read)
    columns = [ProviderDay(provider, read, axis).column for provider in read.providers.values()]
    is_now = axis.span.start <= read.now < axis.span.end
    return Board(
        day=read.wall.day,
        axis=axis,
        columns=columns,
        closures=[closure.reason or "Closed" for closure in read.closures if closure.provider_id is None],
        counts=Counter(block.visit.state for column in columns for block in column.blocks),
        now=read.now if is_now else None,
    )


def _axis(read: Day) -> Axis:
    """Return hours that hold all that is shown, from a full or half hour to another."""
    spans = [hours.span for hours in read.hours if hours.place.provider.pk in read.providers]
    spans += [_busy(visit, read.wall) for visit in read.visits if visit.provider_id in read.providers]
    spans = spans or [read.wall.hours(*USUAL_HOURS)]
    start = (min(span.start for span in spans) - MARGIN) // MARGIN * MARGIN
    end = -((-max(span.end for span in spans) - MARGIN) // MARGIN) * MARGIN
    return Axis(Span(max(start, read.wall.whole.start), min(end, read.wall.whole.end)), read.wall)


@dataclass(frozen=True)
class ProviderDay:
    """What of a day concerns one provider."""

    provider: Provider
    read: Day
    axis: Axis

    @property
    def column(self) -> Column:
        return Column(self.provider, self.hours, list(self._bands()), self._starts(), self._blocks())

    @cached_property
    def hours(self) -> list[Hours]:
        return [hours for hours in self.read.hours if hours.place.provider == self.provider]

    @cached_property
    def visits(self) -> list[Appointment]:
        return [visit for visit in self.read.visits if visit.provider_id == self.provider.pk]

    @cached_property
    def kept(self) -> list[Kept]:
        return [kept for kept in self.read.kept if kept.place.provider == self.provider]

    @cached_property
    def closures(self) -> list[Closure]:
        """Return what closes one of the places where the provider would be."""
        places = {hours.place for hours in self.hours}
        return [closed for closed in self.read.closures if any(map(closed.concerns, places))]

    @cached_property
    def open_hours(self) -> list[Hours]:
        """Return the hours that no closure takes away."""
        return [
            Hours(hours.place, span)
            for hours in self.hours
            for span in without(
                [hours.span], [closed.span for closed in self.closures if closed.concerns(hours.place)]
            )
        ]

    @cached_property
    def busy(self) -> list[Span]:
        return [_busy(visit, self.read.wall) for visit in self.visits if self._takes_time(visit)]

    def _takes_time(self, visit: Appointment) -> bool:
        leaving = self.read.aim.moving
        if leaving and visit.lineage == leaving.lineage:
            return False
        return visit.is_active or visit.is_held

    def _bands(self) -> Iterator[Band]:
        for hours in self.open_hours:
            yield Band("hours", hours.span)
        for closed in self.closures:
            for span in common(self.axis.span, closed.span):
                yield Band("closed", span, closed.reason or "Closed")
        for kept in self.kept:
            for span in without([kept.span], [closed.span for closed in self.closures]):
                yield self._kept_band(kept, span)

    def _kept_band(self, kept: Kept, span: Span) -> Band:
        if kept.is_released(self.read.now):
            return Band("released", span, "Urgent time, given free")
        if kept.released_at is None:
            return Band("kept", span, "Kept for urgent visits")
        return Band("kept", span, f"Urgent visits only until {self.read.wall.words(kept.released_at)}")

    def _starts(self) -> list[Start]:
        found = (
            self._start(kind, place, span, stretch)
            for kind, place, stretch in self._stretches()
            for free in without([stretch], self.busy)
            for span in quarters(free)
            if span.minutes >= SMALLEST and span.end > self.read.now - LATE_ENTRIES
        )
        return sorted(found, key=lambda start: start.span)

    def _start(self, kind: str, place: Place, span: Span, stretch: Span) -> Start:
        ends = [stretch.end, *(taken.start for taken in self.busy if taken.start >= span.end)]
        aim, room = self.read.aim, min(ends) - span.start
        fits = span.end > self.read.now and aim.may_use(kind) and aim.fits(self.provider, room)
        return Start(kind, place, span, self.read.wall.moment(span.start), fits)

    def _stretches(self) -> Iterator[tuple[str, Place, Span]]:
        """Yield what can be clicked, busy or not: hours, kept time in them, and all that lies outside."""
        standing = [kept.span for kept in self.kept if not kept.is_released(self.read.now)]
        for hours in self.open_hours:
            for span in without([hours.span], standing):
                yield "free", hours.place, span
            for kept in standing:
                for span in common(hours.span, kept):
                    yield "kept", hours.place, span
        for place in self._home():
            for span in without([self.axis.span], [hours.span for hours in self.open_hours]):
                yield "closed", place, span

    def _home(self) -> list[Place]:
        """Return where somebody would be seen outside the hours: nowhere, if nothing tells."""
        known = [hours.place.location for hours in (*self.open_hours, *self.hours)]
        known += [visit.location for visit in self.visits]
        return [Place(self.provider, location) for location in known[:1]]

    def _blocks(self) -> list[Block]:
        wall = self.read.wall
        spans = [wall.span(visit.starts_at, visit.ends_at) for visit in self.visits]
        return [
            Block(
                visit=visit,
                span=span,
                busy=_busy(visit, wall),
                times=wall.range_words(span),
                lane=lane,
                lanes=lanes,
                waiting_minutes=self._waiting(visit),
                late_minutes=self._late(visit, span),
                held_until=self.read.from_now(visit.held_until) if visit.held_until else "",
            )
            for visit, span, (lane, lanes) in zip(self.visits, spans, in_lanes(spans), strict=True)
        ]

    def _waiting(self, visit: Appointment) -> int | None:
        arrived_at: datetime | None = visit.arrived_at  # type: ignore[attr-defined]
        if visit.state != State.ARRIVED or arrived_at is None:
            return None
        return max(0, self.read.now - self.read.wall.minute(arrived_at))

    def _late(self, visit: Appointment, span: Span) -> int | None:
        is_expected = visit.state in (State.BOOKED, State.CONFIRMED)
        is_over = self.read.now >= self.read.wall.whole.end
        late = self.read.now - span.start
        return late if is_expected and late >= GRACE and not is_over else None


def _busy(visit: Appointment, wall: Wall) -> Span:
    return wall.span(visit.busy_from, visit.busy_until)
