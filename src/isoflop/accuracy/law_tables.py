"""Laws of loss held against runs they were not fitted to, and how a budget is split, beside rules of thumb.

Two tables of any tables of runs: the dearer part of a study predicted from the cheaper one, and what it costs in loss
to split the compute of a budget as a law fitted to smaller budgets says, or at 20 tokens a parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop import laws
from isoflop.accuracy.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from isoflop.laws import Runs
    from isoflop.laws.runs import BoolArray
    from isoflop.quantity.types import FloatArray

RULE = 20.0
"""Tokens a parameter that the rule of thumb has."""

CUT = 0.6
"""Share of the runs, cheapest first, that the others are predicted from."""

NEAR = 0.12
"""Runs whose compute is within so much of each other [ln] are of one budget."""

LEAST = 5
"""Sizes that a budget needs for its best to mean something."""

RESAMPLES, LEAST_RESAMPLES = 50, 10

ENOUGH = 30
"""Runs of smaller budgets that a law is fitted to, at least."""

SHOWN = (("chinchilla", "Chinchilla's form"), ("power-flops", "a power of compute"), ("nearest run", "nearest run"))


def backtest_table(paths: Sequence[Path]) -> str:
    """Mean |relative error| of the loss of the dearer runs, by `auto`, by one form and by baselines."""
    lines = []
    for path in paths:
        runs = laws.read_runs(path)
        flops = _flops(runs)
        found = laws.backtest(runs, float(np.quantile(flops, CUT)), options=laws.Options(bootstrap=RESAMPLES))
        held = {one.name: one for one in found.held}
        auto = held["auto"]
        others = [f"{100 * held[name].error:.2f} %" if name in held else "" for name, _ in SHOWN]
        inside = "" if auto.covered is None else f"{100 * auto.covered:.0f} %"
        lines.append((path.stem, f"{found.fitted}, {found.predicted}", f"{100 * auto.error:.2f} %", *others, inside))
    head = ("study", "runs fitted, predicted", "auto", *(title for _, title in SHOWN), "inside 80 %")
    return table(head, lines)


class _Split(NamedTuple):
    """A budget [FLOP], sizes tried, and the excess of loss over its best run: of the law's split, of the rule's."""

    flops: float
    sizes: int
    by_law: float
    by_rule: float


def split_table(paths: Sequence[Path]) -> str:
    """Budgets of a study: by how much the loss of the run nearest to each way to split is above the best run's."""
    lines = []
    for path in paths:
        splits = _splits(laws.read_runs(path))
        ways = ([one.by_law for one in splits], [one.by_rule for one in splits])
        figures = (f"{100 * value:.2f} %" for way in ways for value in (float(np.mean(way)), max(way)))
        lines.append((path.stem, str(len(splits)), *figures))
    head = ("study", "budgets", "law of the cheaper budgets", "largest", "20 tokens per parameter", "largest")
    return table(head, lines)


def _splits(runs: Runs) -> list[_Split]:
    flops, loss = _flops(runs), runs.loss
    params = runs.columns["params"]
    found = []
    for budget in _budgets(flops):
        own = np.flatnonzero(np.abs(np.log(flops / budget)) <= NEAR / 2)
        cheaper = flops < budget * np.exp(-NEAR)
        if len(own) < LEAST or cheaper.sum() < ENOUGH:
            continue
        fitted = laws.fit(_only(runs, cheaper), options=laws.Options(bootstrap=LEAST_RESAMPLES)).constants
        split = laws.Chinchilla(E=fitted["E"], A=fitted["A"], B=fitted["B"], alpha=fitted["alpha"], beta=fitted["beta"])
        by_law = float(split.allocate(budget).params)
        by_rule = float((budget / (6.0 * RULE)) ** 0.5)
        best = float(loss[own].min())
        excess = [
            float(loss[own][int(np.abs(np.log(params[own] / size)).argmin())]) / best - 1 for size in (by_law, by_rule)
        ]
        found.append(_Split(budget, len(own), *excess))
    return found


def _budgets(flops: FloatArray) -> list[float]:
    """Middles of the compute that several runs share."""
    left = np.sort(np.log(flops))
    found = []
    while len(left):
        counts = [int(((left >= one - NEAR / 2) & (left <= one + NEAR / 2)).sum()) for one in left]
        middle = float(left[int(np.argmax(counts))])
        if max(counts) < LEAST:
            break
        found.append(float(np.exp(middle)))
        left = left[np.abs(left - middle) > NEAR]
    return sorted(found)


def _flops(runs: Runs) -> FloatArray:
    given = runs.columns.get("flops")
    return 6.0 * runs.columns["params"] * runs.columns["tokens"] if given is None else given


def _only(runs: Runs, kept: BoolArray) -> Runs:
    return runs.also_flag("not below the budget", ~kept)
