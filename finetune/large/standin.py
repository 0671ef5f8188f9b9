"""A stand-in for a base that is not at hand: its architecture and its real tokenizer, with random weights.

Every step of the factory can be walked with it, and every speed measured: neither asks what the weights
say. The vocabularies come from llama.cpp's source: Llama 3's own 128,256 pieces, and for Mistral the
32,000 SentencePiece pieces of Llama 2, which its first versions took over in kind.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf

from finetune.large.recipe import Architecture
from finetune.weights.source import source

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3's tokenizer cuts text before it merges (tokenizer.json of the published model)."""

LLAMA3_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim }}"
    "{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
"""The turns of Llama 3's published template, without its tools and its date."""

MISTRAL_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{% set system = messages[0]['content'] + '\n\n' %}"
    "{% set said = messages[1:] %}{% else %}{% set system = '' %}{% set said = messages %}{% endif %}"
    "{% for message in said %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + (system if loop.first else '') + message['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] | trim + eos_token }}{% endif %}{% endfor %}"
)
"""Mistral's published form: the instructions stand in front of the first message."""


BLANK = "▁"
"""SentencePiece's mark for a blank."""

UNKNOWN, OPENING, ENDING = "<unk>", "<s>", "</s>"
"""Its pieces 0, 1 and 2."""


@dataclass(frozen=True)
class Size:
    """How much of an architecture a stand-in keeps; 0 keeps all of it."""

    layers: int = 2
    hidden: int = 0
    feed_forward: int = 0
    heads: int = 0
    key_value_heads: int = 0

    def of(self, whole: Architecture) -> Architecture:
        kept = {name: value for name, value in vars(self).items() if value}
        return replace(whole, **kept)


TINY = Size(layers=2, hidden=256, feed_forward=512, heads=4, key_value_heads=2)
"""For tests: every tensor of the architecture, in seconds."""


def make(folder: Path, whole: Architecture, size: Size, *, seed: int = 0, instructed: bool = True) -> Path:
    """Write the stand-in as a Hugging Face folder: config, weights in bf16, tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = size.of(whole)
    tokenizer = write_tokenizer(folder, whole.model_type, instructed=instructed)
    config = AutoConfig.for_model(**_config(shape, vocabulary=len(tokenizer)))
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    return folder


def _config(shape: Architecture, *, vocabulary: int) -> dict[str, Any]:
    return {
        "model_type": shape.model_type,
        "vocab_size": vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "max_position_embeddings": shape.context,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_base},
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": shape.tied,
        **({"sliding_window": None} if shape.model_type == "mistral" else {}),
    }


def write_tokenizer(folder: Path, model_type: str, *, instructed: bool = True) -> Any:
    """Write the tokenizer of a family ("llama" 3 or "mistral") and return it as transformers loads it."""
    from transformers import AutoTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    if model_type == "mistral":
        _write_mistral(folder)
        template = MISTRAL_TEMPLATE
    else:
        _write_llama3(folder)
        template = LLAMA3_TEMPLATE
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if instructed:
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
    return tokenizer


def _vocabulary(name: str) -> gguf.GGUFReader:
    return gguf.GGUFReader(source() / "models" / f"ggml-vocab-{name}.gguf")


def _field(reader: gguf.GGUFReader, name: str) -> Any:
    return reader.fields[f"tokenizer.ggml.{name}"].contents()


def _write_llama3(folder: Path) -> None:
    """Write Llama 3's tokenizer.json from its pieces and merges."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    read = _vocabulary("llama-bpe")
    pieces, kinds = _field(read, "tokens"), _field(read, "token_type")
    merges = [tuple(merge.split(" ")) for merge in _field(read, "merges")]
    ordinary = {
        piece: number
        for number, (piece, kind) in enumerate(zip(pieces, kinds, strict=True))
        if kind == gguf.TokenType.NORMAL
    }
    tokenizer = Tokenizer(models.BPE(vocab=ordinary, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [piece for piece in pieces if piece not in ordinary]
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in special])
    opening = "<|begin_of_text|>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{opening} $A", special_tokens=[(opening, tokenizer.token_to_id(opening))]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_settings(folder, {"bos_token": opening, "eos_token": "<|eot_id|>"})


def _write_mistral(folder: Path) -> None:
    """Write the tokenizer.json that transformers reads and the tokenizer.model that the converter reads."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

    read = _vocabulary("llama-spm")
    pieces, scores, kinds = (_field(read, name) for name in ("tokens", "scores", "token_type"))
    (folder / "tokenizer.model").write_bytes(_sentencepiece(pieces, scores, kinds))
    numbers = {piece: number for number, piece in enumerate(pieces)}
    merges = _merges(numbers, scores)
    tokenizer = Tokenizer(
        models.BPE(vocab=numbers, merges=merges, unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = [AddedToken(mark, special=True, normalized=False) for mark in (UNKNOWN, OPENING, ENDING)]
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{OPENING} $A", special_tokens=[(OPENING, 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    marks = {"bos_token": OPENING, "eos_token": ENDING, "unk_token": UNKNOWN}
    _write_settings(folder, {**marks, "add_bos_token": True, "add_eos_token": False})


def _merges(numbers: dict[str, int], scores: list[float]) -> list[tuple[str, str]]:
    """Return every way to put a piece together, the best scored piece first.

    transformers goes by the pieces' numbers; llama.cpp and SentencePiece go by their scores, which
    differ for the double blank, and a message with two blanks in a row would be cut differently.
    """
    found = [
        (-scores[number], number, numbers[piece[:cut]], piece[:cut], piece[cut:])
        for piece, number in numbers.items()
        for cut in range(1, len(piece))
        if piece[:cut] in numbers and piece[cut:] in numbers
    ]
    return [(left, right) for *_, left, right in sorted(found)]


def _sentencepiece(pieces: list[str], scores: list[float], kinds: list[int]) -> bytes:
    """Return a SentencePiece model: BPE with bytes to fall back on."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    for piece, score, kind in zip(pieces, scores, kinds, strict=True):
        model.pieces.add(piece=piece, score=score, type=int(kind))
    model.trainer_spec.model_type = model.trainer_spec.BPE
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.vocab_size = len(pieces)
    model.trainer_spec.pad_id = -1
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = False
    written: bytes = model.SerializeToString()
    return written


def _write_settings(folder: Path, settings: dict[str, object]) -> None:
    written = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False} | settings
    (folder / "tokenizer_config.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
