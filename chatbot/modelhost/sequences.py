"""What is remembered of texts that were read: beginnings shared in the cache, whole texts in memory.

A *trunk* is the beginning that many prompts share (the system prompt, the tools): read once, kept in a
sequence of its own, and given to every text that begins with it without a copy. A *strand* is a text
being answered. When it is done, its own part, behind the trunk, rests in memory (never on disk: it is
what a patient wrote) until a longer version of the same text comes and goes on from there.

The cells of the context are counted, so that no answer runs out of room half way.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chatbot.modelhost.engine import HAND, Context, shared_beginning
from chatbot.modelhost.metrics import Metrics

BLOCK = 16
"""Tokens by which texts are looked up; a shorter common beginning is not worth a copy."""

TRUNK_TOKENS = 32
"""A shared beginning shorter than this is read anew: that is cheaper than keeping a sequence for it."""

TRUNKS = 16
"""Trunks that are kept at most."""

Key = tuple[str, tuple[int, ...]]
"""An adapter and the tokens read under it."""


@dataclass(eq=False)
class Trunk:
    """A beginning that many texts share."""

    adapter: str
    tokens: list[int]
    sequence: int
    evaluated: int = 0
    users: int = 0

    @property
    def is_complete(self) -> bool:
        return self.evaluated == len(self.tokens)

    def advance(self, tokens: Sequence[int]) -> None:
        self.evaluated += len(tokens)


@dataclass(frozen=True, eq=False)
class Resting:
    """The cache of a finished text, from token `start` on, out of the context."""

    adapter: str
    tokens: list[int]
    start: int
    state: NDArray[np.uint8]
    marks: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return len(self.state) + 8 * len(self.tokens)


@dataclass(eq=False)
class Strand:
    """A text being read and written; `tokens` are those that are evaluated."""

    adapter: str
    sequence: int
    trunk: Trunk | None
    reserved: int
    tokens: list[int] = field(default_factory=list)
    origin: Resting | None = None
    has_begun: bool = False

    @property
    def own_start(self) -> int:
        return len(self.trunk.tokens) if self.trunk else 0

    def advance(self, tokens: Sequence[int]) -> None:
        self.tokens += tokens


class Cache:
    """The sequences and cells of one context, and what rests outside it."""

    def __init__(self, context: Context, *, resting_bytes: int, metrics: Metrics) -> None:
        self.context = context
        self.resting_bytes = resting_bytes
        self.metrics = metrics
        self.held_bytes = 0
        self._free_cells = context.cells
        self._free_sequences = [number for number in range(context.sequences) if number != HAND]
        self._trunks: OrderedDict[Key, Trunk] = OrderedDict()
        self._resting: OrderedDict[int, Resting] = OrderedDict()
        self._index: dict[int, list[Resting]] = {}

    def open(self, adapter: str, tokens: Sequence[int], stable: int, room: int) -> Strand | None:
        """Reserve a place for a prompt and `room` tokens of answer; None while others are in the way."""
        key = (adapter, tuple(tokens[:stable])) if stable >= TRUNK_TOKENS else None
        trunk = self._trunks.get(key) if key else None
        own = len(tokens) - (stable if key else 0) + room
        is_new = key is not None and trunk is None
        if not self._make_room(own + (stable if is_new else 0), 2 if is_new else 1, spared=trunk):
            return None
        if key is not None:
            trunk = self._use_trunk(key)
        self._free_cells -= own
        return Strand(adapter, self._free_sequences.pop(), trunk, reserved=own)

    def begin(self, strand: Strand, prompt: Sequence[int]) -> None:
        """Give the strand all that is known of its prompt already; the trunk must be complete."""
        strand.has_begun = True
        if strand.trunk:
            self.context.share(strand.trunk.sequence, strand.sequence, 0, len(strand.trunk.tokens))
            strand.tokens = list(strand.trunk.tokens)
        if found := self._find(strand, prompt):
            self._restore(strand, *found)

    def close(self, strand: Strand, *, keeps: bool = True) -> None:
        """Put the strand's own part to rest, if it is worth keeping, and free its place."""
        if keeps and len(strand.tokens) - strand.own_start >= BLOCK:
            self._rest(strand)
        self.context.forget(strand.sequence)
        self._free_sequences.append(strand.sequence)
        self._free_cells += strand.reserved
        if strand.trunk:
            strand.trunk.users -= 1

    def forget_adapter(self, adapter: str) -> None:
        """Drop what was read with an adapter; none of its texts may be in work."""
        for key, trunk in list(self._trunks.items()):
            if trunk.adapter == adapter:
                self._drop_trunk(key)
        for identity, resting in list(self._resting.items()):
            if resting.adapter == adapter:
                self._drop_resting(identity)

    def clear(self) -> None:
        """Forget everything; no text may be in work."""
        for key in list(self._trunks):
            self._drop_trunk(key)
        for identity in list(self._resting):
            self._drop_resting(identity)

    # Trunks and room

    def _use_trunk(self, key: Key) -> Trunk:
        if key not in self._trunks:
            self._trunks[key] = Trunk(key[0], list(key[1]), self._free_sequences.pop())
            self._free_cells -= len(key[1])
        self._trunks.move_to_end(key)
        trunk = self._trunks[key]
        trunk.users += 1
        return trunk

    def _make_room(self, cells: int, sequences: int, *, spared: Trunk | None) -> bool:
        """Drop trunks that nobody uses, the longest unused first, until there is room."""
        idle = [key for key, trunk in self._trunks.items() if not trunk.users and trunk is not spared]
        while self._free_cells < cells or len(self._free_sequences) < sequences:
            if not idle:
                return False
            self._drop_trunk(idle.pop(0))
        return True

    def _drop_trunk(self, key: Key) -> None:
        trunk = self._trunks.pop(key)
        self.context.forget(trunk.sequence)
        self._free_sequences.append(trunk.sequence)
        self._free_cells += len(trunk.tokens)

    # Texts at rest

    def _find(self, strand: Strand, prompt: Sequence[int]) -> tuple[Resting, int] | None:
        """Return the text at rest that begins most like the prompt, and for how many tokens."""
        for mark in reversed(list(_marks(strand.adapter, prompt[:-1]))):
            if found := self._index.get(mark):
                best = max(found[-4:], key=lambda resting: shared_beginning(resting.tokens, prompt[:-1]))
                shared = shared_beginning(best.tokens, prompt[:-1])
                is_worth_it = shared - strand.own_start >= BLOCK and best.start <= strand.own_start
                return (best, shared) if is_worth_it else None
        return None

    def _restore(self, strand: Strand, resting: Resting, shared: int) -> None:
        passing = len(resting.tokens) - resting.start - (shared - strand.own_start)
        if passing > self._free_cells:
            return  # the hand needs more room than there is; reading it again needs none
        if self.context.put_back(resting.state, strand.sequence, strand.own_start, shared):
            strand.tokens = resting.tokens[:shared]
            strand.origin = resting
            self._resting.move_to_end(id(resting))
            self.metrics.restores.inc()

    def _rest(self, strand: Strand) -> None:
        self._supersede(strand)
        state = self.context.take_out(strand.sequence, strand.own_start)
        marks = tuple(_marks(strand.adapter, strand.tokens))
        resting = Resting(strand.adapter, strand.tokens, strand.own_start, state, marks)
        if resting.size_bytes > self.resting_bytes:
            return
        self._resting[id(resting)] = resting
        self.held_bytes += resting.size_bytes
        for mark in marks:
            self._index.setdefault(mark, []).append(resting)
        self.metrics.spills.inc()
        while self.held_bytes > self.resting_bytes:
            self._drop_resting(next(iter(self._resting)))

    def _supersede(self, strand: Strand) -> None:
        """Drop the text that this one went on from, where it holds most of it."""
        origin = strand.origin
        if origin is None or id(origin) not in self._resting:
            return
        kept = shared_beginning(origin.tokens, strand.tokens) - origin.start
        if 2 * kept >= len(origin.tokens) - origin.start:
            self._drop_resting(id(origin))

    def _drop_resting(self, identity: int) -> None:
        resting = self._resting.pop(identity)
        self.held_bytes -= resting.size_bytes
        for mark in resting.marks:
            self._index[mark].remove(resting)
            if not self._index[mark]:
                del self._index[mark]


def _marks(adapter: str, tokens: Sequence[int]) -> Iterator[int]:
    """Yield a mark for each whole block from the beginning: equal beginnings have equal marks."""
    mark = hash(adapter)
    for end in range(BLOCK, len(tokens) + 1, BLOCK):
        mark = hash((mark, tuple(tokens[end - BLOCK : end])))
        yield mark
