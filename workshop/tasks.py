"""Nudges for the workers: the work itself stands in the workshop's books."""

from celery import shared_task

from workshop import jobs, services
from workshop.models import ModelVersion


@shared_task
def work_on(job_id: str) -> None:
    """Train: takes as long as the training does, and one of the worker's places."""
    jobs.work_on(job_id)


@shared_task
def evaluate(version_id: int) -> None:
    services.evaluate(version_id)


@shared_task
def sweep() -> None:
    """Take up trainings whose worker died and those that wait, and versions that have no figures yet."""
    jobs.take_up()
    for version_id in ModelVersion.objects.to_evaluate().values_list("pk", flat=True):
        evaluate.delay(version_id)
