"""What one layer of a model brings to memory, as numbers that do not depend on the layout: counted once a model.

Each layer is a row of `FEATURES`; a pipeline stage is the sum of its rows, and the layout's degrees divide the columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from isoflop.model.count import head_weight
from isoflop.model.parts import Attention, Moe
from isoflop.model.shard import kv_head_counts, split_of
from isoflop.training.saved import LayerSaved, final_saved, saved_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.model.parts import Weight
    from isoflop.model.spec import Layer, ModelSpec
    from isoflop.quantity.types import FloatArray
    from isoflop.training.spec import Adapter, Recipe

SPLITS = ("tensor", "heads", "expert", "vocabulary", "whole")
"""What divides a parameter, as `model.shard.split_of` says."""

KEPT = ("inner", "outer", "inner32", "outer32", "routed_inner", "routed_outer", "pairs")
"""What is saved of a token, in elements: divided by tp; of the width of the residual stream; both again in fp32
whatever the compute format is; of tokens sorted to experts; scores a token and key (unfused attention)."""

FEATURES = (*(f"params {split}" for split in SPLITS), *(f"trained {split}" for split in SPLITS), *KEPT, "offloadable")


@dataclass(frozen=True, slots=True)
class Tally:
    """A model's layers as rows of `FEATURES`, and what stands outside the layers.

    `embedding` and `head` are parameters (head 0 where it is tied), `rest` what stands outside the layers beside them.
    `trained_ends` 0: embedding and head are frozen. `vocabulary` is the width of the logits, `working` the features of
    saved tensors of the largest layer with nothing recomputed, `final` those after the last layer, `placeholder` the
    parameters of a layer with each expert's shape once, `unit` those of the largest layer by what divides them.
    """

    rows: FloatArray
    cumulated: FloatArray
    embedding: float
    head: float
    tied: bool
    rest: float
    trained_ends: float
    vocabulary: int
    width: int
    kv_heads: int
    working: FloatArray
    final: FloatArray
    widest: float
    widest_routed: float
    placeholder: float
    unit: FloatArray

    @property
    def layers(self) -> int:
        """How many layers there are, an encoder's before the decoder's."""
        return len(self.rows)


def tally(model: ModelSpec, recipe: Recipe, kernels: str) -> Tally:
    """The tally of a model under a recipe, with the kernels of an engine ("fused", "eager", "compiled")."""
    return _tally(
        model, recipe.adapter, recipe.recompute, kernels, fused=recipe.fused_attention, dropout=recipe.dropout
    )


@lru_cache(maxsize=256)
def _tally(
    model: ModelSpec,
    adapter: Adapter | None,
    recompute: tuple[str, ...],
    kernels: str,
    *,
    fused: bool,
    dropout: bool,
) -> Tally:
    rows: list[FloatArray] = []
    units: list[FloatArray] = []
    working: list[LayerSaved] = []
    placeholders = []
    for stack in (model.encoder, model.stack):
        for times, layer in stack.groups if stack is not None else ():
            width = stack.width  # type: ignore[union-attr]
            params = _by_split(layer.weights(width) if layer.held else (), adapter)
            kept = saved_of(layer, width, recompute, kernels, fused=fused, dropout=dropout)
            row = np.array([*params[0], *params[1], *kept.features, kept.offloadable])
            rows += [row] * times
            units.append(np.array(params[0]))
            working.append(saved_of(layer, width, ("none",), kernels, fused=fused, dropout=dropout))
            placeholders.append(_distinct(layer, width))
    table = np.array(rows)
    head = head_weight(model) if model.head is not None else None
    embedding = sum(weight.params for weight in model.embedding.weights(model.width))
    heads = head.params if head is not None and model.head is not None and not model.head.tied else 0
    rest = _outside(model)
    largest = max(range(len(working)), key=lambda place: sum(working[place].features))
    return Tally(
        rows=table,
        cumulated=np.vstack([np.zeros(table.shape[1]), np.cumsum(table, axis=0)]),
        embedding=float(embedding),
        head=float(heads),
        tied=head is not None and not heads,
        rest=float(rest),
        trained_ends=0.0 if adapter else 1.0,
        vocabulary=head.rows if head is not None else 0,
        width=model.width,
        kv_heads=min(kv_head_counts(model), default=2**31),
        working=np.array(working[largest].features),
        final=np.array(final_saved(model.stack.norm, model.width, kernels)),
        widest=max(one.widest for one in working),
        widest_routed=max(one.widest_routed for one in working),
        placeholder=float(max(placeholders)),
        unit=max(units, key=lambda one: float(one.sum())),
    )


def _outside(model: ModelSpec) -> int:
    """Parameters outside stacks, embedding and head: final norms, poolers, projections."""
    norms = sum(
        weight.params
        for stack in (model.encoder, model.stack)
        if stack is not None and stack.norm is not None
        for weight in stack.norm.weights(stack.width)
    )
    bias = model.vocabulary if model.head is not None and model.head.bias else 0
    return norms + bias + sum(weight.params for extra in model.extras for weight in extra.weights())


def _by_split(weights: Iterable[Weight], adapter: Adapter | None) -> tuple[list[float], list[float]]:
    """(parameters, trained parameters) of a layer by what divides them. An adapter adds its own and freezes the rest.

    Its matrices count as "whole": the smaller of the two is divided by no implementation, the other is small too.
    """
    found = dict.fromkeys(SPLITS, 0.0)
    added = 0.0
    for weight in weights:
        if weight.trained:
            found[split_of(weight)] += weight.params
        if adapter is not None and weight.name in adapter.targets and weight.part in _ADAPTED and weight.columns > 1:
            added += adapter.rank * (weight.rows + weight.columns) * weight.copies
    if adapter is None:
        return list(found.values()), list(found.values())
    found["whole"] += added
    return list(found.values()), [added if split == "whole" else 0.0 for split in SPLITS]


_ADAPTED = frozenset({"attention", "mlp", "experts", "shared expert"})


def _distinct(layer: Layer, width: int) -> float:
    """Parameters of the matrices of a layer, one expert counted for all."""
    return sum(
        weight.rows * weight.columns for weight in layer.weights(width) if weight.runs != "never" and weight.columns > 1
    )


def stage_bounds(layers: int, stages: int, split: Sequence[int], ends: int) -> list[int]:
    """Layers before each of `stages` virtual stages in order of depth, and after the last.

    Shared out evenly, or as `split` says. `ends` 1: embedding and head take the place of a layer each. Where the
    stages do not divide the layers, the earlier ones take one more.
    """
    if split:
        return [0, *np.cumsum(split).tolist()]
    whole = layers + 2 * ends
    sizes = [whole // stages + (1 if place < whole % stages else 0) for place in range(stages)]
    sizes[0] -= ends
    sizes[-1] -= ends
    return [0, *np.cumsum(sizes).tolist()]


def experts_of(model: ModelSpec) -> bool:
    """Whether the model has routed experts."""
    return any(isinstance(layer.mlp, Moe) for _, layer in model.stack.groups)


def attends(layer: Layer) -> bool:
    """Whether the layer has plain attention, whose scores may be kept."""
    return any(isinstance(mixer, Attention) for mixer in layer.mixers)
