"""Who is acting, for the record: set at each door, read by the database triggers (`practice.record`)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import models

from eyecare import clock
from practice.models import AuditEvent


@dataclass(frozen=True)
class Actor:
    """Somebody or something that writes: an account's id, the channel, the network address."""

    account: str = ""
    channel: str = "system"
    address: str = ""


_SYSTEM = Actor()
_actor: ContextVar[Callable[[], Actor]] = ContextVar("actor", default=lambda: _SYSTEM)


def current() -> Actor:
    """Return who is acting now; outside `acting` it is the system itself."""
    return _actor.get()()


@contextmanager
def acting(*, account: str = "", channel: str = "system", address: str = "") -> Iterator[None]:
    """Name the actor of every write inside the block."""
    actor = Actor(account, channel, address)
    with acting_as(lambda: actor):
        yield


@contextmanager
def acting_as(who: Callable[[], Actor]) -> Iterator[None]:
    """Ask `who` at each write inside the block; a request learns only late who signed in."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


def read(row: models.Model) -> None:
    """Keep that the actor looked at a patient's row: reads leave no trace by themselves."""
    actor = current()
    AuditEvent.objects.create(
        at=clock.now(),
        action=AuditEvent.Action.READ,
        table=row._meta.db_table,
        row=str(row.pk),
        actor=actor.account,
        channel=actor.channel,
        address=actor.address,
    )
