"""The chat page, and the stream that an answer comes through."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from chatbot import identity, services
from chatbot.models import ChatMessage, Conversation, Document
from chatbot.tools import registry
from eyecare.errors import NotFound, Refusal
from patients.access import PatientRequest
from patients.models import Account

VISITOR_KEY = "conversation"
"""Where a visitor's session keeps which conversation is theirs."""

VISITOR_LIMIT = 60
"""Messages of visitors from one address in ten minutes; a waiting room shares its address."""

SHOWN = 100
WORDS_AT_ONCE = 4
PATIENCE_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.25


class SeeOther(HttpResponseRedirect):
    status_code = 303


@never_cache
@require_GET
def chat(request: PatientRequest) -> HttpResponse:
    conversation = _conversation(request)
    lines = list(services.history(conversation).reverse()[:SHOWN]) if conversation else []
    context = {
        "conversation": conversation,
        "lines": lines[::-1],
        "suggestions": [] if lines else [tool.label for tool in registry.open_to(_known(request))],
        "tab": "chat",
    }
    return render(request, "chatbot/chat.html", context)


@require_POST
def say(request: PatientRequest) -> HttpResponse:
    """Store a message. With htmx the answer streams afterwards; without, the page comes back with it."""
    try:
        conversation = _conversation(request) or _begin(request)
        _refuse_floods_of_visitors(request)
        services.admit(conversation)
        message = services.receive(conversation, request.POST.get("text", ""))
    except Refusal as refusal:
        return _refused(request, refusal)
    if request.htmx:
        return render(request, "chatbot/_turn.html", {"message": message})
    services.answer(conversation)
    return SeeOther(reverse("chatbot:chat"))


@require_GET
async def stream(request: HttpRequest, message_id: int) -> StreamingHttpResponse:
    """Send the reply to one message as server-sent events: typing, pieces of text, then all of it."""
    request = cast(PatientRequest, request)
    message = await sync_to_async(_own_message)(request, message_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(_events(request, message), content_type="text/event-stream", headers=headers)


@never_cache
@require_GET
def news(request: PatientRequest) -> HttpResponse:
    """Return what members of staff have written since a message, 204 when nothing."""
    conversation = _conversation(request)
    after = request.GET.get("after", "0")
    if conversation is None or not after.isdecimal():
        return HttpResponse(status=204)
    newer = services.history(conversation).filter(author=ChatMessage.Author.STAFF, pk__gt=int(after[:18]))
    lines = [render_to_string("chatbot/_message.html", {"message": line}, request) for line in newer[:SHOWN]]
    return HttpResponse("".join(lines), status=200 if lines else 204)


@require_GET
def document(request: PatientRequest, slug: str) -> HttpResponse:
    """Show a document of the practice to those who may read it."""
    readable = Document.objects.readable_by(identity.audience(_known(request)))
    found = get_object_or_404(readable, slug=slug)
    return render(request, "chatbot/document.html", {"document": found, "tab": "chat"})


def _known(request: PatientRequest) -> Any:
    return request.patient or None


def _account(request: PatientRequest) -> Account | None:
    return request.user if request.user.is_authenticated else None


def _conversation(request: PatientRequest) -> Conversation | None:
    key = request.session.get(VISITOR_KEY)
    return services.web_conversation(account=_account(request), patient=_known(request), key=key)


def _begin(request: PatientRequest) -> Conversation:
    conversation = services.begin(channel="web", patient=_known(request), account=_account(request))
    if conversation.account_id is None:
        request.session[VISITOR_KEY] = str(conversation.pk)
    return conversation


def _refuse_floods_of_visitors(request: PatientRequest) -> None:
    if request.user.is_authenticated:
        return
    key = f"chat:{request.META.get('REMOTE_ADDR', '')}"
    cache.add(key, 0, timeout=services.RATE_WINDOW.seconds)
    if cache.incr(key) > VISITOR_LIMIT:
        raise services.TooManyMessages("That was a lot at once. Please wait a few minutes, or call us.")


def _refused(request: PatientRequest, refusal: Refusal) -> HttpResponse:
    if request.htmx:
        return HttpResponse(refusal.sentence, status=refusal.status, content_type="text/plain; charset=utf-8")
    messages.error(request, refusal.sentence)
    return SeeOther(reverse("chatbot:chat"))


def _own_message(request: PatientRequest, message_id: int) -> ChatMessage:
    conversation = _conversation(request)
    message = conversation and conversation.messages.filter(pk=message_id).first()
    if not message or message.author != ChatMessage.Author.PATIENT:
        raise NotFound("We could not find that message.")
    return message


async def _events(request: PatientRequest, message: ChatMessage) -> AsyncIterator[str]:
    yield _event("typing", "")
    reply = await _reply_to(message)
    if reply is None:
        yield _event("silent", "")
        return
    for piece in re.findall(rf"(?:\S+\s*){{1,{WORDS_AT_ONCE}}}", reply.text):
        yield _event("piece", piece)
        await asyncio.sleep(0)
    html = await sync_to_async(render_to_string)("chatbot/_message.html", {"message": reply}, request)
    yield _event("done", html)


async def _reply_to(message: ChatMessage) -> ChatMessage | None:
    """Answer a message, or wait for whoever is answering it; None when a person has the conversation."""
    await sync_to_async(services.answer)(message.conversation)
    for _ in range(round(PATIENCE_SECONDS / LOOK_EVERY_SECONDS)):
        if await ChatMessage.objects.filter(pk=message.pk, answered_at__isnull=False).aexists():
            break
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return await sync_to_async(services.reply_to)(message)


def _event(name: str, value: str) -> str:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n"
