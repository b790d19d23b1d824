"""What runs leave open, as draws: between resamples, between local minima, and between forms that could be right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws.drift import LEAST, ahead, widening
from isoflop.laws.fitting import Options, fit_point, resolved, usable, weights_of
from isoflop.laws.newton import minimise
from isoflop.laws.objective import Objective
from isoflop.laws.problem import problem_of
from isoflop.laws.resample import bootstrap
from isoflop.laws.result import target_of
from isoflop.laws.shape import PowerSum
from isoflop.laws.shapes import shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.laws.problem import Problem
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

RESAMPLES, FEW_RESAMPLES = 200, 60
"""Refits of sums of powers, which are quick, and of other forms."""

NEAR_AS_GOOD = 1.05
"""Objectives this near the best count as another answer that the runs allow."""

_APART = 0.02  # share of the free coordinates' spread that two minima differ by
_MOST_MINIMA = 3
_OUTER = 0.01  # of draws on either side that are pulled in: a resample without its key runs says anything
_FARSEER_ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One form's answer: its fit, draws of its constants from every minimum that is nearly as good, and its weight."""

    fit: Fit
    draws: FloatArray
    weight: float
    minima: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """All that could be right after these runs.

    `scatter` is the standard deviation of a run's ln(loss) about the law, `drift` that of the law a decade of compute
    beyond `top` (FLOP), the dearest run.
    """

    members: tuple[Member, ...]
    scatter: float
    drift: float
    top: float

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every input that a member follows and that a cell has to say."""
        names = dict.fromkeys(name for one in self.members for name in one.fit.shape.inputs)
        return tuple(name for name in names if name not in {"flops", "tokens_per_param"})

    def middle(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss) at points, over all members."""
        found = [one.weight * np.asarray(one.fit.shape.log_loss(one.fit.at, columns)) for one in self.members]
        return np.asarray(sum(found, np.zeros(())))

    def covariance(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Joint covariance of ln(loss) at points: of draws, within and between members, and of drift beyond runs."""
        middle = self.middle(columns)
        total = np.zeros((len(middle), len(middle)))
        for one in self.members:
            off = np.asarray(one.fit.shape.log_loss(one.draws, columns)) - middle
            low, high = np.quantile(off, (_OUTER, 1.0 - _OUTER), axis=0)
            off = np.clip(off, low, high)
            total += one.weight * (off.T @ off) / len(off)
        return total + self.drifted(columns)

    def drifted(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Covariance of the drift alone, which goes as a walk over decades beyond the runs.

        Two points share it as far as the nearer one, less so the more their tokens per parameter differ.
        """
        beyond = widening(np.maximum(np.log10(columns["flops"] / self.top), 0.0))
        ratio = np.log10(columns["tokens_per_param"])
        alike = np.exp(-np.abs(ratio[:, None] - ratio[None]))
        found: FloatArray = self.drift**2 * np.minimum.outer(beyond, beyond) * alike
        return found


def usual_forms(runs: Runs) -> tuple[str, ...]:
    """Forms to hold possible where nothing is said: those that follow what varies in these runs."""
    varies = {name for name, values in runs.columns.items() if np.ptp(np.nan_to_num(values)) > 0}
    if {"params", "tokens", "unique_tokens"} <= varies:
        return ("data-constrained",)
    if {"params", "tokens", "granularity"} <= varies:
        return ("moe-fine-grained",)
    plain = ("chinchilla", "chinchilla-tied", "kaplan-joint")
    return (*plain, "farseer") if runs.rows >= _FARSEER_ROWS else plain


def ensemble(runs: Runs, forms: Sequence[str | Shape] = (), *, seed: int = 0, drift: float = LEAST) -> Ensemble:
    """Every form fitted to the runs, weighed by how its fits to the cheaper runs foretell the dearer ones.

    A form that these runs cannot carry is left out; UntrustworthyFit where none is left.
    """
    found: list[tuple[Member, float]] = []
    refused: UntrustworthyFit | None = None
    for form in forms or usual_forms(runs):
        shape = shape_of(form)
        resamples = RESAMPLES if isinstance(shape, PowerSum) else FEW_RESAMPLES
        options = Options(bootstrap=resamples, seed=seed, strict=False)
        try:
            found.append((_member(runs, shape, options), _error(runs, shape, options)))
        except UntrustworthyFit as error:
            refused = error
    if not found:
        assert refused is not None
        raise refused
    errors = np.array([error for _, error in found])
    weights = (np.min(errors) / errors) ** 2
    weights /= weights.sum()
    members = tuple(replace(one, weight=float(w)) for (one, _), w in zip(found, weights, strict=True) if w > _OUTER)
    total = sum(one.weight for one in members)
    members = tuple(replace(one, weight=one.weight / total) for one in members)
    kept = runs.where(runs.usable())
    return Ensemble(
        members=members,
        scatter=float(np.sqrt(sum(one.weight * _scatter(one.fit) ** 2 for one in members))),
        drift=drift,
        top=float(kept.columns["flops"].max()),
    )


def _scatter(fit: Fit) -> float:
    """Spread of runs about a law, without the far ones that Huber's corner leaves aside, for the constants it cost."""
    residuals = fit.doubt.residuals
    low, high = np.quantile(residuals, (0.025, 0.975))
    used = max(len(residuals) - len(fit.at), 1)
    return max(float(np.sqrt(np.mean(np.clip(residuals, low, high) ** 2) * len(residuals) / used)), 1e-4)


def _error(runs: Runs, shape: Shape, options: Options) -> float:
    """Median |error| of ln(loss) beyond the cheaper part; the scatter of the fit where nothing can be cut off."""
    try:
        cuts = ahead(runs, shape, options)
    except UntrustworthyFit:
        cuts = ()
    if not cuts:
        return _scatter(fit_point(runs, shape, replace(options, bootstrap=0)))
    return max(float(np.median(np.abs(np.concatenate([one.errors for one in cuts])))), 1e-4)


def _member(runs: Runs, shape: Shape, options: Options) -> Member:
    """A form's fit with draws from its best minimum and from the others that are nearly as good."""
    found = fit_point(runs, shape, options)
    asked = resolved(shape, options)
    kept = usable(runs, shape)
    objective = Objective.of(asked.loss, asked.delta)
    inputs = {name: kept.columns[name] for name in shape.inputs}
    problem = problem_of(shape, inputs, kept.columns[target_of(shape)], fixed={}, ties={}, bounds={})
    weights = weights_of(kept, asked.weights)
    draws = [found.doubt.draws]
    for free in _others(problem, shape, (inputs, kept.columns[target_of(shape)], weights), found, objective):
        few = replace(asked, bootstrap=max(asked.bootstrap // 2, 20))
        again = bootstrap(problem, free, (weights, kept.groups), objective, few)
        draws.append(problem.coordinates.full(np.clip(again, problem.coordinates.low, problem.coordinates.high)))
    return Member(fit=found, draws=np.concatenate(draws), weight=1.0, minima=len(draws))


def _others(
    problem: Problem,
    shape: Shape,
    data: tuple[Mapping[str, FloatArray], FloatArray, FloatArray],
    found: Fit,
    objective: Objective,
) -> list[FloatArray]:
    """Free coordinates of further minima whose objective is nearly the best, for forms that can have them."""
    if found.certificate.agree == found.certificate.starts or not found.certificate.others:
        return []
    inputs, target, weights = data
    starts = problem.coordinates.reduced(shape.starts(inputs, target))
    ended = minimise(problem, minimise(problem, starts, weights, objective.wider(10.0)).free, weights, objective)
    best = problem.coordinates.reduced(found.at)
    spread = np.std(found.doubt.draws @ np.linalg.pinv(problem.coordinates.matrix).T, axis=0) + 1e-9
    kept: list[FloatArray] = []
    for row in np.argsort(ended.value):
        near = ended.value[row] <= found.certificate.objective * NEAR_AS_GOOD
        far = all(np.max(np.abs(ended.free[row] - one) / spread) > _APART for one in (best, *kept))
        if near and far and ended.converged[row] and len(kept) < _MOST_MINIMA:
            kept.append(ended.free[row])
    return kept
