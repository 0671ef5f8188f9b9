"""Nudges for the diary; the work itself stands in its rows."""

from celery import shared_task

from appointments import holds, recalls, reminders, waitlist


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


@shared_task
def end_wishes() -> int:
    """Tell those whose days on the waitlist are over without a time."""
    return waitlist.tell_ended()


@shared_task
def ask_due_recalls() -> int:
    """Ask the patients whose day has come to come again."""
    return recalls.ask_due()


@shared_task
def work_through_recalls() -> int:
    """Carry on with the rules for recalls that are to be worked through."""
    return recalls.work_through()


@shared_task
def refresh_recalls() -> None:
    """Have every rule worked through once a night: visits may have been entered by other ways."""
    recalls.refresh()
