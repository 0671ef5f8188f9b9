"""Writes a trained model as GGUF, with its tokenizer, its chat template and its licence.

We write the file ourselves with `gguf.GGUFWriter`: llama.cpp's converter is not on PyPI, and it
refuses tokenizers that it does not know by name.
"""

from pathlib import Path

import gguf
import numpy
from torch import Tensor

from chatbot.prompt import Style
from finetune.base.model import CommandModel, Shape
from finetune.base.shipped import STYLE_KEY
from finetune.base.tokenizer import BLANK, EOS_ID, PAD_ID, UNKNOWN_ID, Tokenizer
from finetune.examples import CHAT_TEMPLATE

DESCRIPTION = "Turns what a patient of an eye-care practice writes into commands from a closed list."


def export(
    model: CommandModel,
    tokenizer: Tokenizer,
    path: Path,
    *,
    name: str,
    licence: str,
    style: Style = Style.COMPACT,
) -> Path:
    """Write the model in fp32; `finetune.weights.quantize` makes the small one of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, name, licence)
    writer.add_string(STYLE_KEY, style)
    _write_shape(writer, model.shape)
    _write_tokenizer(writer, tokenizer)
    for tensor_name, weights in model.state_dict().items():
        writer.add_tensor(gguf_name(tensor_name), _array(weights))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf_name(name: str) -> str:
    """Return llama.cpp's name of a tensor; the output weights are the embeddings and not repeated."""
    return name.replace(".attention.", ".")


def _array(weights: Tensor) -> numpy.ndarray:
    return weights.detach().float().contiguous().numpy()


def _describe(writer: gguf.GGUFWriter, name: str, licence: str) -> None:
    writer.add_name(name)
    writer.add_description(DESCRIPTION)
    writer.add_license(licence)
    writer.add_languages(["en", "es"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _write_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    pieces = tokenizer.pieces()
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece for piece, _, _ in pieces])
    writer.add_token_scores([score for _, score, _ in pieces])
    writer.add_token_types([_kind(piece, kind) for piece, _, kind in pieces])
    writer.add_bos_token_id(EOS_ID)  # never used: without one named, llama.cpp takes id 1 or 2
    writer.add_eos_token_id(EOS_ID)
    writer.add_unk_token_id(UNKNOWN_ID)
    writer.add_pad_token_id(PAD_ID)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _kind(piece: str, kind: int) -> int:
    """SentencePiece numbers the kinds as GGUF does; a blank is ordinary text, not a symbol."""
    return int(gguf.TokenType.NORMAL) if piece == BLANK else kind
