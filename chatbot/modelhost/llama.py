"""The only file that knows llama.cpp: one GGUF, one context, one sequence of tokens in its cache.

The low-level API is driven directly. The binding's own loop would hold a score for every token of a
batch (a quarter of a gigabyte with a Llama 3 vocabulary), check the whole vocabulary against the
grammar at each step, and end the process when a grammar leaves no token to choose.
"""

import codecs
import ctypes
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from numpy.typing import NDArray

from chatbot.modelhost import gbnf
from chatbot.modelhost.gbnf import GrammarRefused

PREFILL_TOKENS = 128
"""Prompt tokens read in one go; between two goes a late or abandoned request is dropped."""

SAMPLING_WIDTH = 64
"""With a temperature, one of the best so many tokens is drawn."""

_TOKEN = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)], align=True)
"""llama_token_data, laid out for the C side."""


class ModelMissing(FileNotFoundError):
    """There is no GGUF where the settings say it is."""


class PromptTooLong(ValueError):
    """The prompt leaves no room in the context."""


class NothingFits(RuntimeError):
    """No token of the vocabulary continues the text as the grammar demands."""


@dataclass(frozen=True)
class Prompt:
    """What to answer, and within what bounds. A temperature of 0 takes the likeliest token."""

    messages: Sequence[Mapping[str, str]]
    grammar: str | None = None
    max_tokens: int = 96
    temperature: float = 0.0
    seed: int = 0


