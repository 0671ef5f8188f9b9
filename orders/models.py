"""Glasses and contact lenses: what was prescribed, what was ordered, where it is."""

import uuid
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from eyecare import clock
from patients.models import Patient
from practice.models import Location, Provider


def _power(label: str) -> models.DecimalField:
    """Return a field for a lens power in dioptres, in quarter steps."""
    return models.DecimalField(
        label,
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(-30), MaxValueValidator(30)],
    )


def _axis(label: str) -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(
        label, null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(180)]
    )


class PrescriptionQuerySet(models.QuerySet["Prescription"]):
    def for_patient(self, patient: Patient) -> Self:
        return self.filter(patient=patient)

    def valid(self) -> Self:
        return self.filter(expires_on__gte=clock.today())


class Prescription(models.Model):
    """What was prescribed, for each eye: OD is the right one, OS the left one."""

    class Kind(models.TextChoices):
        GLASSES = "glasses", _("glasses")
        CONTACTS = "contacts", _("contact lenses")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="prescriptions")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="prescriptions")
    kind = models.CharField(max_length=8, choices=Kind)
    issued_on = models.DateField()
    expires_on = models.DateField()
    short_expiry_reason = models.CharField(
        max_length=200,
        blank=True,
        help_text="The medical reason for contact lenses that expire within a year (16 CFR 315.6).",
    )
    od_sphere = _power("OD sphere")
    od_cylinder = _power("OD cylinder")
    od_axis = _axis("OD axis")
    od_add = _power("OD add")
    os_sphere = _power("OS sphere")
    os_cylinder = _power("OS cylinder")
    os_axis = _axis("OS axis")
    os_add = _power("OS add")
    pupillary_distance_mm = models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True)
    base_curve_mm = models.DecimalField(max_digits=4, decimal_places=2, null=True, blank=True)
    diameter_mm = models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True)
    product = models.CharField(max_length=80, blank=True, help_text="Brand of the contact lens.")

    objects = PrescriptionQuerySet.as_manager()

    class Meta:
        ordering = ["-issued_on"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_on__gt=F("issued_on")),
                name="a_prescription_expires_after_it_is_issued",
                violation_error_message="A prescription must expire after it is issued.",
            ),
            models.CheckConstraint(
                condition=Q(od_cylinder=None) | Q(od_cylinder=0) | Q(od_axis__isnull=False),
                name="a_right_cylinder_has_an_axis",
            ),
            models.CheckConstraint(
                condition=Q(os_cylinder=None) | Q(os_cylinder=0) | Q(os_axis__isnull=False),
                name="a_left_cylinder_has_an_axis",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.issued_on}"

    @property
    def is_valid(self) -> bool:
        return self.expires_on >= clock.today()


class OrderQuerySet(models.QuerySet["Order"]):
    def for_patient(self, patient: Patient) -> Self:
        return self.filter(patient=patient)

    def open(self) -> Self:
        return self.exclude(stage__in=Order.CLOSED)

    def late(self) -> Self:
        """Return those that the lab has not sent by the promised day."""
        return self.filter(stage__in=Order.AWAITED, promised_on__lt=clock.today())

    def with_details(self) -> Self:
        """Return them with what their pages show: place, provider, remake, history."""
        related = self.select_related("patient__guarantor", "location", "prescription__provider", "remake")
        return related.prefetch_related("changes")


class Order(models.Model):
    """A lens order on its way to a patient. `orders/stages.py` says which way it may go."""

    class Kind(models.TextChoices):
        GLASSES = "glasses", _("glasses")
        SUNGLASSES = "sunglasses", _("sunglasses")
        CONTACTS = "contacts", _("contact lenses")

    class Stage(models.TextChoices):
        ON_HOLD = "on_hold", _("on hold")
        PRICED = "priced", _("priced")
        AT_LAB = "at_lab", _("at the lab")
        RECEIVED = "received", _("received")
        VERIFIED = "verified", _("checked")
        NOTIFIED = "notified", _("patient told")
        COLLECTED = "collected", _("collected")
        REMADE = "remade", _("being remade")  # a new, linked order carries on
        RETURNED = "returned", _("returned")
        VOIDED = "voided", _("voided")

    AWAITED = (Stage.PRICED, Stage.AT_LAB)
    CLOSED = (Stage.COLLECTED, Stage.REMADE, Stage.RETURNED, Stage.VOIDED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=12, unique=True)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="orders")
    prescription = models.ForeignKey(Prescription, null=True, blank=True, on_delete=models.PROTECT)
    location = models.ForeignKey(Location, on_delete=models.PROTECT, help_text="Where it is collected.")
    kind = models.CharField(max_length=10, choices=Kind)
    description = models.CharField(max_length=160)
    lab = models.CharField(max_length=80, blank=True)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.ON_HOLD)
    promised_on = models.DateField(null=True, blank=True)
    remake_of = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="remake", editable=False
    )
    ordered_at = models.DateTimeField(default=clock.now)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-ordered_at"]
        indexes = [
            models.Index(fields=["patient", "-ordered_at"], name="order_by_patient"),
            models.Index(fields=["stage", "promised_on"], name="order_overdue"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.description}"

    @property
    def is_open(self) -> bool:
        return self.stage not in self.CLOSED

    @property
    def is_late(self) -> bool:
        is_awaited = self.stage in self.AWAITED
        return is_awaited and self.promised_on is not None and self.promised_on < clock.today()


class StageChange(models.Model):
    """One step of an order: from where to where, when, by whom."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="changes")
    from_stage = models.CharField(max_length=10, choices=Order.Stage, blank=True)
    to_stage = models.CharField(max_length=10, choices=Order.Stage)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.get_to_stage_display()} {self.at:%Y-%m-%d}"
