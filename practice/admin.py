"""The practice's set-up, and the record of who did what."""

from functools import cache

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import CharField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from practice.desk import Kept, ReadOnly
from practice.models import AuditEvent, Location, Notice, OpeningHours, Practice, Provider


@admin.register(Practice)
class PracticeAdmin(Kept):
    list_display = ["name", "phone", "email", "time_zone", "quiet_from", "quiet_until"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Practice.objects.exists()


class OpeningHoursInline(TabularInline):
    model = OpeningHours
    extra = 0


@admin.register(Location)
class LocationAdmin(Kept):
    list_display = ["name", "address", "phone", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name", "address"]
    inlines = [OpeningHoursInline]


@admin.register(Provider)
class ProviderAdmin(Kept):
    list_display = ["name", "credentials", "places", "is_active"]
    list_filter = ["is_active", "locations"]
    search_fields = ["first_name", "last_name"]
    autocomplete_fields = ["account", "locations"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).prefetch_related("locations")

    @display(description="Locations")
    def places(self, provider: Provider) -> str:
        return ", ".join(location.name for location in provider.locations.all())


@admin.register(Notice)
class NoticeAdmin(ModelAdmin):
    list_display = ["title", "starts_at", "ends_at"]
    search_fields = ["title", "body"]
    date_hierarchy = "starts_at"


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    """The record: searched by the id of a row or by who acted."""

    list_display = ["when", "who", "action", "what", "columns", "channel", "address"]
    list_filter = ["action", "channel", "table"]
    search_fields = ["=row", "=actor", "actor_email"]
    search_help_text = "The id of a row, or the e-mail address of whoever acted"
    readonly_fields = ["when", "who", "action", "what", "page", "channel", "address", "before_and_after"]
    fields = readonly_fields
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        accounts = get_user_model().objects.annotate(text=Cast("pk", CharField()))
        email = accounts.filter(text=OuterRef("actor")).values("email")[:1]
        return super().get_queryset(request).annotate(actor_email=Subquery(email))

    @display(description="When", ordering="at")
    def when(self, event: AuditEvent) -> str:
        return f"{localtime(event.at):%b %-d, %Y, %H:%M:%S}"

    @display(description="What", ordering="table")
    def what(self, event: AuditEvent) -> str:
        model = _models().get(event.table)
        name = model._meta.verbose_name if model else event.table
        return f"{name} {event.row[:8]}"

    @display(description="Row")
    def page(self, event: AuditEvent) -> str:
        """Return the row's id, with the way to its page where it has one."""
        model = _models().get(event.table)
        if model is None or not admin.site.is_registered(model):
            return event.row
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[event.row])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, event.row
        )

    @display(description="Who")
    def who(self, event: AuditEvent) -> str:
        return event.actor_email or event.actor or "the system"  # type: ignore[attr-defined]

    @display(description="Columns")
    def columns(self, event: AuditEvent) -> str:
        return "" if event.action == AuditEvent.Action.INSERT else ", ".join(event.changes)

    @display(description="Before and after")
    def before_and_after(self, event: AuditEvent) -> SafeString:
        lines = ((column, was, became) for column, (was, became) in event.changes.items())
        return format_html_join("", "<div><strong>{}</strong>: {} → {}</div>", lines)


@cache
def _models() -> dict[str, type[Model]]:
    """Return whose rows each table holds; a proxy model shares its table with the one that it is made of."""
    return {model._meta.db_table: model for model in apps.get_models() if not model._meta.proxy}
