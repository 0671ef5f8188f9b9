"""Weights, and contexts over them: the low-level API of llama.cpp, driven directly.

The binding's own loop would hold a score for every token of a batch (a quarter of a gigabyte with a
Llama 3 vocabulary), check the whole vocabulary against the grammar at each step, hold one conversation
only, and end the process when a grammar leaves no token to choose. Nothing here is safe for threads:
one thread owns a model and its contexts.
"""

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from numpy.typing import NDArray

from chatbot.modelhost.answers import ModelMissing, ModelUnusable
from chatbot.modelhost.constraint import Anything, Constraint, Grammar

BATCH_TOKENS = 128
"""Tokens evaluated in one go at most; between two goes a late or abandoned request is dropped."""

HAND = 0
"""The sequence through which a text's cache is taken out and put back; it holds nothing in between."""

Messages = Sequence[Mapping[str, str]]


@dataclass(eq=False)
class Weights:
    """A loaded GGUF: its vocabulary, its way of writing a conversation, and adapters on it."""

    path: Path
    name: str = ""
    checks_values: bool = False

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise ModelMissing(f"There is no model file at {self.path}.")
        _start_library()
        self._model = self._load()
        self.vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary_size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.trained_context = llama_cpp.llama_model_n_ctx_train(self._model)
        self.size_bytes = llama_cpp.llama_model_size(self._model)
        self.name = self.name or self._metadata("general.name") or self.path.stem
        self.opening = max(llama_cpp.llama_vocab_bos(self.vocabulary), 0)
        self._adds_space = self._puts_a_space_first()
        self._pieces: dict[int, bytes] = {}
        self._stable: dict[str, int] = {}
        self._template = self._chat_template()
        self._controls = self._control_tokens()

    def _load(self) -> Any:
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 999  # every layer, where the library was built for a GPU
        if b"AMX_INT8 = 1" in llama_cpp.llama_print_system_info():
            parameters.use_extra_bufts = False  # its AMX kernels for quantized weights end the process
        parameters.check_tensors = self.checks_values
        del _complaints[:]
        model = llama_cpp.llama_model_load_from_file(str(self.path).encode(), parameters)
        if not model:
            raise ModelUnusable(f"llama.cpp cannot load {self.path.name}{_complaint()}.")
        if llama_cpp.llama_model_is_recurrent(model) or llama_cpp.llama_model_is_hybrid(model):
            llama_cpp.llama_model_free(model)
            raise ModelUnusable(f"{self.path.name} keeps no cache by tokens, which this host shares.")
        return model

    def adapter(self, path: Path) -> Any:
        """Load a LoRA adapter onto these weights; raises ModelMissing or ModelUnusable."""
        if not path.is_file():
            raise ModelMissing(f"There is no adapter file at {path}.")
        del _complaints[:]
        adapter = llama_cpp.llama_adapter_lora_init(self._model, str(path).encode())
        if not adapter:
            raise ModelUnusable(f"The adapter {path.name} does not go on {self.path.name}{_complaint()}.")
        return adapter

    def constraint(self, grammar: str | None) -> Constraint:
        """Return what follows a text under this grammar; raises GrammarRefused."""
        return Anything() if grammar is None else Grammar(self.vocabulary, grammar)

    def tokens(self, messages: Messages) -> list[int]:
        """Render the messages; a control token that somebody typed is taken out of what they said."""
        harmless = [{**message, "content": self._disarm(message["content"])} for message in messages]
        text = self._template(messages=harmless).prompt.encode()  # type: ignore[arg-type]
        room = len(text) + 8
        array = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocabulary, text, len(text), array, room, False, True)
        return self._beginning() + array[:count]

    def stable_tokens(self, messages: Messages) -> int:
        """Return how many tokens of the prompt are the same whatever the user says: the system's part."""
        system = [message for message in messages if message["role"] == "system"]
        if not system or messages[0]["role"] != "system":
            return 0
        text = system[0]["content"]
        if text not in self._stable:
            one, other = (self.tokens([system[0], {"role": "user", "content": said}]) for said in ("a", "Z"))
            if len(self._stable) > 64:
                self._stable.clear()
            self._stable[text] = shared_beginning(one, other)
        return self._stable[text]

    def is_end(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_eog(self.vocabulary, token))

    def piece(self, token: int, *, is_first: bool) -> bytes:
        """Return the bytes of a token, without the space that SentencePiece puts before a text."""
        if token not in self._pieces:
            self._pieces[token] = self._read_piece(token)
        piece = self._pieces[token]
        return piece.removeprefix(b" ") if is_first and self._adds_space else piece

    def _read_piece(self, token: int, room: int = 64) -> bytes:
        buffer = (ctypes.c_char * room)()
        size = llama_cpp.llama_token_to_piece(self.vocabulary, token, buffer, room, 0, False)
        if size < 0:  # the room that it wants, negated; one piece of our own model is a whole command
            return self._read_piece(token, -size)
        return buffer.raw[:size]

    def _beginning(self) -> list[int]:
        """Return the token that opens a text, where the template does not write it itself."""
        adds = llama_cpp.llama_vocab_get_add_bos(self.vocabulary)
        return [llama_cpp.llama_vocab_bos(self.vocabulary)] if adds and not self._template_opens else []

    def _disarm(self, text: str) -> str:
        while self._controls.search(text):
            text = self._controls.sub("", text)
        return text

    def _chat_template(self) -> Jinja2ChatFormatter:
        template = llama_cpp.llama_model_chat_template(self._model, None)
        if not template:
            raise ModelUnusable(f"{self.path.name} carries no chat template.")
        opening = self._text_of(llama_cpp.llama_vocab_bos(self.vocabulary))
        closing = self._text_of(llama_cpp.llama_vocab_eos(self.vocabulary))
        try:
            formatter = Jinja2ChatFormatter(template.decode(), eos_token=closing, bos_token=opening)
            probe = formatter(messages=[{"role": "user", "content": "x"}]).prompt
        except Exception as error:  # a template is a program of somebody else's
            raise ModelUnusable(f"The chat template of {self.path.name} fails: {error}.") from error
        self._template_opens = bool(opening) and probe.startswith(opening)
        return formatter

    def _control_tokens(self) -> re.Pattern[str]:
        tokens = range(self.vocabulary_size)
        is_control = llama_cpp.llama_vocab_is_control
        marks = [self._text_of(token) for token in tokens if is_control(self.vocabulary, token)]
        return re.compile("|".join(re.escape(mark) for mark in marks if mark) or r"(?!)")

    def _text_of(self, token: int) -> str:
        if token < 0:
            return ""
        return (llama_cpp.llama_vocab_get_text(self.vocabulary, token) or b"").decode()

    def _puts_a_space_first(self) -> bool:
        kind = llama_cpp.llama_vocab_type(self.vocabulary)
        is_told_not_to = self._metadata("tokenizer.ggml.add_space_prefix") == "false"
        return kind == llama_cpp.LLAMA_VOCAB_TYPE_SPM and not is_told_not_to

    def _metadata(self, key: str) -> str:
        buffer = bytes(256)
        size = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer[:size].decode(errors="replace") if size > 0 else ""

    def close(self) -> None:
        """Give the memory back, adapters' too; contexts over these weights must be closed before."""
        llama_cpp.llama_model_free(self._model)


