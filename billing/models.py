"""What is owed: an append-only ledger, and statements frozen from it. All amounts are integer cents."""

import uuid
from datetime import date, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from eyecare import clock
from patients.models import Patient


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def for_payer(self, payer: Patient) -> Self:
        return self.filter(payer=payer)

    def until(self, day: date) -> Self:
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
    reverses = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversal"
    )
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


class BillingHoldQuerySet(models.QuerySet["BillingHold"]):
    def on(self, day: date) -> Self:
        return self.filter(Q(ends_on=None) | Q(ends_on__gte=day), starts_on__lte=day)


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

    objects = BillingHoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")),
                name="a_billing_hold_ends_after_it_starts",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} since {self.starts_on}"


class StatementRunQuerySet(models.QuerySet["StatementRun"]):
    def with_counts(self) -> Self:
        """Add how many statements are in each state, counted from the statements themselves."""
        state = Statement.State
        return self.annotate(
            made=Count("statements", distinct=True),
            done=Count("statements", filter=~Q(statements__state=state.QUEUED), distinct=True),
            to_print=_in_state(state.RENDERED),
            sent=_in_state(state.SENT),
            failed=_in_state(state.FAILED),
            voided=_in_state(state.VOID),
            skipped=Count("skips", distinct=True),
        )


def _in_state(state: str) -> Count:
    return Count("statements", filter=Q(statements__state=state), distinct=True)


class StatementRun(models.Model):
    """A batch: the statements of one day, made together."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    as_of = models.DateField(help_text="Entries posted up to this day count.")
    minimum_cents = models.PositiveIntegerField(help_text="Smaller balances get no statement.")
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StatementRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"statements as of {self.as_of}"


class StatementQuerySet(models.QuerySet["Statement"]):
    def for_payer(self, payer: Patient) -> Self:
        return self.filter(payer=payer)

    def live(self) -> Self:
        return self.exclude(state=Statement.State.VOID)

    def visible(self) -> Self:
        """Return those that the payer may see: made and not void."""
        return self.filter(state__in=[Statement.State.RENDERED, Statement.State.SENT])

    def claimable(self) -> Self:
        """Return those that wait, and those whose worker seems to have died on them."""
        stale = clock.now() - Statement.CLAIM_LASTS
        return self.filter(Q(claimed_at=None) | Q(claimed_at__lt=stale), state=Statement.State.QUEUED)


class Statement(models.Model):
    """What one payer was told they owe on one day: frozen, numbered, with its PDF."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RENDERED = "rendered", _("to print")  # made; this payer is told on paper
        SENT = "sent", _("sent")  # the payer is told: a message is in the outbox, or it was mailed
        FAILED = "failed", _("failed")
        VOID = "void", _("void")

    class Delivery(models.TextChoices):
        SMS = "sms", _("text message")
        EMAIL = "email", _("e-mail")
        PAPER = "paper", _("paper")

    CLAIM_LASTS = timedelta(minutes=2)
    """A worker that has not finished one statement by then is taken for dead."""
    MOST_ATTEMPTS = 3
    PAY_WITHIN = timedelta(days=30)

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
    delivery = models.CharField(max_length=5, choices=Delivery)
    error = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(
        default=clock.now, help_text="Entries posted up to this moment are on it."
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    void_reason = models.CharField(max_length=200, blank=True)

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            # a worker looks for what is left of a run
            models.Index(
                fields=["run", "attempts", "number"], name="statement_waiting", condition=Q(state="queued")
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["run", "payer"], name="one_statement_for_each_payer_in_a_run"),
            models.UniqueConstraint(
                fields=["payer", "as_of"],
                condition=~Q(state="void"),
                name="one_live_statement_for_each_payer_and_day",
            ),
            models.CheckConstraint(
                condition=Q(closing_cents=F("opening_cents") + F("charges_cents") + F("credits_cents")),
                name="a_statement_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"statement {self.number}"

    @property
    def due_on(self) -> date:
        return self.as_of + self.PAY_WITHIN


class StatementSkip(models.Model):
    """Why a payer got no statement in a run."""

    class Reason(models.TextChoices):
        NOTHING_OWED = "nothing_owed", _("nothing owed")
        CREDIT = "credit", _("in credit")
        BELOW_MINIMUM = "below_minimum", _("below the minimum")
        PAYMENT_PLAN = "payment_plan", _("payment plan")
        DISPUTE = "dispute", _("disputed")
        INSURANCE = "insurance", _("insurance pending")
        BAD_ADDRESS = "bad_address", _("no way to reach them")
        RECENT = "recent", _("had one lately")

    run = models.ForeignKey(StatementRun, on_delete=models.CASCADE, related_name="skips")
    payer = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=15, choices=Reason)
    balance_cents = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "payer"], name="one_skip_for_each_payer_in_a_run")
        ]

    def __str__(self) -> str:
        return self.get_reason_display()


class PayerQuerySet(models.QuerySet["Payer"]):
    def with_balances(self) -> Self:
        """Add what each owes and when they last paid."""
        entries = LedgerEntry.objects.filter(payer=OuterRef("pk")).order_by().values("payer")
        paid = entries.filter(kind=LedgerEntry.Kind.PAYMENT)
        return self.annotate(
            owed_cents=Coalesce(Subquery(entries.annotate(total=Sum("amount_cents")).values("total")), 0),
            paid_on=Subquery(paid.annotate(latest=Max("posted_on")).values("latest")),
        )

    def paying(self) -> Self:
        """Return those who answer for a bill: everybody but those whose bills go to a guarantor."""
        return self.filter(Q(guarantor=None) | Exists(LedgerEntry.objects.filter(payer=OuterRef("pk"))))

    def household_of(self, payer_id: object) -> Self:
        """Return a payer and those for whom they pay."""
        return self.filter(Q(pk=payer_id) | Q(guarantor=payer_id))


class Payer(Patient):
    """A patient seen as the one who pays, for the balances page of the staff."""

    objects = PayerQuerySet.as_manager()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        verbose_name = "balance"
        ordering = ["last_name", "first_name"]
