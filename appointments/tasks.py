"""Nudges for the diary; the work itself stands in its rows."""

from celery import shared_task

from appointments import holds, reminders, waitlist


@shared_task
def sweep_holds() -> int:
    """Give back the times that were held and that nobody said yes to."""
    return holds.sweep_holds()


@shared_task
def sweep_reminders() -> int:
    """Queue the reminders that are due."""
    return reminders.queue_due()


@shared_task
def offer_opening(opening_id: int) -> int:
    """Take a time that came free one step on through the waitlist."""
    return waitlist.work_on(opening_id)


@shared_task
def sweep_openings() -> int:
    """Take up the openings that were missed, and the rounds whose time has run out."""
    return waitlist.sweep()
