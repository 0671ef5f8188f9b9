"""Nudges that keep the vectors in step with the documents; each may run any number of times."""

import logging

from celery import shared_task

from chatbot import knowledge

logger = logging.getLogger(__name__)


@shared_task(name="chatbot.tasks.sweep_documents")
def sweep_documents() -> None:
    """Index the documents whose vectors do not match their text."""
    try:
        knowledge.sweep()
    except knowledge.DEGRADED as problem:
        logger.warning("documents wait for the next sweep: %s", type(problem).__name__)


@shared_task(name="chatbot.tasks.reconcile_documents")
def reconcile_documents() -> None:
    """Compare all vectors with all passages, and mend the difference."""
    sweep_documents()
