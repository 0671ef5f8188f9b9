"""The desk's view of the conversations: who waits for a person, what was said and understood."""

from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import localtime
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from chatbot import handoff, services
from chatbot.desk import ReplyForm, asked
from chatbot.labelling import in_words
from chatbot.models import ChatMessage, Conversation, Handoff
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
    list_filter = ("status", "is_urgent", "channel", "assistant")
    list_select_related = ("patient", "taken_by")
    search_fields = ("patient__last_name", "patient__first_name", "patient__number", "phone")
    fields = (
        ("status", "is_urgent"),
        ("patient", "phone_of"),
        ("channel", "assistant"),
        "taken_by",
        "thread",
        "reply",
    )
    readonly_fields = (
        "status",
        "is_urgent",
        "patient",
        "channel",
        "assistant",
        "phone_of",
        "taken_by",
        "thread",
    )
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

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            found.is_correctable = request.user.has_perm("chatbot.add_example")
        return found

    def thread(self, conversation: Any) -> SafeString:
        lines = services.history(conversation).select_related("account", "correction")
        newest = list(lines.reverse()[:THREAD_LIMIT])
        replies = {said.answers_id: said for said in newest if said.answers_id}
        is_correctable = getattr(conversation, "is_correctable", False)
        shown = (
            (
                _speaker(said),
                f"{localtime(said.created_at):%b %-d, %-I:%M %p}",
                said.text,
                _understanding(said, replies.get(said.pk), is_correctable=is_correctable),
            )
            for said in newest[::-1]
        )
        line = '<p class="mb-2"><strong>{}</strong> <small>{}</small><br>{}{}</p>'
        return format_html_join("", line, shown)

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


def _understanding(said: ChatMessage, reply: ChatMessage | None, *, is_correctable: bool) -> SafeString:
    """Return what a patient's message was taken for, and the way to say that it was something else."""
    if said.author != ChatMessage.Author.PATIENT or not (reply or is_correctable):
        return SafeString()
    taken_for = format_html("<br><small>understood as: {}</small>", in_words(reply.commands)) if reply else ""
    return format_html("{}{}", taken_for, _way_to_correct(said) if is_correctable else "")


def _way_to_correct(said: ChatMessage) -> SafeString:
    link = ' <small><a class="text-primary-600 dark:text-primary-500" href="{}">{}</a></small>'
    if correction := getattr(said, "correction", None):
        return format_html(
            link, reverse("admin:chatbot_example_change", args=[correction.pk]), "It was corrected."
        )
    page = f"{reverse('admin:chatbot_example_add')}?{urlencode({'message': said.pk})}"
    return format_html(link, page, "Understood wrongly?")


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
