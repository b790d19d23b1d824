"""Bytes of weights on the fullest chip of a placement: counted once a model and format, then divided by the degrees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.model.parts import Moe
from isoflop.model.shard import kv_head_counts, split_of
from isoflop.model.storage.modules import Namer, modules, modules_apart
from isoflop.model.storage.scheme import Scheme, unquantised

if TYPE_CHECKING:
    from isoflop.model.parts import Weight
    from isoflop.model.spec import Layer, ModelSpec
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.spec import Formats, Placements

SPLITS = ("tensor", "heads", "expert", "vocabulary", "whole")
"""What divides a weight, as `model.shard.split_of` says."""

_HELD_WHOLE = frozenset({"index"})


class Stages(NamedTuple):
    """Which layers stand on which of some pipeline stages: the first layer of each, and one beyond the last."""

    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes of a model's weights by what divides them: `layers` of all layers, `embedding` and `head` at the ends.

    `shares` has a row a layer: which part of the bytes of each split lies in it. `head` is 0 where it is tied; a last
    stage apart from the first holds a copy of the embedding then.
    """

    layers: FloatArray
    shares: FloatArray
    embedding: float
    head: float
    tied: bool
    kv_heads: int
    layer_count: int

    @property
    def total(self) -> float:
        """Bytes of the whole model, nothing held twice."""
        return float(self.layers.sum()) + self.embedding + self.head


def scheme_of(formats: Formats) -> Scheme:
    """The scheme that formats mean: a checkpoint's own, or everything in one number format."""
    if isinstance(formats.weights, Scheme):
        return formats.weights
    return plain_scheme(formats.weights, formats.rest)


@lru_cache(maxsize=64)
def plain_scheme(name: str, rest: str) -> Scheme:
    """Every matrix of the layers in a plain format ("fp8", "int4"), embeddings, head, norms and routers in `rest`.

    Scales are not counted: a checkpoint's config says what they are (`model.storage`).
    """
    from isoflop.model.storage.formats import BITS, dtype_of, plain
    from isoflop.model.storage.modules import MATRICES
    from isoflop.model.storage.scheme import Rule

    form = plain(name)
    if BITS[dtype_of(name)] >= BITS[dtype_of(rest)]:
        return unquantised(name)
    return Scheme(words=f"{form.words} matrices", rest=plain(rest), rules=(Rule(form, MATRICES),))


def held_of(model: ModelSpec, formats: Formats, pad: tuple[int, int] = (1, 1)) -> Held:
    """The tally of a model in these formats; experts in MXFP4 are padded to multiples of `pad` (width, inner width)."""
    return _held(model, scheme_of(formats), pad)


@lru_cache(maxsize=256)
def _held(model: ModelSpec, scheme: Scheme, pad: tuple[int, int]) -> Held:
    by_split = dict.fromkeys(SPLITS, 0.0)
    embedding = head = 0.0
    for module in modules(model, Namer(scheme.patterns())):
        form, weight = scheme.form_of(module), module.weight
        rows, columns = _padded(weight, pad) if form.name == "mxfp4" else (weight.rows, weight.columns)
        size = module.times * form.size(rows, columns)
        if module.kind == "head" or module.weight.part == "head":
            head += size
        elif module.kind == "embedding":
            embedding += size
        else:
            by_split[_split(module.weight)] += size
    table = np.array([_params(layer, width) for width, layer in _every_layer(model)])
    sums = table.sum(axis=0)
    shares = np.divide(table, sums, out=np.full_like(table, 1 / max(len(table), 1)), where=sums > 0)
    return Held(
        layers=np.array([by_split[name] for name in SPLITS]),
        shares=shares,
        embedding=embedding,
        head=head,
        tied=model.head is not None and model.head.tied,
        kv_heads=min(kv_head_counts(model), default=2**31),
        layer_count=len(table),
    )