@dataclass(frozen=True)
class Row:
    """What a sequence is given to read in one go; scores are wanted after its last token."""

    sequence: int
    start: int
    tokens: Sequence[int]
    wants_scores: bool


class Context:
    """A cache of `cells` tokens that `sequences` share, and evaluation over it.

    A cell may belong to several sequences, so copying a beginning from one to another costs nothing.
    """

    def __init__(self, weights: Weights, *, cells: int, sequences: int, threads: int = 0) -> None:
        self.weights = weights
        self.batch_tokens = min(BATCH_TOKENS, cells)
        self.sequences = sequences
        parameters = self._parameters(cells, sequences, threads)
        self._context = llama_cpp.llama_init_from_model(weights._model, parameters)
        if not self._context:
            raise ModelUnusable(f"There is no memory for a cache of {cells} tokens.")
        self.cells = llama_cpp.llama_n_ctx(self._context)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = _Batch(self.batch_tokens)
        self._adapter: Any = None
        self._warm_up()

    def _parameters(self, cells: int, sequences: int, threads: int) -> llama_cpp.llama_context_params:
        """Everything whose default would hurt: half the cores, 512 tokens, the wrong kind of attention."""
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = parameters.n_ubatch = self.batch_tokens
        parameters.n_seq_max = sequences
        parameters.kv_unified = True  # one pool of cells: sequences share a beginning without a copy
        parameters.n_threads = parameters.n_threads_batch = threads or os.cpu_count() or 1
        parameters.flash_attn_type = _flash_attention()
        parameters.n_outputs_max = min(sequences, self.batch_tokens)
        return parameters

    def _warm_up(self) -> None:
        """Have the first evaluation, which sets up threads and buffers, behind us, and measure a cell."""
        self.decode([Row(HAND, 0, [self.weights.opening] * 2, wants_scores=False)])
        two = self._state_size(HAND)
        self.forget(HAND, 1)
        self.cell_bytes = two - self._state_size(HAND)
        self.forget(HAND)

    def decode(self, rows: Sequence[Row], adapter: Any = None) -> list[NDArray[np.float32]]:
        """Evaluate the rows together; return the scores of those that want them, in order.

        The scores are views into llama.cpp's memory, good until the next call. Raises RuntimeError.
        """
        self._wear(adapter)
        ends = self._batch.fill(rows)
        if problem := llama_cpp.llama_decode(self._context, self._batch.struct):
            raise RuntimeError(f"llama_decode answered {problem}.")
        return [self._scores(end - 1) for row, end in zip(rows, ends, strict=True) if row.wants_scores]

    def _scores(self, position: int) -> NDArray[np.float32]:
        pointer = llama_cpp.llama_get_logits_ith(self._context, position)
        return np.ctypeslib.as_array(pointer, shape=(self.weights.vocabulary_size,))

    def _wear(self, adapter: Any) -> None:
        """Have this adapter, or none, in all that is evaluated from here on."""
        if adapter is self._adapter:
            return
        adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter) if adapter else None
        scales = (ctypes.c_float * 1)(1.0) if adapter else None
        if llama_cpp.llama_set_adapters_lora(self._context, adapters, 1 if adapter else 0, scales):
            raise ModelUnusable("llama.cpp does not take the adapter.")
        self._adapter = adapter

    def drop_adapter(self, adapter: Any) -> None:
        """Give an adapter's memory back."""
        self._wear(None)
        llama_cpp.llama_adapter_lora_free(adapter)

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Let the target hold the source's tokens from `start` to `end` as well."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, start, end)

    def forget(self, sequence: int, start: int = 0) -> None:
        """Take the tokens from `start` on out of a sequence."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def length(self, sequence: int) -> int:
        """Return how many positions of a sequence are filled, up to its last token."""
        return int(llama_cpp.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def take_out(self, sequence: int, start: int) -> NDArray[np.uint8]:
        """Return the cache of a sequence's tokens from `start` on."""
        self.share(sequence, HAND, start, -1)
        size = self._state_size(HAND)
        state = np.empty(size, dtype=np.uint8)
        pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        written = llama_cpp.llama_state_seq_get_data(self._context, pointer, size, HAND)
        self.forget(HAND)
        if written != size:
            raise RuntimeError(f"A sequence of {size} bytes was taken out with {written}.")
        return state

    def put_back(self, state: NDArray[np.uint8], sequence: int, start: int, end: int) -> bool:
        """Add what was taken out, from `start` to `end`, to a sequence; False where it has no room."""
        pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        read = llama_cpp.llama_state_seq_set_data(self._context, pointer, len(state), HAND)
        if read:
            self.share(HAND, sequence, start, end)
        self.forget(HAND)
        return bool(read)

    def _state_size(self, sequence: int) -> int:
        return int(llama_cpp.llama_state_seq_get_size(self._context, sequence))

    def close(self) -> None:
        llama_cpp.llama_free(self._context)


