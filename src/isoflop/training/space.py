"""The layouts that a number of chips allows, as arrays: every legal combination of degrees; recomputation beside."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from isoflop.model.shard import expert_counts
from isoflop.training.engine import engine
from isoflop.training.legal import legal
from isoflop.training.spec import Layouts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isoflop.training.spec import Policy, Run

BLOCK = 10_000
"""Layouts worked on at once: what fits a processor's cache is fastest."""

MOST_MICRO_BATCH = 64


def policies(run: Run) -> tuple[tuple[Policy, ...], ...]:
    """Recomputation to try, from none to all, as the engine of the run has it."""
    if engine(run.recipe.engine).kernels == "fused":
        return (("none",), ("norms", "activations"), ("full",))
    return (("none",), ("every-second-matmul",), ("full",))


def ends(run: Run) -> tuple[int, ...]:
    """Ways to share out layers among stages: evenly, and with embedding and head in the place of a layer each."""
    return (run.ends,) if run.split or run.ends else (0, 1)


def space(run: Run, chips: int, domain: int) -> Iterator[Layouts]:
    """Every legal layout of `run` on `chips` chips, in blocks; tensor parallelism stays inside `domain` chips.

    Degrees are the divisors that the model allows: tp and ep of its heads and experts, pp of its layers, cp up to the
    chips where a sequence is long (over 8,192 tokens), ZeRO as the engine has it.
    """
    made = engine(run.recipe.engine)
    experts = max(expert_counts(run.model), default=1)
    stages = _divisors(run.model.layers + 2 * run.ends, most=chips)
    contexts = [1, *(c for c in _divisors(chips, most=64)[1:] if run.sequence // c >= 4096)]
    zeros = (1, 3) if made.whole_pipeline or made.gathered_gradients else (0, 1)
    rows = []
    for tp, pp, cp in product(_divisors(chips, most=domain), stages, contexts):
        if chips % (tp * pp * cp):
            continue
        dp = chips // (tp * pp * cp)
        if run.batch % dp:
            continue
        chunks = [1, *(v for v in (2, 4, 8) if pp > 1 and (run.model.layers + 2 * run.ends) % (pp * v) == 0)]
        wholes = [ep for ep in _divisors(experts, most=chips) if dp * cp * tp % ep == 0]
        micros = _divisors(run.batch // dp, most=MOST_MICRO_BATCH)
        rows += [
            (dp, tp, pp, v, cp, ep, zero, micro)
            for v, ep, zero, micro in product(chunks, wholes, zeros, micros)
            if not (zero and dp * cp == 1)
        ]
        if len(rows) >= BLOCK:
            yield from _block(run, rows)
            rows = []
    yield from _block(run, rows)


def _block(run: Run, rows: Sequence[tuple[int, ...]]) -> Iterator[Layouts]:
    if not rows:
        return
    dp, tp, pp, vpp, cp, ep, zero, micro = np.array(rows, dtype=np.float64).T
    parallel = (tp > 1) & (np.mod(run.sequence / cp, tp) == 0)
    many = Layouts.of(
        dp=dp, tp=tp, pp=pp, vpp=vpp, cp=cp, ep=ep, zero=zero, micro_batch=micro, sequence_parallel=parallel
    )
    good = many.take(legal(run, many))
    if len(good):
        yield good


def _divisors(number: int, *, most: int) -> list[int]:
    return [d for d in range(1, min(number, most) + 1) if number % d == 0]
