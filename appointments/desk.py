"""What the front desk fills in for the diary; each form asks the services and shows their no."""

from datetime import datetime
from typing import Any

from django import forms
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from appointments import availability, services
from appointments.availability import Slot
from appointments.models import Appointment, VisitType
from eyecare.errors import Refusal
from patients.models import Account
from practice import services as practice

STAFF = Appointment.Channel.STAFF


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
