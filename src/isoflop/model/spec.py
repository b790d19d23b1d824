"""A model as data: runs of equal layers, an embedding, a head. Every count is derived from it, none is stored in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from isoflop.errors import BadInput
from isoflop.model.components import (
    MOST,
    Activation,
    Attention,
    Embedding,
    Head,
    Linear,
    Mixer,
    Mlp,
    Moe,
    Norm,
    Positions,
    Runs,
    Weight,
)

__all__ = [
    "Activation",
    "Attention",
    "Embedding",
    "Group",
    "Head",
    "Layer",
    "Linear",
    "Mixer",
    "Mlp",
    "ModelSpec",
    "Moe",
    "Norm",
    "Positions",
    "Runs",
    "Stack",
    "Weight",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One block: what mixes tokens, what a decoder reads an encoder with, the feed-forward part, and the norms.

    Each part may be absent (a state-space layer has no feed-forward part). `norms` are those over the full width, in
    any order; norms inside attention belong to it. `parallel`: attention and feed-forward read the same input.
    """

    norms: tuple[Norm, ...]
    mixer: Attention | None = None
    cross: Attention | None = None
    mlp: Mlp | Moe | None = None
    parallel: bool = False

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Every parameter tensor of the layer."""
        found = [weight for norm in self.norms for weight in norm.weights(width)]
        if self.mixer is not None:
            found += self.mixer.weights(width)
        if self.cross is not None:
            found += self.cross.cross_weights(width)
        if self.mlp is not None:
            found += self.mlp.weights(width)
        return tuple(found)


class Group(NamedTuple):
    """`times` equal layers in a row."""

    times: int
    layer: Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Layers over one residual stream of `width`, in order, with a norm after the last where there is one."""

    width: int
    groups: tuple[Group, ...]
    norm: Norm | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.width < MOST:
            raise BadInput(f"width = {self.width}: give a whole number from 1 to {MOST - 1:,}")
        if not self.groups or any(not 1 <= group.times < MOST for group in self.groups):
            raise BadInput("a stack needs at least one group of layers, each with `times` of at least 1")

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return sum(group.times for group in self.groups)

    def mixers(self) -> tuple[tuple[int, Attention], ...]:
        """(times in a row, mixer), in order; layers that mix nothing are left out."""
        return tuple((times, layer.mixer) for times, layer in self.groups if layer.mixer is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model: the main stack (a decoder, or the encoder of BERT), its embedding and head, an encoder beside it.

    `head` is None where the model gives vectors only. `extras` are matrices outside the stacks (a pooler). `context`
    is the longest sequence in tokens it was made for, None where the source names none (relative positions).
    `source` says where the fields come from, `notes` what a reader should know (a misprint, an assumption).
    """

    name: str
    stack: Stack
    embedding: Embedding
    head: Head | None
    encoder: Stack | None = None
    extras: tuple[Linear, ...] = ()
    context: int | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.context is not None and not 1 <= self.context < MOST:
            raise BadInput(f"context = {self.context}: give a whole number from 1 to {MOST - 1:,}, or leave it out")
        crossing = any(layer.cross is not None for _, layer in self.stack.groups)
        if crossing != (self.encoder is not None):
            raise BadInput("cross-attention and an encoder come together: this model has only one of the two")

    @property
    def layers(self) -> int:
        """Layers of all stacks together."""
        return self.stack.layers + (self.encoder.layers if self.encoder else 0)

    @property
    def width(self) -> int:
        """Width of the main stack's residual stream (d_model)."""
        return self.stack.width

    @property
    def vocabulary(self) -> int:
        """Rows of the token embedding."""
        return self.embedding.vocabulary

    @property
    def causal(self) -> bool:
        """Whether the main stack predicts the next token (decoder), so that it can generate with a cache."""
        return any(mixer.causal for _, mixer in self.stack.mixers())
