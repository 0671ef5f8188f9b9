"""One request's way between the event loop, which reads its items, and the thread that makes them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class QueueFull(Exception):
    """As many requests wait as are let in."""


class TooLate(Exception):
    """The request was not answered by its deadline."""


class NotReady(Exception):
    """The engine is still loading, or could not be loaded; the text says which."""


class End:
    """Nothing more comes."""


@dataclass(eq=False)
class Job(Generic[Item]):
    """Use it as an async context manager and iterate over it; `tell` is for the thread that works."""

    seconds: float
    on_close: Callable[[], None]
    is_dropped: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _items: "asyncio.Queue[Item | Exception | End]" = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self.deadline = self._loop.time() + self.seconds

    def is_wanted(self) -> bool:
        """Tell whether anybody still waits for this."""
        return not self.is_dropped and self._loop.time() <= self.deadline

    def tell(self, item: Item | Exception | End) -> None:
        """Hand an item over, or the reason why no more come, or the end."""
        with suppress(RuntimeError):  # the event loop is gone, and with it who asked
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the request up, if it is not done; safe to call twice."""
        if not self.is_dropped:
            self.is_dropped = True
            self.on_close()

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Yield the items; raises TooLate at the deadline, or what the work raised."""
        while not isinstance(item := await self._next(), End):
            if isinstance(item, Exception):
                raise item
            yield item

    async def _next(self) -> Item | Exception | End:
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self._items.get()
        except TimeoutError as error:
            raise TooLate("The answer did not come in time.") from error
