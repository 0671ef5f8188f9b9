"""A GGUF in llama.cpp, with adapter or without, for its token ids and for the logits after every token."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray


class Unloadable(ValueError):
    """llama.cpp cannot read the file."""


class Vocabulary:
    """The tokenizer of a GGUF; the file need hold no weights."""

    def __init__(self, path: Path, *, alone: bool = True) -> None:
        llama_cpp.llama_log_set(_quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self._model = _load(path, vocabulary_only=alone)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary_size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, with control tokens read as such and nothing put in front."""
        raw = text.encode()
        room = len(raw) + 8
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocabulary, raw, len(raw), ids, room, False, True)
        return list(ids[:count])

    def close(self) -> None:
        """Give the memory back; the object cannot be used afterwards."""
        llama_cpp.llama_model_free(self._model)


class Runtime(Vocabulary):
    """A loaded model. Keys and values are in fp32 and attention is plain: only real differences show."""

    def __init__(
        self, path: Path, *, adapter: Path | None = None, context_tokens: int = 512, threads: int = 2
    ) -> None:
        super().__init__(path, alone=False)
        self._context = llama_cpp.llama_init_from_model(self._model, _parameters(context_tokens, threads))
        if not self._context:
            raise MemoryError(f"No room for a context of {context_tokens} tokens.")
        if adapter is not None:
            self._lay_on(adapter)

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits after every token, (length, vocabulary)."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        try:
            _fill(batch, ids)
            problem = llama_cpp.llama_decode(self._context, batch)
            if problem:
                raise RuntimeError(f"llama_decode answered {problem}.")
            pointer = llama_cpp.llama_get_logits(self._context)
            return np.ctypeslib.as_array(pointer, shape=(len(ids), self.vocabulary_size)).copy()
        finally:
            llama_cpp.llama_batch_free(batch)

    def close(self) -> None:
        llama_cpp.llama_free(self._context)
        super().close()

    def _lay_on(self, path: Path) -> None:
        adapter = llama_cpp.llama_adapter_lora_init(self._model, str(path).encode())
        if not adapter:
            raise Unloadable(f"The adapter {path.name} does not fit this base.")
        adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter)
        llama_cpp.llama_set_adapters_lora(self._context, adapters, 1, (ctypes.c_float * 1)(1.0))


def _load(path: Path, *, vocabulary_only: bool) -> Any:
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = vocabulary_only
    if b"AMX_INT8 = 1" in llama_cpp.llama_print_system_info():
        parameters.use_extra_bufts = False  # its AMX kernels for quantized weights end the process
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
    if not model:
        raise Unloadable(f"llama.cpp cannot load {path.name}.")
    return model


def _parameters(context_tokens: int, threads: int) -> Any:
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = context_tokens
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.type_k = parameters.type_v = llama_cpp.GGML_TYPE_F32
    parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return parameters


def _fill(batch: Any, ids: Sequence[int]) -> None:
    batch.n_tokens = len(ids)
    for position, token in enumerate(ids):
        batch.token[position] = token
        batch.pos[position] = position
        batch.n_seq_id[position] = 1
        batch.seq_id[position][0] = 0
        batch.logits[position] = 1


@llama_cpp.llama_log_callback
def _quiet(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    """Keep llama.cpp's tensor lists out of the log."""
