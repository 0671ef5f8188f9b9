"""The one thread that decodes: lets requests in, and has one step after the other done for each base.

Models are loaded beside it, so that no answer waits for a file to be read.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from chatbot.modelhost import catalogue
from chatbot.modelhost.answers import ModelUnusable, Prompt, Tally
from chatbot.modelhost.batch import Batch
from chatbot.modelhost.catalogue import Entry, EntryRefused, UnknownModel
from chatbot.modelhost.generation import Request, Voice
from chatbot.modelhost.job import End, Job, NotReady, QueueFull
from chatbot.modelhost.lane import State
from chatbot.modelhost.line import Line
from chatbot.modelhost.loader import Loader
from chatbot.modelhost.metrics import Metrics
from chatbot.modelhost.shelf import Limits, Shelf

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
"""How often the thread looks for abandoned requests where it has nothing to decode."""


@dataclass(frozen=True)
class Default:
    """The model that answers where none is named."""

    path: Path
    context_tokens: int
    name: str = "default"


class Scheduler:
    """The chat models of a host. Requests are let in from one event loop."""

    def __init__(
        self,
        default: Default,
        *,
        limit: int,
        limits: Limits,
        folder: Path | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.default = default
        self.folder = folder
        self.limit = limit
        self.limits = limits
        self.metrics = metrics or Metrics()
        self.state = State.LOADING
        self.problem = ""
        self.entry: Entry | None = None
        self.shelf = Shelf(limits, self.metrics)
        self._live: Counter[str] = Counter()
        self._line = Line()
        self._parked: dict[str, list[Request]] = {}
        self._loads: dict[str, list[Future[None]]] = {}
        self._messages: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._loader = Loader(self.shelf, self._messages.put)
        self._one_load = threading.Lock()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._work, name="decode", daemon=True)

    # For the event loop

    @property
    def live(self) -> int:
        """How many requests are waiting or in work."""
        return self._live.total()

    @property
    def depth(self) -> int:
        """How many requests wait."""
        return max(self.live - self.shelf.running(), 0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the step at hand; what is still loading ends with the process."""
        self._messages.put(self._stop)
        self._thread.join(timeout=5)

    def submit(
        self, prompt: Prompt, tally: Tally, *, seconds: float, model: str = "", caller: str = ""
    ) -> Job[str]:
        """Queue a request. Raises UnknownModel, NotReady or QueueFull at once."""
        entry = self._entry(model)
        room = self.limit + self.limits.parallel
        if self.live >= room or (caller and self._live[caller] >= max(room // 2, 1)):
            raise QueueFull(f"{self.depth} requests are waiting already.")
        job: Job[str] = Job(seconds, on_close=partial(self._leave, caller))
        end = partial(_tell_end, job)
        request = Request(entry, prompt, tally, job.tell, end, job.is_wanted, caller)
        self._live[caller] += 1
        self._messages.put(partial(self._line.put, request))
        return job

    async def load(self, model: str) -> None:
        """Have a model loaded; raises UnknownModel, ModelMissing or ModelUnusable."""
        entry = self._entry(model)
        loaded: Future[None] = Future()
        self._messages.put(partial(self._load, entry, loaded))
        await asyncio.shield(asyncio.wrap_future(loaded))  # who hangs up does not stop it for others

    def names(self) -> list[tuple[str, bool]]:
        """Return every model that can be asked for, and whether it is loaded."""
        listed = list(catalogue.names(self.folder)) if self.folder else []
        return [(name, self._is_loaded(name)) for name in dict.fromkeys([self.default.name, *listed])]

    def _is_loaded(self, name: str) -> bool:
        try:
            return self._is_on_shelf(self._entry(name))
        except (UnknownModel, ModelUnusable, NotReady):
            return False

    def _is_on_shelf(self, entry: Entry) -> bool:
        base = self.shelf.bases.get(entry.base_sha256)
        return base is not None and (not entry.adapter_sha256 or entry.adapter_sha256 in base.adapters)

    def _entry(self, model: str) -> Entry:
        """Return the entry that a request names; raises UnknownModel, ModelUnusable or NotReady."""
        if model in ("", self.default.name):
            if self.entry is None:
                raise NotReady(self.problem or "The chat model is still loading.")
            return self.entry
        if self.folder is None:
            raise UnknownModel(f"There is no model called {model[:80]!r}.")
        try:
            return catalogue.read(self.folder, model)
        except EntryRefused as error:
            raise ModelUnusable(str(error)) from error

    def _leave(self, caller: str) -> None:
        self._live[caller] -= 1
        if not self._live[caller]:
            del self._live[caller]

    # For the decoding thread

    def _work(self) -> None:
        self._beside(self._load_default)
        while not self._is_stopping:
            self._read_messages()
            self._let_in()
            for batch in self.shelf.busy():
                self._step(batch)
        self._end_all()

    def _load_default(self) -> None:
        default = self.default
        try:
            self.entry = self._loader.load_default(default.path, default.name, default.context_tokens)
        except Exception as problem:  # noqa: BLE001 - whatever keeps it from loading is told to those who ask
            self.problem = str(problem)
            self.state = State.ABSENT
            return
        self.state = State.READY

    def _read_messages(self) -> None:
        """Do what was asked of this thread; wait for something where there is nothing else to do."""
        try:
            if not self.shelf.running():
                self._messages.get(timeout=IDLE_SECONDS if self._line else None)()
            while True:
                self._messages.get_nowait()()
        except Empty:
            return

    def _let_in(self) -> None:
        """Take on as many requests as there is room for, each conversation in its turn."""
        full: set[Batch] = set()
        share = max(1, self.limits.parallel // 2)
        while self._line:
            running = [entry for base in self.shelf.bases.values() for entry in base.batch.running]
            in_work = Counter(generation.request.caller for generation in running)
            first = self._line.first_of_each(in_work, share=share)
            if not any(self._leaves_line(request, full) for request in first):
                break
        self.metrics.running.set(self.shelf.running())
        self.metrics.queue.labels("chat").set(self.depth)

    def _leaves_line(self, request: Request, full: set[Batch]) -> bool:
        """Take a request on, or send it away; False where it has to wait. `full` learns who has no room."""
        if not request.is_wanted():
            self._line.leave(request)
            request.close()
            return True
        found = self.shelf.find(request.entry)
        if found is None:
            self._line.leave(request)
            self._parked.setdefault(request.entry.name, []).append(request)
            self._load(request.entry)
            return True
        if found[0] in full or not self._is_taken_on(request, *found):
            full.add(found[0])
            return False
        self._line.leave(request)
        return True

    def _is_taken_on(self, request: Request, batch: Batch, voice: Voice) -> bool:
        try:
            return batch.admit(request, voice) is not None
        except Exception as problem:  # noqa: BLE001 - told to the caller; the others go on
            request.close(problem)
            return True

    def _step(self, batch: Batch) -> None:
        try:
            batch.step()
        except Exception as problem:  # noqa: BLE001 - those answers end, the host goes on
            logger.error("A step of the model failed: %s", type(problem).__name__)
            batch.abort(problem)

    def _load(self, entry: Entry, *told: "Future[None]") -> None:
        """Have a model loaded, once for all who ask for it."""
        if entry.name in self._loads:
            self._loads[entry.name] += told
        elif self.shelf.find(entry):
            _tell(told, None)
        else:
            self._loads[entry.name] = list(told)
            self._beside(partial(self._load_entry, entry))

    def _load_entry(self, entry: Entry) -> None:
        problem: Exception | None = None
        try:
            with self._one_load:
                self._loader.load(entry)
        except Exception as error:  # noqa: BLE001 - told to those who wait for the model
            problem = error
        self._messages.put(partial(self._loaded, entry.name, problem))

    def _loaded(self, name: str, problem: Exception | None) -> None:
        _tell(self._loads.pop(name), problem)
        for request in self._parked.pop(name, []):
            if problem is None:
                self._line.put(request)
            else:
                request.close(problem)

    def _beside(self, work: Callable[[], None]) -> None:
        """Do something in a thread that the process does not wait for when it ends."""
        threading.Thread(target=work, name="load", daemon=True).start()

    def _stop(self) -> None:
        self._is_stopping = True

    def _end_all(self) -> None:
        problem = NotReady("The model host is stopping.")
        for base in self.shelf.bases.values():
            base.batch.abort(problem)
        for request in self._line.clear() + [entry for parked in self._parked.values() for entry in parked]:
            request.close(problem)
        self.shelf.close()


def _tell_end(job: Job[str], problem: Exception | None) -> None:
    job.tell(End() if problem is None else problem)


def _tell(futures: Iterable["Future[None]"], problem: Exception | None) -> None:
    for future in futures:
        if problem is None:
            future.set_result(None)
        else:
            future.set_exception(problem)
