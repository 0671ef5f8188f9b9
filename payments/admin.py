"""Money on its way: checkouts, and what the provider told us. Both are read here and written by events."""

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from billing import desk
from billing.admin import MoneyAdmin
from billing.money import dollars
from payments import services
from payments.models import Checkout, PaymentEvent


@admin.register(Checkout)
class CheckoutAdmin(MoneyAdmin):
    list_display = ["created_at", "payer", "amount", "shown_state", "refunded", "paid_at", "opened_by"]
    list_filter = ["state", "created_at"]
    list_select_related = ["payer", "opened_by"]
    search_fields = ["payer__last_name", "payer__number", "provider_id", "payment_intent"]
    fields = readonly_fields = [
        "payer",
        "amount",
        "state",
        "refunded",
        "provider_id",
        "payment_intent",
        "opened_by",
        "created_at",
        "paid_at",
    ]
    actions = None

    @display(description="Amount", ordering="amount_cents")
    def amount(self, checkout: Checkout) -> str:
        return dollars(checkout.amount_cents)

    @display(description="Refunded", ordering="refunded_cents")
    def refunded(self, checkout: Checkout) -> str:
        return dollars(checkout.refunded_cents) if checkout.refunded_cents else "—"

    @display(description="State", label={"open": "info", "paid": "success", "failed": "danger"})
    def shown_state(self, checkout: Checkout) -> tuple[str, str]:
        return checkout.state, checkout.get_state_display()


class WaitingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("waiting", "Waiting"), ("mismatch", "Does not match its checkout")]

    def queryset(self, request: HttpRequest, events: QuerySet[PaymentEvent]) -> QuerySet[PaymentEvent]:
        if self.value() == "waiting":
            return events.filter(processed_at=None)
        return events.filter(outcome__startswith="mismatch") if self.value() == "mismatch" else events


@admin.register(PaymentEvent)
class PaymentEventAdmin(MoneyAdmin):
    list_display = ["received_at", "kind", "outcome", "processed_at", "attempts", "provider_id"]
    list_filter = [WaitingFilter, "kind", "received_at"]
    search_fields = ["provider_id", "outcome"]
    fields = readonly_fields = [
        "provider_id",
        "kind",
        "received_at",
        "processed_at",
        "outcome",
        "attempts",
        "due_at",
        "told",
    ]
    actions = None
    actions_detail = ["work_on_event"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentEvent]:
        return super().get_queryset(request).defer("payload")

    @display(description="What we were told")
    def told(self, event: PaymentEvent) -> str:
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2))

    @action(
        description="Work on it now",
        icon="play_arrow",
        permissions=["post"],
        dialog=ActionDialog(
            title="Work on this event now",
            description="It takes effect once, however often this is pressed.",
            form_class=BaseDialogForm,
            form_submit_text="Work on it",
        ),
    )
    def work_on_event(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        event = get_object_or_404(PaymentEvent, pk=object_id)
        return desk.carry_out(
            request,
            lambda: services.nudge(event),
            success="A worker takes it up.",
            back=self.page_of(event),
        )
