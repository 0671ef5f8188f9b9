"""A lost nudge loses nothing and shows nothing."""

import pytest
from celery import Celery
from django.db import transaction

from eyecare.celery import Nudge

unplugged = Celery("unplugged", task_cls=Nudge, broker="redis://127.0.0.1:9/0", set_as_current=False)
unplugged.conf.task_publish_retry = False


@unplugged.task
def never_reached() -> None:
    raise AssertionError("no broker, no task")


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_break_what_was_written() -> None:
    written = []
    with transaction.atomic():
        never_reached.delay_on_commit()
        transaction.on_commit(lambda: written.append("the one after it"))
    assert written == ["the one after it"]
