"""Writes a Llama of a few thousand random weights, for tests that need a real GGUF but no sense."""

from pathlib import Path

import gguf
import numpy as np

WIDTH = 32
FEED_FORWARD = 64
LAYERS = 2
HEADS = 2
CONTEXT = 256
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
LONG_PIECE = "long" * 40
MARKS = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]


def write_tiny_gguf(path: Path, *, seed: int = 0, with_bytes: bool = True) -> Path:
    """Write the model to `path`: SentencePiece-shaped, every byte a token, so any text can be said.

    Without the bytes it can say plain ASCII only.
    """
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny-random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    vocabulary = _vocabulary(with_bytes)
    _add_vocabulary(writer, vocabulary)
    _add_weights(writer, len(vocabulary), np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_tiny_adapter(path: Path, *, seed: int, width: int = WIDTH, alpha: object = 4.0) -> Path:
    """Write a LoRA adapter of rank 2 for the tiny model; another width does not go on it."""
    chance = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    add_alpha = writer.add_float32 if isinstance(alpha, float) else writer.add_string
    add_alpha("adapter.lora.alpha", alpha)  # type: ignore[arg-type]
    for layer in range(LAYERS):
        name = f"blk.{layer}.attn_v.weight"
        writer.add_tensor(f"{name}.lora_a", chance.normal(0, 1, (2, width)).astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", chance.normal(0, 1, (width, 2)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary(with_bytes: bool) -> list[tuple[str, gguf.TokenType]]:
    kind = gguf.TokenType.BYTE if with_bytes else gguf.TokenType.UNUSED
    letters = [chr(code) for code in range(0x21, 0x7F)] + ["▁"]
    return (
        [("<unk>", gguf.TokenType.UNKNOWN), ("<s>", gguf.TokenType.CONTROL), ("</s>", gguf.TokenType.CONTROL)]
        + [(mark, gguf.TokenType.CONTROL) for mark in MARKS]
        + [(f"<0x{byte:02X}>", kind) for byte in range(256)]
        + [(letter, gguf.TokenType.NORMAL) for letter in letters]
        + [(LONG_PIECE, gguf.TokenType.USER_DEFINED)]
    )


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: list[tuple[str, gguf.TokenType]]) -> None:
    tokens, types = zip(*vocabulary, strict=True)
    writer.add_tokenizer_model("llama")
    writer.add_vocab_size(len(tokens))
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(tokens.index("<|end|>"))
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE)


def _add_weights(writer: gguf.GGUFWriter, vocabulary_size: int, chance: np.random.Generator) -> None:
    def random(*shape: int) -> np.ndarray:
        return chance.normal(0, 0.3, shape).astype(np.float32)

    writer.add_tensor("token_embd.weight", random(vocabulary_size, WIDTH))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, dtype=np.float32))
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for part in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}.{part}.weight", np.ones(WIDTH, dtype=np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}.{part}.weight", random(WIDTH, WIDTH))
        for part in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"{block}.{part}.weight", random(FEED_FORWARD, WIDTH))
        writer.add_tensor(f"{block}.ffn_down.weight", random(WIDTH, FEED_FORWARD))
