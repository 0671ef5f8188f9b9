"""The desk's first page: who comes today, and what waits for a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from appointments.models import Appointment, Reminder
from billing.models import Statement
from chatbot.models import Conversation
from eyecare import clock
from messaging.models import InboundText, Message
from orders.models import Order
from payments.models import PaymentEvent

MOST_VISITS = 15
STILL_TO_COME = timedelta(minutes=30)
"""How long after its start a visit stays on the page when nobody has checked the patient in."""

LOOK_BACK = timedelta(days=7)
UNSENT = [Message.State.FAILED, Message.State.UNKNOWN]


@dataclass(frozen=True)
class Pile:
    """Rows that wait for a person, and the list that shows them."""

    title: str
    rows: QuerySet[Any]
    narrowed: str

    @property
    def count(self) -> int:
        return self.rows.count()

    @property
    def link(self) -> str:
        meta = self.rows.model._meta
        return f"{reverse(f'admin:{meta.app_label}_{meta.model_name}_changelist')}?{self.narrowed}"

    def is_open_to(self, user: Any) -> bool:
        meta = self.rows.model._meta
        return user.has_perm(f"{meta.app_label}.view_{meta.model_name}")


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the admin's first page what the person at the desk may see of the day."""
    context["title"] = "Today"
    context["piles"] = [pile for pile in _piles() if pile.is_open_to(request.user)]
    if request.user.has_perm("appointments.view_appointment"):
        context["visits"] = _visits()[:MOST_VISITS]
    return context


def _piles() -> Iterator[Pile]:
    recent = clock.now() - LOOK_BACK
    conversations = Conversation.objects.waiting_for_staff()
    given_up = InboundText.objects.filter(processed_at=None, attempts__gte=InboundText.MOST_ATTEMPTS)
    unsent = Message.objects.filter(state__in=UNSENT, created_at__gte=recent)
    failed = Statement.objects.filter(state=Statement.State.FAILED)
    odd = PaymentEvent.objects.filter(outcome__startswith="mismatch", received_at__gte=recent)
    yield Pile("Conversations waiting for a person", conversations, "status__exact=waiting")
    yield Pile("Texts nobody could answer", given_up, "answered=given_up")
    yield Pile("Patients whom no reminder reached", Reminder.objects.unreached(), "reached=no")
    yield Pile("Messages that did not arrive", unsent, f"state__in={','.join(UNSENT)}")
    yield Pile("Orders past the promised day", Order.objects.late(), "late=yes")
    yield Pile("Statements that failed", failed, "state__exact=failed")
    yield Pile("Payments that do not match", odd, "state=mismatch")


def _visits() -> QuerySet[Appointment]:
    """Return the rest of today's visits: those to come, and those who wait in the practice."""
    today = Appointment.objects.active().filter(starts_at__date=clock.today()).with_details()
    arrived = today.filter(state=Appointment.State.ARRIVED)
    return (today.filter(starts_at__gte=clock.now() - STILL_TO_COME) | arrived).order_by("starts_at")
