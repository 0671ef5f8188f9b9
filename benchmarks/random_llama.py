"""Writes a Llama of a real model's shape and vocabulary with random weights: as fast, no sense.

    python benchmarks/random_llama.py TARGET.gguf [--shape 1b] [--weights q8_0]

How long llama.cpp takes does not depend on what the weights are, so what is measured on such a file
holds for the real model. The vocabulary (128,256 tokens of Llama 3) lies in llama.cpp's source package.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from finetune.weights.source import source

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>"
    "\n\n{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
SPREAD = 0.02
"""Standard deviation of a weight."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama with tied embeddings."""

    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int


SHAPES = {
    "1b": Shape(layers=16, width=2048, feed_forward=8192, heads=32, kv_heads=8),
    "3b": Shape(layers=28, width=3072, feed_forward=8192, heads=24, kv_heads=8),
    "short": Shape(layers=2, width=256, feed_forward=512, heads=4, kv_heads=2),
}
_KINDS = {
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, 32, 74.0),
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, 16, 4.6),
}
"""Bytes of a block of 32 weights beside its scale, and the spread of what they hold."""


def write(path: Path, shape: Shape, weights: str = "q8_0", *, context: int = 131_072) -> Path:
    """Write the model, deterministically."""
    vocabulary = gguf.GGUFReader(source() / "models" / "ggml-vocab-llama-bpe.gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random-llama")
    writer.add_context_length(context)
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(500_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    words = _add_vocabulary(writer, vocabulary)
    _add_weights(writer, shape, words, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: gguf.GGUFWriter, reader: gguf.GGUFReader) -> int:
    def read(name: str) -> list:
        field = reader.fields[f"tokenizer.ggml.{name}"]
        return [field.parts[index].tolist() for index in field.data]

    tokens = [bytes(token).decode() for token in read("tokens")]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([kind[0] for kind in read("token_type")])
    writer.add_token_merges([bytes(merge).decode() for merge in read("merges")])
    writer.add_bos_token_id(tokens.index("<|begin_of_text|>"))
    writer.add_eos_token_id(tokens.index("<|eot_id|>"))
    writer.add_chat_template(TEMPLATE)
    return len(tokens)


def _add_weights(writer: gguf.GGUFWriter, shape: Shape, words: int, weights: str) -> None:
    chance = np.random.default_rng(65)
    narrow = shape.width * shape.kv_heads // shape.heads

    def matrix(name: str, rows: int, columns: int) -> None:
        kind, size, spread = _KINDS[weights]
        blocks = _blocks(chance, rows * columns // 32, size, SPREAD / spread)
        writer.add_tensor(f"{name}.weight", blocks.reshape(rows, -1), raw_dtype=kind)

    def ones(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(shape.width, dtype=np.float32))

    matrix("token_embd", words, shape.width)
    ones("output_norm")
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm")
        ones(f"{block}.ffn_norm")
        matrix(f"{block}.attn_q", shape.width, shape.width)
        matrix(f"{block}.attn_k", narrow, shape.width)
        matrix(f"{block}.attn_v", narrow, shape.width)
        matrix(f"{block}.attn_output", shape.width, shape.width)
        matrix(f"{block}.ffn_gate", shape.feed_forward, shape.width)
        matrix(f"{block}.ffn_up", shape.feed_forward, shape.width)
        matrix(f"{block}.ffn_down", shape.width, shape.feed_forward)


def _blocks(chance: np.random.Generator, count: int, size: int, scale: float) -> NDArray[np.uint8]:
    """Return quantized blocks as they lie in a file: a half-precision scale, then the weights."""
    blocks = np.empty((count, 2 + size), dtype=np.uint8)
    blocks[:, :2] = np.frombuffer(np.float16(scale).tobytes(), dtype=np.uint8)
    blocks[:, 2:] = np.frombuffer(chance.bytes(count * size), dtype=np.uint8).reshape(count, size)
    return blocks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="1b")
    parser.add_argument("--weights", choices=_KINDS, default="q8_0")
    chosen = parser.parse_args()
    print(write(chosen.target, SHAPES[chosen.shape], chosen.weights))


if __name__ == "__main__":
    main()
