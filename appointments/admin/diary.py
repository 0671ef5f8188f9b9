"""The front desk's diary."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from appointments import services
from appointments.admin.board import BoardPages
from appointments.admin.look import row_of
from appointments.admin.steps import STEPS
from appointments.desk import STAFF, AppointmentForm, ReasonDialog, asked
from appointments.models import Appointment, AppointmentEvent, Reminder
from appointments.rules import CHANGEABLE
from eyecare import clock
from patients.models import Account
from practice.desk import History, Kept, RecordsReads, attempt

State = Appointment.State


class DayFilter(admin.SimpleListFilter):
    title = "day"
    parameter_name = "day"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("today", "Today"), ("tomorrow", "Tomorrow"), ("week", "The next seven days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Appointment]) -> QuerySet[Appointment]:
        first, count = {"today": (0, 1), "tomorrow": (1, 1), "week": (0, 7)}.get(self.value() or "", (0, 0))
        if not count:
            return queryset
        start = clock.today() + timedelta(days=first)
        return queryset.filter(starts_at__date__gte=start, starts_at__date__lt=start + timedelta(days=count))


class HoldFilter(admin.SimpleListFilter):
    """Times that are only held are no visits: the list leaves them out until it is asked for them."""

    title = "holds"
    parameter_name = "holds"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "Held now"), ("all", "Held and given back too")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Appointment]) -> QuerySet[Appointment]:
        if self.value() == "now":
            return queryset.filter(state=State.HELD, held_until__gt=clock.now())
        return queryset if self.value() == "all" else queryset.exclude(state__in=Appointment.HOLDS)


class EventInline(History):
    model = AppointmentEvent
    verbose_name_plural = "history"
    fields = readonly_fields = ["at", "from_state", "to_state", "actor", "channel", "reason", "is_override"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AppointmentEvent]:
        return super().get_queryset(request).select_related("actor")


class ReminderInline(History):
    model = Reminder
    fields = readonly_fields = ["due_at", "rule", "state", "message"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reminder]:
        return super().get_queryset(request).select_related("rule", "message")


@admin.register(Appointment)
class AppointmentAdmin(BoardPages, RecordsReads, Kept):
    """Booked, moved and cancelled here by the same rules as everywhere; nothing is deleted."""

    form = AppointmentForm
    list_display = ["when", "patient", "visit_type", "provider", "location", "standing", "channel"]
    list_display_links = ["when", "patient"]
    list_filter = [DayFilter, HoldFilter, "state", "provider", "location", "visit_type", "channel"]
    list_select_related = ["patient", "visit_type", "provider", "location"]
    search_fields = [
        "patient__last_name",
        "patient__first_name",
        "patient__number",
        "patient__phone",
        "visit_type__name",
        "note",
    ]
    autocomplete_fields = ["patient", "visit_type", "provider", "location"]
    date_hierarchy = "starts_at"
    fields = [("patient", "visit_type"), ("provider", "location"), "starts_at", "note", "override_reason"]
    written_fields = [("state", "channel"), ("ends_at", "created_at"), "moved_from"]
    inlines = [EventInline, ReminderInline]
    actions = ["check_in_all", "complete_all", "no_show_all"]
    actions_list = ["open_board"]
    actions_detail = ["check_in", "start_exam", "complete", "confirm", "no_show", "cancel", "show_on_board"]

    def get_fields(self, request: HttpRequest, obj: Appointment | None = None) -> list[Any]:
        if obj is None:
            return self.fields
        settled = ["override_reason"] if obj.state not in CHANGEABLE else []
        return [*(name for name in self.fields if name not in settled), *self.written_fields]

    def get_inlines(self, request: HttpRequest, obj: Appointment | None) -> list[Any]:
        return self.inlines if obj else []

    def get_readonly_fields(self, request: HttpRequest, obj: Appointment | None = None) -> list[str]:
        """Who comes for what is settled once it is booked; when it is over, only the note is open."""
        shown = ["state", "ends_at", "channel", "created_at", "moved_from"]
        if obj is None:
            return shown
        is_open = obj.state in CHANGEABLE
        return [*shown, "patient", "visit_type", *([] if is_open else ["provider", "location", "starts_at"])]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer the steps that this visit can take now; the services would refuse the others anyway."""
        visit = row_of(Appointment, str(object_id), "visit_type", "provider", "location")
        closed = {name for name, step in STEPS.items() if visit and not step.is_open_to(visit)}
        offered = super().get_actions_detail(request, object_id)
        return [action for action in offered if action.path not in closed]

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """A day to come reads from morning to evening, the whole diary from the newest back."""
        return ["starts_at"] if DayFilter.parameter_name in request.GET else ["-starts_at"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill in what a link says, ?patient=…&visit_type=…&starts_at=…; what makes no sense is left out."""
        fields = self.get_form(request).base_fields
        found = {}
        for name, said in request.GET.items():
            with suppress(forms.ValidationError, ValueError, OverflowError):
                if name == "starts_at":
                    found[name] = forms.DateTimeField().clean(said)
                elif name in fields:
                    found[name] = fields[name].clean(said)
        return found

    def get_form(
        self, request: HttpRequest, obj: Appointment | None = None, **options: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, **options)
        form.actor = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Appointment, form: forms.ModelForm, change: bool) -> None:
        """Keep the note; the form has booked or moved through the services already."""
        Appointment.objects.filter(pk=obj.pk).update(note=obj.note)

    @display(description="When", ordering="starts_at")
    def when(self, appointment: Appointment) -> str:
        return f"{services.slot_of(appointment):%a, %b %-d, %Y, %-I:%M %p}"

    @display(
        description="State",
        ordering="state",
        label={
            State.BOOKED: "info",
            State.CONFIRMED: "success",
            State.ARRIVED: "warning",
            State.IN_EXAM: "warning",
            State.NO_SHOW: "danger",
        },
    )
    def standing(self, appointment: Appointment) -> tuple[str, str]:
        return appointment.state, appointment.get_state_display()

    @action(
        description="Check in",
        icon="how_to_reg",
        variant=ActionVariant.PRIMARY,
        permissions=["step"],
        dialog=asked("The patient is here?", "Check in"),
    )
    def check_in(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._step(request, object_id, services.check_in)

    @action(
        description="Start the exam",
        icon="visibility",
        permissions=["step"],
        dialog=asked("The patient is with the provider?", "Start the exam"),
    )
    def start_exam(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._step(request, object_id, services.start_exam)

    @action(
        description="Done",
        icon="task_alt",
        permissions=["step"],
        dialog=asked("The visit has taken place?", "Done"),
    )
    def complete(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._step(request, object_id, services.complete)

    @action(
        description="Confirm",
        icon="thumb_up",
        permissions=["step"],
        dialog=asked("The patient says that they will come?", "Confirm"),
    )
    def confirm(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._step(request, object_id, services.confirm, channel=STAFF)

    @action(
        description="Did not come",
        icon="person_off",
        permissions=["step"],
        dialog=asked("The patient did not come?", "Did not come"),
    )
    def no_show(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._step(request, object_id, services.mark_no_show)

    @action(
        description="Cancel",
        icon="event_busy",
        variant=ActionVariant.DANGER,
        permissions=["step"],
        dialog=asked("Is this visit off?", "Yes, it is off", ReasonDialog),
    )
    def cancel(self, request: HttpRequest, form: ReasonDialog, object_id: str) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        return self._step(request, object_id, services.cancel, channel=STAFF, reason=reason)

    @action(description="Check in", permissions=["step"])
    def check_in_all(self, request: HttpRequest, queryset: QuerySet[Appointment]) -> None:
        self._step_all(request, queryset, services.check_in)

    @action(description="Done", permissions=["step"])
    def complete_all(self, request: HttpRequest, queryset: QuerySet[Appointment]) -> None:
        self._step_all(request, queryset, services.complete)

    @action(description="Did not come", permissions=["step"])
    def no_show_all(self, request: HttpRequest, queryset: QuerySet[Appointment]) -> None:
        self._step_all(request, queryset, services.mark_no_show)

    @action(description="Day board", icon="view_day", variant=ActionVariant.PRIMARY, permissions=["board"])
    def open_board(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:appointments_appointment_board"))

    @action(description="On the day board", icon="view_day", permissions=["board"])
    def show_on_board(self, request: HttpRequest, object_id: str) -> HttpResponse:
        appointment = get_object_or_404(Appointment, pk=object_id)
        day = services.slot_of(appointment).starts_at.date()
        board = reverse("admin:appointments_appointment_board")
        return HttpResponseRedirect(f"{board}?day={day}#visit-{appointment.pk}")

    def has_board_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may see the day board."""
        return request.user.has_perm("appointments.view_appointment")

    def has_step_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Say whether somebody may take appointments through their day."""
        return request.user.has_perm("appointments.change_appointment")

    def _step(
        self, request: HttpRequest, object_id: str, verb: Callable[..., Appointment], **given: str
    ) -> HttpResponse:
        appointment = get_object_or_404(Appointment.objects.with_details(), pk=object_id)
        self._take(request, appointment, verb, **given)
        return _back_to(request, appointment)

    def _step_all(
        self, request: HttpRequest, queryset: QuerySet[Appointment], verb: Callable[..., Appointment]
    ) -> None:
        for appointment in queryset.select_related("patient"):
            self._take(request, appointment, verb)

    def _take(
        self, request: HttpRequest, appointment: Appointment, verb: Callable[..., Appointment], **given: str
    ) -> None:
        actor = cast(Account, request.user)
        attempt(
            request,
            lambda: verb(appointment=appointment, actor=actor, **given),
            f"{appointment.patient}: the change is noted.",
        )


def _back_to(request: HttpRequest, appointment: Appointment) -> HttpResponse:
    page = reverse("admin:appointments_appointment_change", args=[appointment.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)
