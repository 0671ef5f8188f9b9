"""Who is acting, for the record: set at each door, read by the database triggers."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Somebody or something that writes: an account's id, the channel, the network address."""

    account: str = ""
    channel: str = "system"
    address: str = ""


SYSTEM = Actor()
_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current() -> Actor:
    """Return who is acting now; outside `acting` it is the system itself."""
    return _actor.get()


@contextmanager
def acting(*, account: str = "", channel: str = "system", address: str = "") -> Iterator[None]:
    """Name the actor of every write inside the block."""
    token = _actor.set(Actor(account, channel, address))
    try:
        yield
    finally:
        _actor.reset(token)