@dataclass
class Tally:
    """What an answer cost so far; filled in while it is generated."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "length"


@dataclass
class GgufModel:
    """A loaded model. Not safe for threads: one thread owns it."""

    path: Path
    context_tokens: int
    threads: int = 0
    name: str = ""
    sha256: str = ""
    _cached: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise ModelMissing(f"There is no model file at {self.path}.")
        self.sha256 = _sha256(self.path)
        llama_cpp.llama_log_set(_quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self._load()
        self.name = self.name or self._metadata("general.name") or self.path.stem
        self._adds_space = self._puts_a_space_first()
        self._piece_cache: dict[int, bytes] = {}
        self._template = self._chat_template()
        self._controls = self._control_tokens()
        self._warm_up()

    def _warm_up(self) -> None:
        """Have the first evaluation, which sets up threads and buffers, behind us."""
        self._evaluate([max(llama_cpp.llama_vocab_bos(self._vocabulary), 0)])
        self._forget_from(0)

    def _load(self) -> None:
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 999  # every layer, where the library was built for a GPU
        if b"AMX_INT8 = 1" in llama_cpp.llama_print_system_info():
            parameters.use_extra_bufts = False  # its AMX kernels for quantized weights end the process
        model = llama_cpp.llama_model_load_from_file(str(self.path).encode(), parameters)
        if not model:
            raise ValueError(f"llama.cpp cannot load {self.path}.")
        self._model = model
        self._vocabulary = llama_cpp.llama_model_get_vocab(model)
        self._vocabulary_size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        self.context_tokens = min(self.context_tokens, llama_cpp.llama_model_n_ctx_train(model))
        self._context = llama_cpp.llama_init_from_model(model, self._context_parameters())
        if not self._context:
            raise MemoryError(f"No room for a context of {self.context_tokens} tokens.")
        self._memory = llama_cpp.llama_get_memory(self._context)

    def _context_parameters(self) -> llama_cpp.llama_context_params:
        """Everything whose default would hurt: half the cores, 512 tokens, no flash attention."""
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = self.context_tokens
        parameters.n_batch = parameters.n_ubatch = min(PREFILL_TOKENS, self.context_tokens)
        parameters.n_threads = parameters.n_threads_batch = self.threads or os.cpu_count() or 1
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        parameters.n_outputs_max = 1
        return parameters

    def generate(self, prompt: Prompt, tally: Tally) -> Iterator[str]:
        """Yield the answer piece by piece, with empty pieces while the prompt is read.

        Raises GrammarRefused, PromptTooLong or NothingFits. May be closed at any point.
        """
        tokens = self._tokens(prompt.messages)
        tally.prompt_tokens = len(tokens)
        if len(tokens) >= self.context_tokens:
            raise PromptTooLong(
                f"The prompt has {len(tokens)} tokens; the context holds {self.context_tokens}."
            )
        limit = min(prompt.max_tokens, self.context_tokens - len(tokens))
        with closing(_Constraint(self, prompt.grammar)) as constraint:
            yield from self._read(tokens, tally)
            yield from self._write(prompt, constraint, limit, tally)

    def _read(self, tokens: list[int], tally: Tally) -> Iterator[str]:
        """Evaluate the prompt, but for the beginning that it shares with the last one."""
        shared = _common_prefix(self._cached, tokens[:-1])
        self._forget_from(shared)
        tally.cached_tokens = shared
        for start in range(shared, len(tokens), PREFILL_TOKENS):
            self._evaluate(tokens[start : start + PREFILL_TOKENS])
            yield ""

    def _write(self, prompt: Prompt, constraint: "_Constraint", limit: int, tally: Tally) -> Iterator[str]:
        chance = np.random.default_rng(prompt.seed)
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for _ in range(limit):
            token = self._choose(constraint, prompt.temperature, chance)
            if self._is_end(token):
                tally.finish_reason = "stop"
                break
            constraint.accept(token)
            yield decoder.decode(self._piece(token, is_first=tally.completion_tokens == 0))
            tally.completion_tokens += 1
            if tally.completion_tokens < limit:
                self._evaluate([token])
        yield decoder.decode(b"", final=True)

    def _choose(self, constraint: "_Constraint", temperature: float, chance: np.random.Generator) -> int:
        """Return the next token: the best ones are tried first, the whole vocabulary only at need."""
        scores = self._scores()
        width = SAMPLING_WIDTH if temperature > 0 else 1
        while True:
            best = _best(scores, width)
            allowed = constraint.allowed(best)
            if len(allowed):
                return _draw(allowed, scores[allowed], temperature, chance)
            if width >= len(scores):
                raise NothingFits("No token of the vocabulary fits the grammar here.")
            width = min(width * 64, len(scores))

    def _scores(self) -> NDArray[np.float32]:
        """Return the scores of the last evaluated token, as a view into llama.cpp's memory."""
        pointer = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._vocabulary_size,))

    def _evaluate(self, tokens: list[int]) -> None:
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        problem = llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(array, len(tokens)))
        if problem:
            self._forget_from(0)
            raise RuntimeError(f"llama_decode answered {problem}.")
        self._cached += tokens

    def _forget_from(self, position: int) -> None:
        llama_cpp.llama_memory_seq_rm(self._memory, 0, position, -1)
        del self._cached[position:]

    def _tokens(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Render the messages; a control token that somebody typed is taken out of what they said."""
        harmless = [{**message, "content": self._disarm(message["content"])} for message in messages]
        text = self._template(messages=harmless).prompt.encode()  # type: ignore[arg-type]
        room = len(text) + 8
        array = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocabulary, text, len(text), array, room, False, True)
        return self._beginning() + list(array[:count])

    def _beginning(self) -> list[int]:
        """Return the token that opens a text, where the template does not write it itself."""
        token = llama_cpp.llama_vocab_bos(self._vocabulary)
        adds = llama_cpp.llama_vocab_get_add_bos(self._vocabulary)
        return [token] if adds and not self._template_opens else []

    def _disarm(self, text: str) -> str:
        while self._controls.search(text):
            text = self._controls.sub("", text)
        return text

    def _chat_template(self) -> Jinja2ChatFormatter:
        template = llama_cpp.llama_model_chat_template(self._model, None)
        if not template:
            raise ValueError(f"{self.path.name} carries no chat template.")
        opening = self._text_of(llama_cpp.llama_vocab_bos(self._vocabulary))
        formatter = Jinja2ChatFormatter(
            template.decode(),
            eos_token=self._text_of(llama_cpp.llama_vocab_eos(self._vocabulary)),
            bos_token=opening,
        )
        probe = formatter(messages=[{"role": "user", "content": "x"}]).prompt
        self._template_opens = bool(opening) and probe.startswith(opening)
        return formatter

    def _control_tokens(self) -> re.Pattern[str]:
        tokens = range(self._vocabulary_size)
        marks = [
            self._text_of(token)
            for token in tokens
            if llama_cpp.llama_vocab_is_control(self._vocabulary, token)
        ]
        return re.compile("|".join(re.escape(mark) for mark in marks if mark) or r"(?!)")

    def _text_of(self, token: int) -> str:
        if token < 0:
            return ""
        return (llama_cpp.llama_vocab_get_text(self._vocabulary, token) or b"").decode()

    def _is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self._vocabulary, token))

    def _piece(self, token: int, *, is_first: bool) -> bytes:
        """Return the bytes of a token, without the space that SentencePiece puts before a text."""
        if token not in self._piece_cache:
            self._piece_cache[token] = self._read_piece(token)
        piece = self._piece_cache[token]
        return piece.removeprefix(b" ") if is_first and self._adds_space else piece

    def _read_piece(self, token: int, room: int = 64) -> bytes:
        buffer = (ctypes.c_char * room)()
        size = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, room, 0, False)
        if size < 0:  # the room that it wants, negated; one piece of our own model is a whole command
            return self._read_piece(token, -size)
        return buffer.raw[:size]

    def _puts_a_space_first(self) -> bool:
        kind = llama_cpp.llama_vocab_type(self._vocabulary)
        is_told_not_to = self._metadata("tokenizer.ggml.add_space_prefix") == "false"
        return kind == llama_cpp.LLAMA_VOCAB_TYPE_SPM and not is_told_not_to

    def _metadata(self, key: str) -> str:
        buffer = bytes(256)
        size = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer[:size].decode(errors="replace") if size > 0 else ""

    def close(self) -> None:
        """Give the memory back; the model cannot be used afterwards."""
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


class _Constraint:
    """What a grammar allows next; without a grammar, everything."""

    def __init__(self, model: GgufModel, grammar: str | None) -> None:
        self._sampler: Any = None
        if grammar is None:
            return
        gbnf.check(grammar)
        self._sampler = llama_cpp.llama_sampler_init_grammar(model._vocabulary, grammar.encode(), b"root")
        if not self._sampler:
            raise GrammarRefused("llama.cpp cannot read the grammar.")

    def allowed(self, tokens: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of the tokens with which the text may go on."""
        if self._sampler is None:
            return tokens
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
        """Move on. Only for a token that `allowed` returned: any other one ends the process."""
        if self._sampler is not None:
            llama_cpp.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        if self._sampler is not None:
            llama_cpp.llama_sampler_free(self._sampler)
            self._sampler = None


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


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    for position, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return position
    return min(len(one), len(other))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@llama_cpp.llama_log_callback
def _quiet(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    """Keep llama.cpp from writing prompts and tensor lists to the log."""
