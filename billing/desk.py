"""What the staff fill in and press in admin, and how it is carried out."""

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from billing import money, services
from billing.models import LedgerEntry, Payer
from eyecare import clock
from patients.models import Patient
from practice.desk import attempt

CREDITS = [(kind, label) for kind, label in LedgerEntry.Kind.choices if kind in services.CREDIT_KINDS]


class DollarsField(forms.CharField):
    """An amount as people write it; its cleaned value is in cents."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, *, help_text: str = "For example 12.50", **options: Any) -> None:
        super().__init__(max_length=20, help_text=help_text, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return money.cents(text)
        except ValueError as problem:
            raise forms.ValidationError("Write an amount such as 12.50.") from problem


class AmountDialog(BaseDialogForm):
    """An amount with what it is for. `key` makes a second press of the same button post nothing."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    amount_cents = DollarsField(label="Amount")
    description = forms.CharField(label="What for", max_length=160, widget=UnfoldAdminTextInputWidget)


class ServiceDialog(AmountDialog):
    """An amount for somebody in the payer's household."""

    patient = forms.ModelChoiceField(
        Patient.objects.none(), label="For", empty_label=None, widget=UnfoldAdminSelectWidget
    )
    service_on = forms.DateField(
        label="Day of service", initial=clock.today, widget=UnfoldAdminSingleDateWidget
    )
    field_order = ["patient", "amount_cents", "description", "service_on"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        household = Payer.objects.household_of(self.object_id)
        self.fields["patient"].queryset = household


class CreditDialog(ServiceDialog):
    kind = forms.ChoiceField(label="Kind", choices=CREDITS, widget=UnfoldAdminSelectWidget)


class PaymentDialog(AmountDialog):
    description = forms.CharField(
        label="How", initial="Paid at the desk, thank you", max_length=160, widget=UnfoldAdminTextInputWidget
    )


class ReasonDialog(BaseDialogForm):
    reason = forms.CharField(max_length=140, widget=UnfoldAdminTextInputWidget)


class RunForm(forms.Form):
    """The day and the smallest balance of a statement run."""

    as_of = forms.DateField(label="As of", widget=UnfoldAdminSingleDateWidget)
    minimum_cents = DollarsField(label="Smallest balance", help_text="Smaller balances get no statement.")


def carry_out(request: HttpRequest, act: Callable[[], object], *, success: str, back: str) -> HttpResponse:
    """Do something for a member of staff, tell how it went, and go back to a page."""
    attempt(request, act, success)
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": back})
    return HttpResponseRedirect(back)
