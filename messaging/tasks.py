"""Nudges: each says that something in the database may be ready. Safe to run twice, safe to lose."""

from celery import shared_task

from messaging import services


@shared_task
def send(message_id: str) -> None:
    services.send(message_id)


@shared_task
def receive(inbound_text_id: str) -> None:
    services.process(inbound_text_id)


@shared_task
def sweep() -> None:
    """Send what is due and was missed, and settle what dead workers left behind."""
    services.give_up_abandoned()
    services.send_due()


@shared_task
def sweep_inbound() -> None:
    """Answer the texts that were missed."""
    services.process_waiting()
