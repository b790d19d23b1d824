"""Choosing the next runs, replayed on studies whose losses are known: how soon is the interval that of the full grid?

    OPENBLAS_NUM_THREADS=1 python benchmarks/design.py               every study (some minutes)
    OPENBLAS_NUM_THREADS=1 python benchmarks/design.py gemstones     one of them

Of each study the dearest tenth of the runs is held out as the target. A few of the cheapest runs are known at first;
each round a plan is made for what is left of a third of the full grid's FLOP, its first eight runs are done (their
losses revealed), and it is made anew. The interval is that of the law at the target (80 %, doubt and drift); the error
is what the law then says against what was measured. Compared: a design by `isoflop laws design`, random runs (median of
three), the cheapest first, a grid that grows finer, and runs chosen by one who knew the law. FLOP count the first runs
too, as a share of all runs that are not held out.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws import Runs, read_runs
from isoflop.laws.decide.design import State, best_order
from isoflop.laws.decide.ensemble import Ensemble, ensemble
from isoflop.laws.shape import gradient_of

FOLDER = Path(__file__).parent.parent / "tests" / "laws" / "runs"
STUDIES = {
    "chinchilla_dots": ("chinchilla", "chinchilla-tied"),
    "gemstones": ("chinchilla", "chinchilla-tied"),
    "data_constrained": ("data-constrained",),
    "farseer": ("farseer",),
    "farseer by chinchilla": ("chinchilla", "chinchilla-tied"),
    "farseer by several": ("chinchilla", "chinchilla-tied", "kaplan-joint", "farseer"),
}
"""Studies, and the forms that are held possible in each."""

LEVEL = 0.8
HELD_OUT = 0.1
FIRST = 15
BATCH = 8
SEEDS = 3
SLACKS = {"as narrow": 1.0, "within a tenth": 1.1, "within a quarter": 1.25}
THIRD = 1.0 / 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One round: share of the full grid's FLOP spent, half-width at the targets, error there, runs known."""

    share: float
    width: float
    error: float
    runs: int


class Replay:
    """A study with its target held out."""

    def __init__(self, name: str) -> None:
        table = read_runs(FOLDER / f"{name.split(' by ', maxsplit=1)[0]}.csv")
        self.forms = STUDIES[name]
        table = table.where(table.usable())
        # A checkpoint is revealed by itself here, so it stands for itself in resamples too.
        self.runs = replace(table, groups=np.arange(table.rows, dtype=np.int64))
        self.flops = self.runs.columns["flops"]
        order = np.argsort(self.flops, kind="stable")
        held = self.flops[order] > np.quantile(self.flops, 1.0 - HELD_OUT)
        self.target, self.pool = order[held], order[~held]
        self.full = self.stage(list(self.pool))
        self.first = self._first()

    def of(self, rows: list[int]) -> tuple[Runs, Ensemble]:
        """The runs of these rows, and what they leave open."""
        known = self.runs.where(np.isin(np.arange(self.runs.rows), rows))
        return known, ensemble(known, self.forms)

    def stage(self, rows: list[int]) -> Stage:
        """What is known once these rows are."""
        held = self.of(rows)[1]
        return self._stage(held, rows)

    def _stage(self, held: Ensemble, rows: list[int]) -> Stage:
        state = State.of(held, self._points(self.target), ())
        said = held.middle({name: values[self.target] for name, values in self.runs.columns.items()})
        off = said - np.log(self.runs.loss[self.target])
        share = float(self.flops[rows].sum() / self.flops[self.pool].sum())
        return Stage(share=share, width=state.width(LEVEL), error=float(np.sqrt(np.mean(off**2))), runs=len(rows))

    def _points(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]] | list[int]) -> list[dict[str, float]]:
        return [{name: float(values[row]) for name, values in self.runs.columns.items()} for row in rows]

    def _first(self) -> list[int]:
        """The cheapest runs that carry a fit at all."""
        count = FIRST
        while True:
            try:
                self.of(list(self.pool[:count]))
            except UntrustworthyFit:
                count += 3
            else:
                return [int(row) for row in self.pool[:count]]

    def design(self) -> list[Stage]:
        """Runs chosen for a third of the full grid's FLOP: the first few of the plan are done, then it is made anew."""
        rows, found = list(self.first), []
        allowance = THIRD * float(self.flops[self.pool].sum())
        while True:
            held = self.of(rows)[1]
            found.append(self._stage(held, rows))
            left = [int(row) for row in self.pool if row not in set(rows)]
            if not left:
                return found
            state = State.of(held, self._points(self.target), self._points(left))
            order = best_order(state, allowance - float(self.flops[rows].sum()), LEVEL, again=False)[0]
            if not order:
                return found
            rows += [left[cell] for cell in order[:BATCH]]

    def ordered(self, order: list[int]) -> list[Stage]:
        """Runs in a fixed order, as many a round."""
        rows, found = list(self.first), []
        left = [row for row in order if row not in set(rows)]
        while True:
            found.append(self.stage(rows))
            if not left:
                return found
            step = BATCH if len(rows) < 4 * BATCH else len(rows) // 4
            rows, left = rows + left[:step], left[step:]

    def bound(self) -> float:
        """Times the full grid's interval that a third of its FLOP leaves at best: runs chosen by one who knows the law.

        In linear theory about the fit to all runs, each run done once, every scatter alike; drift as in the full grid.
        """
        held = self.of(list(self.pool))[1]
        fit = held.members[0].fit
        slopes = gradient_of(fit.shape, fit.at, {name: self.runs.columns[name] for name in fit.shape.inputs})
        values, vectors = np.linalg.eigh(slopes[self.pool].T @ slopes[self.pool])
        kept = values > 1e-12 * values.max()
        slopes = slopes @ (vectors[:, kept] / np.sqrt(values[kept]))
        tiny = 1e-6 * np.eye(slopes.shape[1])

        def spread(rows: list[int]) -> float:
            inverse = np.linalg.inv(slopes[rows].T @ slopes[rows] + tiny)
            return float(np.mean(np.einsum("rp,pq,rq->r", slopes[self.target], inverse, slopes[self.target])))

        rows, left = list(self.first), [int(row) for row in self.pool if row not in set(self.first)]
        allowance = THIRD * float(self.flops[self.pool].sum())
        while True:
            inverse = np.linalg.inv(slopes[rows].T @ slopes[rows] + tiny)
            across = slopes[left] @ inverse
            noisy = 1.0 + np.einsum("rp,rp->r", across, slopes[left])
            gains = ((across @ slopes[self.target].T) ** 2).mean(axis=1) / noisy / self.flops[left]
            payable = self.flops[left] <= allowance - self.flops[rows].sum()
            if not payable.any():
                break
            rows.append(left.pop(int(np.argmax(np.where(payable, gains, -1.0)))))
        targets = {name: values[self.target] for name, values in self.runs.columns.items()}
        drift = NormalDist().inv_cdf(0.5 + LEVEL / 2) ** 2 * float(np.mean(np.diagonal(held.drifted(targets))))
        doubt = self.full.width**2 - drift
        return float(np.sqrt(doubt * spread(rows) / spread(list(self.pool)) + drift) / self.full.width)

    def finer(self) -> list[int]:
        """The grid, every 32nd run first, then every 16th, ..."""
        order: list[int] = []
        for stride in (32, 16, 8, 4, 2, 1):
            order += [int(row) for row in self.pool[::stride] if int(row) not in set(order)]
        return order


