"""The models that are loaded: adapters on few bases, within a bound of memory."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatbot.modelhost.batch import Batch
from chatbot.modelhost.catalogue import Entry
from chatbot.modelhost.engine import Weights
from chatbot.modelhost.generation import Voice
from chatbot.modelhost.metrics import Metrics

CONTEXTS = 4
"""How many whole contexts a cache has room for, unless the settings say otherwise."""

_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def machine_bytes() -> int:
    """Return the memory of the machine, or of the container that this process is in."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    bound = _CONTAINER.read_text().strip() if _CONTAINER.is_file() else "max"
    return min(machine, int(bound)) if bound.isdigit() else machine


@dataclass(frozen=True)
class Limits:
    """What the loaded models may take."""

    memory_bytes: int
    cache_tokens: int = 0
    parallel: int = 16
    threads: int = 0

    def cells(self, context_tokens: int) -> int:
        return max(self.cache_tokens or CONTEXTS * context_tokens, context_tokens)

    @property
    def resting_bytes(self) -> int:
        """Memory for the texts of one base that are not being worked on."""
        return self.memory_bytes // 8


@dataclass(eq=False)
class Adapter:
    """A LoRA adapter that lies on a base."""

    pointer: Any
    size_bytes: int
    used_at: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class Base:
    """Loaded weights, the answers at work on them, and the adapters that lie on them."""

    batch: Batch
    adapters: dict[str, Adapter] = field(default_factory=dict)
    used_at: float = field(default_factory=time.monotonic)

    @property
    def size_bytes(self) -> int:
        context = self.batch.context
        return (
            self.batch.weights.size_bytes + context.cells * context.cell_bytes + self.batch.cache.held_bytes
        )


class Shelf:
    """Bases by the SHA-256 of their file. The decoding thread owns it."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits = limits
        self.metrics = metrics
        self.bases: dict[str, Base] = {}

    def build(self, path: Path, context_tokens: int) -> Batch:
        """Load weights with a cache over them; in any thread. Raises ModelMissing or ModelUnusable."""
        weights = Weights(path)
        context = min(context_tokens, weights.trained_context)
        return Batch(
            weights,
            cells=self.limits.cells(context),
            parallel=self.limits.parallel,
            threads=self.limits.threads,
            resting_bytes=self.limits.resting_bytes,
            metrics=self.metrics,
        )

    def find(self, entry: Entry) -> tuple[Batch, Voice] | None:
        """Return who speaks for the entry, where its base and adapter are loaded."""
        base = self.bases.get(entry.base_sha256)
        adapter = base.adapters.get(entry.adapter_sha256) if base and entry.adapter_sha256 else None
        if base is None or (entry.adapter_sha256 and adapter is None):
            return None
        base.used_at = time.monotonic()
        context = min(entry.context_tokens, base.batch.weights.trained_context, base.batch.context.cells)
        if adapter is None:
            return base.batch, Voice(entry.name, context)
        adapter.used_at = base.used_at
        return base.batch, Voice(entry.name, context, str(entry.adapter_sha256), adapter.pointer)

    def put(self, sha256: str, batch: Batch) -> None:
        """Take loaded weights in."""
        self.bases[sha256] = Base(batch)
        self._count()

    def put_adapter(self, entry: Entry) -> None:
        """Load the entry's adapter onto its base. Raises ModelMissing or ModelUnusable."""
        path, base = Path(str(entry.adapter)), self.bases[entry.base_sha256]
        loaded = Adapter(base.batch.weights.adapter(path), path.stat().st_size)
        base.adapters[str(entry.adapter_sha256)] = loaded
        self._count()

    def busy(self) -> Iterator[Batch]:
        """Yield the batches that have work."""
        return (base.batch for base in list(self.bases.values()) if base.batch.running)

    def running(self) -> int:
        """Return how many answers are in work; may be asked in any thread."""
        return sum(len(base.batch.running) for base in list(self.bases.values()))

    def used_bytes(self) -> int:
        adapters = (adapter for base in self.bases.values() for adapter in base.adapters.values())
        return sum(base.size_bytes for base in self.bases.values()) + sum(one.size_bytes for one in adapters)

    def make_room(self, size_bytes: int, *, spared: str) -> bool:
        """Drop what was idle longest until so many bytes are free; False while too much is in use."""
        while self.used_bytes() + size_bytes > self.limits.memory_bytes:
            idle = sorted(self._idle(spared))
            if not idle:
                return False
            _, sha256, adapter = idle[0]
            self._drop(sha256, adapter)
        return True

    def _idle(self, spared: str) -> Iterator[tuple[float, str, str]]:
        """Yield since when each base and adapter that nobody is using was used last."""
        for sha256, base in self.bases.items():
            worn = {generation.reading.voice.adapter_key for generation in base.batch.running}
            yield from ((one.used_at, sha256, key) for key, one in base.adapters.items() if key not in worn)
            if not base.batch.running and sha256 != spared:
                yield base.used_at, sha256, ""

    def _drop(self, sha256: str, adapter: str) -> None:
        base = self.bases[sha256]
        if adapter:
            base.batch.drop_adapter(adapter, base.adapters.pop(adapter).pointer)
        else:
            del self.bases[sha256]
            base.batch.close()
        self._count()

    def close(self) -> None:
        """Give everything back; nothing may be running."""
        for sha256 in list(self.bases):
            self._drop(sha256, "")

    def _count(self) -> None:
        self.metrics.loaded.labels("base").set(len(self.bases))
        self.metrics.loaded.labels("adapter").set(sum(len(base.adapters) for base in self.bases.values()))
        self.metrics.bytes.labels("all").set(self.used_bytes())
