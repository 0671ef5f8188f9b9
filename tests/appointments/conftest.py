"""What the diary's tests share."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from appointments import services
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from patients.models import Patient
from practice.models import Provider
from tests.factories import ZONE

SlotAt = Callable[..., Slot]


@pytest.fixture
def slot_at(exam: VisitType, okafor: Provider) -> SlotAt:
    """Make the slot of an exam with Dr. Okafor: slot_at(3, 9, 30) is March 3, 2026, 9:30."""

    def make(day: int, hour: int, minute: int = 0, month: int = 3) -> Slot:
        start = datetime(2026, month, day, hour, minute, tzinfo=ZONE)
        place = okafor.locations.get()
        return services.slot_from_key(exam, f"{okafor.pk}.{place.pk}.{start.astimezone(UTC):%Y%m%dT%H%M}")

    return make


@pytest.fixture
def tuesday_nine(slot_at: SlotAt) -> Slot:
    return slot_at(3, 9)


@pytest.fixture
def anas_exam(monday: object, ana: Patient, exam: VisitType, tuesday_nine: Slot) -> Appointment:
    """Ana's exam, booked on the portal for Tuesday, March 3, 9 a.m."""
    return services.book(patient=ana, visit_type=exam, slot=tuesday_nine, channel="web", actor=ana.account)