def reached(stages: list[Stage], width: float) -> float:
    """The share of FLOP at the first stage whose interval is no wider; 1 where that takes all."""
    return next((one.share for one in stages if one.width <= width), 1.0)


def say(name: str, stages: list[Stage], full: Stage) -> None:
    """Print what a strategy has at a third of the full grid's FLOP, and what it takes to get near the full grid."""
    tenth, third = ([one for one in stages if one.share <= share + 1e-9][-1] for share in (0.1, THIRD))
    shares = "  ".join(f"{words} {reached(stages, full.width * slack):6.1%}" for words, slack in SLACKS.items())
    print(
        f"  {name:<15} at a tenth {tenth.width / full.width:4.2f}, at a third {third.width / full.width:4.2f} times as"
        f" wide, error {third.error:.2%}, {third.runs:3} runs; FLOP to be {shares}",
        flush=True,
    )


def replay(name: str) -> None:
    """One study, every strategy."""
    study = Replay(name)
    full = study.full
    print(
        f"{name}: {len(study.target)} runs held out; all other {full.runs} runs: half-width {full.width:.2%}, error"
        f" {full.error:.2%}; {len(study.first)} known at first",
        flush=True,
    )
    chosen = study.design()
    say("design", chosen, full)
    print(f"  who knew the law: at a third {study.bound():4.2f} times as wide, in linear theory", flush=True)
    tracks = []
    for seed in range(SEEDS):
        order = [int(row) for row in np.random.default_rng(seed).permutation(study.pool)]
        tracks.append(study.ordered(order))
    ranked = sorted(tracks, key=lambda one: reached(one, full.width * SLACKS["within a quarter"]))
    say("random, median", ranked[SEEDS // 2], full)
    say("cheapest first", study.ordered([int(row) for row in study.pool]), full)
    say("finer grid", study.ordered(study.finer()), full)
    narrowest = min(one.width for one in chosen if one.share <= THIRD + 1e-9)
    # What falls short of the full grid may still be all that a third of its FLOP can give.
    kept = "kept" if narrowest <= full.width else f"short by {narrowest / full.width - 1:.0%} of the interval"
    print(f"  asked: the full grid's interval for a third of its FLOP: {kept}", flush=True)


if __name__ == "__main__":
    for one in sys.argv[1:] or STUDIES:
        replay(one)
