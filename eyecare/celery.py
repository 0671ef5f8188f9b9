"""The Celery application: every task of the house is found from here."""

import logging
import os
from typing import Any

from celery import Celery
from celery.contrib.django.task import DjangoTask
from django.db import transaction
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")


class Nudge(DjangoTask):
    """A task that may be lost: the work is a row, and a sweep finds what was not nudged.

    A broker that is down therefore leaves a line in the log, never an error page after everything
    has been written.
    """

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        def nudge() -> None:  # a plain function: Django names it when it logs its failure
            try:
                self.delay(*args, **kwargs)
            except OperationalError:
                logger.warning("%s was not nudged: the queue cannot be reached", self.name)

        transaction.on_commit(nudge, robust=True)


TRANSPORT_ALIASES["filesystem"] = "eyecare.folder_queue:Transport"
app = Celery("eyecare", task_cls=Nudge)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
