"""One thread, one engine, one bounded queue: the way every request to a model goes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Engine = TypeVar("Engine")
Item = TypeVar("Item")
Work = Callable[[Engine], Iterator[Item]]


class QueueFull(Exception):
    """As many requests wait as are let in."""


class TooLate(Exception):
    """The request was not answered by its deadline."""


class NotReady(Exception):
    """The engine is still loading, or could not be loaded; the text says which."""


class State(StrEnum):
    """How far an engine is."""

    LOADING = "loading"
    READY = "ready"
    ABSENT = "absent"


class _End:
    """Nothing more comes."""


class Lane(Generic[Engine]):
    """Loads an engine in a thread of its own and works requests off there, in order of arrival.

    Requests are let in from one event loop. At most `limit` wait while one is worked on. A request
    that is late or given up is dropped at its next item, or before it starts.
    """

    def __init__(self, name: str, load: Callable[[], Engine], *, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.state = State.LOADING
        self.problem = ""
        self.live = 0
        self.engine: Engine | None = None
        self._load = load
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def depth(self) -> int:
        """How many requests wait behind the one being worked on."""
        return max(self.live - 1, 0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the request at hand; one that is still loading ends with the process."""
        self._jobs.put(None)
        self._thread.join(timeout=2)

    def submit(self, work: "Work[Engine, Item]", *, seconds: float) -> "Job[Item]":
        """Queue a request; use it as an async context manager and iterate over it.

        Raises NotReady or QueueFull at once.
        """
        if self.state is not State.READY:
            raise NotReady(self.problem or f"The {self.name} is still loading.")
        if self.live > self.limit:
            raise QueueFull(f"{self.depth} requests are waiting already.")
        job = Job(lane=self, work=work, deadline=asyncio.get_running_loop().time() + seconds)
        self.live += 1
        self._jobs.put(job)
        return job

    def _work(self) -> None:
        try:
            self.engine = self._load()
        except Exception as problem:  # noqa: BLE001 - whatever keeps it from loading is told to those who ask
            self.problem = str(problem)
            self.state = State.ABSENT
            return
        self.state = State.READY
        while (job := self._jobs.get()) is not None:
            job.serve(self.engine)


@dataclass(eq=False)
class Job(Generic[Item]):
    """One request on its way: worked on in the lane's thread, read in the event loop."""

    lane: Lane[Any]
    work: Callable[[Any], Iterator[Item]]
    deadline: float
    is_dropped: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _items: "asyncio.Queue[Item | Exception | _End]" = field(default_factory=asyncio.Queue)

    def serve(self, engine: Any) -> None:
        """Run the work to its end, its deadline or its abandonment; called in the lane's thread."""
        try:
            with closing(self.work(engine)) as items:  # type: ignore[type-var]
                while not self._is_pointless():
                    self._tell(next(items))
        except StopIteration:
            self._tell(_End())
        except Exception as problem:  # noqa: BLE001 - told to the caller; the lane must go on
            self._tell(problem)

    def _is_pointless(self) -> bool:
        return self.is_dropped or self._loop.time() > self.deadline

    def _tell(self, item: Item | Exception | _End) -> None:
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
            self.lane.live -= 1

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Yield the items; raises TooLate at the deadline, or what the work raised."""
        while not isinstance(item := await self._next(), _End):
            if isinstance(item, Exception):
                raise item
            yield item

    async def _next(self) -> Item | Exception | _End:
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self._items.get()
        except TimeoutError as error:
            raise TooLate("The answer did not come in time.") from error