class _Batch:
    """A llama_batch over arrays of ours, filled anew for each call."""

    def __init__(self, room: int) -> None:
        self.tokens = np.zeros(room, dtype=np.int32)
        self.positions = np.zeros(room, dtype=np.int32)
        self.counts = np.ones(room, dtype=np.int32)
        self.sequences = np.zeros(room, dtype=np.int32)
        self.pointers = (self.sequences.ctypes.data + 4 * np.arange(room)).astype(np.uintp)
        self.wanted = np.zeros(room, dtype=np.int8)
        self.steps = np.arange(room, dtype=np.int32)
        self.struct = llama_cpp.llama_batch(
            n_tokens=0,
            token=_pointer(self.tokens, llama_cpp.llama_token),
            pos=_pointer(self.positions, llama_cpp.llama_pos),
            n_seq_id=_pointer(self.counts, ctypes.c_int32),
            seq_id=_pointer(self.pointers, ctypes.POINTER(llama_cpp.llama_seq_id)),
            logits=_pointer(self.wanted, ctypes.c_int8),
        )

    def fill(self, rows: Sequence[Row]) -> list[int]:
        """Lay the rows one after the other; return where each ends."""
        ends: list[int] = []
        begin = 0
        for row in rows:
            end = begin + len(row.tokens)
            self.tokens[begin:end] = row.tokens
            self.positions[begin:end] = self.steps[: end - begin] + row.start
            self.sequences[begin:end] = row.sequence
            self.wanted[begin:end] = 0
            self.wanted[end - 1] = row.wants_scores
            ends.append(end)
            begin = end
        self.struct.n_tokens = begin
        return ends


def shared_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two texts begin with in common."""
    length = min(len(one), len(other))
    differs = np.asarray(one[:length], dtype=np.int32) != np.asarray(other[:length], dtype=np.int32)
    return int(differs.argmax()) if differs.any() else length


def _flash_attention() -> int:
    """Flash attention on a GPU only: on a CPU it makes 2 to 63 tokens at a time up to six times slower."""
    if llama_cpp.llama_supports_gpu_offload():
        return int(llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED)
    return int(llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED)


def _pointer(array: NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))


@cache
def _start_library() -> None:
    llama_cpp.llama_log_set(_listen, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()


_complaints: list[str] = []
"""What llama.cpp said of the file it is loading; never of a prompt."""


def _complaint() -> str:
    """Return llama.cpp's own reason, in brackets, where it gave one."""
    if not _complaints:
        return ""
    reason = _complaints[0].partition(": ")[2] or _complaints[0]
    return f" ({reason.strip().rstrip('.')[:200]})"


@llama_cpp.llama_log_callback
def _listen(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    """Keep llama.cpp from writing prompts and tensor lists to the log; remember why it refuses a file."""
    if level == 4 and len(_complaints) < 8:
        _complaints.append(text.decode(errors="replace"))
