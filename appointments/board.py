"""One day as the front desk sees it: who works when, what stands where, and where something fits.

The shape is pure calculation on whole minutes since the day's midnight, as time passes and not as the
wall counts it, so both days on which the clocks change come out right. `read` fetches the rows for it,
always with the same few queries.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from appointments.models import (
    Appointment,
    AppointmentEvent,
    ResourceBooking,
    ScheduleException,
    UrgentBlock,
    VisitType,
    WeeklyHours,
)
from eyecare import clock
from patients.models import Patient
from practice import services as practice
from practice.models import Location, Provider

State = Appointment.State

STEP = 15
"""Minutes between two times that can be clicked."""

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

OVER = (State.NO_SHOW, State.CANCELLED)
"""States that leave the time to somebody else."""

ICONS = {
    State.HELD: "hourglass_top",
    State.BOOKED: "event",
    State.CONFIRMED: "thumb_up",
    State.ARRIVED: "how_to_reg",
    State.IN_EXAM: "visibility",
    State.DONE: "task_alt",
    State.NO_SHOW: "person_off",
    State.CANCELLED: "event_busy",
}
"""What stands for each state that a board shows, in the day's order; colour never tells it alone."""


CHANNEL_ICONS = {
    Appointment.Channel.WEB: "language",
    Appointment.Channel.CHAT: "forum",
    Appointment.Channel.SMS: "sms",
    Appointment.Channel.STAFF: "storefront",
    Appointment.Channel.API: "api",
}


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


class Place(NamedTuple):
    """A provider at one location."""

    provider: Provider
    location: Location


@dataclass(frozen=True)
class Hours:
    """When a provider works at a location, closures not yet cut out."""

    place: Place
    span: Span


@dataclass(frozen=True)
class Closure:
    """When something closes: a provider (None is everybody) at a location (None is everywhere)."""

    span: Span
    provider_id: int | None
    location_id: int | None
    reason: str

    def concerns(self, place: Place) -> bool:
        return self.provider_id in (None, place.provider.pk) and self.location_id in (None, place.location.pk)


@dataclass(frozen=True)
class Kept:
    """Time kept for urgent visits until the minute `released_at`; None is for good."""

    place: Place
    span: Span
    released_at: int | None

    def is_released(self, now: int) -> bool:
        return self.released_at is not None and self.released_at <= now


@dataclass(frozen=True)
class Band:
    """What a stretch of a column is, behind the visits: hours, closed, kept or released."""

    kind: str
    span: Span
    text: str = ""


@dataclass(frozen=True)
class Aim:
    """What the next click on a free time is for: a visit that moves, or one for a patient."""

    visit_type: VisitType | None = None
    patient: Patient | None = None
    moving: Appointment | None = None
    """Its own time counts as free."""

    providers: frozenset[int] = frozenset()
    """Who does this kind of visit."""

    def fits(self, provider: Provider, room: int) -> bool:
        """Say whether the visit could take place there, as far as one can see."""
        if self.visit_type is None:
            return True
        return provider.pk in self.providers and room >= self.visit_type.minutes


@dataclass(frozen=True)
class Start:
    """A time that can be clicked."""

    kind: str
    place: Place
    span: Span
    moment: datetime
    fits: bool = True

    @property
    def key(self) -> str:
        """Return the key that `services.slot_from_key` reads."""
        return f"{self.place.provider.pk}.{self.place.location.pk}.{self.moment.astimezone(UTC):%Y%m%dT%H%M}"

    @property
    def words(self) -> str:
        return f"{self.moment:%-I:%M %p}"

    @property
    def label(self) -> str:
        return f"{self.words}, {self.KINDS[self.kind]}, {self.place.provider}, {self.place.location.name}"

    KINDS: ClassVar = {
        "free": "free",
        "kept": "kept for urgent visits",
        "closed": "outside the hours",
    }


