"""What the admin's pages have in common: what is never deleted, what is only read, who looked at what."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from eyecare.errors import Refusal
from practice import audit


class Kept(ModelAdmin):
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
