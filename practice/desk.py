"""What the admin's pages have in common: what is never deleted, what is only read, who looked at what."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db.models import Field, Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from eyecare.errors import Refusal
from practice import audit


class Chooser(AutocompleteSelect):
    """A field to choose a row from; what is no key of a row is shown as nothing chosen.

    Django asks the database for whatever was posted, and fails on what is no number or UUID.
    """

    def optgroups(self, name: str, value: Iterable[Any], attr: Any = None) -> Any:
        key = self.field.remote_field.model._meta.pk
        return super().optgroups(name, [chosen for chosen in value if _is_key(key, chosen)], attr)


def _is_key(key: Field, chosen: object) -> bool:
    try:
        key.run_validators(key.to_python(chosen))
    except (ValidationError, ValueError, OverflowError):
        return False
    return True


class Chooses:
    """Put before ModelAdmin: its autocomplete fields answer nonsense like any other field."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **given: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            given.setdefault("widget", Chooser(db_field, self.admin_site))  # type: ignore[attr-defined]
        return super().formfield_for_foreignkey(db_field, request, **given)  # type: ignore[misc]


class Kept(Chooses, ModelAdmin):
    """Rows that may be added and changed, but never deleted."""

    list_per_page = 50
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnly(Kept):
    """Rows that only services write."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class History(TabularInline):
    """Rows under another one that are only read."""

    extra = 0
    can_delete = False
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class RecordsReads:
    """Put before ModelAdmin where a row is part of a patient's record: opening it is recorded."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if row is not None and request.method == "GET":
            audit.read(row)
        return row


def attempt(request: HttpRequest, act: Callable[[], object], success: str) -> bool:
    """Do something for a member of staff and tell how it went; a refusal is shown as it is."""
    try:
        act()
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
        return False
    messages.success(request, success)
    return True
