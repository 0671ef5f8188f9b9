"""The rows that tests are made of, and the cast: Ana (patient), Ben (another patient), Dana (front desk)."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import factory
from factory.django import DjangoModelFactory

from appointments.models import Appointment, Resource, ResourceKind, VisitType, WeeklyHours
from billing.models import LedgerEntry
from chatbot.models import Conversation, Document
from orders.models import Order, Prescription
from patients.models import Account, Consent, Patient
from practice.models import Location, Practice, Provider

ZONE = ZoneInfo("America/New_York")
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=ZONE)
"""Where tests stop the clock: a Monday morning, six days before the clocks change."""


class AccountFactory(DjangoModelFactory[Account]):
    class Meta:
        model = Account
        skip_postgeneration_save = True

    email = factory.Sequence(lambda number: f"person{number}@example.com")

    @classmethod
    def _create(cls, model_class: type[Account], *args: Any, **kwargs: Any) -> Account:
        password = kwargs.pop("password", "correct horse battery")
        return model_class.objects.create_user(password=password, **kwargs)


class PracticeFactory(DjangoModelFactory[Practice]):
    class Meta:
        model = Practice
        django_get_or_create = ("only",)

    only = True
    name = "Harbor Eye Care"
    phone = "+12125550100"
    email = "frontdesk@harbor.example"
    emergency_phone = "+12125550199"
    time_zone = "America/New_York"


class LocationFactory(DjangoModelFactory[Location]):
    class Meta:
        model = Location
        django_get_or_create = ("name",)

    name = "Main Street"
    address = "12 Main Street, Springfield"
    phone = "+12125550101"


class ProviderFactory(DjangoModelFactory[Provider]):
    class Meta:
        model = Provider
        skip_postgeneration_save = True

    first_name = "Maya"
    last_name = factory.Sequence(lambda number: f"Okafor{number or ''}")
    credentials = "OD"

    @factory.post_generation
    def locations(self, create: bool, extracted: list[Location] | None, **_: Any) -> None:
        if create and extracted:
            self.locations.set(extracted)  # type: ignore[attr-defined]


class PatientFactory(DjangoModelFactory[Patient]):
    class Meta:
        model = Patient

    number = factory.Sequence(lambda number: f"P{number:05}")
    first_name = "Ana"
    last_name = "Silva"
    date_of_birth = date(1980, 5, 17)
    phone = factory.Sequence(lambda number: f"+1212555{2000 + number % 8000:04}")
    email = factory.Sequence(lambda number: f"patient{number}@example.com")
    address = "1 Elm Street, Springfield"
    account = factory.SubFactory(AccountFactory)


class ConsentFactory(DjangoModelFactory[Consent]):
    class Meta:
        model = Consent

    patient = factory.SubFactory(PatientFactory)
    kind = Consent.Kind.CARE_TEXTS
    granted = True
    source = "intake form"


class VisitTypeFactory(DjangoModelFactory[VisitType]):
    class Meta:
        model = VisitType
        django_get_or_create = ("slug",)
        skip_postgeneration_save = True

    name = "Comprehensive eye exam"
    slug = "exam"
    also_called = factory.LazyFunction(lambda: ["eye exam", "checkup", "eyes checked"])
    minutes = 30
    minimum_notice_hours = 2

    @factory.post_generation
    def providers(self, create: bool, extracted: list[Provider] | None, **_: Any) -> None:
        if create and extracted:
            self.providers.set(extracted)  # type: ignore[attr-defined]


class WeeklyHoursFactory(DjangoModelFactory[WeeklyHours]):
    class Meta:
        model = WeeklyHours

    provider = factory.SubFactory(ProviderFactory)
    location = factory.SubFactory(LocationFactory)
    weekday = 0
    starts_at = time(9)
    ends_at = time(17)


class ResourceKindFactory(DjangoModelFactory[ResourceKind]):
    class Meta:
        model = ResourceKind
        django_get_or_create = ("name",)

    name = "Visual field machine"


class ResourceFactory(DjangoModelFactory[Resource]):
    class Meta:
        model = Resource

    kind = factory.SubFactory(ResourceKindFactory)
    location = factory.SubFactory(LocationFactory)
    name = factory.Sequence(lambda number: f"Field machine {number + 1}")


class AppointmentFactory(DjangoModelFactory[Appointment]):
    """A row as it stands in the diary; the rules of booking are not asked."""

    class Meta:
        model = Appointment

    patient = factory.SubFactory(PatientFactory)
    visit_type = factory.SubFactory(VisitTypeFactory)
    provider = factory.SubFactory(ProviderFactory)
    location = factory.SubFactory(LocationFactory)
    starts_at = MONDAY + timedelta(days=1)
    ends_at = factory.LazyAttribute(lambda row: row.starts_at + timedelta(minutes=row.visit_type.minutes))
    busy_from = factory.SelfAttribute("starts_at")
    busy_until = factory.SelfAttribute("ends_at")


class PrescriptionFactory(DjangoModelFactory[Prescription]):
    class Meta:
        model = Prescription

    patient = factory.SubFactory(PatientFactory)
    provider = factory.SubFactory(ProviderFactory)
    kind = Prescription.Kind.GLASSES
    issued_on = date(2026, 1, 5)
    expires_on = date(2028, 1, 5)


class OrderFactory(DjangoModelFactory[Order]):
    class Meta:
        model = Order

    number = factory.Sequence(lambda number: f"L{number:05}")
    patient = factory.SubFactory(PatientFactory)
    location = factory.SubFactory(LocationFactory)
    kind = Order.Kind.GLASSES
    description = "Progressive lenses, anti-reflective"


class LedgerEntryFactory(DjangoModelFactory[LedgerEntry]):
    class Meta:
        model = LedgerEntry

    payer = factory.SubFactory(PatientFactory)
    patient = factory.SelfAttribute("payer")
    kind = LedgerEntry.Kind.CHARGE
    amount_cents = 12_500
    description = "Comprehensive eye exam"
    service_on = date(2026, 2, 20)
    posted_on = date(2026, 2, 20)
    source = factory.Sequence(lambda number: f"test:{number}")


class ConversationFactory(DjangoModelFactory[Conversation]):
    class Meta:
        model = Conversation

    channel = Conversation.Channel.WEB
    patient = factory.SubFactory(PatientFactory)


class DocumentFactory(DjangoModelFactory[Document]):
    class Meta:
        model = Document

    title = factory.Sequence(lambda number: f"Parking {number}")
    slug = factory.Sequence(lambda number: f"parking-{number}")
    body = "Patients park free of charge behind the building on Main Street."