@dataclass(frozen=True)
class Block:
    """A visit or a hold in its column, beside as many others as it has lanes."""

    visit: Appointment
    span: Span
    busy: Span
    times: str
    lane: int
    lanes: int
    waiting_minutes: int | None = None
    late_minutes: int | None = None
    held_until: str = ""

    @property
    def buffers(self) -> list[Span]:
        around = Span(self.busy.start, self.span.start), Span(self.span.end, self.busy.end)
        return [span for span in around if span.minutes > 0]

    @property
    def size(self) -> str:
        """Return how many lines there is room for."""
        return "s" if self.span.minutes < 20 else "m" if self.span.minutes < 30 else "l"

    @property
    def is_over(self) -> bool:
        """Say whether the time belongs to somebody else now."""
        return self.visit.state in OVER

    @property
    def is_new_patient(self) -> bool:
        return self.visit.patient_id is not None and not self.visit.has_been_here  # type: ignore[attr-defined]

    @property
    def who(self) -> str:
        return str(self.visit.patient) if self.visit.patient_id else "Waitlist"

    @property
    def icon(self) -> str:
        return ICONS[State(self.visit.state)]

    @property
    def channel_icon(self) -> str:
        return CHANNEL_ICONS[Appointment.Channel(self.visit.channel)]

    @property
    def state_words(self) -> str:
        if self.visit.state == State.HELD:
            return f"held until {self.held_until}"
        if self.waiting_minutes is not None:
            return f"waiting {_length_words(self.waiting_minutes)}"
        if self.late_minutes is not None:
            return f"{_length_words(self.late_minutes)} late"
        return str(self.visit.get_state_display())

    @property
    def rooms(self) -> list[str]:
        return [booking.resource.name for booking in self.visit.resource_bookings.all()]

    @property
    def label(self) -> str:
        """Return all that the block shows, for who hears it."""
        visit = self.visit
        said = [self.times, self.who, str(visit.visit_type), self.state_words]
        if self.waiting_minutes is not None or self.late_minutes is not None:
            said.append(str(visit.get_state_display()))
        said += [visit.provider.name, visit.location.name, *self.rooms]
        said += ["new patient"] * self.is_new_patient + ["has a note"] * bool(visit.note)
        return ", ".join([*said, f"from: {visit.get_channel_display()}"])


