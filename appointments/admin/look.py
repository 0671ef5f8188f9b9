"""What the day board is turned to; it stands in the address, so a link shows the same board."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from appointments import board, services
from appointments.models import Appointment, VisitType
from eyecare import clock
from patients.models import Patient
from practice.models import Location

State = Appointment.State
Row = TypeVar("Row", bound=Model)

OLDEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
"""What the board can be turned to; beyond it only nonsense lies."""


@dataclass(frozen=True)
class Look:
    """A day, whose columns, and what the next click on a free time is for."""

    day: date
    location: Location | None = None
    cancelled: bool = False
    moving: Appointment | None = None
    patient: Patient | None = None
    visit_type: VisitType | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Look":
        """Read the address; what makes no sense there is left out."""
        given = request.GET
        return cls(
            day=_day(given.get("day", "")),
            location=row_of(Location, given.get("location")),
            cancelled=given.get("cancelled") == "1",
            moving=_movable(given.get("moving")),
            patient=row_of(Patient, given.get("patient")),
            visit_type=row_of(VisitType, given.get("visit_type")),
        )

    @property
    def query(self) -> str:
        rows = ("location", "moving", "patient", "visit_type")
        said = {"day": self.day.isoformat(), "cancelled": "1" if self.cancelled else None}
        said |= {name: getattr(self, name) and str(getattr(self, name).pk) for name in rows}
        return urlencode({name: value for name, value in said.items() if value})

    @property
    def before(self) -> "Look":
        return replace(self, day=max(self.day - timedelta(days=1), OLDEST))

    @property
    def after(self) -> "Look":
        return replace(self, day=min(self.day + timedelta(days=1), LATEST))

    @property
    def today(self) -> "Look":
        return replace(self, day=clock.today())

    @property
    def at_rest(self) -> "Look":
        """Return the same board with nothing to be placed on it."""
        return replace(self, moving=None, patient=None, visit_type=None)

    @property
    def placing(self) -> tuple[str, str]:
        """Return the address that a click on a free time asks for: what comes before its key, and after."""
        page = reverse("admin:appointments_appointment_board")
        if self.moving:
            return f"{page}{self.moving.pk}/move/?to=", ""
        rows = {"patient": self.patient, "visit_type": self.visit_type}
        said = urlencode({name: str(row.pk) for name, row in rows.items() if row})
        return f"{page}book/?at=", f"&{said}" if said else ""

    @property
    def is_today(self) -> bool:
        return self.day == clock.today()

    @property
    def is_this_year(self) -> bool:
        return self.day.year == clock.today().year

    @cached_property
    def aim(self) -> board.Aim | None:
        """Return what the next click on a free time is for."""
        visit_type = self.moving.visit_type if self.moving else self.visit_type
        if visit_type is None and self.patient is None:
            return None
        able = visit_type.providers.values_list("pk", flat=True) if visit_type else ()
        patient = self.moving.patient if self.moving else self.patient
        return board.Aim(visit_type, patient, self.moving, frozenset(able))


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return clock.today()
    return day if OLDEST <= day <= LATEST else clock.today()


def _movable(key: str | None) -> Appointment | None:
    visit = row_of(Appointment, key, "visit_type", "provider", "location", "patient")
    return visit if visit and visit.state in services.COMES_FROM[State.MOVED] else None


def row_of(model: type[Row], key: str | None, *related: str) -> Row | None:
    """Return the row of a key in the address; None for nonsense."""
    if not key:
        return None
    try:
        return model._default_manager.select_related(*related).filter(pk=key).first()
    except (ValueError, ValidationError, OverflowError):
        return None
