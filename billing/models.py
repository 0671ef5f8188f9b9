"""What is owed: an append-only ledger, and statements frozen from it. All amounts are integer cents."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from eyecare import clock
from patients.models import Patient


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def for_payer(self, payer: Patient) -> Self:
        return self.filter(payer=payer)

    def until(self, day: object) -> Self:
        return self.filter(posted_on__lte=day)

    def total_cents(self) -> int:
        return self.aggregate(total=Coalesce(Sum("amount_cents"), 0))["total"]


class LedgerEntry(models.Model):
    """One line of the ledger. Positive: the payer owes more; negative: less.

    The database refuses to change or delete one: a mistake is put right by a further entry.
    """

    class Kind(models.TextChoices):
        CHARGE = "charge", _("charge")
        PAYMENT = "payment", _("payment")
        INSURANCE = "insurance", _("insurance payment")
        ADJUSTMENT = "adjustment", _("adjustment")
        WRITE_OFF = "write_off", _("write-off")
        REFUND = "refund", _("refund")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payer = models.ForeignKey(
        Patient, on_delete=models.PROTECT, related_name="ledger", help_text="The guarantor: who owes."
    )
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, related_name="+", help_text="Whom the service was for."
    )
    kind = models.CharField(max_length=10, choices=Kind)
    amount_cents = models.BigIntegerField()
    description = models.CharField(max_length=160)
    service_on = models.DateField(help_text="Day of the service or of the payment.")
    posted_on = models.DateField(default=clock.today)
    posted_at = models.DateTimeField(default=clock.now)
    source = models.CharField(max_length=120, unique=True, help_text="What caused it, once: checkout:1234")
    reverses = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversal")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)

    objects = LedgerQuerySet.as_manager()

    class Meta:
        ordering = ["-posted_at", "-service_on"]
        verbose_name_plural = "ledger entries"
        indexes = [models.Index(fields=["payer", "posted_on"], name="ledger_by_payer")]
        constraints = [
            models.CheckConstraint(condition=~Q(amount_cents=0), name="a_ledger_entry_is_not_nothing"),
            models.CheckConstraint(
                condition=Q(reverses__isnull=False)
                | Q(kind__in=["charge", "refund"], amount_cents__gt=0)
                | Q(kind__in=["payment", "insurance", "write_off"], amount_cents__lt=0)
                | Q(kind="adjustment"),
                name="charges_add_and_payments_take_away",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.description} {self.service_on}"


class BillingHold(models.Model):
    """A reason why a payer gets no statement for now: payment plan, dispute, insurance pending."""

    class Reason(models.TextChoices):
        PAYMENT_PLAN = "payment_plan", _("payment plan")
        DISPUTE = "dispute", _("disputed")
        INSURANCE = "insurance", _("insurance pending")
        BAD_ADDRESS = "bad_address", _("mail came back")

    payer = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="billing_holds")
    reason = models.CharField(max_length=15, choices=Reason)
    note = models.CharField(max_length=200, blank=True)
    starts_on = models.DateField(default=clock.today)
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")), name="a_billing_hold_ends_after_it_starts"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} since {self.starts_on}"


class StatementRun(models.Model):
    """A batch: the statements of one day, made together."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")  # previewed, nothing made
        RUNNING = "running", _("running")
        DONE = "done", _("done")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    as_of = models.DateField(help_text="Entries posted up to this day count.")
    minimum_cents = models.PositiveIntegerField(help_text="Smaller balances get no statement.")
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"statements as of {self.as_of}"


class StatementQuerySet(models.QuerySet["Statement"]):
    def for_payer(self, payer: Patient) -> Self:
        return self.filter(payer=payer)

    def visible(self) -> Self:
        """Return those that the payer may see: made and not void."""
        return self.filter(state__in=[Statement.State.RENDERED, Statement.State.SENT])


class Statement(models.Model):
    """What one payer was told they owe on one day: frozen, numbered, with its PDF."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RENDERED = "rendered", _("made")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        VOID = "void", _("void")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(StatementRun, on_delete=models.PROTECT, related_name="statements")
    payer = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="statements")
    number = models.CharField(max_length=20, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    as_of = models.DateField()
    opening_cents = models.BigIntegerField(default=0)
    charges_cents = models.BigIntegerField(default=0)
    credits_cents = models.BigIntegerField(default=0)
    closing_cents = models.BigIntegerField(default=0)
    aging_cents = models.JSONField(default=list, help_text="0–30, 31–60, 61–90 and over 90 days, in cents.")
    lines = models.JSONField(default=list)
    pdf = models.BinaryField(null=True, editable=False)
    pdf_sha256 = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["run", "payer"], name="one_statement_for_each_payer_in_a_run"),
            models.CheckConstraint(
                condition=Q(closing_cents=F("opening_cents") + F("charges_cents") + F("credits_cents")),
                name="a_statement_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"statement {self.number}"


class StatementSkip(models.Model):
    """Why a payer got no statement in a run."""

    class Reason(models.TextChoices):
        NOTHING_OWED = "nothing_owed", _("nothing owed")
        CREDIT = "credit", _("in credit")
        BELOW_MINIMUM = "below_minimum", _("below the minimum")
        PAYMENT_PLAN = "payment_plan", _("payment plan")
        DISPUTE = "dispute", _("disputed")
        INSURANCE = "insurance", _("insurance pending")
        BAD_ADDRESS = "bad_address", _("no usable address")
        RECENT = "recent", _("had one lately")

    run = models.ForeignKey(StatementRun, on_delete=models.CASCADE, related_name="skips")
    payer = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=15, choices=Reason)
    balance_cents = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "payer"], name="one_skip_for_each_payer_in_a_run")]

    def __str__(self) -> str:
        return self.get_reason_display()
