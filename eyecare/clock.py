"""The only clock. Everything that asks for the time asks here, so that it can be frozen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, tzinfo

from django.utils import timezone

_wall: Callable[[], tzinfo] = timezone.get_default_timezone
_frozen: ContextVar[datetime | None] = ContextVar("frozen", default=None)


def now() -> datetime:
    """Return the current time, aware, in UTC; the frozen time inside `frozen_at`."""
    return _frozen.get() or timezone.now()


def today() -> date:
    """Return the current date on the practice's wall."""
    return now().astimezone(_wall()).date()


def hang_on(wall: Callable[[], tzinfo]) -> None:
    """Say whose wall the clock hangs on; the practice does so when the house is opened."""
    global _wall
    _wall = wall


@contextmanager
def frozen_at(moment: datetime) -> Iterator[None]:
    """Stop the clock at an aware moment, for tests and for `manage.py converse --now`."""
    if timezone.is_naive(moment):
        raise ValueError("The clock can be frozen only at an aware moment.")
    token = _frozen.set(moment)
    try:
        yield
    finally:
        _frozen.reset(token)
