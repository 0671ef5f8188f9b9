"""What a grammar allows next. A token is chosen first and then held against it."""

import ctypes
from typing import Any, Protocol

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from chatbot.modelhost import gbnf
from chatbot.modelhost.gbnf import GrammarRefused

_TOKEN = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)], align=True)
"""llama_token_data, laid out for the C side."""


class Constraint(Protocol):
    """Follows a text token by token."""

    def allowed(self, tokens: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of the tokens with which the text may go on."""

    def accept(self, token: int) -> None:
        """Move on. Only for a token that `allowed` returned: any other one ends the process."""

    def close(self) -> None:
        """Give back what it holds; safe to call twice."""


class Anything:
    """No constraint."""

    def allowed(self, tokens: NDArray[np.intp]) -> NDArray[np.intp]:
        return tokens

    def accept(self, token: int) -> None:
        pass

    def close(self) -> None:
        pass


class Grammar:
    """A GBNF grammar over a vocabulary, read strictly before llama.cpp sees it. Raises GrammarRefused."""

    def __init__(self, vocabulary: Any, text: str) -> None:
        gbnf.check(text)
        self._sampler = llama_cpp.llama_sampler_init_grammar(vocabulary, text.encode(), b"root")
        if not self._sampler:
            raise GrammarRefused("llama.cpp cannot read the grammar.")

    def allowed(self, tokens: NDArray[np.intp]) -> NDArray[np.intp]:
        entries = np.zeros(len(tokens), dtype=_TOKEN)
        entries["id"] = tokens
        array = llama_cpp.llama_token_data_array(
            data=entries.ctypes.data_as(llama_cpp.llama_token_data_p),
            size=len(tokens),
            selected=-1,
            sorted=False,
        )
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return tokens[np.isfinite(entries["logit"])]

    def accept(self, token: int) -> None:
        llama_cpp.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        if self._sampler is not None:
            llama_cpp.llama_sampler_free(self._sampler)
            self._sampler = None
