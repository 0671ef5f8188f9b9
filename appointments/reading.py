"""Reads from the database what availability has to know: the rules, and what is busy."""

import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, BigIntegerField, Exists, Func, Min, OuterRef, Q, QuerySet, TextField

from appointments.availability import NEVER, Rooms, Stretch, Timetable, moment_of
from appointments.models import (
    Appointment,
    DiaryStamp,
    ResourceBooking,
    ResourceKind,
    ScheduleException,
    UrgentBlock,
    VisitType,
    WeeklyHours,
)
from eyecare import clock
from patients.models import Patient
from practice.models import Location, Provider

LONGEST_VISIT = timedelta(days=1)
"""No visit with its buffers is longer, so what began before cannot reach into a day; see VisitType."""

Rule = TypeVar("Rule", WeeklyHours, ScheduleException)

SCHEDULES = 0
"""The stamp that changes with every change to schedules, visit types, rooms and providers."""


class Epoch(Func):
    """A moment as whole seconds since 1970: parts of a second are dropped."""

    output_field = BigIntegerField()
    rounding = "floor"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        modern = connection.Database.sqlite_version_info >= (3, 38)
        whole = "unixepoch({0})" if modern else "CAST(strftime('%%%%s', {0}) AS integer)"
        return self.as_sql(compiler, connection, template=whole.format("%(expressions)s"), **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        seconds = f"{self.rounding}(date_part('epoch', %(expressions)s))::bigint"
        return self.as_sql(compiler, connection, template=seconds, **context)


class EpochAfter(Epoch):
    """The same, rounded up: where something ends that must not be cut short."""

    rounding = "ceil"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        whole, given = super().as_sqlite(compiler, connection, **context)
        moment, _ = compiler.compile(self.source_expressions[0])
        return f"{whole} + (length({moment}) > 19)", given  # longer than YYYY-MM-DD HH:MM:SS


class Listed(Aggregate):
    """All values of a group in one text, with commas between; two of them in a query are in one order."""

    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="group_concat", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="string_agg((%(expressions)s)::text, ',')", **context
        )


def stamps(providers: Iterable[int] | None = None) -> dict[int, int]:
    """Return the stamps of these providers' diaries (of all, by default) and that of the schedules."""
    rows = DiaryStamp.objects.all()
    if providers is not None:
        rows = rows.filter(pk__in=[SCHEDULES, *providers])
    return dict(rows.values_list("pk", "stamp"))


def timetable(
    visit_type: VisitType, days: Sequence[date], zone: ZoneInfo, provider: Provider | None = None
) -> Timetable:
    """Return the rules for this kind of visit on a run of days, in six queries."""
    performers = _performers(visit_type, provider)
    open_places, locations = _locations(visit_type)
    weekly = WeeklyHours.objects.filter(provider__in=performers, location__in=open_places)
    blocks = UrgentBlock.objects.filter(provider__in=performers, location__in=open_places)
    return Timetable(
        zone=zone,
        days=days,
        weekly=_peopled(weekly.order_by(), performers, open_places),
        exceptions=_peopled(_exceptions(days), performers, open_places),
        blocks=[] if visit_type.is_urgent else list(blocks.order_by()),
        rooms=_rooms(visit_type),
        performers=frozenset(performers),
        locations=locations,
    )


def _performers(visit_type: VisitType, provider: Provider | None) -> dict[int, Provider]:
    rows = Provider.objects.active().filter(visit_types=visit_type)
    if provider is not None:
        rows = rows.filter(pk=provider.pk)
    return {row.pk: row for row in rows.order_by()}


def _locations(visit_type: VisitType) -> tuple[dict[int, Location], frozenset[int]]:
    """Return the locations that are open to this kind of visit."""
    chosen = Exists(VisitType.locations.through.objects.filter(visittype=visit_type, location=OuterRef("pk")))
    rows = list(Location.objects.annotate(is_chosen=chosen).order_by())
    restricted = any(row.is_chosen for row in rows)
    found: dict[int, Location] = {
        row.pk: row for row in rows if row.is_active and (row.is_chosen or not restricted)
    }
    return found, frozenset(found)


def _exceptions(days: Sequence[date]) -> QuerySet[ScheduleException]:
    lasting = Q(date__range=(days[0], days[-1])) | Q(date__lt=days[0], last_date__gte=days[0])
    return ScheduleException.objects.filter(lasting).order_by()


def _peopled(
    rules: Iterable[Rule], providers: dict[int, Provider], locations: dict[int, Location]
) -> list[Rule]:
    """Give rules their provider and place; leave out whoever does not see patients for this visit there."""
    somebody, somewhere = {None, *providers}, {None, *locations}
    found = [rule for rule in rules if rule.provider_id in somebody and rule.location_id in somewhere]
    for rule in found:
        if rule.provider_id is not None:
            rule.provider = providers[rule.provider_id]
        if rule.location_id is not None:
            rule.location = locations[rule.location_id]
    return found


