"""Which sizes to train at each budget: those given, or "auto": around a first guess, extended until enclosed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Infeasible
from isoflop.lab.bracket import Bracket, bracket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import RunSpec
    from isoflop.lab.store import Result
    from isoflop.lab.study import Study

FIRST = 5
"""Sizes a budget begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Runs that a study asks for as far as its results go, and what is known of each budget.

    `best`: hashes of the runs that its verdict is from: of each size those of its best learning rate. `skipped`: cells
    that cannot be trained, and why.
    """

    specs: tuple[RunSpec, ...]
    brackets: tuple[Bracket, ...]
    stopped: tuple[str, ...]
    best: frozenset[str] = frozenset()
    skipped: tuple[str, ...] = ()

    @property
    def flops(self) -> float:
        """Work of all of them, shared trunks counted as often as they are used."""
        return sum(one.flops for one in self.specs)


def wanted(study: Study, corpus: Corpus, results: Mapping[str, Result]) -> Wanted:
    """What to run, given what has been: the same answer for the same results, so that a study can be resumed.

    Raises: Infeasible where a budget allows no size at all.
    """
    planner = _Planner(study, corpus, results)
    specs: list[RunSpec] = []
    brackets, stopped, best = [], [], set()
    limit = study.allowance or 3 * sum(one.flops for budget in study.budgets for one in planner.first(budget))
    spent = 0.0
    open_ = {budget: planner.start(budget) for budget in study.budgets}
    for budget, widths in open_.items():
        spent += planner.cost(budget, widths)
    while study.sizes == "auto":
        further = planner.further(open_, limit - spent)
        if further is None:
            break
        budget, width = further
        open_[budget] = tuple(sorted({*open_[budget], width}))
        spent += planner.cost(budget, (width,))
    for budget, widths in open_.items():
        specs += planner.runs(budget, widths)
        found = planner.judge(budget, widths)
        if found is not None:
            brackets.append(found)
            best |= planner.best(budget, widths)
            if not found.enclosed:
                stopped.append(f"{found.why}; {planner.obstacle(budget, widths, found, limit - spent)}")
    cells, skipped = planner.cells()
    specs = list(dict.fromkeys([*specs, *cells]))
    return Wanted(
        specs=tuple(specs),
        brackets=tuple(brackets),
        stopped=tuple(stopped),
        best=frozenset(best),
        skipped=tuple(skipped),
    )


class _Planner:
    """A study, its corpus and its results."""

    def __init__(self, study: Study, corpus: Corpus, results: Mapping[str, Result]) -> None:
        self.study, self.corpus, self.results = study, corpus, results
        self.vocabulary = corpus.vocabulary
        self.available = corpus.train_tokens(study.sequence)
        self.ladder = study.ladder(corpus.vocabulary)
        self._specs: dict[tuple[float, int], tuple[RunSpec, ...]] = {}

    def blocked(self, budget: float, width: int) -> str:
        return self.study.impossible(budget, width, vocabulary=self.vocabulary, available=self.available)

    def start(self, budget: float) -> tuple[int, ...]:
        """The first sizes of a budget."""
        study = self.study
        if study.sizes != "auto":
            for width in study.sizes:
                reason = self.blocked(budget, width)
                if reason:
                    raise Infeasible(f"at {budget:.3g} FLOP {reason}.")
            return tuple(study.sizes)
        possible = [width for width in self.ladder if not self.blocked(budget, width)]
        if not possible:
            reasons = {self.blocked(budget, self.ladder[0]), self.blocked(budget, self.ladder[-1])}
            raise Infeasible(f"no size can be trained at {budget:.3g} FLOP: {'; '.join(sorted(reasons))}.")
        guess = sqrt(budget / 6 / study.tokens_per_param)
        sizes = np.array([study.params(width, self.vocabulary) for width in possible])
        middle = int(np.argmin(np.abs(np.log(sizes / guess))))
        first = max(0, min(middle - FIRST // 2, len(possible) - FIRST))
        return tuple(possible[first : first + FIRST])

    def first(self, budget: float) -> tuple[RunSpec, ...]:
        return self.runs(budget, self.start(budget))

    def runs(self, budget: float, widths: Sequence[int]) -> tuple[RunSpec, ...]:
        found: list[RunSpec] = []
        for width in widths:
            key = (budget, width)
            if key not in self._specs:
                data = self.corpus.fingerprint
                self._specs[key] = self.study.specs(budget, width, vocabulary=self.vocabulary, data=data)
            found += self._specs[key]
        return tuple(found)

    def cells(self) -> tuple[list[RunSpec], list[str]]:
        """Runs of cells, and why some are none."""
        found: list[RunSpec] = []
        reasons = []
        for cell in self.study.cell:
            width = self.study.nearest(cell.params, self.vocabulary)
            steps = round(cell.tokens / self.study.batch / self.study.sequence)
            reason = self.study.too_much(steps, width, self.available)
            if reason:
                reasons.append(f"{cell.params:,.0f} parameters on {cell.tokens:,.0f} tokens: {reason}")
            else:
                data = self.corpus.fingerprint
                found += self.study.cell_specs(cell, vocabulary=self.vocabulary, data=data)
        return found, reasons

    def cost(self, budget: float, widths: Sequence[int]) -> float:
        return sum(one.flops for one in self.runs(budget, widths))

    def losses(self, budget: float, widths: Sequence[int]) -> dict[int, list[float]] | None:
        """Final losses by parameters, the best learning rate of each size; None while a run is missing."""
        if any(one.hash not in self.results for one in self.runs(budget, widths)):
            return None
        return {
            self.study.params(width, self.vocabulary): [self._loss(one) for one in self._best(budget, width)]
            for width in widths
        }

    def best(self, budget: float, widths: Sequence[int]) -> set[str]:
        """The runs that those are of."""
        return {one.hash for width in widths for one in self._best(budget, width)}

    def _best(self, budget: float, width: int) -> list[RunSpec]:
        """The runs of one size at the learning rate with the lowest mean over its seeds."""
        by_rate: dict[float, list[RunSpec]] = {}
        for spec in self.runs(budget, (width,)):
            by_rate.setdefault(spec.optimizer.learning_rate, []).append(spec)
        return min(by_rate.values(), key=lambda held: float(np.mean([self._loss(one) for one in held])))

    def _loss(self, spec: RunSpec) -> float:
        result = self.results[spec.hash]
        return result.loss if result.status == "done" and result.loss is not None else inf

    def judge(self, budget: float, widths: Sequence[int]) -> Bracket | None:
        """The budget's verdict; None while it has runs to do."""
        losses = self.losses(budget, widths)
        return None if losses is None else bracket(budget, losses)

    def further(self, open_: Mapping[float, tuple[int, ...]], left: float) -> tuple[float, int] | None:
        """The next size of a budget that is through and not enclosed, if it can be run and paid."""
        for budget, widths in open_.items():
            found = self.judge(budget, widths)
            if found is None or found.enclosed:
                continue
            for width in self.next_widths(widths, found):
                if not self.blocked(budget, width) and self.cost(budget, (width,)) <= left:
                    return budget, width
        return None

    def next_widths(self, widths: Sequence[int], found: Bracket) -> list[int]:
        """Widths beside those there are, on the side that lacks them."""
        smaller = [width for width in self.ladder if width < min(widths)][-1:]
        larger = [width for width in self.ladder if width > max(widths)][:1]
        sides = {"smaller": smaller, "larger": larger, "both": [*smaller, *larger], "enclosed": []}
        return sides[found.missing]

    def obstacle(self, budget: float, widths: Sequence[int], found: Bracket, left: float) -> str:
        """Why no further size is run at a budget that is not enclosed."""
        if self.study.sizes != "auto":
            return 'sizes are given; sizes = "auto" extends them'
        beside = self.next_widths(widths, found)
        if not beside:
            return "the family has no smaller or larger width; change model.head_width or layers"
        reasons = [self.blocked(budget, width) for width in beside]
        if all(reasons):
            return reasons[0]
        cost = min(self.cost(budget, (width,)) for width, reason in zip(beside, reasons, strict=True) if not reason)
        return f"the allowance has {max(left, 0):.3g} FLOP left and the next size takes {cost:.3g}: raise allowance"
