"""Money arriving: checkouts that patients open, and the provider's events, stored once."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from eyecare import clock
from patients.models import Patient


class CheckoutQuerySet(models.QuerySet["Checkout"]):
    def for_payer(self, payer: Patient) -> Self:
        return self.filter(payer=payer)

    def unpaid(self) -> Self:
        """Return those that the patient may still pay: about to open, or open."""
        return self.filter(state__in=[Checkout.State.NEW, Checkout.State.OPEN])


class Checkout(models.Model):
    """A patient's intention to pay an amount. Only an event of the provider makes it paid."""

    class State(models.TextChoices):
        NEW = "new", _("new")  # stored before the provider is called
        OPEN = "open", _("open")
        PAID = "paid", _("paid")
        EXPIRED = "expired", _("expired")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payer = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="checkouts")
    amount_cents = models.PositiveBigIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.NEW)
    provider_id = models.CharField(max_length=100, blank=True, help_text="Stripe's checkout session.")
    payment_intent = models.CharField(max_length=100, blank=True)
    url = models.URLField(max_length=1000, blank=True)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=clock.now)
    paid_at = models.DateTimeField(null=True, blank=True)
    refunded_cents = models.PositiveBigIntegerField(default=0)

    objects = CheckoutQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_cents__gte=50), name="a_checkout_is_at_least_fifty_cents"
            ),
            models.CheckConstraint(
                condition=Q(refunded_cents__lte=F("amount_cents")), name="no_more_is_refunded_than_was_paid"
            ),
            models.UniqueConstraint(
                fields=["provider_id"],
                condition=~Q(provider_id=""),
                name="one_checkout_for_each_provider_session",
            ),
        ]

    def __str__(self) -> str:
        return f"checkout of {self.created_at:%Y-%m-%d}: {self.get_state_display()}"


class PaymentEventQuerySet(models.QuerySet["PaymentEvent"]):
    def waiting(self) -> Self:
        return self.filter(processed_at=None)

    def due(self) -> Self:
        return self.waiting().filter(due_at__lte=clock.now()).order_by("due_at")


class PaymentEvent(models.Model):
    """What the provider told us, word for word: stored once by its id before it is worked on."""

    provider_id = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=80)
    payload = models.JSONField()
    received_at = models.DateTimeField(default=clock.now)
    processed_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(
        default=clock.now, help_text="When the sweep takes it up if nobody did before."
    )
    outcome = models.CharField(max_length=120, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    objects = PaymentEventQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["due_at"], name="event_waiting", condition=Q(processed_at=None))]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider_id}"
