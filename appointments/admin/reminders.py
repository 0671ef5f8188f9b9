"""The front desk's view of reminders: by what rule they go out, and what became of each."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import localtime
from unfold.decorators import display

from appointments import reminders
from appointments.models import Reminder, ReminderRule
from messaging.models import Message
from practice.desk import Kept, ReadOnly, RecordsReads


@admin.register(ReminderRule)
class ReminderRuleAdmin(Kept):
    """A change counts at once: the visits that are booked follow it too."""

    list_display = ["__str__", "channels", "for_whom", "is_active"]
    list_filter = ["is_active", "channels"]
    list_select_related = ["visit_type"]
    search_fields = ["visit_type__name"]
    autocomplete_fields = ["visit_type"]
    fields = [("lead", "unit"), "at_time", "channels", "visit_type", "is_active"]

    @display(description="Visits", ordering="visit_type__name")
    def for_whom(self, rule: ReminderRule) -> str:
        return str(rule.visit_type or "all")

    def save_model(
        self, request: HttpRequest, obj: ReminderRule, form: forms.ModelForm, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        reminders.plan_again()
        if obj.at_time and (until := reminders.quiet_until(obj.at_time)):
            messages.warning(request, f"That is in the quiet hours: texts wait until {until:%-I:%M %p}.")


class ReachedFilter(admin.SimpleListFilter):
    """The desk's list of calls: patients who are expected and have not been reached."""

    title = "reached"
    parameter_name = "reached"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Not reached, visit to come: call them")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reminder]) -> QuerySet[Reminder]:
        return queryset & Reminder.objects.unreached() if self.value() == "no" else queryset


@admin.register(Reminder)
class ReminderAdmin(RecordsReads, ReadOnly):
    """Every reminder, with what became of its message and why."""

    list_display = ["due", "patient", "visit", "rule", "standing", "explanation"]
    list_filter = [ReachedFilter, "state", "message__channel", "message__state", "rule"]
    list_select_related = ["appointment__patient", "rule__visit_type", "message"]
    search_fields = [
        "appointment__patient__last_name",
        "appointment__patient__first_name",
        "appointment__patient__number",
    ]
    date_hierarchy = "due_at"
    fields = readonly_fields = [
        "patient",
        "appointment",
        "visit",
        "rule",
        "due",
        "state",
        "explanation",
        "message",
    ]

    @display(description="Due", ordering="due_at")
    def due(self, reminder: Reminder) -> str:
        return f"{localtime(reminder.due_at):%a, %b %-d, %-I:%M %p}"

    @display(description="Patient", ordering="appointment__patient__last_name")
    def patient(self, reminder: Reminder) -> str:
        return str(reminder.appointment.patient)

    @display(description="Visit", ordering="starts_at")
    def visit(self, reminder: Reminder) -> str:
        return f"{localtime(reminder.starts_at):%a, %b %-d, %-I:%M %p}"

    @display(
        description="What became of it",
        ordering="state",
        label={
            Reminder.State.WAITING: "info",
            Reminder.State.DROPPED: "warning",
            Message.State.QUEUED: "info",
            Message.State.SENDING: "info",
            Message.State.SENT: "success",
            Message.State.DELIVERED: "success",
            Message.State.FAILED: "danger",
            Message.State.UNKNOWN: "danger",
        },
    )
    def standing(self, reminder: Reminder) -> tuple[str, str]:
        """Say what became of the message once there is one: a reminder is only as good as that."""
        if reminder.message is None or reminder.state == Reminder.State.DROPPED:
            return reminder.state, reminder.get_state_display()
        message = reminder.message
        return message.state, f"{message.get_channel_display()}: {message.get_state_display()}"
