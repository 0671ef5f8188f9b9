"""The desk's view of what the assistant knows and what it watches for."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from chatbot import knowledge
from chatbot.desk import RedFlagForm
from chatbot.models import Document, RedFlag
from practice.desk import Kept


@admin.register(RedFlag)
class RedFlagAdmin(Kept):
    """The red-flag list; nothing on it counts as the practice's own before a clinician signs it."""

    form = RedFlagForm
    list_display = ("name", "level", "is_active", "approved_by", "approved_on")
    list_filter = ("level", "is_active", ("approved_on", admin.EmptyFieldListFilter))
    search_fields = ("name", "advice")


@admin.register(Document)
class DocumentAdmin(ModelAdmin):
    """What the assistant may quote; vectors follow within a minute of a change."""

    list_display = ("title", "audience", "is_published", "reviewed_on", "passage_count", "indexed_at")
    list_filter = ("audience", "is_published")
    search_fields = ("title", "body")
    readonly_fields = ("changed_at", "indexed_at")
    prepopulated_fields = {"slug": ("title",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).annotate(passages_held=Count("passages"))

    @display(description="passages", ordering="passages_held")
    def passage_count(self, document: Any) -> int:
        return document.passages_held

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        knowledge.write(obj)

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        knowledge.remove(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        for document in queryset:
            knowledge.remove(document)
