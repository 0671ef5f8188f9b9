"""People: patients, who may act for whom, how they sign in, what they agreed to."""

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from eyecare import clock


class AccountManager(BaseUserManager["Account"]):
    """Makes accounts known by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "Account":
        account = self.model(email=self.normalize_email(email).lower(), **fields)
        account.set_password(password)
        account.save()
        return account

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "Account":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class Account(AbstractUser):
    """A log-in: a patient's on the portal, or a member of staff's."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = AccountManager()  # type: ignore[misc,assignment]

    def __str__(self) -> str:
        return self.email


class PatientQuerySet(models.QuerySet["Patient"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def with_phone(self, phone: str) -> Self:
        return self.active().filter(phone=phone)

    def open_to(self, account: Account) -> Self:
        """Return those whom this account may act for: itself and, through a proxy row, others."""
        own = Patient.objects.active().filter(account=account)
        return self.active().filter(Q(account=account) | Q(pk__in=Proxy.objects.of(own).values("patient")))

    def wards_of(self, people: Iterable["Patient"]) -> Self:
        """Return those whom any of these people may act for."""
        return self.filter(pk__in=Proxy.objects.of(people).values("patient"))


class Patient(models.Model):
    """A person whom the practice cares for."""

    class Language(models.TextChoices):
        ENGLISH = "en", _("English")
        SPANISH = "es", _("Spanish")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=12, unique=True, help_text="The practice's own number.")
    account = models.OneToOneField(
        Account, null=True, blank=True, on_delete=models.SET_NULL, related_name="patient"
    )
    first_name = models.CharField(max_length=60)
    last_name = models.CharField(max_length=60)
    date_of_birth = models.DateField()
    phone = PhoneNumberField(blank=True)
    email = models.EmailField(blank=True)
    address = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    guarantor = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="dependants",
        help_text="Who pays; empty when the patient pays.",
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = PatientQuerySet.as_manager()

    class Meta:
        ordering = ["last_name", "first_name"]
        indexes = [
            # an inbound text finds its sender
            models.Index(fields=["phone"], name="patient_by_phone"),
            models.Index(fields=["last_name", "first_name"], name="patient_by_name"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(guarantor=None) | ~Q(guarantor=F("id")),
                name="a_patient_is_not_their_own_guarantor_row",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def payer(self) -> "Patient":
        """Return who owes for this patient; needs `select_related("guarantor")` in a list."""
        return self.guarantor or self


class ProxyQuerySet(models.QuerySet["Proxy"]):
    def in_force(self) -> Self:
        return self.filter(Q(ends_on=None) | Q(ends_on__gt=clock.today()))

    def of(self, people: Iterable[Patient]) -> Self:
        """Return the rights that these people hold today."""
        return self.in_force().filter(proxy__in=people)


class Proxy(models.Model):
    """The right of one patient to act for another: a parent for a child, a carer for a parent."""

    class Relation(models.TextChoices):
        PARENT = "parent", _("parent or guardian")
        PARTNER = "partner", _("partner")
        CARER = "carer", _("carer")

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="proxies")
    proxy = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="wards")
    relation = models.CharField(max_length=10, choices=Relation)
    ends_on = models.DateField(null=True, blank=True, help_text="The first day without the right.")

    objects = ProxyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "proxies"
        constraints = [
            models.UniqueConstraint(fields=["patient", "proxy"], name="one_proxy_row_for_each_pair"),
            models.CheckConstraint(condition=~Q(patient=F("proxy")), name="nobody_is_their_own_proxy"),
        ]

    def __str__(self) -> str:
        return f"{self.proxy} for {self.patient}"


class Consent(models.Model):
    """An answer that a patient gave to "may we …?"; the newest of a kind counts, none means no."""

    class Kind(models.TextChoices):
        CARE_TEXTS = "care_texts", _("texts about visits and orders")
        BILLING_TEXTS = "billing_texts", _("texts about bills")
        EMAIL = "email", _("e-mail")

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="consents")
    kind = models.CharField(max_length=20, choices=Kind)
    granted = models.BooleanField()
    source = models.CharField(max_length=60, help_text="Intake form, portal, text message …")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["patient", "kind", "-at"], name="consent_newest_first")]

    def __str__(self) -> str:
        return f"{self.patient}: {self.get_kind_display()} {'yes' if self.granted else 'no'}"
