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

from chatbot import assistants, identity, services
from chatbot.models import Assistant, ChatMessage, Conversation, Document
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
def chat(request: PatientRequest, assistant: str = "") -> HttpResponse:
    answering = assistants.get(assistant)
    conversation = _conversation(request, answering)
    lines = list(services.history(conversation).reverse()[:SHOWN]) if conversation else []
    tools = assistants.toolbox(answering).open_to(_known(request))
    context = {
        **_pages(answering),
        "conversation": conversation,
        "lines": lines[::-1],
        "suggestions": [] if lines else [tool.label for tool in tools],
        "tab": "chat",
    }
    return render(request, "chatbot/chat.html", context)


@require_POST
def say(request: PatientRequest, assistant: str = "") -> HttpResponse:
    """Store a message. With htmx the answer streams afterwards; without, the page comes back with it."""
    answering = assistants.get(assistant)
    try:
        conversation = _conversation(request, answering) or _begin(request, answering)
        _refuse_floods_of_visitors(request)
        services.admit(conversation)
        message = services.receive(conversation, request.POST.get("text", ""))
    except Refusal as refusal:
        return _refused(request, refusal, answering)
    if request.htmx:
        return render(request, "chatbot/_turn.html", {**_pages(answering), "message": message})
    services.answer(conversation)
    return SeeOther(_page("chat", answering))


@require_GET
async def stream(request: HttpRequest, message_id: int, assistant: str = "") -> StreamingHttpResponse:
    """Send the reply to one message as server-sent events: typing, pieces of text, then all of it."""
    request = cast(PatientRequest, request)
    answering = await sync_to_async(assistants.get)(assistant)
    message = await sync_to_async(_own_message)(request, message_id, answering)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    events = _events(request, message, answering)
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


@never_cache
@require_GET
def news(request: PatientRequest, assistant: str = "") -> HttpResponse:
    """Return what members of staff have written since a message, 204 when nothing."""
    conversation = _conversation(request, assistants.get(assistant))
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


def _page(name: str, answering: Assistant, *args: object) -> str:
    """Return the address of a page of this assistant's chat; the usual one's stand at the root."""
    return reverse(f"chatbot:{name}", args=[*([] if answering.is_default else [answering.slug]), *args])


def _pages(answering: Assistant) -> dict[str, Any]:
    """Return what the chat's templates know of the assistant."""
    return {
        "assistant": answering,
        "say_page": _page("say", answering),
        "news_page": _page("news", answering),
    }


def _visitor_key(answering: Assistant) -> str:
    return VISITOR_KEY if answering.is_default else f"{VISITOR_KEY}:{answering.slug}"


def _conversation(request: PatientRequest, answering: Assistant) -> Conversation | None:
    return services.web_conversation(
        account=_account(request),
        patient=_known(request),
        key=request.session.get(_visitor_key(answering)),
        assistant=answering,
    )


def _begin(request: PatientRequest, answering: Assistant) -> Conversation:
    conversation = services.begin(
        channel="web", patient=_known(request), account=_account(request), assistant=answering
    )
    if conversation.account_id is None:
        request.session[_visitor_key(answering)] = str(conversation.pk)
    return conversation


def _refuse_floods_of_visitors(request: PatientRequest) -> None:
    if request.user.is_authenticated:
        return
    key = f"chat:{request.META.get('REMOTE_ADDR', '')}"
    cache.add(key, 0, timeout=services.RATE_WINDOW.seconds)
    if cache.incr(key) > VISITOR_LIMIT:
        raise services.TooManyMessages("That was a lot at once. Please wait a few minutes, or call us.")


def _refused(request: PatientRequest, refusal: Refusal, answering: Assistant) -> HttpResponse:
    if request.htmx:
        return HttpResponse(refusal.sentence, status=refusal.status, content_type="text/plain; charset=utf-8")
    messages.error(request, refusal.sentence)
    return SeeOther(_page("chat", answering))


def _own_message(request: PatientRequest, message_id: int, answering: Assistant) -> ChatMessage:
    conversation = _conversation(request, answering)
    message = conversation and conversation.messages.filter(pk=message_id).first()
    if not message or message.author != ChatMessage.Author.PATIENT:
        raise NotFound("We could not find that message.")
    return message


async def _events(request: PatientRequest, message: ChatMessage, answering: Assistant) -> AsyncIterator[str]:
    yield _event("typing", "")
    reply = await _reply_to(message)
    if reply is None:
        yield _event("silent", "")
        return
    for piece in re.findall(rf"(?:\S+\s*){{1,{WORDS_AT_ONCE}}}", reply.text):
        yield _event("piece", piece)
        await asyncio.sleep(0)
    said = {**_pages(answering), "message": reply}
    html = await sync_to_async(render_to_string)("chatbot/_message.html", said, request)
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
