"""What each kind of layer keeps of a sequence, as numbers that no placement and no runtime changes.

The least that has to be kept is `ideal_bytes`; what a runtime sets aside for it is `pool`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.model.parts import Attention, LatentAttention
from isoflop.model.parts.compressed import CompressedAttention
from isoflop.model.parts.recurrent import Recurrent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.model.parts import Mixer
    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray, Real

Kind = Literal["full", "window", "latent", "compressed", "recurrent"]
"""Keys and values of all tokens; of the last of them, or of the token's own chunk; one vector a token for all heads;
one for many tokens; a memory that does not grow."""

RECURRENT_BYTES = 4.0
"""Bytes an element of memories that are added to at every token: runtimes keep them in FP32 unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The state of `times` equal layers, in elements a layer.

    A token leaves `token` elements for all `heads` key-value heads together (heads 1: nothing that tensor parallelism
    could divide), and `index` elements of a sparse index's key. `reach` is how many tokens are kept, 0: all.
    `chunked`: those of the token's own chunk, not a sliding window. A sequence keeps `conv` elements of `taps` inputs
    of convolutions and `recurrent` elements of memories whatever its length. `head_width` as of one head's key,
    `value_width` of its value; `expanded` elements a token would leave if keys and values were rebuilt for all heads.
    """

    times: int
    kind: Kind
    heads: int = 1
    token: float = 0.0
    index: float = 0.0
    reach: int = 0
    chunked: bool = False
    conv: float = 0.0
    taps: int = 0
    recurrent: float = 0.0
    expanded: float = 0.0

    def kept(self, context: Real) -> Real:
        """Tokens kept after `context` of them."""
        return np.minimum(context, self.reach) if self.reach else context


@lru_cache(maxsize=256)
def caches_of(model: ModelSpec) -> tuple[Cache, ...]:
    """The caches of a model's main stack, equal layers together; cross-attention's keys and values are `cross_of`'s."""
    found: dict[Cache, int] = {}
    for times, mixer in model.stack.mixers():
        for cache in _cache(mixer):
            found[cache] = found.get(cache, 0) + times
    return tuple(_times(cache, times) for cache, times in found.items())


@lru_cache(maxsize=256)
def layer_caches(model: ModelSpec) -> tuple[tuple[Cache, ...], ...]:
    """The caches of every layer by itself, in order of depth."""
    each = []
    for times, layer in model.stack.groups:
        own = tuple(cache for mixer in layer.mixers for cache in _cache(mixer))
        each += [own] * times
    return tuple(each)


def cross_of(model: ModelSpec) -> float:
    """Elements that a token of the encoder leaves in the caches of cross-attention, all layers together."""
    layers = (pair for pair in model.stack.groups if pair.layer.cross is not None)
    return float(sum(times * layer.cross.cross_elements for times, layer in layers if layer.cross is not None))


def _times(cache: Cache, times: int) -> Cache:
    from dataclasses import replace

    return replace(cache, times=times)


def _cache(mixer: Mixer) -> Iterator[Cache]:
    """What one layer of a mixer keeps, times 1; nothing where it reads another layer's, or has no mask."""
    if isinstance(mixer, Recurrent):
        states = {state.kind: state.elements for state in mixer.state(1)}
        taps = max((one.kernel - 1 for one in mixer.convolutions), default=0)
        yield Cache(
            times=1,
            kind="recurrent",
            heads=max(mixer.heads, 1),
            conv=states.get("conv", 0.0),
            taps=taps,
            recurrent=states.get("recurrent", 0.0),
        )
    elif not mixer.kv_elements:
        return
    elif isinstance(mixer, CompressedAttention):
        yield _compressed(mixer)
    elif isinstance(mixer, LatentAttention):
        index = float(mixer.index.kept) if mixer.index else 0.0
        rebuilt = mixer.heads * (mixer.nope_width + mixer.rope_width + mixer.value_width)
        token = mixer.kv_elements - index
        reach = mixer.reach.window or mixer.reach.chunk or 0
        yield Cache(times=1, kind="latent", token=token, index=index, reach=reach, expanded=float(rebuilt))
    elif isinstance(mixer, Attention):
        index = float(mixer.index.kept) if mixer.index else 0.0
        reach = mixer.window or mixer.chunk or 0
        yield Cache(
            times=1,
            kind="window" if reach else "full",
            heads=mixer.kv_heads,
            token=mixer.kv_elements - index,
            index=index,
            reach=reach,
            chunked=mixer.chunk is not None,
        )


def _compressed(mixer: CompressedAttention) -> Cache:
    """A window of keys, entries that each stand for `rate` tokens, and what makes the open one."""
    rate = mixer.rate or 0
    states = {state.kind: state.elements for state in mixer.state(max(rate, mixer.window))}
    return Cache(
        times=1,
        kind="compressed",
        token=mixer.head_width / rate if rate else 0.0,
        index=mixer.index.head_width / rate if mixer.index and rate else 0.0,
        reach=0,
        conv=states.get("conv", 0.0) + mixer.head_width * mixer.window,
    )


def ideal_bytes(
    model: ModelSpec, context: Real, *, kv_bytes: float = 2.0, inputs: float = 0.0, recurrent: float = RECURRENT_BYTES
) -> FloatArray:
    """The least that one sequence of `context` tokens has to leave, over all layers and devices [bytes].

    A window keeps no more than itself, nothing is held twice. `inputs`: tokens of an encoder that are read again.
    """
    tokens = np.asarray(context, dtype=np.float64)
    total = np.zeros_like(tokens)
    for cache in caches_of(model):
        each = kv_bytes * (cache.token * np.asarray(cache.kept(tokens)) + cache.index * tokens + cache.conv)
        total = total + cache.times * (each + recurrent * cache.recurrent)
    return np.asarray(total + kv_bytes * inputs * cross_of(model))
