"""Which layouts a run can have: what has to divide what, said in words for one layout, as a mask for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.model.parts import Moe
from isoflop.model.shard import expert_counts, head_counts, inner_widths, kv_head_counts
from isoflop.training.engine import engine
from isoflop.training.spec import Layout, Layouts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray
    from isoflop.training.engine import Engine
    from isoflop.training.spec import Run

    Mask = npt.NDArray[np.bool_]


class Rule(NamedTuple):
    """`broken` where a layout breaks it; `says` why, in terms of that layout."""

    broken: Mask
    says: str


def faults(run: Run, layout: Layout, made: Engine | None = None) -> tuple[str, ...]:
    """Why this layout cannot be run, each reason in a sentence; empty where it can. `made`: in place of its engine."""
    many = Layouts.from_one(layout)
    return tuple(rule.says.format(layout=layout, run=run) for rule in _rules(run, many, made) if rule.broken.item())


def legal(run: Run, layouts: Layouts, made: Engine | None = None) -> Mask:
    """True for every layout that can be run."""
    good = np.ones(layouts.dp.shape, dtype=bool)
    for rule in _rules(run, layouts, made):
        good &= ~rule.broken
    return good


def _rules(run: Run, many: Layouts, made: Engine | None) -> Iterator[Rule]:
    yield from _widths(run.model, many)
    yield from _stages(run, many, made or engine(run.recipe.engine))
    yield from _batches(run, many)
    yield from _groups(run.model, many)


def _odd(value: float | FloatArray, divisor: FloatArray) -> Mask:
    """Where `divisor` does not divide `value`."""
    result: Mask = np.mod(value, divisor) != 0
    return result


def _widths(model: ModelSpec, many: Layouts) -> Iterator[Rule]:
    for heads in sorted(head_counts(model)):
        yield Rule(_odd(heads, many.tp), f"tp = {{layout.tp}} does not divide {heads} heads")
    for heads in sorted(kv_head_counts(model)):
        uneven = _odd(heads, many.tp) & _odd(many.tp, np.full_like(many.tp, heads))
        yield Rule(uneven, f"tp = {{layout.tp}} neither divides {heads} key-value heads nor is a multiple of them")
    for width in sorted(inner_widths(model)):
        yield Rule(_odd(width, many.tp), f"tp = {{layout.tp}} does not divide the feed-forward width {width:,}")
    for _, layer in model.stack.groups:
        if isinstance(layer.mlp, Moe) and not layer.mlp.inner_width:
            width = layer.mlp.expert.width
            yield Rule(_odd(width, many.etp), f"etp = {{layout.etp}} does not divide the expert width {width:,}")
            break


def _stages(run: Run, many: Layouts, made: Engine) -> Iterator[Rule]:
    layers = run.model.layers
    stages = many.pp * many.vpp
    if run.split:
        said = f"the split names {len(run.split)} stages of {sum(run.split)} layers together, not {{layout.pp}} x "
        wrong = (stages != len(run.split)) | (sum(run.split) != layers)
        yield Rule(wrong, f"{said}{{layout.vpp}} stages of {layers}")
    else:
        whole = layers + 2 * run.ends
        yield Rule(stages > whole, f"{layers} layers are too few for {{layout.pp}} x {{layout.vpp}} stages")
        if not made.uneven_stages:
            said = f"pp x vpp = {{layout.pp}} x {{layout.vpp}} does not divide {whole} layers"
            yield Rule(_odd(whole, stages), said + (" (embedding and head count as one each)" if run.ends else ""))
    yield Rule((many.vpp > 1) & (many.pp == 1), "vpp = {layout.vpp} needs pipeline stages: pp is 1")
    if run.model.encoder is not None:
        yield Rule(many.pp > 1, "pp = {layout.pp}: stages of an encoder-decoder are not modelled")


def _batches(run: Run, many: Layouts) -> Iterator[Rule]:
    together = many.dp * many.micro_batch
    yield Rule(
        _odd(run.batch, together),
        "dp x micro-batch = {layout.dp} x {layout.micro_batch} does not divide the batch of {run.batch} sequences",
    )
    steps = run.batch / together
    yield Rule(
        (many.vpp > 1) & _odd(steps, many.pp) & (np.mod(steps, 1) == 0),
        "interleaved stages need a multiple of pp = {layout.pp} micro-batches a step",
    )
    pieces = np.where(many.cp > 1, 2 * many.cp, 1.0) * np.where(many.sequence_parallel > 0, many.tp, 1.0)
    yield Rule(
        _odd(run.sequence, pieces),
        "a sequence of {run.sequence} tokens does not divide into cp = {layout.cp} (twice, for balance) x tp pieces",
    )
    yield Rule((many.sequence_parallel > 0) & (many.tp == 1), "sequence parallelism needs tp above 1")


def _groups(model: ModelSpec, many: Layouts) -> Iterator[Rule]:
    counts = expert_counts(model)
    if not counts:
        yield Rule(many.ep * many.etp > 1, "ep = {layout.ep} and etp = {layout.etp}: the model has no experts")
    for count in sorted(counts):
        yield Rule(_odd(count, many.ep), f"ep = {{layout.ep}} does not divide {count} experts")
    ranks = many.dp * many.cp * many.tp
    yield Rule(
        _odd(ranks, many.ep * many.etp),
        "ep x etp = {layout.ep} x {layout.etp} does not divide dp x cp x tp = {layout.dp} x {layout.cp} x {layout.tp}",
    )
    shared = many.dp * many.cp
    yield Rule(
        (many.shard > 0) & _odd(shared, np.maximum(many.shard, 1)),
        "sharding over {layout.shard} ranks does not divide dp x cp = {layout.dp} x {layout.cp}",
    )
