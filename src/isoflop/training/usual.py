"""The best of the usual layouts, found in milliseconds: what a plan takes its utilisation from.

`search` looks at every legal layout; this one at those that people try first, and at more recomputation only where
nothing fits without. Tests hold it against the exhaustive best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.model.shard import expert_counts
from isoflop.training.memory import peak
from isoflop.training.space import policies, space, variants
from isoflop.training.step import step_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isoflop.kernel import Chip, Profile
    from isoflop.training.spec import Layout, Layouts, Policy, Run


WORSE = 1.1
"""More stages are no longer tried once the best with so many takes so much longer."""

SHALLOW, STAGES = 32, 8
"""Up to so many layers, or where so many even stages are possible, layers are shared out evenly; else otherwise too."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A layout of a run with its step time [s], 5 and 95 % points, and its peak memory [bytes, 95 % point]."""

    run: Run
    layout: Layout
    step: float
    low: float
    high: float
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Which ways to divide a run are in use at all: pipeline stages, in chunks too, sequence parallelism."""

    stages: bool = True
    chunks: bool = True
    sequence_parallel: bool = True


EVERY = Ways()


class _Place(NamedTuple):
    """Chips, how many share fast links, what one holds [bytes], what a step is timed on, which ways are in use."""

    chips: int
    domain: int
    capacity: float
    on: tuple[Chip, Profile]
    ways: Ways = EVERY


def usual_layout(
    run: Run, chips: int, domain: int, capacity: float, on: tuple[Chip, Profile], ways: Ways = EVERY
) -> Usual | None:
    """The fastest of the usual layouts that fit; None where none does. A recomputation that the run names is kept.

    Layers are shared out otherwise than evenly where even stages are few, or where none of them fits.
    """
    place = _Place(chips, domain, capacity, on, ways)
    even = None
    if run.model.layers <= SHALLOW or gcd(run.model.layers, chips) >= STAGES:
        even = _best([run], place)
    if even is not None or run.model.layers <= SHALLOW:
        return even
    first = _policies(run)[0]
    return _best([one for one in variants(run, chips) if one.recipe.recompute == first], place)


def _policies(run: Run) -> tuple[tuple[Policy, ...], ...]:
    return policies(run) if run.recipe.recompute == ("none",) else (run.recipe.recompute,)


def _best(shared: Sequence[Run], place: _Place) -> Usual | None:
    """The fastest over ways to share out layers, with as little recomputation as fits."""
    best: Usual | None = None
    tried, experts = _policies(shared[0]) if shared else (), expert_counts(shared[0].model) if shared else ()
    for number, policy in enumerate(tried):
        if best is not None and number > (2 if experts else 1):
            break  # with little recomputation something fits: more of it only slows
        for one in shared:
            found = _with(one.with_recipe(recompute=policy), place)
            best = found if best is None or (found is not None and found.step < best.step) else best
    return best


def alike(kind: Run, layout: Layout, run: Run, chips: int, place: tuple[int, float, Chip, Profile]) -> Usual | None:
    """The fastest with the recomputation and the stages of a run and layout before; None where none fits."""
    domain, capacity, chip, profile = place
    same = replace(run.with_recipe(recompute=kind.recipe.recompute), ends=kind.ends, split=kind.split)
    return _with(same, _Place(chips, domain, capacity, (chip, profile)), (layout.pp, layout.vpp))


def _with(run: Run, place: _Place, only: tuple[int, int] | None = None) -> Usual | None:
    best: Usual | None = None
    stages, fastest = 0.0, 0.0
    for many in _in_use(run, place, only):
        high = peak(run, many).of_kind("device")[2]
        fits = np.flatnonzero(high <= place.capacity)
        if not len(fits):
            continue
        if best is not None and many.pp[0] != stages and fastest > WORSE * best.step:
            break  # the last number of stages was no good: more of them are worse
        held = many.take(fits)
        times = step_time(run, held, *place.on)
        total = times.total
        first = int(total.argmin())
        step = float(total[first])
        fastest = step if many.pp[0] != stages else min(step, fastest)
        stages = float(many.pp[0])
        if best is None or step < best.step:
            low, up = float(times.low[first]), float(times.high[first])
            best = Usual(run, held[first], step, low, up, float(high[fits[first]]))
    return best


def _in_use(run: Run, place: _Place, only: tuple[int, int] | None) -> Iterator[Layouts]:
    """Usual layouts, as far as their ways are in use."""
    ways = place.ways
    for many in space(run, place.chips, place.domain, usual=True, only=only):
        if (many.pp[0] > 1 and not ways.stages) or (many.vpp[0] > 1 and not ways.chunks):
            continue
        yield many if ways.sequence_parallel else replace(many, sequence_parallel=np.zeros_like(many.pp))
