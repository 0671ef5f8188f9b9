"""What the booking pages read from a patient."""

import uuid
from datetime import date, time
from typing import Any

from django import forms
from django.http import QueryDict

from appointments.models import Appointment, VisitType
from appointments.offer import Search
from eyecare import clock
from practice.models import Location, Provider, Weekday

NOON = time(12)
PARTS = (("", "Any time"), ("morning", "Mornings"), ("afternoon", "Afternoons"))
HOURS_OF = {"": (None, None), "morning": (None, NOON), "afternoon": (NOON, None)}
"""Not before, and to begin before."""


class SearchForm(forms.Form):
    """Narrows the free times of one kind of visit; all of it may stay empty."""

    start = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    part = forms.ChoiceField(label="Time of day", choices=PARTS, required=False)
    provider = forms.ModelChoiceField(
        Provider.objects.none(), label="With", required=False, empty_label="Anyone"
    )
    location = forms.ModelChoiceField(
        Location.objects.none(), label="Where", required=False, empty_label="Anywhere"
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


class KeyForm(forms.Form):
    """Only the key that makes a double press one change."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class BookForm(KeyForm):
    """The last step: a word to the front desk, and the key."""

    note = forms.CharField(
        label="Anything we should know?",
        help_text="Optional. For example: a sore left eye, or a wheelchair.",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class CancelForm(forms.Form):
    reason = forms.CharField(label="May we ask why?", help_text="Optional.", required=False, max_length=200)


class WishForm(forms.Form):
    """When a time would suit that is not free yet; all of it may stay empty but the first day."""

    first_day = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last_day = forms.DateField(
        label="Until",
        required=False,
        help_text="Optional. Empty: we keep looking.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label="On these days",
        choices=Weekday.choices,
        coerce=int,
        required=False,
        help_text="Tick none if any day suits you.",
        widget=forms.CheckboxSelectMultiple(attrs={"class": "ticks"}),
    )
    part = forms.ChoiceField(label="Time of day", choices=PARTS, required=False)
    provider = forms.ModelChoiceField(
        Provider.objects.none(), label="With", required=False, empty_label="Anyone"
    )
    location = forms.ModelChoiceField(
        Location.objects.none(), label="Where", required=False, empty_label="Anywhere"
    )

    def __init__(
        self, *args: Any, visit_type: VisitType, moving: Appointment | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.moving = moving
        self.fields["provider"].queryset = visit_type.providers.active()  # type: ignore[attr-defined]
        self.fields["location"].queryset = Location.objects.filter(is_active=True)  # type: ignore[attr-defined]

    @staticmethod
    def read_from(search: QueryDict) -> dict[str, Any]:
        """Return what the search that found nothing says already; what it cannot say counts as empty."""
        try:
            start = date.fromisoformat(search.get("start", ""))
        except ValueError:
            start = clock.today()
        known = {name: search.get(name, "") for name in ("part", "provider", "location")}
        return known | {"first_day": max(start, clock.today())}

    def clean_first_day(self) -> date:
        """Let a day that is over begin today: the page may have been open over night."""
        return max(self.cleaned_data["first_day"], clock.today())

    def clean(self) -> dict[str, Any]:
        wish = super().clean() or self.cleaned_data
        first_day, last_day = wish.get("first_day"), wish.get("last_day")
        if first_day and last_day and last_day < first_day:
            self.add_error("last_day", "This day lies before the first.")
        return wish

    @property
    def wish(self) -> dict[str, Any]:
        """Return the wish as the waitlist reads it."""
        said = dict(self.cleaned_data)
        from_time, until_time = HOURS_OF[said.pop("part")]
        return said | {"from_time": from_time, "until_time": until_time}
