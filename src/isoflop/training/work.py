"""What one layer of a model does in a training step, as numbers that do not depend on the layout: counted once a model.

Layers of one kind are counted once; a pipeline stage is how many of each kind it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.model.parts import Attention, Moe
from isoflop.model.shard import split_of
from isoflop.training.saved import kept_of

if TYPE_CHECKING:
    from isoflop.model.parts import Mixer, Saved, Weight
    from isoflop.model.spec import Layer, ModelSpec
    from isoflop.quantity.types import FloatArray


class Product(NamedTuple):
    """A matrix product of a layer: `inputs` x `outputs` weights, `copies` of them behind a router that takes `active`.

    `splits` says which side tensor parallelism divides: "out", "in", "heads" (out, not below one key-value head), "no";
    of an expert its own tensor parallelism. `again` is the share of its forward pass that is computed again.
    """

    inputs: int
    outputs: int
    copies: int
    active: int
    splits: str
    again: float


class LayerWork(NamedTuple):
    """One kind of layer.

    `pair_flops` are FLOP of attention a token, `busy_flops` what they come to in fused kernels, which narrow heads keep
    less busy; `square_flops` and `scores` those of the whole square, and how many scores that is; `inner` and `outer`
    elements that kernels save a token, divided by tensor parallelism or not; `sums` how often tensor parallelism
    reduces the residual stream; `routed` experts a token is sent to, of vectors of `routed_width`. `attention_again`
    and `elements_again`: shares computed again.
    """

    products: tuple[Product, ...]
    pair_flops: float
    busy_flops: float
    square_flops: float
    scores: float
    inner: float
    outer: float
    sums: int
    kv_elements: float
    routed: int
    routed_width: int
    attention_again: float
    elements_again: float


@dataclass(frozen=True, slots=True)
class Work:
    """A model: its kinds of layers, which kind each layer is, and what stands at its ends."""

    kinds: tuple[LayerWork, ...]
    kind_of: tuple[int, ...]
    cumulated: FloatArray
    vocabulary: int
    width: int
    kv_heads: int


@lru_cache(maxsize=256)
def work(model: ModelSpec, sequence: int, recompute: tuple[str, ...], kernels: str, *, merged: bool) -> Work:
    """The work of a model on sequences of `sequence` tokens; `merged`: products of one input are done as one."""
    kinds: dict[LayerWork, int] = {}
    kind_of: list[int] = []
    stacks = [stack for stack in (model.encoder, model.stack) if stack is not None]
    for stack in stacks:
        for times, layer in stack.groups:
            policies = frozenset(recompute) - {"none"}
            products = tuple(_products(layer, stack.width, policies, merged=merged))
            one = _layer_work(layer, stack.width, sequence, policies, kernels)._replace(products=products)
            kind_of += [kinds.setdefault(one, len(kinds))] * times
    onehot = np.zeros((len(kind_of) + 1, len(kinds)))
    for place, kind in enumerate(kind_of):
        onehot[place + 1, kind] = 1.0
    heads = [mixer.kv_heads for _, mixer in model.stack.attentions()]
    return Work(
        kinds=tuple(kinds),
        kind_of=tuple(kind_of),
        cumulated=np.cumsum(onehot, axis=0),
        vocabulary=(model.head.vocabulary or model.vocabulary) if model.head is not None else 0,
        width=model.width,
        kv_heads=min(heads, default=2**31),
    )


def _layer_work(layer: Layer, width: int, sequence: int, policies: frozenset[str], kernels: str) -> LayerWork:
    moe = layer.mlp if isinstance(layer.mlp, Moe) else None
    kernels = "eager" if kernels == "parts" else kernels
    kept = kept_of(layer, width, ("none",), kernels if kernels in OWN_LISTS else "fused")
    rotated = ROTATED * sum(_rotated(mixer) for mixer in layer.mixers) if kernels in OWN_LISTS else 0.0
    everything = "full" in policies
    return LayerWork(
        products=(),
        pair_flops=sum(mixer.mixing_flops(sequence, full=False) for mixer in layer.mixers),
        busy_flops=sum(mixer.mixing_flops(sequence, full=False) * _narrowness(mixer) for mixer in layer.mixers),
        square_flops=sum(mixer.mixing_flops(sequence, full=True) for mixer in layer.mixers),
        scores=float(sum(sequence * getattr(mixer, "heads", 0) for mixer in layer.mixers)),
        inner=rotated + sum(_halves(one) for one in kept if one.split == "inner"),
        outer=sum(_halves(one) for one in kept if one.split == "outer"),
        sums=len(layer.mixers) + (layer.mlp is not None and not layer.parallel) + (layer.cross is not None),
        kv_elements=float(sum(mixer.kv_elements for mixer in layer.mixers)),
        routed=moe.active if moe else 0,
        routed_width=(moe.inner_width or width) if moe else 0,
        attention_again=1.0 if everything or "core-attention" in policies else 0.0,
        elements_again=1.0 if everything or "every-second-matmul" in policies else 0.35 if policies else 0.0,
    )


OWN_LISTS = frozenset({"eager", "native", "autocast"})
"""Kernels whose element-wise work goes by what they themselves save; of others, by what fused kernels do."""

ROTATED = 3.0
"""Rotary positions in plain PyTorch, in elements moved a rotated one: they are turned into fp32 pairs and back."""


def _rotated(mixer: Mixer) -> float:
    """Elements of queries and keys that a token rotates."""
    if not isinstance(mixer, Attention) or mixer.positions != "rope":
        return 0.0
    return float((mixer.heads + mixer.kv_heads) * mixer.head_width)


def _halves(one: Saved) -> float:
    """Elements of a tensor, those in fp32 twice."""
    return one.elements * (2.0 if one.form == "fp32" else 1.0)


NARROW, USUAL_HEAD = 32.0, 128.0
"""Kernels of attention do a head d wide at a rate of d / (d + NARROW), over that at the usual width."""


def _narrowness(mixer: Mixer) -> float:
    """How much longer fused kernels take a FLOP at this width of heads than at the usual one."""
    width = float(getattr(mixer, "value_width", None) or getattr(mixer, "head_width", 0) or USUAL_HEAD)
    return (width + NARROW) / width * USUAL_HEAD / (USUAL_HEAD + NARROW)


_AGAIN = {
    "mlp": frozenset({"gate", "up"}),
    "latent-up": frozenset({"q up", "kv up"}),
    "every-second-matmul": frozenset({"k", "o", "up"}),
}
"""Products that a policy computes again."""


def _products(layer: Layer, width: int, policies: frozenset[str], *, merged: bool) -> list[Product]:
    """The products of a layer; where `merged`, those of one input in one part (q, k and v; gate and up) become one."""
    again = frozenset().union(*(_AGAIN.get(policy, frozenset()) for policy in policies))
    found: dict[tuple[object, ...], list[tuple[Weight, float]]] = {}
    for weight in layer.weights(width):
        if weight.runs == "never" or weight.columns == 1:
            continue
        share = 1.0 if "full" in policies or weight.name in again else 0.0
        key = (weight.part, weight.rows, weight.copies, _splits(weight)) if merged else (len(found),)
        found.setdefault(key, []).append((weight, share))
    return [_joined(group) for group in found.values()]


def _splits(weight: Weight) -> str:
    if weight.part == "experts":
        return "expert in" if weight.name == "down" else "expert out"
    if weight.name in {"o", "down"}:
        return "in"
    return {"tensor": "out", "heads": "heads", "vocabulary": "out"}.get(split_of(weight), "no")


def _joined(group: list[tuple[Weight, float]]) -> Product:
    first = group[0][0]
    outputs = sum(weight.columns for weight, _ in group)
    again = sum(weight.columns * share for weight, share in group) / outputs
    return Product(first.rows, outputs, first.copies, first.active, _splits(first), again)
