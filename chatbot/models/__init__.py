"""Conversations, assistants, what they know, what they watch for, and examples of what messages mean."""

from chatbot.models.assistant import Assistant
from chatbot.models.conversation import ChatMessage, Conversation, Handoff
from chatbot.models.document import Document, Passage
from chatbot.models.example import Example
from chatbot.models.red_flag import RedFlag

__all__ = [
    "Assistant",
    "ChatMessage",
    "Conversation",
    "Document",
    "Example",
    "Handoff",
    "Passage",
    "RedFlag",
]
