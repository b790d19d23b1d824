"""Choosing the next runs, replayed on studies whose losses are known: how soon is the interval that of the full grid?

    OPENBLAS_NUM_THREADS=1 python benchmarks/design.py               every study (some minutes)
    OPENBLAS_NUM_THREADS=1 python benchmarks/design.py gemstones     one of them

Of each study the dearest tenth of the runs is held out as the target. A few of the cheapest runs are known at first;
each round a plan is made for what is left of a third of the full grid's FLOP, its first eight runs are done (their
losses revealed), and it is made anew. The interval is that of the law at the target (80 %, doubt and drift); the error
is what the law then says against what was measured. Compared: a design by `isoflop laws design`, random runs (median of
five), the cheapest first, and a grid that grows finer. FLOP count the first runs too, as a share of all runs that are
not held out.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws import Runs, read_runs
from isoflop.laws.decide.design import State, best_order
from isoflop.laws.decide.ensemble import Ensemble, ensemble

FOLDER = Path(__file__).parent.parent / "tests" / "laws" / "runs"
STUDIES = {
    "chinchilla_dots": ("chinchilla", "chinchilla-tied"),
    "gemstones": ("chinchilla", "chinchilla-tied"),
    "data_constrained": ("data-constrained",),
    "farseer": ("farseer",),
    "farseer by chinchilla": ("chinchilla", "chinchilla-tied"),
}
"""Studies, and the forms that are held possible in each."""

LEVEL = 0.8
HELD_OUT = 0.1
FIRST = 15
BATCH = 8
SEEDS = 5
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
            rows, left = rows + left[:BATCH], left[BATCH:]

    def finer(self) -> list[int]:
        """The grid, every 32nd run first, then every 16th, ..."""
        order: list[int] = []
        for stride in (32, 16, 8, 4, 2, 1):
            order += [int(row) for row in self.pool[::stride] if int(row) not in set(order)]
        return order


def reached(stages: list[Stage], width: float) -> Stage | None:
    """The first stage whose interval is no wider."""
    return next((one for one in stages if one.width <= width), None)


def say(name: str, stages: list[Stage], full: Stage) -> float:
    """Print when a strategy got where the full grid is; its share at a tenth above."""
    words = []
    for slack in (1.0, 1.1):
        one = reached(stages, full.width * slack)
        if one is None:
            words.append(f"{'not before the end':<44}")
        else:
            words.append(f"{one.share:6.1%} of the FLOP, {one.runs:3} runs, error {one.error:6.2%}  ")
    print(f"  {name:<16} as narrow: {words[0]} within a tenth: {words[1]}", flush=True)
    one = reached(stages, full.width * 1.1)
    return 1.0 if one is None else one.share


def replay(name: str) -> None:
    """One study, every strategy."""
    study = Replay(name)
    full = study.full
    print(
        f"{name}: {len(study.target)} runs held out; all other {full.runs} runs: half-width {full.width:.2%}, error"
        f" {full.error:.2%}; {len(study.first)} known at first",
        flush=True,
    )
    share = say("design", study.design(), full)
    tracks = []
    for seed in range(SEEDS):
        order = [int(row) for row in np.random.default_rng(seed).permutation(study.pool)]
        tracks.append(study.ordered(order))
    ranked = sorted(tracks, key=lambda one: getattr(reached(one, full.width * 1.1), "share", 1.0))
    say("random, median", ranked[SEEDS // 2], full)
    say("cheapest first", study.ordered([int(row) for row in study.pool]), full)
    say("finer grid", study.ordered(study.finer()), full)
    verdict = "kept" if share <= THIRD else f"MISSED by {share - THIRD:.1%} of the FLOP"
    print(f"  within a tenth of the full grid's interval at {share:.1%} of its FLOP: asked <= 33.3 %: {verdict}")


if __name__ == "__main__":
    for one in sys.argv[1:] or STUDIES:
        replay(one)