def _padded(weight: Weight, pad: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns rounded up: "down" goes from the inner width to the model's, the others back."""
    wide, inner = pad
    into, out = (inner, wide) if weight.name == "down" else (wide, inner)
    return -(-weight.rows // into) * into, -(-weight.columns // out) * out


def _split(weight: Weight) -> str:
    return "whole" if weight.part in _HELD_WHOLE else split_of(weight)


def _every_layer(model: ModelSpec) -> list[tuple[int, Layer]]:
    """(width, layer) of every layer, an encoder's first."""
    stacks = [stack for stack in (model.encoder, model.stack) if stack is not None]
    return [(stack.width, layer) for stack in stacks for times, layer in stack.groups for _ in range(times)]


def _params(layer: Layer, width: int) -> list[float]:
    found = dict.fromkeys(SPLITS, 0.0)
    for weight in layer.weights(width) if layer.held else ():
        found[_split(weight)] += weight.params
    return [found[name] for name in SPLITS]


@lru_cache(maxsize=256)
def apart_bytes(model: ModelSpec, scheme: Scheme) -> float:
    """Bytes of layers for further tokens that stand beside a model; of a model without any, those of a mean layer."""
    namer = Namer(scheme.patterns())
    beside = [module for one in model.apart for module in modules_apart(model, one, namer)]
    if not beside:
        return float(_held(model, scheme, (1, 1)).layers.sum()) / model.layers
    return sum(one.times * scheme.form_of(one).size(one.weight.rows, one.weight.columns) for one in beside)


def experts_of(model: ModelSpec) -> int:
    """The largest number of routed experts of a layer, 0 without."""
    layers = [layer for _, layer in _every_layer(model)]
    return max((layer.mlp.experts for layer in layers if isinstance(layer.mlp, Moe)), default=0)


@lru_cache(maxsize=1024)
def stages_of(layers: int, pp: int) -> Stages:
    """Layers shared out as evenly as they go; where they do not, stages in the middle have one more than the ends."""
    each, more = divmod(layers, pp)
    counts = [each] * pp
    order = sorted(range(pp), key=lambda stage: (abs(2 * stage - pp + 1), stage))
    for stage in order[:more]:
        counts[stage] += 1
    return Stages((0, *np.cumsum(counts).tolist()))


@dataclass(frozen=True, slots=True)
class Load:
    """Bytes of weights on the fullest chip, and which of `layers` stand there (first, and one beyond the last)."""

    bytes: FloatArray
    first: FloatArray
    beyond: FloatArray


def load(held: Held, many: Placements) -> Load:
    """What the fullest chip of each placement holds.

    Experts are divided over tp x dp (by number over ep, by width over the rest), keys and values not below one head.
    """
    size = np.zeros_like(many.tp)
    first, beyond = np.zeros_like(size), np.zeros_like(size)
    for pp in np.unique(many.pp):
        at = many.pp == pp
        found = _stage_loads(held, many.take(at), int(pp))
        worst = np.argmax(found, axis=0)
        size[at] = found[worst, np.arange(found.shape[1])]
        starts = np.array(stages_of(held.layer_count, int(pp)).starts, dtype=np.float64)
        first[at], beyond[at] = starts[worst], starts[worst + 1]
    return Load(size, first, beyond)


def _stage_loads(held: Held, many: Placements, pp: int) -> FloatArray:
    """Bytes a chip, a row a stage."""
    starts = stages_of(held.layer_count, pp).starts
    kv = np.minimum(many.tp, held.kv_heads)
    rows = []
    for stage in range(pp):
        share = held.shares[starts[stage] : starts[stage + 1]].sum(axis=0)
        tensor, heads, expert, vocabulary, whole = held.layers * share
        ends = (held.embedding if stage == 0 else 0.0) + (held.head if stage == pp - 1 else 0.0)
        if held.tied and pp > 1 and stage == pp - 1:
            ends += held.embedding
        rows.append((tensor + vocabulary + ends) / many.tp + heads / kv + expert / (many.tp * many.dp) + whole)
    return np.array(rows)
