"""llama.cpp's side of the pipeline: makes a GGUF smaller, and gives the logits of one to check it.

Beside the model host this is the only importer of llama_cpp.
"""

import ctypes
from pathlib import Path

import llama_cpp
import numpy
from llama_cpp import Llama


def quantize(source: Path, target: Path, *, threads: int = 2) -> Path:
    """Write `source` with 8-bit weights to `target`; raises RuntimeError when llama.cpp refuses."""
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    settings.nthread = threads
    refused = llama_cpp.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(settings)
    )
    if refused:
        raise RuntimeError(f"llama.cpp could not quantize {source}: code {refused}")
    return target


class Runtime:
    """An fp32 GGUF in llama.cpp, with fp32 keys and values, so that only real differences show."""

    def __init__(self, path: Path) -> None:
        self._llama = Llama(
            model_path=str(path),
            n_ctx=512,
            n_batch=512,
            logits_all=True,
            type_k=llama_cpp.GGML_TYPE_F32,
            type_v=llama_cpp.GGML_TYPE_F32,
            verbose=False,
        )

    def encode(self, text: str) -> list[int]:
        return self._llama.tokenize(text.encode(), add_bos=False, special=True)

    def logits(self, ids: list[int]) -> numpy.ndarray:
        """Return the logits after every token, (length, vocabulary)."""
        self._llama.reset()  # type: ignore[no-untyped-call]
        self._llama.eval(ids)
        return self._llama.scores[: len(ids)].copy()
