"""What the assistant may do with the diary; each module registers its own tools."""

from appointments.chat_tools import booking, recalls, replies, waitlist

__all__ = ["booking", "recalls", "replies", "waitlist"]
