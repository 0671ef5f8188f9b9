"""Conversations in the hands of a person: asked for, taken, answered, ended."""

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from chatbot import delivery
from chatbot.models import ChatMessage, Conversation, Handoff
from chatbot.stack import Stack
from chatbot.work import let_go_of_all
from eyecare import clock
from eyecare.errors import Refusal
from messaging import services as messaging
from patients.models import Account
from practice import services as practice


class AlreadyTaken(Refusal):
    """Another member of staff has the conversation, or it has ended."""

    code = "already_taken"


@transaction.atomic
def request(*, conversation: Conversation, reason: str, is_urgent: bool = False) -> tuple[Handoff, bool]:
    """Ask for a person; return the open handoff and whether it is new. Urgency is raised, never lowered."""
    handoff, is_new = Handoff.objects.get_or_create(
        conversation=conversation,
        ended_at=None,
        defaults={"reason": reason[:200], "is_urgent": is_urgent, "requested_at": clock.now()},
    )
    row = Conversation.objects.filter(pk=conversation.pk)
    row.filter(status=Conversation.Status.ASSISTANT).update(status=Conversation.Status.WAITING)
    if is_urgent:
        row.update(is_urgent=True)
        Handoff.objects.filter(pk=handoff.pk).update(is_urgent=True, reason=reason[:200])
        _alert_staff(handoff)
    conversation.refresh_from_db(fields=["status", "is_urgent"])
    return handoff, is_new


def _alert_staff(handoff: Handoff) -> None:
    """Tell the front desk by e-mail, once for each handoff; what was written stays in the portal."""
    page = reverse("admin:chatbot_conversation_change", args=[handoff.conversation_id])
    messaging.queue(
        patient=None,
        kind="staff_alert",
        reason=f"handoff:{handoff.pk}",
        to=practice.current().email,
        channel="email",
        body=f"A patient wrote something that may be urgent. Please answer now: {settings.SITE_URL}{page}",
        urgent=True,
    )


@transaction.atomic
def take(*, conversation: Conversation, account: Account) -> Handoff:
    """Put a conversation into one person's hands; the assistant is silent from here on."""
    handoff, _ = request(conversation=conversation, reason="taken by staff")
    taken = Handoff.objects.filter(pk=handoff.pk, taken_by=None).update(
        taken_by=account, taken_at=clock.now()
    )
    if not taken and Handoff.objects.get(pk=handoff.pk).taken_by_id != account.pk:
        raise AlreadyTaken("Somebody else has taken this conversation.")
    Conversation.objects.filter(pk=conversation.pk).update(status=Conversation.Status.STAFF, taken_by=account)
    conversation.refresh_from_db(fields=["status", "taken_by"])
    return Handoff.objects.get(pk=handoff.pk)


def is_with_another(*, conversation: Conversation, account: Account) -> bool:
    """Say whether another member of staff has the conversation in hand."""
    taken = Handoff.objects.filter(conversation=conversation, ended_at=None, taken_by__isnull=False)
    return taken.exclude(taken_by=account).exists()


@transaction.atomic
def reply(*, conversation: Conversation, account: Account, text: str) -> ChatMessage:
    """Say something to the patient as a person, in the conversation's own channel; takes it first."""
    take(conversation=conversation, account=account)
    message = ChatMessage.objects.create(
        conversation=conversation,
        author=ChatMessage.Author.STAFF,
        account=account,
        channel=conversation.channel,
        text=text.strip(),
        created_at=clock.now(),
    )
    Conversation.objects.filter(pk=conversation.pk).update(active_at=clock.now())
    delivery.deliver(message)
    return message


@transaction.atomic
def end(*, conversation: Conversation) -> Conversation:
    """Give a conversation back to the assistant, which starts afresh and knows nothing open."""
    let_go_of_all(Stack.from_json(conversation.state))
    Handoff.objects.filter(conversation=conversation, ended_at=None).update(ended_at=clock.now())
    Conversation.objects.filter(pk=conversation.pk).exclude(status=Conversation.Status.CLOSED).update(
        status=Conversation.Status.ASSISTANT, taken_by=None, is_urgent=False, state={}
    )
    conversation.refresh_from_db(fields=["status", "taken_by", "is_urgent", "state"])
    return conversation
