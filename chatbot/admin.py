"""The desk's view of the assistant: who waits for a person, what was said, what it knows and watches for."""

from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from chatbot import handoff, knowledge, services
from chatbot.models import ChatMessage, Conversation, Document, Handoff, RedFlag
from eyecare.errors import Refusal
from patients.models import Account
from practice.desk import Kept, ReadOnly, RecordsReads, attempt

THREAD_LIMIT = 200
"""Newest messages of a conversation that the desk is shown."""


class ReplyForm(forms.ModelForm):
    """A conversation's only editable field is the next thing that a person says in it."""

    reply = forms.CharField(
        required=False,
        max_length=services.TEXT_LIMIT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="Saving sends this to the patient, on the channel they use. The assistant is silent then.",
    )

    class Meta:
        model = Conversation
        fields: tuple[str, ...] = ()


@admin.register(Conversation)
class ConversationAdmin(RecordsReads, Kept):
    """Conversations: those that wait for a person first in the filter, each with its thread."""

    form = ReplyForm
    list_display = ("__str__", "standing", "patient", "taken_by", "active_at")
    list_filter = ("status", "is_urgent", "channel")
    list_select_related = ("patient", "taken_by")
    search_fields = ("patient__last_name", "patient__first_name", "patient__number", "phone")
    fields = ("status", "is_urgent", "patient", "channel", "phone", "taken_by", "thread", "reply")
    readonly_fields = ("status", "is_urgent", "patient", "channel", "phone", "taken_by", "thread")
    actions_detail = ("take", "end")
    date_hierarchy = "active_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(
        description="stands",
        label={"waiting": "warning", "urgent": "danger", "staff": "info", "assistant": "success"},
    )
    def standing(self, conversation: Conversation) -> tuple[str, str]:
        if conversation.is_urgent:
            return "urgent", "urgent"
        return conversation.status, conversation.get_status_display()

    def thread(self, conversation: Conversation) -> SafeString:
        newest = list(services.history(conversation).select_related("account").reverse()[:THREAD_LIMIT])
        lines = (
            (_speaker(said), f"{localtime(said.created_at):%b %-d, %H:%M}", said.text)
            for said in newest[::-1]
        )
        return format_html_join("", '<p class="mb-2"><strong>{}</strong> <small>{}</small><br>{}</p>', lines)

    def save_model(self, request: HttpRequest, obj: Conversation, form: Any, change: bool) -> None:
        """Say what was typed; nothing else of a conversation is edited by hand."""
        if text := form.cleaned_data.get("reply", "").strip():
            handoff.reply(conversation=obj, account=cast(Account, request.user), text=text)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            messages.error(request, refusal.sentence)
            return redirect(request.get_full_path())

    @action(description="Take over", url_path="take", permissions=["change"])
    def take(self, request: HttpRequest, object_id: str) -> HttpResponse:
        conversation, account = Conversation.objects.get(pk=object_id), cast(Account, request.user)
        take = partial(handoff.take, conversation=conversation, account=account)
        attempt(request, take, "It is yours. The assistant is silent now.")
        return _to(object_id)

    @action(description="Give back to the assistant", url_path="end", permissions=["change"])
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        conversation = Conversation.objects.get(pk=object_id)
        attempt(request, partial(handoff.end, conversation=conversation), "The assistant answers again.")
        return _to(object_id)


def _speaker(said: ChatMessage) -> str:
    return str(said.account) if said.account else said.get_author_display().capitalize()


def _to(conversation_id: str) -> HttpResponse:
    return redirect(reverse("admin:chatbot_conversation_change", args=[conversation_id]))


@admin.register(Handoff)
class HandoffAdmin(ReadOnly):
    """What was asked of people, open ones first; the work itself is done in the conversation."""

    list_display = ("reason", "is_urgent", "open_conversation", "requested_at", "taken_by", "ended_at")
    list_filter = ("is_urgent", ("ended_at", admin.EmptyFieldListFilter), "requested_at")
    list_select_related = ("conversation__patient", "taken_by")
    search_fields = ("reason", "conversation__patient__last_name")

    @display(description="conversation")
    def open_conversation(self, asked: Handoff) -> SafeString:
        url = reverse("admin:chatbot_conversation_change", args=[asked.conversation_id])
        return format_html('<a href="{}">{}</a>', url, asked.conversation)


@admin.register(RedFlag)
class RedFlagAdmin(Kept):
    """The red-flag list; nothing on it counts as the practice's own before a clinician signs it."""

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
