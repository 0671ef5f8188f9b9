"""The outbox, what came in, who opted out, and the practice's own wordings."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from messaging import alphabet, services, wording
from messaging.models import InboundText, Message, OptOut, Template
from practice.desk import ReadOnly, RecordsReads, attempt

State = Message.State


@admin.register(Message)
class MessageAdmin(RecordsReads, ReadOnly):
    """Every message out, what became of it, and why."""

    list_display = ["when", "what", "patient", "to", "standing", "explanation"]
    list_filter = ["state", "channel", "kind", "created_at"]
    list_select_related = ["patient"]
    search_fields = ["to", "patient__last_name", "patient__first_name", "patient__number", "=reason"]
    date_hierarchy = "created_at"
    actions = ["send_again"]
    fields = readonly_fields = [
        "what",
        "patient",
        "to",
        "channel",
        "body",
        "parts",
        "state",
        "explanation",
        "due_at",
        "attempts",
        "sent_at",
        "reason",
        "subject_id",
        "provider_id",
    ]

    @display(description="Written", ordering="created_at")
    def when(self, message: Message) -> str:
        return f"{localtime(message.created_at):%b %-d, %-I:%M %p}"

    @display(description="What", ordering="kind")
    def what(self, message: Message) -> str:
        return message.kind.replace("_", " ").capitalize()

    @display(
        description="State",
        ordering="state",
        label={
            State.QUEUED: "info",
            State.SENDING: "info",
            State.SENT: "success",
            State.DELIVERED: "success",
            State.FAILED: "danger",
            State.DROPPED: "warning",
            State.UNKNOWN: "danger",
        },
    )
    def standing(self, message: Message) -> tuple[str, str]:
        return message.state, message.get_state_display()

    @display(description="Parts")
    def parts(self, message: Message) -> int:
        return alphabet.parts(message.body)

    @action(description="Send again (only what failed)", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        for message in queryset:
            attempt(request, partial(services.resend, message), f"Queued again: {message.to}")

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Say whether somebody may send again what failed."""
        return request.user.has_perm("messaging.change_message")


class UnansweredFilter(admin.SimpleListFilter):
    title = "answered"
    parameter_name = "answered"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Not yet"), ("given_up", "Given up: needs a person")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboundText]) -> QuerySet[InboundText]:
        if self.value() == "no":
            return queryset.filter(processed_at=None)
        if self.value() == "given_up":
            return queryset.filter(processed_at=None, attempts__gte=InboundText.MOST_ATTEMPTS)
        return queryset


@admin.register(InboundText)
class InboundTextAdmin(RecordsReads, ReadOnly):
    """Every text that came in."""

    list_display = ["received_at", "sender", "body", "processed_at", "attempts"]
    list_filter = [UnansweredFilter, "received_at"]
    search_fields = ["sender", "body"]
    date_hierarchy = "received_at"
    fields = readonly_fields = ["received_at", "sender", "recipient", "body", "processed_at", "attempts"]


@admin.register(OptOut)
class OptOutAdmin(ModelAdmin):
    """Numbers that get no texts. Staff may add one; only the phone itself, by START, comes back."""

    list_display = ["phone", "word", "at"]
    search_fields = ["phone"]
    fields = ["phone", "word"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class TemplateForm(forms.ModelForm):
    """A wording that names only what its kind of message knows, and fits into one text."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind, text in wording.KINDS.items() if text.en])

    class Meta:
        model = Template
        fields = ["kind", "language", "body"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind, body = cleaned.get("kind"), cleaned.get("body")
        if kind and body and (problem := wording.problem(kind, body)):
            self.add_error("body", problem)
        return cleaned


@admin.register(Template)
class TemplateAdmin(ModelAdmin):
    form = TemplateForm
    list_display = ["kind", "language", "body"]
    list_filter = ["kind", "language"]
    search_fields = ["kind", "body"]
