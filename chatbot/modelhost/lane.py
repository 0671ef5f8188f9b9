"""One thread, one engine, one bounded queue: the way every text to the embedder goes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from chatbot.modelhost.job import End, Job, NotReady, QueueFull

Engine = TypeVar("Engine")
Item = TypeVar("Item")
Work = Callable[[Engine], Iterator[Item]]


class State(StrEnum):
    """How far an engine is."""

    LOADING = "loading"
    READY = "ready"
    ABSENT = "absent"


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
        self._waiting: SimpleQueue[tuple[Job[Any], Callable[[Any], Iterator[Any]]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def depth(self) -> int:
        """How many requests wait behind the one being worked on."""
        return max(self.live - 1, 0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the request at hand; one that is still loading ends with the process."""
        self._waiting.put(None)
        self._thread.join(timeout=2)

    def submit(self, work: "Work[Engine, Item]", *, seconds: float) -> Job[Item]:
        """Queue a request. Raises NotReady or QueueFull at once."""
        if self.state is not State.READY:
            raise NotReady(self.problem or f"The {self.name} is still loading.")
        if self.live > self.limit:
            raise QueueFull(f"{self.depth} requests are waiting already.")
        job: Job[Item] = Job(seconds, on_close=self._leave)
        self.live += 1
        self._waiting.put((job, work))
        return job

    def _leave(self) -> None:
        self.live -= 1

    def _work(self) -> None:
        try:
            self.engine = self._load()
        except Exception as problem:  # noqa: BLE001 - whatever keeps it from loading is told to those who ask
            self.problem = str(problem)
            self.state = State.ABSENT
            return
        self.state = State.READY
        while (waiting := self._waiting.get()) is not None:
            job, work = waiting
            _serve(job, lambda work=work: work(self.engine))  # type: ignore[misc]


def _serve(job: Job[Any], work: Callable[[], Iterator[Any]]) -> None:
    """Run the work to its end, its deadline or its abandonment."""
    try:
        with closing(work()) as items:  # type: ignore[type-var]
            while job.is_wanted():
                job.tell(next(items))
    except StopIteration:
        job.tell(End())
    except Exception as problem:  # noqa: BLE001 - told to the caller; the lane must go on
        job.tell(problem)
