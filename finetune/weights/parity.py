"""Checks that a GGUF is the model from the hub that was trained: the same token ids, close logits."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chatbot.modelhost.engine import Weights
from finetune.large.texts import Encoder, Exchange
from finetune.weights.runtime import Runtime, Vocabulary

TOLERANCES = {
    "F32": 0.001,
    "F16": 0.01,
    "BF16": 0.03,
    "Q8_0": 0.1,
    "Q5_K_M": 0.35,
    "Q4_K_M": 0.6,
    "Q4_0": 0.7,
}
"""How far logits may be off, as a share of their own spread (root mean square over standard deviation).

An unrelated model is 140 % off. A mistake of the conversion shows in 16 bits, where the bound is tight; the
others leave room for random weights, which lose more than trained ones, the more the wider they are: Q4_K_M
was 17 % off at a width of 256 and 38 % at 4,096.
"""


class OtherTokenizer(ValueError):
    """llama.cpp cuts text otherwise than the tokenizer that the model is trained with."""

    hint = "Take a base whose tokenizer llama.cpp knows: Llama 3, Mistral, or a SentencePiece model."


class OtherModel(ValueError):
    """The GGUF does not answer as the trained model does; it must not be used."""

    hint = "Export it again; when that does not help, the converter does not know this architecture well."


@dataclass(frozen=True)
class Parity:
    """What the comparison found."""

    texts: int
    tokens: int
    off: float
    """Root mean square of the logits' differences, as a share of the logits' spread."""
    same_choice: float
    """Share of tokens after which both find the same next one likeliest."""
    tolerance: float

    @property
    def holds(self) -> bool:
        return self.off <= self.tolerance

    def facts(self) -> dict[str, Any]:
        return asdict(self) | {"holds": self.holds}


def check_tokenizer(vocabulary: Vocabulary, encoder: Encoder, exchanges: Sequence[Exchange]) -> None:
    """Raise OtherTokenizer unless llama.cpp cuts every text as the trained tokenizer does.

    `vocabulary` may be a GGUF without weights: seconds of checking before hours of training.
    """
    line = vocabulary.encode("\n")
    for exchange in exchanges:
        asked = encoder.text(exchange.messages)
        pairs = (
            (vocabulary.encode(asked), encoder.prompt(exchange.messages)),
            (vocabulary.encode(f"\n{exchange.answer}")[len(line) :], encoder.answer(exchange.answer)),
        )
        if any(theirs != ours for theirs, ours in pairs):
            raise OtherTokenizer(
                f"The tokenizer of this model and llama.cpp's cut the same text differently: {asked[-60:]!r}."
            )


def check_host(gguf: Path, encoder: Encoder, exchanges: Sequence[Exchange]) -> None:
    """Raise OtherTokenizer unless the model host, with the template in the file, writes the same prompts."""
    weights = Weights(gguf)
    try:
        for exchange in exchanges:
            if weights.tokens(exchange.messages) != encoder.prompt(exchange.messages):
                raise OtherTokenizer("The model host writes prompts otherwise than in training.")
    finally:
        weights.close()


def reference(model: Any, ids: Sequence[int]) -> NDArray[np.float32]:
    """Return the logits of the trained model after every token."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([list(ids)], device=model.device)).logits[0]
    found: NDArray[np.float32] = logits.float().cpu().numpy()
    return found


def compare(
    expected: Sequence[tuple[Sequence[int], NDArray[np.float32]]],
    gguf: Path,
    *,
    precision: str,
    adapter: Path | None = None,
) -> Parity:
    """Run the same ids through a GGUF; raises OtherModel when it is off by more than its precision."""
    longest = max(len(ids) for ids, _ in expected)
    runtime = Runtime(gguf, adapter=adapter, context_tokens=longest)
    try:
        found = [(runtime.logits(ids), logits) for ids, logits in expected]
    finally:
        runtime.close()
    off = float(np.mean([_off(theirs, ours) for theirs, ours in found]))
    same = np.concatenate([theirs.argmax(1) == ours.argmax(1) for theirs, ours in found])
    parity = Parity(len(found), len(same), off, float(same.mean()), TOLERANCES[precision])
    if not parity.holds:
        raise OtherModel(
            f"{gguf.name} is not the model that was trained: its logits are {parity.off:.1%} off, and "
            f"{parity.tolerance:.1%} is what {precision} explains."
        )
    return parity


def _off(theirs: NDArray[np.float32], ours: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((theirs - ours) ** 2)) / ours.std())
