"""The best layout of a number of chips: every legal one, memory and time together, in blocks of arrays.

Nothing is pruned but what does not fit: the best is the best of all that `space` lists, by construction. Kept are the
fastest of each kind of splitting, and the layouts that no other beats in both time and memory.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from isoflop.training.inverse import need
from isoflop.training.memory import peak
from isoflop.training.space import space, variants
from isoflop.training.spec import Layouts
from isoflop.training.step import step_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.quantity.types import FloatArray
    from isoflop.training.inverse import Need
    from isoflop.training.pace import Machine
    from isoflop.training.spec import Run

NAMES = tuple(one.name for one in fields(Layouts))
_KIND = tuple(NAMES.index(name) for name in ("tp", "pp", "cp", "ep"))
_ZERO = NAMES.index("zero")
_VARIANT, _TIME, _MEMORY = len(NAMES), len(NAMES) + 1, len(NAMES) + 2
MOST_KINDS = 64
MOST_PARETO = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found: layouts `tried` (all legal), those that `fit`.

    `best` are the fastest of each kind (recomputation, tp, pp, cp, ep, whether weights are sharded), fastest first;
    `pareto` those that no other beats in both time and memory, fastest first.
    """

    tried: int
    fit: int
    best: tuple[Need, ...]
    pareto: tuple[Need, ...]


def search_layouts(run: Run, chips: int, domain: int, capacity: float, machine: Machine | None = None) -> Found:
    """Every legal layout of `run` on `chips` chips that hold `capacity` bytes each, judged.

    A layout fits where the 95 % point of its memory does. Without a `machine` there is no time: layouts then stand in
    the order of recomputation and splitting.
    """
    tried = fit = 0
    every = variants(run, chips)
    levels = {recompute: level for level, recompute in enumerate(dict.fromkeys(one.recipe.recompute for one in every))}
    best = front = np.empty((0, len(NAMES) + 3))
    for place, one in enumerate(every):
        for many in space(one, chips, domain):
            tried += len(many)
            high = peak(one, many).of_kind("device")[2]
            good = high <= capacity
            number = int(np.count_nonzero(good))
            if not number:
                continue
            fit += number
            held = many if number == len(many) else many.take(good)
            level = levels[one.recipe.recompute]
            time = step_time(one, held, machine.chip, machine.profile).total if machine else _order(level, held)
            rows = np.column_stack(
                [*(getattr(held, name) for name in NAMES), np.full(number, float(place)), time, high[good]]
            )
            best = np.concatenate([best, _fastest_of_kinds(rows)])
            front = _front(np.concatenate([front, rows[rows[:, _TIME] <= _worst(front, rows)]]))
    best = _merged(best, every)
    return Found(
        tried=tried,
        fit=fit,
        best=tuple(_need(row, every, capacity, machine) for row in best[:MOST_KINDS]),
        pareto=tuple(_need(row, every, capacity, machine) for row in _thinned(front)) if machine else (),
    )


def _worst(front: FloatArray, rows: FloatArray) -> float:
    """Time beyond which a row cannot be of use: that of the smallest so far, where none of the rows is smaller."""
    if not len(front) or rows[:, _MEMORY].min() < front[:, _MEMORY].min():
        return float("inf")
    return float(front[:, _TIME].max())


def _order(level: int, many: Layouts) -> FloatArray:
    """An order and no time: less recomputation, then less splitting, then larger micro-batches first."""
    spread: FloatArray = many.pp * many.tp * many.cp
    order: FloatArray = (
        level * 1e12 + spread * 1e6 + many.pp * 1e5 + many.cp * 1e4 + many.ep * 1e3 + many.zero * 1e2 + many.vpp * 1e1
    ) - many.micro_batch / 1e2
    return order


def _fastest_of_kinds(rows: FloatArray) -> FloatArray:
    """Of each kind of splitting in a block the fastest; of equally fast ones the smallest."""
    kinds = rows[:, _KIND] @ np.array([1.0, 2.0**13, 2.0**26, 2.0**39]) * 2 + (rows[:, _ZERO] >= 3)
    order = np.lexsort((rows[:, _MEMORY], rows[:, _TIME], kinds))
    ordered = kinds[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    kept: FloatArray = rows[order[first]]
    return kept


def _merged(rows: FloatArray, every: Sequence[Run]) -> FloatArray:
    """The fastest of each kind over all blocks, fastest first."""
    order = np.lexsort((rows[:, _MEMORY], rows[:, _TIME]))
    seen: set[tuple[object, ...]] = set()
    kept = []
    for place in order.tolist():
        row = rows[place]
        kind = (every[int(row[_VARIANT])].recipe.recompute, *row[list(_KIND)].tolist(), bool(row[_ZERO] >= 3))
        if kind not in seen:
            seen.add(kind)
            kept.append(place)
    merged: FloatArray = rows[kept]
    return merged


def _front(rows: FloatArray) -> FloatArray:
    """Rows that no other beats in both time and memory, fastest first."""
    ordered = rows[np.lexsort((rows[:, _MEMORY], rows[:, _TIME]))]
    least = np.minimum.accumulate(ordered[:, _MEMORY])
    better = np.append(True, ordered[1:, _MEMORY] < least[:-1])[: len(ordered)]
    front: FloatArray = ordered[better]
    return front


def _thinned(front: FloatArray) -> FloatArray:
    """At most MOST_PARETO of the front, both ends among them."""
    if len(front) <= MOST_PARETO:
        return front
    kept: FloatArray = front[np.unique(np.linspace(0, len(front) - 1, MOST_PARETO).round().astype(int))]
    return kept


def _need(row: FloatArray, every: Sequence[Run], capacity: float, machine: Machine | None) -> Need:
    columns = {name: row[place : place + 1] for place, name in enumerate(NAMES)}
    return need(every[int(row[_VARIANT])], Layouts(**columns)[0], capacity, machine)
