"""What this process remembers of earlier searches: as much as it may, for as long as it is right."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from appointments.availability import LONG_AGO, NEVER

Value = TypeVar("Value")


class _Kept(NamedTuple, Generic[Value]):
    version: Hashable
    since: int
    until: int
    weight: int
    value: Value


class Memory(Generic[Value]):
    """Values under keys, each right for one version and one run of time; bounded by their weight.

    Threads share it: values must not be changed. What was asked for least recently is forgotten first.
    """

    def __init__(self, most: int) -> None:
        self.most, self.weight = most, 0
        self._kept: OrderedDict[Hashable, _Kept[Value]] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, key: Hashable, version: Hashable, now: int = 0) -> Value | None:
        """Return the value if it was kept under this very version and is right at this second."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.version != version or not kept.since <= now < kept.until:
                return None
            self._kept.move_to_end(key)
            return kept.value

    def keep(
        self,
        key: Hashable,
        version: Hashable,
        value: Value,
        *,
        weight: int,
        since: int = LONG_AGO,
        until: int = NEVER,
    ) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = _Kept(version, since, until, weight, value)
            self.weight += weight
            while self.weight > self.most:
                self._drop(next(iter(self._kept)))

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()
            self.weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def _drop(self, key: Hashable) -> None:
        if kept := self._kept.pop(key, None):
            self.weight -= kept.weight
