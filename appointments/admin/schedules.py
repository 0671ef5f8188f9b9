"""The set-up of the diary: what can be booked, who works when, what is kept free, what patients may do."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import display

from appointments.desk import VisitTypeForm
from appointments.models import (
    DiarySettings,
    Resource,
    ResourceKind,
    ScheduleException,
    UrgentBlock,
    VisitType,
    WeeklyHours,
)
from practice.desk import Chooses, Kept


@admin.register(VisitType)
class VisitTypeAdmin(Kept):
    form = VisitTypeForm
    list_display = ["name", "minutes", "who_does_it", "machines", "intended_for", "is_online", "may_dilate"]
    list_filter = ["is_online", "is_urgent", "may_dilate", "intended_for", "providers", "locations"]
    search_fields = ["name", "slug", "description"]
    prepopulated_fields = {"slug": ["name"]}
    autocomplete_fields = ["providers", "locations", "needs"]
    fieldsets = [
        ("What it is", {"fields": [("name", "slug"), "also_called", "description"]}),
        ("Time", {"fields": ["minutes", ("buffer_before_minutes", "buffer_after_minutes")]}),
        ("Who and where", {"fields": ["providers", "locations", "needs"]}),
        (
            "Rules for patients",
            {
                "fields": [
                    ("is_online", "intended_for"),
                    ("minimum_notice_hours", "move_notice_hours", "cancel_notice_hours"),
                    ("horizon_days", "is_urgent"),
                ]
            },
        ),
        ("Before the visit", {"fields": ["may_dilate", "preparation"]}),
    ]

    readonly_fields = ["own_words"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("providers", "needs")

    def get_fieldsets(self, request: HttpRequest, obj: VisitType | None = None) -> Any:
        """Show patients' words as text to those who may only read them."""
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        return [
            ("What it is", {"fields": [("name", "slug"), "own_words", "description"]}),
            *self.fieldsets[1:],
        ]

    @display(description="Also called")
    def own_words(self, visit_type: VisitType) -> str:
        return ", ".join(visit_type.also_called)

    @display(description="Who does it")
    def who_does_it(self, visit_type: VisitType) -> str:
        return ", ".join(provider.name for provider in visit_type.providers.all()) or "nobody yet"

    @display(description="Needs")
    def machines(self, visit_type: VisitType) -> str:
        return ", ".join(kind.name for kind in visit_type.needs.all())


@admin.register(ResourceKind)
class ResourceKindAdmin(Kept):
    list_display = ["name", "owned"]
    search_fields = ["name"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("resources__location")

    @display(description="The practice has")
    def owned(self, kind: ResourceKind) -> str:
        return "; ".join(str(resource) for resource in kind.resources.all()) or "none yet"


@admin.register(Resource)
class ResourceAdmin(Kept):
    list_display = ["name", "kind", "location", "is_active"]
    list_filter = ["kind", "location", "is_active"]
    list_select_related = ["kind", "location"]
    search_fields = ["name", "kind__name"]
    autocomplete_fields = ["kind", "location"]
    fields = [("name", "is_active"), ("kind", "location")]


@admin.register(WeeklyHours)
class WeeklyHoursAdmin(Chooses, ModelAdmin):
    list_display = ["provider", "weekday", "starts_at", "ends_at", "location"]
    list_filter = ["provider", "location", "weekday"]
    list_select_related = ["provider", "location"]
    search_fields = ["provider__last_name", "provider__first_name"]
    autocomplete_fields = ["provider", "location"]
    fields = [("provider", "location"), "weekday", ("starts_at", "ends_at")]


@admin.register(ScheduleException)
class ScheduleExceptionAdmin(Chooses, ModelAdmin):
    list_display = ["date", "last_date", "kind", "whose", "location", "starts_at", "ends_at", "reason"]
    list_filter = ["kind", "provider", "location"]
    list_select_related = ["provider", "location"]
    search_fields = ["reason", "provider__last_name"]
    autocomplete_fields = ["provider", "location"]
    date_hierarchy = "date"
    fields = ["kind", ("date", "last_date"), ("starts_at", "ends_at"), ("provider", "location"), "reason"]

    @display(description="Who", ordering="provider__last_name")
    def whose(self, change: ScheduleException) -> str:
        return str(change.provider or "everyone")


@admin.register(UrgentBlock)
class UrgentBlockAdmin(Chooses, ModelAdmin):
    list_display = ["provider", "weekday", "starts_at", "ends_at", "location", "given_free"]
    list_filter = ["provider", "location", "weekday"]
    list_select_related = ["provider", "location"]
    search_fields = ["provider__last_name", "provider__first_name"]
    autocomplete_fields = ["provider", "location"]
    fields = [("provider", "location"), "weekday", ("starts_at", "ends_at"), "released_hours_before"]

    @display(description="Given free", ordering="released_hours_before")
    def given_free(self, block: UrgentBlock) -> str:
        hours = block.released_hours_before
        return f"{hours} hours before" if hours else "never"


@admin.register(DiarySettings)
class DiarySettingsAdmin(Kept):
    """The one row of settings: its list is the form, and what is not there yet is made by it."""

    fieldsets = [
        ("How much patients may book", {"fields": ["most_open_visits", "most_no_shows", "no_show_months"]}),
        ("How long a time is held for an answer", {"fields": [("web_hold_minutes", "sms_hold_minutes")]}),
        ("Times that come free", {"fields": [("offers_at_once", "offer_minutes")]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not DiarySettings.objects.exists()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Open the row itself; before there is one, the form that makes it."""
        row = DiarySettings.objects.first()
        if row is None and self.has_add_permission(request):
            return HttpResponseRedirect(reverse("admin:appointments_diarysettings_add"))
        if row is None or not self.has_view_or_change_permission(request):
            return super().changelist_view(request, extra_context)
        return HttpResponseRedirect(reverse("admin:appointments_diarysettings_change", args=[row.pk]))