def _length_words(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


@dataclass(frozen=True)
class Column:
    """A provider's day."""

    provider: Provider
    hours: list[Hours]
    bands: list[Band]
    starts: list[Start]
    blocks: list[Block]

    @property
    def places(self) -> list[str]:
        """Return where the provider is that day, in the day's order."""
        return list(dict.fromkeys(hours.place.location.name for hours in self.hours))


@dataclass(frozen=True)
class Axis:
    """The hours down the side."""

    span: Span
    wall: Wall

    @property
    def hours(self) -> list[tuple[int, str]]:
        """Return each full hour on the wall with its minute."""
        first = self.span.start + -self.wall.moment(self.span.start).minute % 60
        minutes = range(first, self.span.end, 60)
        return [(minute, f"{self.wall.moment(minute):%-I %p}") for minute in minutes]


@dataclass(frozen=True)
class Day:
    """What stands in the diary on one day."""

    wall: Wall
    now: int
    hours: Sequence[Hours] = ()
    closures: Sequence[Closure] = ()
    kept: Sequence[Kept] = ()
    visits: Sequence[Appointment] = ()
    location: Location | None = None
    aim: Aim = Aim()

    def from_now(self, moment: datetime) -> str:
        """Return a time in words, with its weekday where it is not today's."""
        then, now = moment.astimezone(self.wall.zone), self.wall.moment(self.now)
        return f"{then:%-I:%M %p}" if then.date() == now.date() else f"{then:%a %-I:%M %p}"

    @cached_property
    def places(self) -> dict[int, Provider]:
        """Return whose columns are shown: who works or has visits at the place that was asked for."""
        here = [hours.place for hours in self.hours]
        here += [Place(visit.provider, visit.location) for visit in self.visits]
        wanted = (place.provider for place in here if self.location in (None, place.location))
        return {provider.pk: provider for provider in sorted(wanted, key=_by_name)}


@dataclass(frozen=True)
class Figure:
    """How many visits of the day are in a state."""

    state: str
    count: int

    @property
    def icon(self) -> str:
        return ICONS[State(self.state)]

    @property
    def label(self) -> str:
        return str(State(self.state).label)


@dataclass(frozen=True)
class Board:
    """A day laid out in columns."""

    day: date
    axis: Axis
    columns: list[Column]
    closures: list[str]
    """Why the whole practice, or the whole location, is closed for the day or a part of it."""

    counts: Mapping[str, int] = field(default_factory=dict)
    now: int | None = None
    """Where the line of the present stands; None on other days and outside the hours shown."""

    @property
    def figures(self) -> list[Figure]:
        return [Figure(state, self.counts[state]) for state in ICONS if self.counts.get(state)]


def laid_out(read: Day) -> Board:
    """Return the day in columns."""
    axis = _axis(read)
    columns = [_column(provider, read, axis) for provider in read.places.values()]
    is_now = axis.span.start <= read.now < axis.span.end
    return Board(
        day=read.wall.day,
        axis=axis,
        columns=columns,
        closures=[closure.reason or "Closed" for closure in read.closures if closure.provider_id is None],
        counts=Counter(block.visit.state for column in columns for block in column.blocks),
        now=read.now if is_now else None,
    )


def _by_name(provider: Provider) -> tuple[str, str, int]:
    return provider.last_name, provider.first_name, provider.pk


def _axis(read: Day) -> Axis:
    """Return hours that hold all that is shown, from a full or half hour to another."""
    spans = [hours.span for hours in read.hours if hours.place.provider.pk in read.places]
    spans += [_busy(visit, read.wall) for visit in read.visits if visit.provider_id in read.places]
    spans = spans or [read.wall.hours(*USUAL_HOURS)]
    start = (min(span.start for span in spans) - MARGIN) // MARGIN * MARGIN
    end = -((-max(span.end for span in spans) - MARGIN) // MARGIN) * MARGIN
    return Axis(Span(max(start, read.wall.whole.start), min(end, read.wall.whole.end)), read.wall)


def _column(provider: Provider, read: Day, axis: Axis) -> Column:
    hours = [hours for hours in read.hours if hours.place.provider.pk == provider.pk]
    visits = [visit for visit in read.visits if visit.provider_id == provider.pk]
    kept = [kept for kept in read.kept if kept.place.provider.pk == provider.pk]
    closures = [closure for closure in read.closures if any(closure.concerns(each.place) for each in hours)]
    open_hours = [
        Hours(each.place, span)
        for each in hours
        for span in without([each.span], [closed.span for closed in closures if closed.concerns(each.place)])
    ]
    return Column(
        provider=provider,
        hours=hours,
        bands=list(_bands(open_hours, closures, kept, read, axis)),
        starts=list(_starts(provider, open_hours, kept, visits, read, axis)),
        blocks=_blocks(visits, read),
    )


def _bands(
    open_hours: list[Hours], closures: list[Closure], kept: list[Kept], read: Day, axis: Axis
) -> Iterator[Band]:
    for hours in open_hours:
        yield Band("hours", hours.span)
    for closure in closures:
        for span in _within(axis.span, closure.span):
            yield Band("closed", span, closure.reason or "Closed")
    for block in kept:
        for span in without([block.span], [closure.span for closure in closures]):
            yield _kept_band(block, span, read)


def _kept_band(block: Kept, span: Span, read: Day) -> Band:
    if block.is_released(read.now):
        return Band("released", span, "Urgent time, given free")
    if block.released_at is None:
        return Band("kept", span, "Kept for urgent visits")
    return Band("kept", span, f"Urgent visits only until {read.wall.words(block.released_at)}")


def _starts(
    provider: Provider,
    open_hours: list[Hours],
    kept: list[Kept],
    visits: list[Appointment],
    read: Day,
    axis: Axis,
) -> Iterator[Start]:
    """Yield the times that can be clicked: free ones, kept ones, and those outside the hours."""
    busy = [_busy(visit, read.wall) for visit in visits if _takes_time(visit, read.aim.moving)]
    home = next((each.place for each in open_hours), None) or _somewhere(provider, visits, read)
    found = (
        Start(
            kind,
            place,
            span,
            read.wall.moment(span.start),
            fits=span.end > read.now and read.aim.fits(provider, _room(span, stretch, busy)),
        )
        for kind, place, stretch in _stretches(home, open_hours, kept, read, axis)
        for free in without([stretch], busy)
        for span in quarters(free)
        if span.minutes >= SMALLEST and span.end > read.now - LATE_ENTRIES
    )
    yield from sorted(found, key=lambda start: start.span)


def _room(span: Span, stretch: Span, busy: list[Span]) -> int:
    """Return how long it is free from there on: to the next visit, or as far as the stretch goes."""
    return min([stretch.end, *(taken.start for taken in busy if taken.start >= span.end)]) - span.start


def _stretches(
    home: Place | None, open_hours: list[Hours], kept: list[Kept], read: Day, axis: Axis
) -> Iterator[tuple[str, Place, Span]]:
    standing = [block.span for block in kept if not block.is_released(read.now)]
    for hours in open_hours:
        for span in without([hours.span], standing):
            yield "free", hours.place, span
        for block in standing:
            for span in _within(hours.span, block):
                yield "kept", hours.place, span
    if home:
        for span in without([axis.span], [hours.span for hours in open_hours]):
            yield "closed", home, span


def _somewhere(provider: Provider, visits: list[Appointment], read: Day) -> Place | None:
    """Return where somebody would be seen on a day without hours."""
    location = read.location or next((visit.location for visit in visits), None)
    if location is None:
        location = next((each.place.location for each in read.hours if each.place.provider == provider), None)
    return Place(provider, location) if location else None


def _takes_time(visit: Appointment, leaving: Appointment | None) -> bool:
    if leaving and visit.lineage == leaving.lineage:
        return False
    return visit.is_active or visit.is_held


def _blocks(visits: list[Appointment], read: Day) -> list[Block]:
    spans = [read.wall.span(visit.starts_at, visit.ends_at) for visit in visits]
    return [
        Block(
            visit=visit,
            span=span,
            busy=_busy(visit, read.wall),
            times=read.wall.range_words(span),
            lane=lane,
            lanes=lanes,
            waiting_minutes=_waiting(visit, read),
            late_minutes=_late(visit, span, read),
            held_until=read.from_now(visit.held_until) if visit.held_until else "",
        )
        for visit, span, (lane, lanes) in zip(visits, spans, in_lanes(spans), strict=True)
    ]


def _waiting(visit: Appointment, read: Day) -> int | None:
    arrived_at: datetime | None = visit.arrived_at  # type: ignore[attr-defined]
    if visit.state != State.ARRIVED or arrived_at is None:
        return None
    return max(0, read.now - read.wall.minute(arrived_at))


def _late(visit: Appointment, span: Span, read: Day) -> int | None:
    is_expected = visit.state in (State.BOOKED, State.CONFIRMED)
    is_over = read.now >= read.wall.whole.end
    late = read.now - span.start
    return late if is_expected and late >= GRACE and not is_over else None


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


def _within(outer: Span, inner: Span) -> list[Span]:
    cut = Span(max(outer.start, inner.start), min(outer.end, inner.end))
    return [cut] if cut.minutes > 0 else []


def _busy(visit: Appointment, wall: Wall) -> Span:
    return wall.span(visit.busy_from, visit.busy_until)


def read(
    day: date,
    *,
    location: Location | None = None,
    with_cancelled: bool = False,
    aim: Aim | None = None,
) -> Board:
    """Return the board of a day, in six queries however full it is.

    Only columns of who works or has visits at `location` are shown, but those whole: a visit elsewhere
    takes the provider's time as well.
    """
    wall = Wall(day, practice.zone())
    exceptions = list(_exceptions(day))
    return laid_out(
        Day(
            wall=wall,
            now=wall.minute(clock.now()),
            hours=_hours(wall, exceptions),
            closures=list(_closures(wall, exceptions)),
            kept=list(_kept(wall)),
            visits=list(_visits(wall, with_cancelled=with_cancelled)),
            location=location,
            aim=aim or Aim(),
        )
    )


def _exceptions(day: date) -> QuerySet[ScheduleException]:
    lasting = Q(last_date=None, date=day) | Q(date__lte=day, last_date__gte=day)
    return ScheduleException.objects.filter(lasting).select_related("provider", "location")


def _hours(wall: Wall, exceptions: list[ScheduleException]) -> list[Hours]:
    working = Q(provider__is_active=True, location__is_active=True)
    weekly = WeeklyHours.objects.filter(working, weekday=wall.day.weekday())
    extra = [change for change in exceptions if change.kind == ScheduleException.Kind.EXTRA]
    spans: dict[Place, list[Span]] = defaultdict(list)
    rows: list[WeeklyHours | ScheduleException] = [*weekly.select_related("provider", "location"), *extra]
    for row in rows:
        if row.provider and row.location and row.starts_at and row.ends_at:
            spans[Place(row.provider, row.location)].append(wall.hours(row.starts_at, row.ends_at))
    found = (Hours(place, span) for place, taken in spans.items() for span in merged(taken))
    return sorted(found, key=lambda hours: hours.span)


def _closures(wall: Wall, exceptions: list[ScheduleException]) -> Iterator[Closure]:
    for change in exceptions:
        if change.kind == ScheduleException.Kind.CLOSED:
            is_part = change.starts_at is not None and change.ends_at is not None
            span = wall.hours(change.starts_at, change.ends_at) if is_part else wall.whole  # type: ignore[arg-type]
            yield Closure(span, change.provider_id, change.location_id, change.reason)


def _kept(wall: Wall) -> Iterator[Kept]:
    rows = UrgentBlock.objects.filter(weekday=wall.day.weekday()).select_related("provider", "location")
    for row in rows:
        span, hours = wall.hours(row.starts_at, row.ends_at), row.released_hours_before
        yield Kept(Place(row.provider, row.location), span, span.start - hours * 60 if hours else None)


def _visits(wall: Wall, *, with_cancelled: bool) -> QuerySet[Appointment]:
    """Return what is shown of a day, each with when the patient arrived and whether they were here before."""
    over = [State.DONE, State.NO_SHOW, *([State.CANCELLED] if with_cancelled else [])]
    shown = Appointment.objects.occupying() | Appointment.objects.filter(state__in=over)
    arrivals = AppointmentEvent.objects.filter(appointment=OuterRef("pk"), to_state=State.ARRIVED)
    earlier = Appointment.objects.filter(patient=OuterRef("patient"), state=State.DONE)
    return (
        shown.filter(starts_at__lt=wall.moment(wall.whole.end), ends_at__gt=wall.midnight)
        .with_details()
        .annotate(
            arrived_at=Subquery(arrivals.order_by("-at").values("at")[:1]), has_been_here=Exists(earlier)
        )
        .prefetch_related(Prefetch("resource_bookings", ResourceBooking.objects.select_related("resource")))
        .order_by("starts_at", "pk")
    )


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as sorted spans that neither touch nor overlap."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(span.end, result[-1].end))
        else:
            result.append(span)
    return result
