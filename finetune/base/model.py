"""A small Llama in PyTorch, with the tensor names and shapes of its GGUF form."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The size of a model. Widths are multiples of 256, so that every quantization fits."""

    vocabulary: int = 4096
    width: int = 256
    layers: int = 6
    heads: int = 4
    feed_forward: int = 768
    context: int = 512
    rope_base: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


class Norm(nn.Module):
    """Root mean square normalisation (Zhang & Sennrich 2019), computed in fp32."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        """Return what the next matrices read: under autocast converted once, not once for each of them."""
        normed = functional.rms_norm(hidden.float(), self.weight.shape, self.weight, self.epsilon)
        reduced = torch.is_autocast_enabled("cpu")
        return normed.to(torch.get_autocast_dtype("cpu")) if reduced else normed


class Attention(nn.Module):
    """Causal self-attention with rotary positions (Su et al. 2021).

    Written out: on a CPU, going backward through `scaled_dot_product_attention` took a third of the time
    of a whole step.
    """

    future: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_v = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        every = torch.ones(shape.context, shape.context, dtype=torch.bool)
        self.register_buffer("future", every.triu(1), persistent=False)

    def forward(self, hidden: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        query = rotate(self._heads(self.attn_q(hidden)), cosines, sines)
        key = rotate(self._heads(self.attn_k(hidden)), cosines, sines)
        value = self._heads(self.attn_v(hidden))
        length = hidden.shape[1]
        scores = query @ key.transpose(2, 3) * self.shape.head_width**-0.5
        scores = scores.masked_fill(self.future[:length, :length], float("-inf"))
        mixed = scores.float().softmax(-1).to(value.dtype) @ value
        return self.attn_output(mixed.transpose(1, 2).flatten(2))

    def _heads(self, projected: Tensor) -> Tensor:
        batch, length, _ = projected.shape
        return projected.view(batch, length, self.shape.heads, self.shape.head_width).transpose(1, 2)


def at_once(hidden: Tensor, *layers: nn.Linear) -> Tensor:
    """Return the outputs of several layers side by side, in one multiplication."""
    return functional.linear(hidden, torch.cat([layer.weight for layer in layers]))


def rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn neighbouring pairs by their position's angle.

    Neighbours, not halves: that is the order llama.cpp's llama architecture expects, so the query
    and key weights go into the GGUF without being permuted.
    """
    even, odd = heads[..., 0::2], heads[..., 1::2]
    turned = torch.stack((even * cosines - odd * sines, even * sines + odd * cosines), dim=-1)
    return turned.flatten(-2).to(heads.dtype)


class Block(nn.Module):
    """Attention, then a SwiGLU feed-forward (Shazeer 2020), each on a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attn_norm = Norm(shape.width, shape.epsilon)
        self.attention = Attention(shape)
        self.ffn_norm = Norm(shape.width, shape.epsilon)
        self.ffn_gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, hidden: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        hidden = hidden + self.attention(self.attn_norm(hidden), cosines, sines)
        normed = self.ffn_norm(hidden)
        gate, up = at_once(normed, self.ffn_gate, self.ffn_up).chunk(2, dim=-1)
        return hidden + self.ffn_down(functional.silu(gate) * up)


class CommandModel(nn.Module):
    """The language model; output weights are tied to the token embeddings."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width, shape.epsilon)
        pairs = torch.arange(0, shape.head_width, 2) / shape.head_width
        angles = torch.outer(torch.arange(shape.context), shape.rope_base**-pairs)
        self.register_buffer("cosines", angles.cos(), persistent=False)
        self.register_buffer("sines", angles.sin(), persistent=False)
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        """Normal weights, smaller where a layer adds to the residual (GPT-2's scaling)."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, Attention):
            nn.init.normal_(module.attn_output.weight, std=0.02 / (2 * self.shape.layers) ** 0.5)
        if isinstance(module, Block):
            nn.init.normal_(module.ffn_down.weight, std=0.02 / (2 * self.shape.layers) ** 0.5)

    def hidden(self, ids: Tensor) -> Tensor:
        """Return the last hidden states, (batch, length, width)."""
        length = ids.shape[1]
        cosines, sines = self.cosines[:length], self.sines[:length]
        hidden = self.token_embd(ids)
        for block in self.blk:
            hidden = block(hidden, cosines, sines)
        return self.output_norm(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        return functional.linear(hidden, self.token_embd.weight)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the logits of every next token, (batch, length, vocabulary)."""
        return self.logits(self.hidden(ids))

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())
