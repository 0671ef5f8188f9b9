"""What the booking pages read from a patient."""

import uuid

from django import forms

from appointments.models import VisitType
from appointments.offer import Search
from practice.models import Location, Provider

PARTS = (("", "Any time"), ("morning", "Mornings"), ("afternoon", "Afternoons"))


class SearchForm(forms.Form):
    """Narrows the free times of one kind of visit; all of it may stay empty."""

    start = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    part = forms.ChoiceField(label="Time of day", choices=PARTS, required=False)
    provider = forms.ModelChoiceField(
        Provider.objects.none(), label="With", required=False, empty_label="Anyone"
    )
    location = forms.ModelChoiceField(
        Location.objects.none(), label="Where", required=False, empty_label="Any location"
    )

    def __init__(self, *args: object, visit_type: VisitType, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["provider"].queryset = visit_type.providers.active()  # type: ignore[attr-defined]
        self.fields["location"].queryset = Location.objects.filter(is_active=True)  # type: ignore[attr-defined]

    @property
    def search(self) -> Search:
        """Return what could be read; a field that could not counts as empty."""
        self.is_valid()
        return Search(**self.cleaned_data)


class BookForm(forms.Form):
    """The last step: a word to the front desk, and the key that makes a double press one booking."""

    note = forms.CharField(
        label="Anything we should know?",
        help_text="Optional. For example: a sore left eye, or a wheelchair.",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class KeyForm(forms.Form):
    """Only the key that makes a double press one change."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class CancelForm(forms.Form):
    reason = forms.CharField(label="May we ask why?", help_text="Optional.", required=False, max_length=200)
