"""The front desk's view of reminders: by what rule they go out, and what became of each."""

from django.contrib import admin
from unfold.decorators import display

from appointments.models import Reminder, ReminderRule
from practice.desk import Kept, ReadOnly


@admin.register(ReminderRule)
class ReminderRuleAdmin(Kept):
    list_display = ["__str__", "channels", "visit_type", "is_active"]
    list_filter = ["is_active"]
    list_select_related = ["visit_type"]
    search_fields = ["visit_type__name"]
    autocomplete_fields = ["visit_type"]


@admin.register(Reminder)
class ReminderAdmin(ReadOnly):
    list_display = ["due_at", "patient", "starts_at", "rule", "state", "message"]
    list_filter = ["state", "rule"]
    list_select_related = ["appointment__patient", "rule__visit_type", "message"]
    search_fields = ["appointment__patient__last_name", "appointment__patient__number"]
    date_hierarchy = "due_at"

    @display(description="Patient", ordering="appointment__patient__last_name")
    def patient(self, reminder: Reminder) -> str:
        return str(reminder.appointment.patient)
