"""Reads a GGUF of ours back into the model and the tokenizer it was made of, whatever it was quantized to.

So the shipped file is all that a practice's fine-tuning needs; no checkpoint travels with the project.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from sentencepiece import sentencepiece_model_pb2

from chatbot.prompt import Style
from finetune.base.model import CommandModel, Shape
from finetune.base.tokenizer import BLANK, EOS_ID, PAD_ID, UNKNOWN_ID, Tokenizer, symbols

STYLE_KEY = "eyecare.prompt_style"


class NotOurs(ValueError):
    """The file is no model that this training can go on from; the text says why."""

    hint = (
        "Take the model that came with the portal, or one that was made with `python -m finetune pretrain`."
    )


@dataclass(frozen=True)
class Base:
    """A model of ours with its tokenizer, and how its prompt is written."""

    name: str
    model: CommandModel
    tokenizer: Tokenizer
    style: Style
    licence: str


def style_of(path: Path) -> Style:
    """Return how the prompt is written for the model in the file; those of before hints do not say."""
    return _style(gguf.GGUFReader(path))


def load(path: Path) -> Base:
    """Read a base back, dequantized to fp32; raises NotOurs for any other file."""
    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise NotOurs(f"{path.name} is not a readable GGUF file.") from error
    tokenizer = _tokenizer(reader, path.name)
    try:
        model = CommandModel(_shape(reader, len(tokenizer)))
        model.load_state_dict(_weights(reader, model))
    except (KeyError, RuntimeError, ValueError, NotImplementedError) as error:
        raise NotOurs(f"The weights in {path.name} are not those of a small model of ours.") from error
    name, licence = _field(reader, "general.name", path.stem), _field(reader, "general.license", "")
    return Base(name, model, tokenizer, _style(reader), licence)


def _style(reader: gguf.GGUFReader) -> Style:
    return Style(_field(reader, STYLE_KEY, Style.COMPACT))


def _field(reader: gguf.GGUFReader, key: str, otherwise: Any = None) -> Any:
    found = reader.fields.get(key)
    return otherwise if found is None else found.contents()


def _shape(reader: gguf.GGUFReader, vocabulary: int) -> Shape:
    if _field(reader, "general.architecture") != "llama":
        raise ValueError("another architecture")
    if _field(reader, "llama.attention.head_count_kv") != _field(reader, "llama.attention.head_count"):
        raise ValueError("grouped queries")
    return Shape(
        vocabulary=vocabulary,
        width=int(_field(reader, "llama.embedding_length")),
        layers=int(_field(reader, "llama.block_count")),
        heads=int(_field(reader, "llama.attention.head_count")),
        feed_forward=int(_field(reader, "llama.feed_forward_length")),
        context=int(_field(reader, "llama.context_length")),
        rope_base=_decimal(_field(reader, "llama.rope.freq_base")),
        epsilon=_decimal(_field(reader, "llama.attention.layer_norm_rms_epsilon")),
    )


def _decimal(number: float) -> float:
    """Return the decimal number that the file's 32 bits stand for."""
    return float(f"{number:.6g}")


def _weights(reader: gguf.GGUFReader, model: CommandModel) -> dict[str, torch.Tensor]:
    """Return the state of the model; raises KeyError when the file lacks a tensor or holds another."""
    stored = {tensor.name: tensor for tensor in reader.tensors}
    found = {}
    for name in model.state_dict():
        tensor = stored.pop(name.replace(".attention.", "."))
        numbers = gguf.dequantize(tensor.data, tensor.tensor_type)
        found[name] = torch.from_numpy(np.array(numbers, dtype=np.float32))
    if stored:
        raise KeyError(*stored)
    return found


def _tokenizer(reader: gguf.GGUFReader, file: str) -> Tokenizer:
    """Rebuild the SentencePiece model; raises NotOurs when it does not cut our prompts as ours does."""
    if _field(reader, "tokenizer.ggml.model") != "llama":
        raise NotOurs(f"{file} has a tokenizer of another kind than ours.")
    tokens = _field(reader, "tokenizer.ggml.tokens")
    missing = [symbol for symbol in symbols() if symbol not in {*tokens}]
    if missing:
        raise NotOurs(f"{file} was trained for other tasks: its tokenizer has no piece for {missing[0]!r}.")
    scores, kinds = (_field(reader, f"tokenizer.ggml.{name}") for name in ("scores", "token_type"))
    proto = _settings()
    for piece, score, kind in zip(tokens, scores, kinds, strict=True):
        known = proto.SentencePiece.Type.USER_DEFINED if piece == BLANK else kind
        proto.pieces.add(piece=piece, score=score, type=known)
    return Tokenizer.of(proto.SerializeToString())


def _settings() -> Any:
    """Return an empty SentencePiece model with the settings of `tokenizer.train`."""
    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    proto.trainer_spec.model_type = proto.trainer_spec.ModelType.BPE
    proto.trainer_spec.byte_fallback = True
    proto.trainer_spec.unk_id, proto.trainer_spec.bos_id = UNKNOWN_ID, -1
    proto.trainer_spec.eos_id, proto.trainer_spec.pad_id = EOS_ID, PAD_ID
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = False
    proto.normalizer_spec.remove_extra_whitespaces = False
    return proto
