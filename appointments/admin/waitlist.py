"""The front desk's waitlist: who waits for what, which times came free, and who was asked about them."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldBooleanSwitchWidget

from appointments import waitlist
from appointments.desk import STAFF, asked
from appointments.models import Appointment, Opening, VisitType, WaitlistEntry, WaitlistOffer
from eyecare import clock
from eyecare.errors import Invalid, NotFound, Refusal
from patients.models import Account, Patient
from practice import services as practice
from practice.desk import History, Kept, ReadOnly, RecordsReads, attempt
from practice.models import Weekday

OPENING_COLORS = {
    Opening.State.NEW: "info",
    Opening.State.OFFERED: "warning",
    Opening.State.TAKEN: "success",
    Opening.State.CLOSED: "primary",
}
OVER = "over"
ENTRY_COLORS = {
    WaitlistEntry.State.WAITING: "warning",
    WaitlistEntry.State.BOOKED: "success",
    WaitlistEntry.State.WITHDRAWN: "primary",
    OVER: "info",
}


class WaitsFilter(admin.SimpleListFilter):
    title = "waits"
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "Still waits"), ("over", "The last day is over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WaitlistEntry]) -> QuerySet[WaitlistEntry]:
        match self.value():
            case "now":
                return queryset & WaitlistEntry.objects.waiting()
            case "over":
                return queryset.filter(state=WaitlistEntry.State.WAITING, last_day__lt=clock.today())
        return queryset


class WishForm(forms.ModelForm):
    """Puts a patient on the waitlist, or changes what they wait for."""

    weekdays = forms.TypedMultipleChoiceField(
        coerce=int,
        choices=Weekday.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None: any day.",
    )
    earlier_only = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Only times before the visit of this kind that they have; a yes moves it.",
    )

    actor: Account
    """Who is at the desk; set by the admin."""

    class Meta:
        model = WaitlistEntry
        fields = [
            "patient",
            "visit_type",
            "provider",
            "location",
            "first_day",
            "last_day",
            "weekdays",
            "from_time",
            "until_time",
            "note",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_day"].required = False
        self.fields["first_day"].help_text = "Empty: from today on."
        self.fields["earlier_only"].initial = self.instance.moving_id is not None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            self.instance = self._join(**cleaned)
        except Refusal as refusal:
            raise forms.ValidationError(refusal.sentence) from refusal
        return {**cleaned, "first_day": self.instance.first_day, "last_day": self.instance.last_day}

    def _join(
        self,
        *,
        earlier_only: bool,
        patient: Patient | None = None,
        visit_type: VisitType | None = None,
        **wish: Any,
    ) -> WaitlistEntry:
        patient, visit_type = patient or self.instance.patient, visit_type or self.instance.visit_type
        return waitlist.join(
            patient=patient,
            visit_type=visit_type,
            moving=self._visit(patient, visit_type) if earlier_only else None,
            channel=STAFF,
            actor=self.actor,
            **wish,
        )

    def _visit(self, patient: Patient, visit_type: VisitType) -> Appointment:
        """Return the visit that would move: the one waited with so far, else the next of its kind."""
        if self.instance.moving_id and (standing := waitlist.visit_that_moves(self.instance)):
            return standing
        upcoming = Appointment.objects.for_patient(patient).upcoming().filter(visit_type=visit_type)
        if visit := upcoming.with_details().first():
            return visit
        raise Invalid(f"{patient} has no visit of this kind that could be earlier.")


class OfferInline(History):
    model = WaitlistOffer
    verbose_name_plural = "offers"

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitlistOffer]:
        rows = super().get_queryset(request)
        return rows.select_related("entry__patient", "opening__provider", "opening__location", "message")

    @display(description="Time")
    def time(self, offer: WaitlistOffer) -> str:
        return f"{_local(offer.starts_at):%a, %b %-d, %-I:%M %p}"

    @display(description="Provider")
    def provider(self, offer: WaitlistOffer) -> str:
        return str(offer.opening.provider)

    @display(description="Patient")
    def patient(self, offer: WaitlistOffer) -> str:
        return str(offer.entry.patient)


class OffersToPatient(OfferInline):
    fields = readonly_fields = [
        "time",
        "provider",
        "offered_at",
        "answer_until",
        "state",
        "answered_at",
        "message",
    ]


class OffersOfOpening(OfferInline):
    fields = readonly_fields = [
        "patient",
        "time",
        "offered_at",
        "answer_until",
        "state",
        "answered_at",
        "message",
    ]


@admin.register(WaitlistEntry)
class WaitlistEntryAdmin(RecordsReads, Kept):
    """Wishes are written by the same rules as on the portal; who no longer waits is only read."""

    form = WishForm
    list_display = ["patient", "visit_type", "wish", "waits_since", "times_asked", "standing", "channel"]
    list_filter = [WaitsFilter, "state", "visit_type", "provider", "location", "channel"]
    search_fields = ["patient__last_name", "patient__first_name", "patient__number", "patient__phone", "note"]
    autocomplete_fields = ["patient", "visit_type", "provider", "location"]
    date_hierarchy = "created_at"
    fields = [
        ("patient", "visit_type"),
        ("provider", "location"),
        ("first_day", "last_day"),
        "weekdays",
        ("from_time", "until_time"),
        "earlier_only",
        "note",
    ]
    inlines = [OffersToPatient]
    actions = ["withdraw_all"]
    actions_detail = ["accept", "withdraw"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitlistEntry]:
        rows = super().get_queryset(request).select_related("patient", "visit_type", "provider", "location")
        return rows.annotate(offered=Count("offers"))

    def get_fields(self, request: HttpRequest, obj: WaitlistEntry | None = None) -> list[Any]:
        if obj is None:
            return self.fields
        is_open = self.has_change_permission(request, obj)
        return [*(field for field in self.fields if is_open or field != "earlier_only"), "reached"]

    def get_readonly_fields(self, request: HttpRequest, obj: WaitlistEntry | None = None) -> list[str]:
        """Who waits for what is settled; another kind of visit is another wish."""
        return ["patient", "visit_type", "reached"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: WaitlistEntry | None) -> list[Any]:
        return self.inlines if obj else []

    def has_change_permission(self, request: HttpRequest, obj: WaitlistEntry | None = None) -> bool:
        is_over = obj is not None and obj.state != WaitlistEntry.State.WAITING
        return super().has_change_permission(request, obj) and not is_over

    def has_withdraw_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("appointments.change_waitlistentry")

    def get_form(
        self, request: HttpRequest, obj: WaitlistEntry | None = None, **options: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, **options)
        form.actor = request.user
        return form

    def save_model(
        self, request: HttpRequest, obj: WaitlistEntry, form: forms.ModelForm, change: bool
    ) -> None:
        """Write nothing: the form has joined through the services already."""

    @display(description="When, with whom")
    def wish(self, entry: WaitlistEntry) -> str:
        words = waitlist.words_of(entry)
        return f"earlier than now: {words}" if entry.moving_id else words

    @display(description="Waits since", ordering="created_at")
    def waits_since(self, entry: WaitlistEntry) -> str:
        return f"{_local(entry.created_at):%b %-d, %Y}"

    @display(description="Asked", ordering="offered")
    def times_asked(self, entry: WaitlistEntry) -> int:
        return entry.offered  # type: ignore[attr-defined]

    @display(description="State", ordering="state", label=ENTRY_COLORS)
    def standing(self, entry: WaitlistEntry) -> tuple[str, str]:
        is_over = entry.last_day is not None and entry.last_day < clock.today()
        if is_over and entry.state == WaitlistEntry.State.WAITING:
            return OVER, "the last day is over"
        return entry.state, entry.get_state_display()

    @display(description="How we reach them")
    def reached(self, entry: WaitlistEntry) -> str:
        return waitlist.obstacle(entry.patient) or "by text or e-mail"

    @action(
        description="Take the offered time",
        icon="event_available",
        variant=ActionVariant.PRIMARY,
        permissions=["withdraw"],
        dialog=asked("The patient says yes to the time that is offered?", "Book it"),
    )
    def accept(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        entry = get_object_or_404(WaitlistEntry.objects.with_details(), pk=object_id)
        attempt(
            request,
            lambda: _accept(entry, cast(Account, request.user)),
            f"{entry.patient} has the time that was offered.",
        )
        return _back_to(request, entry)

    @action(
        description="Take off the waitlist",
        icon="playlist_remove",
        variant=ActionVariant.DANGER,
        permissions=["withdraw"],
        dialog=asked("The patient no longer waits?", "Take off the waitlist"),
    )
    def withdraw(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        entry = get_object_or_404(WaitlistEntry.objects.with_details(), pk=object_id)
        self._withdraw(request, entry)
        return _back_to(request, entry)

    @action(description="Take off the waitlist", permissions=["withdraw"])
    def withdraw_all(self, request: HttpRequest, queryset: QuerySet[WaitlistEntry]) -> None:
        for entry in queryset:
            self._withdraw(request, entry)

    def _withdraw(self, request: HttpRequest, entry: WaitlistEntry) -> None:
        actor = cast(Account, request.user)
        attempt(
            request,
            lambda: waitlist.withdraw(entry=entry, channel=STAFF, actor=actor),
            f"{entry.patient} no longer waits for: {entry.visit_type}.",
        )


@admin.register(Opening)
class OpeningAdmin(ReadOnly):
    """Times that came free, and how each went through the waitlist; written by the waitlist alone."""

    list_display = ["when", "provider", "location", "standing", "round", "times_asked", "created_at"]
    list_filter = ["state", "provider", "location"]
    search_fields = ["provider__last_name", "offers__entry__patient__last_name"]
    date_hierarchy = "busy_from"
    fields = ["when", ("provider", "location"), ("state", "round"), ("freed_by", "hold"), "created_at"]
    readonly_fields = ["when"]
    inlines = [OffersOfOpening]
    actions = ["ask_more"]
    actions_detail = ["ask"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Opening]:
        rows = super().get_queryset(request).select_related("provider", "location")
        return rows.annotate(offered=Count("offers"))

    def has_ask_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("appointments.change_opening")

    @display(description="When", ordering="busy_from")
    def when(self, opening: Opening) -> str:
        start, end = _local(opening.busy_from), _local(opening.busy_until)
        return f"{start:%a, %b %-d, %Y, %-I:%M %p} to {end:%-I:%M %p}"

    @display(description="State", ordering="state", label=OPENING_COLORS)
    def standing(self, opening: Opening) -> tuple[str, str]:
        return opening.state, opening.get_state_display()

    @display(description="Asked", ordering="offered")
    def times_asked(self, opening: Opening) -> int:
        return opening.offered  # type: ignore[attr-defined]

    @action(
        description="Offer it again",
        icon="campaign",
        variant=ActionVariant.PRIMARY,
        permissions=["ask"],
        dialog=asked("Ask those on the waitlist who have not been asked about this time?", "Offer it again"),
    )
    def ask(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        opening = get_object_or_404(Opening.objects.select_related("provider"), pk=object_id)
        self._ask(request, opening)
        return _back_to(request, opening)

    @action(description="Offer again to those not asked yet", permissions=["ask"])
    def ask_more(self, request: HttpRequest, queryset: QuerySet[Opening]) -> None:
        for opening in queryset:
            self._ask(request, opening)

    def _ask(self, request: HttpRequest, opening: Opening) -> None:
        attempt(
            request,
            lambda: waitlist.offer_again(opening=opening),
            f"{self.when(opening)}: it goes through the waitlist again.",
        )


def _accept(entry: WaitlistEntry, actor: Account) -> Appointment:
    offer = waitlist.offers_for(entry.patient).filter(entry=entry).first()
    if offer is None:
        raise NotFound(f"{entry.patient} is not being offered a time at the moment.")
    return waitlist.accept(offer=offer, channel=STAFF, actor=actor)


def _local(moment: datetime) -> datetime:
    return moment.astimezone(practice.zone())


def _back_to(request: HttpRequest, row: WaitlistEntry | Opening) -> HttpResponse:
    page = reverse(f"admin:appointments_{row._meta.model_name}_change", args=[row.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)
