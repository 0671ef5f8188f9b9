"""Nudges for the workers: the work itself stands in the database."""

from celery import shared_task

from billing import services
from billing.models import StatementRun


@shared_task
def work_on_run(run_id: str) -> None:
    services.work_on(run_id)


@shared_task
def sweep_runs() -> None:
    """Carry on every run that a worker left in the middle."""
    for run_id in StatementRun.objects.filter(state=StatementRun.State.RUNNING).values_list("pk", flat=True):
        services.work_on(run_id)
