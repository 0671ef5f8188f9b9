"""What the front desk fills in for the diary; each form asks the services and shows their no."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from appointments import availability, services
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from eyecare.errors import Refusal
from patients.models import Account, Patient
from practice import services as practice

STAFF = Appointment.Channel.STAFF

CAME_EARLY = "Came early"
"""Stands in the history of a visit that was brought forward."""


class PhrasesField(forms.CharField):
    """A list of phrases, written with commas between them."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [phrase.strip() for phrase in super().clean(value).split(",") if phrase.strip()]


class VisitTypeForm(forms.ModelForm):
    also_called = PhrasesField(required=False, help_text="Patients' own words for it, with commas between.")

    class Meta:
        model = VisitType
        fields = ["also_called"]


class AppointmentForm(forms.ModelForm):
    """Books when it is new; moves when its time, provider or place has changed."""

    override_reason = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        label="Outside the rules because",
        help_text="Only to book outside the provider's hours; it stands in the history. "
        "Time that is taken stays taken.",
    )

    actor: Account
    """Who is at the desk; set by the admin."""

    class Meta:
        model = Appointment
        fields = ["patient", "visit_type", "provider", "location", "starts_at", "note"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors or not {"provider", "location", "starts_at"} & set(self.changed_data):
            return cleaned
        try:
            self.instance = self._book(cleaned) if self.instance._state.adding else self._move(cleaned)
        except Refusal as refusal:
            raise forms.ValidationError(_in_full(refusal)) from refusal
        return cleaned

    def _book(self, cleaned: dict[str, Any]) -> Appointment:
        return services.book(
            patient=cleaned["patient"],
            visit_type=cleaned["visit_type"],
            slot=_slot(cleaned["visit_type"], cleaned),
            channel=STAFF,
            actor=self.actor,
            note=cleaned["note"],
            override_reason=cleaned["override_reason"],
        )

    def _move(self, cleaned: dict[str, Any]) -> Appointment:
        moved = services.reschedule(
            appointment=self.instance,
            slot=_slot(self.instance.visit_type, cleaned),
            channel=STAFF,
            actor=self.actor,
            override_reason=cleaned["override_reason"],
        )
        moved.note = cleaned["note"]
        return moved


class BookingForm(forms.Form):
    """The day board's booking: the time is settled, who comes for what is asked."""

    at = forms.CharField(max_length=60)
    key = forms.UUIDField()
    patient = forms.ModelChoiceField(
        Patient.objects.active(), error_messages={"required": "Choose a patient from the list."}
    )
    visit_type = forms.ModelChoiceField(
        VisitType.objects.none(),
        empty_label=None,
        error_messages={"required": "Choose the kind of visit."},
    )
    note = forms.CharField(required=False, max_length=200)
    override_reason = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, when: Slot, **options: Any) -> None:
        super().__init__(*args, **options)
        self.when = when
        self._kinds = VisitType.objects.filter(providers=when.provider)
        cast(forms.ModelChoiceField, self.fields["visit_type"]).queryset = self._kinds

    @property
    def kinds(self) -> QuerySet[VisitType]:
        """Return what can be booked here."""
        return self._kinds

    @property
    def chosen(self) -> dict[str, Any]:
        """Return what is filled in and valid, also where the rest is not."""
        self.is_valid()
        return self.cleaned_data

    def slot(self) -> Slot:
        return services.slot_from_key(self.chosen["visit_type"], self.chosen["at"])

    def book(self, actor: Account) -> Appointment:
        """Raises what `services.book` raises."""
        return services.book(
            patient=self.chosen["patient"],
            visit_type=self.chosen["visit_type"],
            slot=self.slot(),
            channel=STAFF,
            actor=actor,
            note=self.chosen["note"],
            idempotency_key=str(self.chosen["key"]),
            override_reason=self.chosen["override_reason"],
        )


class MovingForm(forms.Form):
    """The day board's move, read back before it is written."""

    to = forms.CharField(max_length=60)
    key = forms.UUIDField()
    is_here = forms.BooleanField(required=False)
    override_reason = forms.CharField(required=False, max_length=200)

    def move(self, appointment: Appointment, actor: Account) -> Appointment:
        """Raises what `services.reschedule` raises."""
        slot = services.slot_from_key(appointment.visit_type, self.cleaned_data["to"])
        reason = self.cleaned_data["override_reason"]
        if self.cleaned_data["is_here"]:
            return services.bring_forward(
                appointment=appointment, slot=slot, actor=actor, reason=reason or CAME_EARLY
            )
        return services.reschedule(
            appointment=appointment,
            slot=slot,
            channel=STAFF,
            actor=actor,
            idempotency_key=str(self.cleaned_data["key"]),
            override_reason=reason,
        )


def objection(
    visit_type: VisitType, slot: Slot, patient: Patient, moving: Appointment | None = None
) -> Refusal | None:
    """Return what would refuse this, so that it is said before anybody presses the button."""
    return services.why_not(patient=patient, visit_type=visit_type, slot=slot, moving=moving, channel=STAFF)


def objection_to(form: BookingForm) -> Refusal | None:
    """Return what would refuse the booking as far as it is filled in."""
    patient, visit_type = form.chosen.get("patient"), form.chosen.get("visit_type")
    return objection(visit_type, form.slot(), patient) if patient and visit_type else None


class ReasonDialog(BaseDialogForm):
    reason = forms.CharField(label="Why", max_length=200, widget=UnfoldAdminTextInputWidget)


def asked(title: str, submit: str, form: type[BaseDialogForm] = BaseDialogForm) -> ActionDialog:
    """Return the dialog before a step: without one, unfold's buttons are links that write on GET."""
    return ActionDialog(title=title, description="", form_class=form, form_submit_text=submit)


def _slot(visit_type: VisitType, cleaned: dict[str, Any]) -> Slot:
    starts_at: datetime = cleaned["starts_at"]
    place = cleaned["provider"], cleaned["location"]
    return availability.slot(visit_type, *place, starts_at, practice.zone())


def _in_full(refusal: Refusal) -> str:
    if not refusal.alternatives:
        return refusal.sentence
    free = "; ".join(str(slot) for slot in refusal.alternatives)
    return f"{refusal.sentence} Free instead: {free}."
