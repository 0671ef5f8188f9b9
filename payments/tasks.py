"""Nudges for the workers: the work itself stands in the database."""

from celery import shared_task

from payments import services


@shared_task
def work_on_event(event_id: int) -> None:
    services.work_on(event_id)


@shared_task
def sweep_events() -> None:
    services.sweep_events()
