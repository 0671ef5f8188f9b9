"""The desk's view of the assistant: who waits for a person, what was said, what it knows and watches for."""

from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from chatbot import handoff, knowledge, services
from chatbot.desk import RedFlagForm, ReplyForm, asked
from chatbot.models import ChatMessage, Conversation, Document, Handoff, RedFlag
from eyecare.errors import Refusal
from patients import services as patients
from patients.models import Account
from practice.desk import Kept, ReadOnly, RecordsReads, attempt

THREAD_LIMIT = 200
"""Newest messages of a conversation that the desk is shown."""


@admin.register(Conversation)
class ConversationAdmin(RecordsReads, Kept):
    """Conversations: those that wait for a person first in the filter, each with its thread."""

    form = ReplyForm
    list_display = ("who", "standing", "channel", "newest", "taken_by", "when")
    list_filter = ("status", "is_urgent", "channel")
    list_select_related = ("patient", "taken_by")
    search_fields = ("patient__last_name", "patient__first_name", "patient__number", "phone")
    fields = (
        ("status", "is_urgent"),
        ("patient", "phone_of"),
        ("channel", "taken_by"),
        "thread",
        "reply",
    )
    readonly_fields = ("status", "is_urgent", "patient", "channel", "phone_of", "taken_by", "thread")
    actions_detail = ("take", "end")
    date_hierarchy = "active_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        said = ChatMessage.objects.filter(conversation=OuterRef("pk"), author=ChatMessage.Author.PATIENT)
        return (
            super()
            .get_queryset(request)
            .annotate(last_said=Subquery(said.order_by("-pk").values("text")[:1]))
        )

    @display(description="who", ordering="patient__last_name")
    def who(self, conversation: Conversation) -> str:
        return _who(conversation)

    @display(description="when", ordering="active_at")
    def when(self, conversation: Conversation) -> str:
        return f"{localtime(conversation.active_at):%b %-d, %-I:%M %p}"

    @display(description="said last")
    def newest(self, conversation: Any) -> str:
        return Truncator(conversation.last_said or "").chars(60)

    @display(
        description="stands",
        label={"waiting": "warning", "urgent": "danger", "staff": "info", "assistant": "success"},
    )
    def standing(self, conversation: Conversation) -> tuple[str, str]:
        if conversation.is_urgent:
            return "urgent", "urgent"
        return conversation.status, conversation.get_status_display()

    @display(description="phone")
    def phone_of(self, conversation: Conversation) -> str:
        """Return the number with whoever is known to have it; who writes from it is asked in the chat."""
        names = ", ".join(str(owner) for owner in patients.with_phone(conversation.phone))
        return f"{conversation.phone} ({names or 'nobody we know'})" if conversation.phone else ""

    def thread(self, conversation: Conversation) -> SafeString:
        newest = list(services.history(conversation).select_related("account").reverse()[:THREAD_LIMIT])
        lines = (
            (_speaker(said), f"{localtime(said.created_at):%b %-d, %-I:%M %p}", said.text)
            for said in newest[::-1]
        )
        return format_html_join("", '<p class="mb-2"><strong>{}</strong> <small>{}</small><br>{}</p>', lines)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.account = cast(Account, request.user)
        return form

    def save_model(self, request: HttpRequest, obj: Conversation, form: Any, change: bool) -> None:
        """Say what was typed; nothing else of a conversation is edited by hand."""
        if text := form.cleaned_data.get("reply"):
            handoff.reply(conversation=obj, account=cast(Account, request.user), text=text)

    def response_change(self, request: HttpRequest, obj: Conversation) -> HttpResponse:
        messages.success(
            request, "Sent." if request.POST.get("reply", "").strip() else "Nothing was written."
        )
        return _to(str(obj.pk))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            messages.error(request, refusal.sentence)
            return redirect(request.get_full_path())

    @action(
        description="Take over",
        icon="support_agent",
        url_path="take",
        permissions=["change"],
        dialog=asked(
            "Take this conversation over?", "Take over", "The assistant is silent until you give it back."
        ),
    )
    def take(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        conversation, account = Conversation.objects.get(pk=object_id), cast(Account, request.user)
        take = partial(handoff.take, conversation=conversation, account=account)
        attempt(request, take, "It is yours. The assistant is silent now.")
        return _to(object_id, request)

    @action(
        description="Give back",
        icon="undo",
        url_path="end",
        permissions=["change"],
        dialog=asked("Give it back to the assistant?", "Give back", "The assistant answers again."),
    )
    def end(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        conversation = Conversation.objects.get(pk=object_id)
        attempt(request, partial(handoff.end, conversation=conversation), "The assistant answers again.")
        return _to(object_id, request)


def _who(conversation: Conversation) -> str:
    """Return the patient, or what is known of somebody who has not said who they are."""
    return str(conversation.patient or conversation.phone or "visitor of the portal")


def _speaker(said: ChatMessage) -> str:
    return str(said.account) if said.account else said.get_author_display().capitalize()


def _to(conversation_id: str, request: HttpRequest | None = None) -> HttpResponse:
    page = reverse("admin:chatbot_conversation_change", args=[conversation_id])
    if request and request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": page})
    return redirect(page)


@admin.register(Handoff)
class HandoffAdmin(ReadOnly):
    """What was asked of people, open ones first; the work itself is done in the conversation."""

    list_display = ("reason", "urgency", "open_conversation", "requested_at", "taken_by", "ended_at")
    list_filter = ("is_urgent", ("ended_at", admin.EmptyFieldListFilter), "requested_at")
    list_select_related = ("conversation__patient", "taken_by")
    search_fields = ("reason", "conversation__patient__last_name")

    @display(description="conversation")
    def open_conversation(self, asked: Handoff) -> SafeString:
        url = reverse("admin:chatbot_conversation_change", args=[asked.conversation_id])
        link = '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>'
        return format_html(link, url, _who(asked.conversation))

    @display(description="urgent", label={"urgent": "danger"}, ordering="is_urgent")
    def urgency(self, asked: Handoff) -> str:
        return "urgent" if asked.is_urgent else ""


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
