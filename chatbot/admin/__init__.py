"""The desk's view of the assistant; each module registers its own pages."""

from chatbot.admin import assistants, conversations, examples, knowledge

__all__ = ["assistants", "conversations", "examples", "knowledge"]
