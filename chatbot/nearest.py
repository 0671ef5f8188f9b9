"""What the likeliest examples of the bank ask for, as a hint to a small model.

Numpy alone: the training data in `finetune/` is hinted by the same arithmetic as a live message.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 8
"""Examples that have a say."""

NAMED = 2
"""Commands that a hint names."""

FLOOR = 0.35
"""The cosine below which an example says nothing."""

Hint = tuple[str, int]
"""A command and the likeness of its likeliest example in tenths, 0 to 9."""


def hints(likeness: NDArray[np.float32], names: Sequence[str]) -> tuple[Hint, ...]:
    """Return the commands that the likeliest examples ask for, heaviest first.

    `likeness` holds the cosine of the message with each example of the bank, `names` the first
    command of each. A command weighs the sum of the fourth powers of its examples' cosines, so
    that two near ones outweigh several that share a few words.
    """
    weights: defaultdict[str, float] = defaultdict(float)
    best: dict[str, float] = {}
    for place in likeliest(likeness, NEIGHBOURS):
        cosine, name = float(likeness[place]), names[place]
        weights[name] += cosine**4
        best.setdefault(name, cosine)
    heaviest = sorted(weights, key=lambda name: -weights[name])[:NAMED]
    return tuple((name, min(9, int(best[name] * 10))) for name in heaviest)


def likeliest(likeness: NDArray[np.float32], count: int, floor: float = FLOOR) -> list[int]:
    """Return the places of the examples that are likest, best first; of two alike the earlier."""
    if len(likeness) > count:
        least = np.partition(likeness, -count)[-count]
        places = np.flatnonzero(likeness >= max(least, np.float32(floor)))
    else:
        places = np.flatnonzero(likeness >= floor)
    order = np.argsort(-likeness[places], kind="stable")
    return [int(place) for place in places[order][:count]]
