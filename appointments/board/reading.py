"""Reads a day for the board: always the same few queries, however full it is."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from appointments.board.layout import laid_out
from appointments.board.parts import Aim, Board, Closure, Day, Hours, Kept, Place, State
from appointments.board.wall import Span, Wall, merged
from appointments.models import (
    Appointment,
    AppointmentEvent,
    ResourceBooking,
    ScheduleException,
    UrgentBlock,
    WeeklyHours,
)
from eyecare import clock
from practice import services as practice
from practice.models import Location


def read(
    day: date,
    *,
    location: Location | None = None,
    with_cancelled: bool = False,
    aim: Aim | None = None,
) -> Board:
    """Return the board of a day, in six queries.

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
    extra = [change for change in exceptions if _opens(change)]
    spans: dict[Place, list[Span]] = defaultdict(list)
    rows: list[WeeklyHours | ScheduleException] = [*weekly.select_related("provider", "location"), *extra]
    for row in rows:
        if row.provider and row.location and row.starts_at and row.ends_at:
            spans[Place(row.provider, row.location)].append(wall.hours(row.starts_at, row.ends_at))
    found = (Hours(place, span) for place, taken in spans.items() for span in merged(taken))
    return sorted(found, key=lambda hours: hours.span)


def _opens(change: ScheduleException) -> bool:
    if change.kind != ScheduleException.Kind.EXTRA or not (change.provider and change.location):
        return False
    return change.provider.is_active and change.location.is_active


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
        .defer("patient__phone", "location__phone")  # parsing them would take longer than all the rest
        .annotate(
            arrived_at=Subquery(arrivals.order_by("-at").values("at")[:1]), has_been_here=Exists(earlier)
        )
        .prefetch_related(Prefetch("resource_bookings", ResourceBooking.objects.select_related("resource")))
        .order_by("starts_at", "pk")
    )
