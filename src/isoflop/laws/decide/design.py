"""Which runs to do next: those that shrink the interval at a target most for their compute.

What is known after the runs there are is a joint covariance of ln(loss) at target and cells: of resamples, of local
minima, of forms, of drift beyond the runs. A run at a cell conditions it as a measurement with the scatter of runs
does, so that the gain of every cell, and of cells together, follows without a fit. Cells far below the dearest run are
taken to say less of the target than the law alone would have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, Infeasible
from isoflop.laws.decide.ensemble import Ensemble, ensemble
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, positive
from isoflop.quantity import quantity, write
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws.runs import Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

MOST_CELLS = 2_000
MOST_RUNS, MOST_SEEDS = 100, 3
COST = 0.85
"""Power of a run's compute that its gain is divided by. At 1, gain per FLOP, small runs alone fill an allowance; this
and FAR were chosen on replays (see docs/laws_decide.md)."""

FAR = 0.01
"""ln(loss) that a run a decade of compute below the dearest one may mislead by, beside its scatter: no form is true,
and runs far off hold it where nobody asks."""

NEIGHBOURS = 0.5
"""Decades of params and tokens over which cells mislead alike."""

A_RUN = 0.003
"""Share of the allowance that a run counts at least when gains are weighed by cost: setting one up is not free."""

NOTHING = 1e-3
"""Share of the variance at the target below which another run is not worth its name."""

_SIZES, _RATIOS = 13, (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
_SHUFFLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A run to do, `seeds` times: its inputs in base units (params, tokens, ...) and what one of it costs (FLOP)."""

    inputs: Mapping[str, float]
    flops: float
    seeds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """How the interval shrinks over compute: FLOP spent on new runs, and the half-width of ln(loss) at the target."""

    flops: FloatArray
    width: FloatArray

    def at(self, flops: float) -> float:
        """The half-width once this much is spent."""
        return float(self.width[np.searchsorted(self.flops, flops * (1 + 1e-9), side="right") - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Design(Shown):
    """The next runs. `track` is what they are expected to do, `others` what as much spent otherwise would.

    `loss` is the loss at the target today, `level` that of the half-widths, which hold the doubt of the law and its
    drift, not the scatter of one more run (`scatter`, standard deviation of ln(loss)).
    """

    cells: tuple[Cell, ...]
    targets: tuple[Mapping[str, float], ...]
    allowance: float
    loss: float
    level: float
    track: Track
    others: Mapping[str, Track]
    scatter: float
    forms: Mapping[str, float]
    minima: int
    candidates: int

    @property
    def flops(self) -> float:
        """What all cells cost together, in FLOP."""
        return sum(cell.flops * cell.seeds for cell in self.cells)


def design(
    runs: Runs,
    targets: Mapping[str, float] | Sequence[Mapping[str, float]],
    allowance: float,
    *,
    cells: Sequence[Mapping[str, float]] = (),
    forms: Sequence[str | Shape] = (),
    level: float = 0.8,
) -> Design:
    """The runs to do next for the allowance (FLOP), chosen one after the other: V-optimal at the targets.

    `targets` are points (params, tokens, further inputs); `cells` the runs that could be done, each at most once, else
    a grid of sizes and ratios about those there are, with repeats as seeds. `forms` are what could be right.
    Neglects: that new runs may change which form is believed; run the design again after each batch.

    >>> from isoflop.laws import Chinchilla, Runs
    >>> size, ratio = np.meshgrid(np.geomspace(1e7, 1e8, 4), np.geomspace(5, 200, 4))
    >>> params, tokens = size.ravel(), (size * ratio).ravel()
    >>> loss = Chinchilla(E=1.7, A=400.0, B=900.0, alpha=0.34, beta=0.36).loss(params, tokens)
    >>> loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(16))
    >>> runs = Runs.of(params=params, tokens=tokens, loss=loss)
    >>> found = design(runs, {"params": 1e9, "tokens": 2e10}, 1e18, forms=("chinchilla",))
    >>> bool(found.track.width[-1] < found.track.width[0])
    True
    """
    positive("allowance", allowance)
    points = [targets] if isinstance(targets, Mapping) else list(targets)
    held = ensemble(runs, forms)
    wanted = [_point(one, held.inputs, "target") for one in points]
    pool = [_point(one, held.inputs, "cell") for one in cells] or usual_cells(runs, held, allowance)
    if len(pool) > MOST_CELLS:
        raise BadInput(f"{len(pool):,} cells; at most {MOST_CELLS:,} are weighed")
    affordable = [one for one in pool if one["flops"] <= allowance]
    if not affordable:
        least = write(min(one["flops"] for one in pool), quantity("train_flops"))
        raise Infeasible(
            f"no cell costs {write(allowance, quantity('train_flops'))} or less; the cheapest takes {least}"
        )
    state = State.of(held, wanted, affordable)
    order, track = best_order(state, allowance, level, again=not cells)
    return Design(
        cells=_merged(affordable, order, held.inputs),
        targets=tuple(MappingProxyType(one) for one in wanted),
        allowance=allowance,
        loss=float(np.exp(held.middle(_columns(wanted))[0])),
        level=level,
        track=track,
        others=MappingProxyType(otherwise(state, float(track.flops[-1]), level)),
        scatter=held.scatter,
        forms=MappingProxyType({one.fit.shape.name: one.weight for one in held.members}),
        minima=sum(one.minima for one in held.members),
        candidates=len(affordable),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Joint covariance of ln(loss) at targets (first) and cells, what each cell costs, and the scatter of a run."""

    covariance: FloatArray
    flops: FloatArray
    scatter: float
    targets: int

    @classmethod
    def of(cls, held: Ensemble, targets: Sequence[Mapping[str, float]], cells: Sequence[Mapping[str, float]]) -> State:
        """The state after the runs there are."""
        columns = _columns([*targets, *cells])
        covariance = held.covariance(columns)
        first = len(targets)
        covariance[first:, first:] += _misleading({name: one[first:] for name, one in columns.items()}, held.top)
        return cls(covariance=covariance, flops=columns["flops"][first:], scatter=held.scatter, targets=first)

    def gains(self) -> FloatArray:
        """How far each cell's run lowers the variance at the targets, on average over them."""
        first = self.targets
        noisy = np.diagonal(self.covariance)[first:] + self.scatter**2
        found: FloatArray = (self.covariance[:first, first:] ** 2).mean(axis=0) / noisy
        return found

    def after(self, cell: int) -> State:
        """The state once a cell has been run."""
        place = self.targets + cell
        column = self.covariance[:, place]
        seen = self.covariance - np.outer(column, column) / (column[place] + self.scatter**2)
        return State(covariance=seen, flops=self.flops, scatter=self.scatter, targets=self.targets)

    def width(self, level: float) -> float:
        """Half-width of ln(loss) at the targets."""
        variance = float(np.mean(np.diagonal(self.covariance)[: self.targets]))
        return NormalDist().inv_cdf(0.5 + level / 2) * float(np.sqrt(max(variance, 0.0)))


def _misleading(cells: Mapping[str, FloatArray], top: float) -> FloatArray:
    """Covariance of what cells say beside the law, growing with their distance below the dearest run.

    Cells near one another, and repeats of one, share it: more of them do not average it away. Beyond the runs the
    drift takes its place.
    """
    size, data, flops = (np.log10(cells[name]) for name in ("params", "tokens", "flops"))
    away = np.sqrt(np.maximum(np.log10(top) - flops, 0.0))
    apart = np.hypot(size[:, None] - size[None], data[:, None] - data[None])
    found: FloatArray = FAR**2 * np.outer(away, away) * np.exp(-apart / NEIGHBOURS)
    return found


def best_order(state: State, allowance: float, level: float, *, again: bool) -> tuple[list[int], Track]:
    """Cells one after the other, each with the largest gain over its cost that still can be paid."""
    order: list[int] = []
    free = np.ones(len(state.flops), dtype=bool)
    price = np.maximum(state.flops, A_RUN * allowance) ** COST
    spent, widths, at = 0.0, [state.width(level)], [0.0]
    while len(order) < MOST_RUNS:
        gains = state.gains()
        payable = free & (state.flops <= allowance - spent)
        variance = float(np.mean(np.diagonal(state.covariance)[: state.targets]))
        if not payable.any() or float(gains[payable].max()) < NOTHING * variance:
            break
        cell = int(np.argmax(np.where(payable, gains / price, -1.0)))
        order.append(cell)
        spent += float(state.flops[cell])
        state = state.after(cell)
        free[cell] = again and order.count(cell) < MOST_SEEDS
        widths.append(state.width(level))
        at.append(spent)
    return order, Track(flops=np.array(at), width=np.array(widths))


def otherwise(state: State, flops: float, level: float, *, seed: int = 0) -> dict[str, Track]:
    """What the same compute does when spent at random (the mean of many), on the cheapest, on IsoFLOP budgets.

    Nothing where nothing is spent: no cell was worth its compute.
    """
    if not flops > 0:
        return {}
    rng = np.random.default_rng(seed)
    shuffles = [_spend(state, rng.permutation(len(state.flops)), flops, level) for _ in range(_SHUFFLES)]
    grid = np.linspace(0.0, flops, 41)
    mean = np.mean([[one.at(x) for x in grid] for one in shuffles], axis=0)
    return {
        "random": Track(flops=grid, width=mean),
        "cheapest first": _spend(state, np.argsort(state.flops, kind="stable"), flops, level),
        "IsoFLOP budgets": _spend(state, _by_budget(state.flops, flops), flops, level),
    }


def _spend(
    state: State, order: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]], flops: float, level: float
) -> Track:
    spent, at, widths = 0.0, [0.0], [state.width(level)]
    for cell in order:
        if spent + state.flops[cell] > flops:
            continue
        spent += float(state.flops[cell])
        state = state.after(int(cell))
        at.append(spent)
        widths.append(state.width(level))
        if len(at) > MOST_RUNS:
            break
    return Track(flops=np.array(at), width=np.array(widths))


def _by_budget(costs: FloatArray, flops: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Whole budgets of cells that cost about the same, from the one whose five cells use up what there is downwards."""
    budget = np.round(np.log10(costs) * 2.0)
    affordable = np.log10(flops / 5.0) * 2.0
    away = np.where(budget <= affordable, affordable - budget, 1e3 + budget)
    return np.argsort(away, kind="stable").astype(np.int64)


def usual_cells(runs: Runs, held: Ensemble, allowance: float) -> list[dict[str, float]]:
    """Sizes from the smallest run's on, at ratios that trained models have, as far as the allowance pays for one.

    Further inputs take the values that the runs have, at most five of each.
    """
    kept = runs.where(runs.usable())
    smallest = float(kept.columns["params"].min())
    largest = max(np.sqrt(allowance / FLOPS_PER_PARAM_TOKEN / _RATIOS[0]), smallest * 2.0)
    rows = [
        {"params": float(f"{size:.3g}"), "tokens": float(f"{size * ratio:.3g}")}
        for size in np.geomspace(smallest, largest, _SIZES)
        for ratio in _RATIOS
    ]
    for name in held.inputs:
        if name in {"params", "tokens"}:
            continue
        values = np.unique(kept.columns[name])
        values = values[np.linspace(0, len(values) - 1, min(5, len(values))).astype(int)]
        rows = [
            {**row, name: float(value)}
            for row in rows
            for value in values
            if name != "unique_tokens" or value <= row["tokens"]
        ]
    return [_point(row, held.inputs, "cell") for row in rows]


def _point(given: Mapping[str, float], inputs: Sequence[str], what: str) -> dict[str, float]:
    """A point with all that forms may ask of it, checked."""
    needed = dict.fromkeys(("params", "tokens", *inputs))
    lacking = [name for name in needed if name not in given]
    if lacking:
        raise BadInput(f"a {what} needs {', '.join(needed)}; {', '.join(lacking)} is missing")
    for name, value in given.items():
        positive(f"{name} of a {what}", value)
    point = {name: float(value) for name, value in given.items()}
    point.setdefault("flops", FLOPS_PER_PARAM_TOKEN * point["params"] * point["tokens"])
    point["tokens_per_param"] = point["tokens"] / point["params"]
    return point


def _columns(points: Sequence[Mapping[str, float]]) -> dict[str, FloatArray]:
    names = set.intersection(*(set(one) for one in points))
    return {name: np.array([one[name] for one in points]) for name in names}


def _merged(pool: Sequence[Mapping[str, float]], order: Sequence[int], inputs: Sequence[str]) -> tuple[Cell, ...]:
    """The chosen cells, dearest first, repeats as seeds."""
    names = dict.fromkeys(("params", "tokens", *inputs))
    found = [
        Cell(
            inputs=MappingProxyType({name: pool[cell][name] for name in names}), flops=pool[cell]["flops"], seeds=count
        )
        for cell, count in Counter(order).items()
    ]
    return tuple(sorted(found, key=lambda cell: -cell.flops))
