"""Refusals: errors with a sentence that a patient may read as it is."""

from collections.abc import Sequence
from typing import Any


class Refusal(Exception):
    """A rule of the practice says no.

    `sentence` can be shown to the patient; `code` is for programs; `alternatives` are the nearest
    things that are possible (slots, for instance), best first.
    """

    code = "refused"
    status = 409

    def __init__(self, sentence: str, *, alternatives: Sequence[Any] = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.alternatives = tuple(alternatives)


class NotFound(Refusal):
    """It does not exist or is not yours: the answer is the same."""

    code = "not_found"
    status = 404


class Invalid(Refusal):
    """What was given cannot be used."""

    code = "invalid"
    status = 400
