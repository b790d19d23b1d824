"""How one model is divided over ranks: which tensors split, which are held whole, and what has to divide what.

Shared by training and serving. Degrees: `tp` tensor, `pp` pipeline, `cp` context, `ep` expert, `etp` tensor parallelism
inside an expert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from isoflop.model.parts import Attention, LatentAttention, Moe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.model.parts import Mixer, Weight
    from isoflop.model.spec import ModelSpec

Split = Literal["tensor", "heads", "expert", "vocabulary", "whole"]
"""What divides a tensor: tensor parallelism; the same, but not below one key-value head; expert parallelism; tensor
parallelism over the rows of the vocabulary; nothing, every rank holds it."""

_WHOLE_NAMES = frozenset({"q down", "kv down", "q down bias", "kv down bias", "o bias", "down bias", "shared gate"})
_WHOLE_PARTS = frozenset({"norms", "router", "index", "embedding norm", "position embedding", "token-type embedding"})


def split_of(weight: Weight) -> Split:
    """What divides this tensor.

    As Megatron-LM and vLLM do it: the matrices into and out of attention and feed-forward parts split, norms, routers,
    the matrices down to the latents of MLA and biases after a reduction do not.
    """
    part, name = weight.part, weight.name
    if part in {"token embedding", "head", "per-layer embedding"}:
        return "vocabulary"
    if part in _WHOLE_PARTS or name in _WHOLE_NAMES or "norm" in name:
        return "whole"
    if part == "experts":
        return "expert"
    if part in {"attention", "cross-attention"} and name in {"k", "v", "k bias", "v bias"}:
        return "heads"
    return "tensor"


def mixers_of(model: ModelSpec) -> Iterator[Mixer]:
    """Every kind of mixer of the model, encoder and cross-attention too."""
    for stack in (model.encoder, model.stack):
        for _, layer in stack.groups if stack else ():
            yield from layer.mixers
            if layer.cross is not None:
                yield layer.cross


def head_counts(model: ModelSpec) -> frozenset[int]:
    """Numbers of query heads that tensor parallelism has to divide."""
    return frozenset(one.heads for one in mixers_of(model) if isinstance(one, Attention | LatentAttention))


def kv_head_counts(model: ModelSpec) -> frozenset[int]:
    """Numbers of key-value heads; above them tensor parallelism holds a head on several ranks."""
    return frozenset(one.kv_heads for one in mixers_of(model) if isinstance(one, Attention))


def inner_widths(model: ModelSpec) -> frozenset[int]:
    """Widths inside feed-forward parts that tensor parallelism has to divide; experts apart."""
    found = set()
    for stack in (model.encoder, model.stack):
        for _, layer in stack.groups if stack else ():
            mlp = layer.mlp.shared if isinstance(layer.mlp, Moe) else layer.mlp
            if mlp is not None:
                found.add(mlp.width)
    return frozenset(found)


def expert_counts(model: ModelSpec) -> frozenset[int]:
    """Numbers of routed experts that expert parallelism has to divide."""
    layers = [layer for stack in (model.encoder, model.stack) if stack for _, layer in stack.groups]
    return frozenset(layer.mlp.experts for layer in layers if isinstance(layer.mlp, Moe))
