"""What a day consists of as it was read, and what a board shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import ClassVar, NamedTuple

from appointments.board.wall import Span, Wall
from appointments.models import Appointment, VisitType
from patients.models import Patient
from practice.models import Location, Provider

State, Channel = Appointment.State, Appointment.Channel

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
    Channel.WEB: "language",
    Channel.CHAT: "forum",
    Channel.SMS: "sms",
    Channel.STAFF: "storefront",
    Channel.API: "api",
}


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

    def may_use(self, kind: str) -> bool:
        """Say whether time of this kind is meant for the visit; the desk may take it and say why."""
        return kind != "kept" or self.visit_type is None or self.visit_type.is_urgent


@dataclass(frozen=True)
class Start:
    """A time that can be clicked."""

    kind: str
    place: Place
    span: Span
    moment: datetime
    fits: bool = True

    @cached_property
    def key(self) -> str:
        """Return the key that `services.slot_from_key` reads."""
        return f"{self.place.provider.pk}.{self.place.location.pk}.{self.moment.astimezone(UTC):%Y%m%dT%H%M}"

    @cached_property
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
        return CHANNEL_ICONS[Channel(self.visit.channel)]

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
    def providers(self) -> dict[int, Provider]:
        """Return whose columns are shown: who works or has visits at the place that was asked for."""
        here = [hours.place for hours in self.hours]
        here += [Place(visit.provider, visit.location) for visit in self.visits]
        wanted = (place.provider for place in here if self.location in (None, place.location))
        return {provider.pk: provider for provider in sorted(wanted, key=_by_name)}


def _by_name(provider: Provider) -> tuple[str, str, int]:
    return provider.last_name, provider.first_name, provider.pk


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
