"""What a pass through a model does, as numbers that no device, placement or traffic changes: counted once a model.

Matrices are counted by what divides them, because the ranks of a placement read and multiply them all at once: layers
of one kind take the same share of memory bandwidth and of the peak, so that sums over layers are enough.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.model.count import head_weight
from isoflop.model.parts import Attention, LatentAttention, Moe
from isoflop.model.parts.attention import Index
from isoflop.model.shard import split_of
from isoflop.serving.caches import RECURRENT_BYTES, caches_of, layer_caches

if TYPE_CHECKING:
    from isoflop.model.parts import Weight
    from isoflop.model.spec import Layer, ModelSpec
    from isoflop.quantity.types import FloatArray, Real

LONGEST = 24
"""Attention is tabulated at powers of two up to this one, and between them by straight lines."""


class Work(NamedTuple):
    """Numbers of a model's matrices by what divides them, and what else time depends on.

    `tensor`, `heads`, `whole`: elements of matrices every token passes, as `model.shard` divides them; `experts`: those
    of all routed experts, of which a token passes the share `active`; `expert_layers` layers have `experts_each`.
    `head` elements of the output matrix of `vocabulary` rows. `latent_layers` rebuild keys and values from a
    latent; `score_heads` is the number of query heads, all layers together, `query_groups` that of a key-value head.
    """

    layers: int
    width: int
    tensor: float
    heads: float
    whole: float
    experts: float
    active: float
    expert_layers: int
    experts_each: int
    head: float
    vocabulary: int
    kv_heads: int
    latent_layers: int
    score_heads: float
    query_groups: float


class Curves(NamedTuple):
    """FLOP of attention and recurrences a token at `contexts` tokens: of a new one, and in the mean of a prompt."""

    contexts: FloatArray
    decode: FloatArray
    prompt: FloatArray


@lru_cache(maxsize=256)
def work_of(model: ModelSpec) -> Work:
    """The work of a model's main stack."""
    found = dict.fromkeys(("tensor", "heads", "whole", "experts"), 0.0)
    latent = score_heads = expert_layers = 0
    active, each, groups = 0.0, 0, 1.0
    kv_heads = [2**31]
    for times, layer in model.stack.groups:
        for weight in layer.weights(model.width):
            if weight.runs != "never" and weight.columns > 1:
                found[_side(weight)] += times * weight.params
        for mixer in layer.mixers:
            score_heads += times * getattr(mixer, "heads", 0)
            latent += times * isinstance(mixer, LatentAttention)
            if isinstance(mixer, Attention):
                kv_heads.append(mixer.kv_heads)
                groups = mixer.heads / mixer.kv_heads
        if isinstance(layer.mlp, Moe):
            expert_layers += times
            active, each = _share(layer), layer.mlp.experts
    head = head_weight(model) if model.head is not None else None
    return Work(
        layers=model.stack.layers,
        width=model.width,
        active=active,
        expert_layers=expert_layers,
        experts_each=each,
        head=float(head.params) if head else 0.0,
        vocabulary=head.rows if head else 0,
        kv_heads=min(kv_heads),
        latent_layers=latent,
        score_heads=float(score_heads),
        query_groups=groups,
        **found,
    )


def _share(layer: Layer) -> float:
    assert isinstance(layer.mlp, Moe)
    return min(1.0, layer.mlp.active / layer.mlp.experts)


def _side(weight: Weight) -> str:
    split = split_of(weight)
    return {"expert": "experts", "heads": "heads", "whole": "whole"}.get(split, "tensor")


@lru_cache(maxsize=256)
def curves_of(model: ModelSpec) -> Curves:
    """Attention of a model against the context, tabulated so that arrays of contexts cost one look-up."""
    powers = 2.0 ** np.arange(0, LONGEST + 0.25, 0.25)
    windows = [float(cache.reach) for cache in caches_of(model) if cache.reach]
    contexts = np.unique(np.concatenate([powers, windows]))
    decode = [sum(times * mixer.decode_flops(float(one)) for times, mixer in model.stack.mixers()) for one in contexts]
    prompt = [
        sum(times * mixer.mixing_flops(float(one), full=False) for times, mixer in model.stack.mixers())
        for one in contexts
    ]
    return Curves(contexts, np.array(decode), np.array(prompt))


class _Read(NamedTuple):
    """What one token reads of the state of `times` equal layers.

    `token` elements a token kept, divided over `heads`, of at most `reach` tokens; `picking` elements of every token;
    `memory` bytes whatever the context.
    """

    times: int
    heads: int
    token: float
    reach: float
    picking: float
    memory: float


@lru_cache(maxsize=256)
def _reads(model: ModelSpec) -> tuple[_Read, ...]:
    found: dict[_Read, int] = {}
    layers = [layer for times, layer in model.stack.groups for _ in range(times)]
    for layer, caches in zip(layers, layer_caches(model), strict=True):
        indexes = [getattr(mixer, "index", None) for mixer in layer.mixers]
        tops = [index.top for index in indexes if isinstance(index, Index)]
        for cache in caches:
            most = min(float(cache.reach or NEVER), float(min(tops, default=NEVER)))
            memory = 2 * (cache.conv * 2.0 + cache.recurrent * RECURRENT_BYTES)
            one = _Read(0, cache.heads, cache.token, most, cache.index, memory)
            found[one] = found.get(one, 0) + 1
    return tuple(one._replace(times=times) for one, times in found.items())


NEVER = 2.0**60
"""Tokens that no context reaches."""


def state_read(model: ModelSpec, context: Real, tp: Real, kv_bytes: float) -> Real:
    """Bytes of one sequence's state that one rank reads to write a token after `context` of them.

    Keys and values are divided by tp down to one head, latents not at all; of a sparse cache only the tokens that its
    index picks are read, and all keys of the index. Recurrent memories are read and written.
    """
    found: Real = 0.0
    for one in _reads(model):
        split = np.minimum(tp, one.heads)
        token = one.token * np.minimum(context, one.reach) / split + one.picking * context
        found = found + one.times * (token * kv_bytes + one.memory / split)
    return found
