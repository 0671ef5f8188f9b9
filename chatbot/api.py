"""Talking to the assistant, for other programs: the same loop as on the portal."""

import uuid
from typing import Any, cast

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chatbot import assistants, services
from chatbot.models import ChatMessage, Conversation
from patients.models import Account


class SayingSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=services.TEXT_LIMIT)
    conversation = serializers.UUIDField(
        required=False, help_text="One of your own; left out, the open one goes on or a new one begins."
    )
    assistant = serializers.SlugField(
        required=False,
        max_length=40,
        help_text="Who answers, by its address; left out, the usual one. A conversation keeps its own.",
    )


class ChoiceSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(help_text="Send it to pick this.")  # type: ignore[assignment]
    key = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)


class EffectSerializer(serializers.Serializer[Any]):
    action = serializers.CharField()
    object = serializers.CharField()
    id = serializers.CharField()


class SourceSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    url = serializers.CharField(allow_blank=True)
    quote = serializers.CharField(allow_blank=True)


class LinkSerializer(serializers.Serializer[Any]):
    url = serializers.CharField()
    words = serializers.CharField()


class CardSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    lines = serializers.ListField(child=serializers.CharField())
    url = serializers.CharField(allow_blank=True)
    link = serializers.CharField(allow_blank=True)
    more = LinkSerializer(many=True, required=False)


class ChatMessageSerializer(serializers.ModelSerializer[ChatMessage]):
    choices = ChoiceSerializer(many=True)
    cards = CardSerializer(many=True)
    effects = EffectSerializer(many=True)
    sources = SourceSerializer(many=True)

    class Meta:
        model = ChatMessage
        fields = [
            "id",
            "author",
            "text",
            "choices",
            "cards",
            "effects",
            "sources",
            "urgent",
            "handoff",
            "created_at",
        ]


class AnswerSerializer(serializers.Serializer[Any]):
    conversation = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Conversation.Status.choices)
    reply = ChatMessageSerializer(allow_null=True, help_text="Null while a person has the conversation.")


class ChatView(APIView):
    """Say something to the assistant; the reply comes with what was done and what can be picked."""

    @extend_schema(request=SayingSerializer, responses=AnswerSerializer)
    def post(self, request: Request) -> Response:
        saying = SayingSerializer(data=request.data)
        saying.is_valid(raise_exception=True)
        named = saying.validated_data.get("conversation"), saying.validated_data.get("assistant", "")
        conversation = _conversation(request, *named)
        services.admit(conversation)
        reply = services.say(conversation, saying.validated_data["text"])
        conversation.refresh_from_db(fields=["status"])
        answer = {"conversation": conversation.pk, "status": conversation.status, "reply": reply}
        return Response(AnswerSerializer(answer).data)


class ChatMessagesView(ListAPIView[ChatMessage]):
    """What was said in one of your own conversations, oldest first."""

    serializer_class = ChatMessageSerializer
    queryset = ChatMessage.objects.none()

    def get_queryset(self) -> Any:
        return services.history(services.get_for(_account(self.request), self.kwargs["conversation_id"]))


def _account(request: Request) -> Account:
    return cast(Account, request.user)


def _conversation(request: Request, conversation_id: uuid.UUID | None, slug: str) -> Conversation:
    account = _account(request)
    if conversation_id is not None:
        return services.get_for(account, conversation_id)
    patient = request.patient or None  # type: ignore[attr-defined]
    answering = assistants.get(slug)
    known = services.web_conversation(account=account, patient=patient, key=None, assistant=answering)
    return known or services.begin(channel="web", patient=patient, account=account, assistant=answering)


api_urlpatterns = [
    path("chat/", ChatView.as_view(), name="chat"),
    path("chat/<uuid:conversation_id>/messages/", ChatMessagesView.as_view(), name="chat-messages"),
]