def _rooms(visit_type: VisitType) -> Rooms:
    """Return the rooms and machines by kind and location; a kind that nobody has is there, and empty."""
    rows = ResourceKind.objects.filter(visit_types=visit_type).order_by("pk", "resources__pk")
    found: dict[int, dict[int, list[int]]] = {}
    for kind, resource, location, is_active in rows.values_list(
        "pk", "resources__pk", "resources__location_id", "resources__is_active"
    ):
        by_location = found.setdefault(kind, {})
        if is_active:
            by_location.setdefault(location, []).append(resource)
    return found


@dataclass(frozen=True)
class Own:
    """What is the patient's own in a run of days: where they are, and which rows are theirs to give up.

    Given up are the visit that moves and the time that is held for them: neither is in their way.
    """

    taken: Sequence[Stretch] = ()
    given_up: Collection[UUID] = ()
    providers: Collection[int] = field(default=frozenset())
    """In whose diaries those rows stand."""


def own(
    whole: Stretch,
    patient: Patient | None,
    moving: Appointment | None = None,
    hold: Appointment | None = None,
) -> Own:
    """Read what is the patient's own, in one query; none when nobody is named."""
    named = [row.pk for row in (moving, hold) if row is not None]
    if patient is None and not named:
        return Own()
    whose = Q(pk__in=named) if patient is None else Q(patient=patient) | Q(pk__in=named)
    rows = _touching(Appointment.objects.occupying().filter(whose), whole, "starts_at", "ends_at")
    taken, given_up = [], {}
    for pk, provider, state, start, end in rows.values_list(
        "pk", "provider_id", "state", Epoch("starts_at"), EpochAfter("ends_at")
    ):
        if pk in named or state == Appointment.State.HELD:
            given_up[pk] = provider
        else:
            taken.append((start, end))
    return Own(taken, frozenset(given_up), frozenset(given_up.values()))


class Busy(NamedTuple):
    """When providers, or rooms and machines, are busy, by their ids; and when that changes by itself."""

    stretches: dict[int, list[Stretch]]
    changes: dict[int, int]
    """When the first of somebody's holds runs out."""

    def changes_at(self, whose: int) -> int:
        return self.changes.get(whose, NEVER)


def busy(whole: Stretch, providers: Iterable[int], given_up: Collection[UUID] = ()) -> Busy:
    """Read when these providers are busy, buffers included, in one query that brings numbers only."""
    rows = Appointment.objects.occupying().filter(provider__in=providers)
    if given_up:
        rows = rows.exclude(pk__in=given_up)
    return _busy(_touching(rows, whole, "busy_from", "busy_until"), "provider_id", "held_until")


def used(whole: Stretch, rooms: Rooms, given_up: Collection[UUID] = ()) -> Busy:
    """Read when these rooms and machines are in use; no query where none is needed."""
    wanted = [
        resource for by_location in rooms.values() for those in by_location.values() for resource in those
    ]
    if not wanted:
        return Busy({}, {})
    rows = ResourceBooking.objects.filter(resource__in=wanted, is_active=True).exclude(
        appointment__state=Appointment.State.HELD, appointment__held_until__lte=clock.now()
    )
    if given_up:
        rows = rows.exclude(appointment__in=given_up)
    rows = _touching(rows, whole, "busy_from", "busy_until")
    return _busy(rows, "resource_id", "appointment__held_until")


def _busy(rows: Any, whose: str, held_until: str) -> Busy:
    """Read one row for each provider or room, with all its times in two texts: there may be thousands."""
    found = Busy({}, {})
    for one, starts, ends, runs_out in (
        rows.order_by()
        .values(whose)
        .annotate(
            starts=Listed(Epoch("busy_from")), ends=Listed(EpochAfter("busy_until")), runs_out=Min(held_until)
        )
        .values_list(whose, "starts", "ends", "runs_out")
    ):
        found.stretches[one] = list(zip(_numbers(starts), _numbers(ends), strict=True))
        if runs_out is not None:
            found.changes[one] = math.floor(runs_out.timestamp())
    return found


def _numbers(listed: str) -> list[int]:
    return json.loads(f"[{listed}]")  # the quickest way to read many numbers


def _touching(rows: Any, whole: Stretch, start: str, end: str) -> Any:
    """Narrow rows to those in a stretch of time, so that an index finds where to begin and to stop."""
    first, last = moment_of(whole[0]), moment_of(whole[1])
    return rows.filter(**{f"{start}__lt": last, f"{start}__gt": first - LONGEST_VISIT, f"{end}__gt": first})
