"""A lost nudge loses nothing and shows nothing."""

import pytest
from django.db import transaction

from eyecare.celery import app


@app.task(name="tests.never_reached")
def never_reached() -> None:
    raise AssertionError("no broker, no task")


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_break_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.conf, "task_always_eager", False)
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:9/0")
    written = []
    with transaction.atomic():
        never_reached.delay_on_commit()
        transaction.on_commit(lambda: written.append("the one after it"))
    assert written == ["the one after it"]
