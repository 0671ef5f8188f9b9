"""Chooses the next token: the best ones are tried first, the whole vocabulary only at need."""

import numpy as np
from numpy.typing import NDArray

from chatbot.modelhost.answers import NothingFits
from chatbot.modelhost.constraint import Constraint

WIDTH = 64
"""With a temperature, one of the best so many tokens is drawn."""


def choose(
    scores: NDArray[np.float32], constraint: Constraint, temperature: float, chance: np.random.Generator
) -> int:
    """Return a token that the constraint allows; raises NothingFits where there is none."""
    width = WIDTH if temperature > 0 else 1
    while True:
        best = _best(scores, width)
        allowed = constraint.allowed(best)
        if len(allowed):
            return _draw(allowed, scores[allowed], temperature, chance)
        if width >= len(scores):
            raise NothingFits("No token of the vocabulary fits the grammar here.")
        width = min(width * 64, len(scores))


def _best(scores: NDArray[np.float32], width: int) -> NDArray[np.intp]:
    """Return the tokens of the highest scores, best first."""
    if width == 1:
        return np.array([scores.argmax()])
    if width >= len(scores):
        return np.argsort(-scores)
    top = np.argpartition(scores, -width)[-width:]
    return top[np.argsort(-scores[top])]


def _draw(
    tokens: NDArray[np.intp], scores: NDArray[np.float32], temperature: float, chance: np.random.Generator
) -> int:
    if temperature <= 0 or len(tokens) == 1:
        return int(tokens[0])
    weights = np.exp((scores - scores.max()).astype(np.float64) / temperature)
    return int(chance.choice(tokens, p=weights / weights.sum()))
