"""Nudges for the diary; the work itself stands in its rows."""

from celery import shared_task

from appointments import reminders


@shared_task
def sweep_reminders() -> int:
    """Queue the reminders that are due."""
    return reminders.queue_due()
