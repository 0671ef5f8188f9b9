"""Nudges that give the examples of the bank their vectors; each may run any number of times."""

import logging

from celery import shared_task

from chatbot import bank
from chatbot.backends.base import ModelRefused, ModelUnavailable

logger = logging.getLogger(__name__)

SECONDS = 25.0
"""How long one nudge works: less than the time to the next, so that no two embed the same examples."""


@shared_task(name="chatbot.tasks.sweep_examples")
def sweep_examples() -> None:
    """Embed the examples that are new or have changed."""
    try:
        bank.sweep(SECONDS)
    except (ModelUnavailable, ModelRefused) as problem:
        logger.warning("examples wait for the next sweep: %s", type(problem).__name__)
