"""Nudges of the assistant; each may run any number of times."""

from datetime import timedelta

from celery import shared_task

from chatbot import services
from chatbot.example_tasks import sweep_examples
from chatbot.knowledge_tasks import reconcile_documents, sweep_documents

__all__ = ["answer_missed", "reconcile_documents", "sweep_documents", "sweep_examples"]

MISSED_AFTER = timedelta(seconds=60)


@shared_task
def answer_missed() -> None:
    """Answer the messages whose worker died or whose page was closed before the answer came."""
    services.answer_missed(MISSED_AFTER)
