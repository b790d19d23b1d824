"""What is saved for the backward pass, by component: the term of the peak that people ask about, taken apart."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from isoflop.relation.answer import Ledger, Term
from isoflop.training.engine import engine
from isoflop.training.memory import peak
from isoflop.training.saved import kept_of, pairs_of
from isoflop.training.spec import format_bytes
from isoflop.training.tally import stage_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.model.parts import Saved
    from isoflop.model.spec import Layer
    from isoflop.training.spec import Layout, Run


def activation_ledger(run: Run, layout: Layout) -> Ledger:
    """Bytes saved for backward on the worst rank, by component and tensor, of all micro-batches in flight.

    Its total is the term "saved for backward" of the peak; what is kept where stages meet and after the last layer is
    the term "between stages and after the last layer".
    """
    found = peak(run, layout)
    total, stage = float(found.terms["saved for backward"].item()), int(found.stage.item())
    parts: dict[str, float] = defaultdict(float)
    for times, layer, width in _layers_of(run, layout, stage):
        for name, amount in _of_layer(run, layout, layer, width):
            parts[name] += times * amount
    once = sum(parts.values())
    flight = _flight(run, layout, stage)
    terms = [Term(name=name, value=flight * amount) for name, amount in parts.items() if amount]
    rest = total - flight * once
    if rest > 1e-9 * total:
        terms.append(Term(name="between stages and after the last layer", value=rest))
    micro = f"{flight:g} micro-batch{'es' if flight != 1 else ''} of {layout.micro_batch} x {run.sequence:,} tokens"
    return Ledger(quantity="activation_bytes", title=f"Saved for backward: {micro} in flight", terms=tuple(terms))


def _flight(run: Run, layout: Layout, stage: int) -> float:
    """Micro-batches in flight, less what is offloaded."""
    from isoflop.training.memory import in_flight

    share = 1.0 - min(1.0, layout.offload_layers * layout.pp / run.model.layers)
    steps = np.asarray(max(1.0, run.batch / (layout.dp * layout.micro_batch)))
    return share * float(in_flight(run.schedule, stage, layout.pp, layout.vpp, steps))


def _layers_of(run: Run, layout: Layout, stage: int) -> Iterator[tuple[int, Layer, int]]:
    """(times, layer, width) of the layers that a stage holds."""
    every = [
        (layer, stack.width)
        for stack in (run.model.encoder, run.model.stack)
        if stack is not None
        for times, layer in stack.groups
        for _ in range(times)
    ]
    bounds = stage_bounds(len(every), layout.pp * layout.vpp, run.split, run.ends)
    held = [chunk for chunk in range(layout.pp * layout.vpp) if chunk % layout.pp == stage]
    if run.schedule == "dualpipe":
        held.append(layout.pp - 1 - stage)
    for chunk in held:
        for layer, width in every[bounds[chunk] : bounds[chunk + 1]]:
            yield 1, layer, width


def _of_layer(run: Run, layout: Layout, layer: Layer, width: int) -> Iterator[tuple[str, float]]:
    recipe = run.recipe
    kernels = engine(recipe.engine).kernels
    tokens = layout.micro_batch * run.sequence / layout.cp
    compute = format_bytes(recipe.compute)
    for one in kept_of(layer, width, recipe.recompute, kernels, dropout=recipe.dropout):
        yield f"{one.part}: {one.name}", tokens * one.elements * _bytes(one, layout, compute)
    pairs = pairs_of(layer, recipe.recompute, fused=recipe.fused_attention)
    yield "attention: scores", tokens * pairs * run.sequence * compute / layout.tp


def _bytes(one: Saved, layout: Layout, compute: float) -> float:
    """Bytes an element takes on a rank."""
    each = 4.0 if one.form == "fp32" else compute
    if one.part == "experts":
        return each * (layout.etp if one.split == "outer" else 1) / layout.tp
    return each / (layout.tp if one.split == "inner" or layout.sequence_parallel else 1)
