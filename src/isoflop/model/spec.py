"""A model as data: runs of equal layers, an embedding, a head. Every count is derived from it, none is stored in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import BadInput
from isoflop.model.parts import MOST, Attention, Embedding, Head, Linear, Mixer, Mlp, Moe, Norm, Saved, Weight

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 10**18
"""Parameters beyond this are a slip in some field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One block: what mixes tokens, what a decoder reads an encoder with, the feed-forward part, and the norms.

    Each part may be absent (a state-space layer has no feed-forward part), and there may be several mixers side by
    side. `norms` are those over the full width, in any order; norms inside a part belong to it. `extras`: further
    matrices and vectors. `parallel`: mixers and feed-forward read the same input. `held` false: it works with the
    weights of an earlier layer and has none of its own. `products`: FLOP a token spends beyond mixers and once through
    every matrix (streams mixed with computed weights, a matrix that runs twice).
    """

    norms: tuple[Norm, ...] = ()
    mixers: tuple[Mixer, ...] = ()
    cross: Attention | None = None
    mlp: Mlp | Moe | None = None
    extras: tuple[Linear, ...] = ()
    parallel: bool = False
    held: bool = True
    products: int = 0

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Every parameter tensor that the layer works with, held by it or not."""
        found = [weight for norm in self.norms for weight in norm.weights(width)]
        for mixer in self.mixers:
            found += mixer.weights(width)
        if self.cross is not None:
            found += self.cross.cross_weights(width)
        if self.mlp is not None:
            found += self.mlp.weights(width)
        found += [weight for extra in self.extras for weight in extra.weights("other")]
        return tuple(found)

    def saved(self, width: int) -> tuple[Saved, ...]:
        """Every tensor that training keeps of one token for the backward pass, nothing recomputed, no dropout."""
        found = [saved for norm in self.norms for saved in norm.saved(width)]
        found += [saved for mixer in self.mixers for saved in mixer.saved(width)]
        if self.cross is not None:
            found += [saved._replace(part="cross-attention") for saved in self.cross.saved(width)]
        return (*found, *(self.mlp.saved(width) if self.mlp is not None else ()))


class Group(NamedTuple):
    """`times` equal layers in a row."""

    times: int
    layer: Layer


def groups_of(layers: Iterable[Layer]) -> tuple[Group, ...]:
    """Layers in order as runs of equal ones."""
    return tuple(Group(len(list(run)), layer) for layer, run in groupby(layers))


def merged(groups: Iterable[Group]) -> tuple[Group, ...]:
    """The same layers with those that are one object counted together, wherever they stand: for what only adds up."""
    times: dict[int, int] = {}
    layers: dict[int, Layer] = {}
    for many, layer in groups:
        times[id(layer)] = times.get(id(layer), 0) + many
        layers[id(layer)] = layer
    return tuple(Group(times[key], layer) for key, layer in layers.items())


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

    def mixers(self) -> tuple[tuple[int, Mixer], ...]:
        """(times, mixer), in the order in which they first appear; layers that mix nothing are left out."""
        return tuple((times, mixer) for times, layer in merged(self.groups) for mixer in layer.mixers)

    def attentions(self) -> tuple[tuple[int, Attention], ...]:
        """The same for plain attention alone."""
        return tuple((times, mixer) for times, mixer in self.mixers() if isinstance(mixer, Attention))


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What a checkpoint holds beside the model proper, and no token passes in plain use.

    Layers that predict further tokens ("multi-token prediction"), for one. Counted apart, never in the total.
    """

    name: str
    groups: tuple[Group, ...] = ()
    extras: tuple[Linear, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model: the main stack (a decoder, or the encoder of BERT), its embedding and head, an encoder beside it.

    `head` is None where the model gives vectors only. `extras` are matrices outside the stacks (a pooler). `context`
    is the longest sequence in tokens it was made for, None where the source names none (relative positions).
    `source` says where the fields come from, `notes` what a reader should know (a misprint, an assumption). `reads`
    names what cross-attention reads where no encoder of this model makes it (tokens of an image).
    """

    name: str
    stack: Stack
    embedding: Embedding
    head: Head | None
    encoder: Stack | None = None
    extras: tuple[Linear, ...] = ()
    apart: tuple[Apart, ...] = ()
    context: int | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    reads: str = ""

    def __post_init__(self) -> None:
        if self.context is not None and not 1 <= self.context < MOST:
            raise BadInput(f"context = {self.context}: give a whole number from 1 to {MOST - 1:,}, or leave it out")
        crossing = any(layer.cross is not None for _, layer in self.stack.groups)
        if crossing != (self.encoder is not None or self.reads != ""):
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

    def renamed(self, name: str, source: str = "") -> ModelSpec:
        """The same model under another name, and source where one is given."""
        return replace(self, name=name, source=source or self.source)
