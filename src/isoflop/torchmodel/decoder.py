"""The one real decoder: like Llama, in plain torch. The laboratory trains it, measuring times it.

RMS norms, rotary positions, grouped queries, gated feed-forward parts, scaled dot-product attention; random weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as f
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.torchmodel.shape import Shape


class Cache:
    """Keys and values of all layers, in buffers of one size; `place` is where the next token goes, on the device."""

    def __init__(self, shape: Shape, batch: int, length: int, *, like: Tensor) -> None:
        size = (shape.layers, 2, batch, shape.kv_heads, length, shape.head_width)
        self.held = torch.zeros(size, dtype=like.dtype, device=like.device)
        self.place = torch.zeros(1, dtype=torch.long, device=like.device)


class Block(nn.Module):  # type: ignore[misc]
    """One layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, wide = shape.width, shape.head_width
        self.before = nn.RMSNorm(width, eps=1e-5)
        self.q = nn.Linear(width, shape.heads * wide, bias=False)
        self.k = nn.Linear(width, shape.kv_heads * wide, bias=False)
        self.v = nn.Linear(width, shape.kv_heads * wide, bias=False)
        self.o = nn.Linear(shape.heads * wide, width, bias=False)
        self.after = nn.RMSNorm(width, eps=1e-5)
        self.gate = nn.Linear(width, shape.inner, bias=False)
        self.up = nn.Linear(width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """Activations (batch, tokens, width) through the layer."""
        q, k, v = self._heads(self.before(x), turns)
        grouped = self.shape.heads != self.shape.kv_heads
        mixed = f.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        return self._fed(x)

    def filled(self, x: Tensor, turns: Tensor, held: Tensor) -> Tensor:
        """As `forward`, and keys and values are kept in `held`, from its start."""
        q, k, v = self._heads(self.before(x), turns)
        held[0, :, :, : k.shape[2]] = k
        held[1, :, :, : v.shape[2]] = v
        grouped = self.shape.heads != self.shape.kv_heads
        mixed = f.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        return self._fed(x + self.o(mixed.transpose(1, 2).flatten(2)))

    def next(self, x: Tensor, turns: Tensor, held: Tensor, place: Tensor) -> Tensor:
        """One token a sequence against all of `held`; the heads of a group stand in for its rows of queries."""
        q, k, v = self._heads(self.before(x), turns)
        held[0].index_copy_(2, place, k)
        held[1].index_copy_(2, place, v)
        batch, kv = x.shape[0], self.shape.kv_heads
        q = q.view(batch, kv, self.shape.heads // kv, self.shape.head_width)
        mixed = f.scaled_dot_product_attention(q, held[0], held[1])
        return self._fed(x + self.o(mixed.reshape(batch, 1, -1)))

    def _heads(self, x: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (batch, heads, tokens, width), the first two turned to their positions."""
        wide = self.shape.head_width
        q, k, v = (part(x).unflatten(-1, (-1, wide)).transpose(1, 2) for part in (self.q, self.k, self.v))
        return _turned(q, turns), _turned(k, turns), v

    def _fed(self, x: Tensor) -> Tensor:
        inside = self.after(x)
        out: Tensor = x + self.down(f.silu(self.gate(inside)) * self.up(inside))
        return out


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """Rotary positions, as transformers does it: halves swapped, cosine and sine in the format of the work."""
    first, second = x.chunk(2, dim=-1)
    swapped = torch.cat((-second, first), dim=-1)
    out: Tensor = x * turns[0] + swapped * turns[1]
    return out


class Decoder(nn.Module):  # type: ignore[misc]
    """The whole model. `recompute`: only the inputs of layers are kept for the backward pass."""

    def __init__(self, shape: Shape, *, recompute: bool = False) -> None:
        super().__init__()
        self.shape, self.recompute = shape, recompute
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=1e-5)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        if shape.tied:
            self.head.weight = self.embedding.weight

    def logits(self, tokens: Tensor, turns: Tensor) -> Tensor:
        """Scores of the token after each (batch, tokens, vocabulary)."""
        x = self.embedding(tokens)
        for layer in self.layers:
            x = checkpoint(layer, x, turns, use_reentrant=False) if self.recompute else layer(x, turns)
        out: Tensor = self.head(self.norm(x))
        return out

    def loss(self, tokens: Tensor, turns: Tensor, targets: Tensor | None = None) -> Tensor:
        """Mean cross entropy of `targets`, in nats; logits are brought to fp32 first.

        `targets` are the tokens one place on. Without them the tokens themselves stand in: the same work, for timing.
        """
        wanted = tokens if targets is None else targets
        return f.cross_entropy(self.logits(tokens, turns).flatten(0, 1).float(), wanted.flatten())

    def forward(self, tokens: Tensor, turns: Tensor, targets: Tensor | None = None) -> Tensor:
        """As `loss`: what wraps a module (DDP, FSDP2, torch.func) calls it by this name."""
        return self.loss(tokens, turns, targets)

    def prefill(self, tokens: Tensor, turns: Tensor, cache: Cache) -> Tensor:
        """The likeliest next token of each sequence, with keys and values of all its tokens kept."""
        x = self.embedding(tokens)
        for number, layer in enumerate(self.layers):
            x = layer.filled(x, turns, cache.held[number])
        out: Tensor = self.head(self.norm(x[:, -1:])).argmax(dim=-1)
        return out

    def decode(self, tokens: Tensor, turns: Tensor, cache: Cache) -> Tensor:
        """The likeliest token after `tokens` (batch, 1), against the whole of the cache."""
        x = self.embedding(tokens)
        for number, layer in enumerate(self.layers):
            x = layer.next(x, turns, cache.held[number], cache.place)
        out: Tensor = self.head(self.norm(x)).argmax(dim=-1)
        return out


def turns_of(shape: Shape, length: int, *, like: Tensor, start: int = 0) -> Tensor:
    """Cosine and sine of rotary positions (2, tokens, head width) in the format and on the device of `like`."""
    half = torch.arange(0, shape.head_width, 2, dtype=torch.float32, device=like.device) / shape.head_width
    at = torch.arange(start, start + length, dtype=torch.float32, device=like.device)
    angles = torch.outer(at, 10000.0**-half)
    angles = torch.cat((angles, angles), dim=-1)
    return torch.stack((angles.cos(), angles.sin())).to(like.dtype)


def built(shape: Shape, device: torch.device, form: torch.dtype, *, recompute: bool = False) -> Decoder:
    """A decoder with random weights, made on the device itself."""
    with torch.device(device):
        before = torch.get_default_dtype()
        torch.set_default_dtype(form)
        try:
            model = Decoder(shape, recompute=recompute)
        finally:
            torch.set_default_dtype(before)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.02)
    return model


def compiled(layers: Sequence[nn.Module]) -> None:
    """Have torch.compile take each layer; layers of one shape share what it makes, and nothing is left of others."""
    torch.compiler.reset()
    for layer in layers:
        layer.compile(dynamic=False)
