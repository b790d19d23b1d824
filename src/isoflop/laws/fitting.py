"""Approach 3: a law fitted to runs by minimising one objective from many starts, with a certificate and with doubt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, UnknownName, UntrustworthyFit
from isoflop.laws.newton import Minimum, minimise
from isoflop.laws.objective import DELTA, Objective
from isoflop.laws.problem import CurveProblem, SumProblem, problem_of
from isoflop.laws.refusals import flattest, refuse_unsettled, said_of_grids
from isoflop.laws.resample import NORMAL, bootstrap, covariance_of, group_count, normal_draws
from isoflop.laws.result import Certificate, Doubt, Fit, Origin, target_of
from isoflop.laws.shapes import shape_of
from isoflop.quantity import quantity as words
from isoflop.quantity import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from isoflop.laws.problem import Problem
    from isoflop.laws.runs import Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

AGREE = 1e-8
"""Objectives within this share of the best count as the same minimum."""

BEGIN = 3_000
"""Rows that starts are tried on; with more rows only the best few go on to all of them."""

CURVED = 9_000
"""The same, times constants, for forms that are no sums of powers: their steps cost that much more."""

NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be asked of a fit beside its law.

    `loss` is log-huber, soft-l1, squared or asymmetric, `delta` its corner; `fixed` holds coordinates (ln_E, alpha, or
    E: its logarithm is taken), `ties` makes one coordinate equal another, `bounds` replaces the box of a coordinate,
    `weights` is a column's name or "sqrt-flops".
    """

    loss: str = "log-huber"
    delta: float = DELTA
    fixed: Mapping[str, float] = field(default_factory=lambda: NONE)
    ties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))
    weights: str = ""
    bootstrap: int = 1000
    seed: int = 0
    engine: str = "auto"
    strict: bool = True


def fit(runs: Runs, law: str | Shape = "chinchilla", options: Options | None = None) -> Fit:
    """The law of this form that fits the runs best, checked; UntrustworthyFit where the runs cannot carry it.

    `law` may be "auto": the forms that predict the dearer runs best from the cheaper ones, averaged.

    >>> from isoflop.laws import Chinchilla, Runs
    >>> size, ratio = np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(5, 200, 6))
    >>> true = Chinchilla(E=1.7, A=400.0, B=900.0, alpha=0.34, beta=0.36)
    >>> params, tokens = size.ravel(), (size * ratio).ravel()
    >>> found = fit(Runs.of(params=params, tokens=tokens, loss=true.loss(params, tokens)))
    >>> round(found.constants["alpha"], 8)
    0.34
    """
    asked = options or Options()
    if law == "auto":
        from isoflop.laws.choose.auto import fit_auto

        return fit_auto(runs, asked)
    shape = shape_of(law)
    found = fit_point(runs, shape, asked)
    from isoflop.laws.drift import drift

    moved, bias = drift(runs, shape, asked, found) if asked.bootstrap else (0.0, 0.0)
    found = replace(found, doubt=replace(found.doubt, drift=moved, bias=bias))
    from isoflop.laws.checks import check

    return replace(found, checks=check(runs, found))


def fit_point(runs: Runs, shape: Shape, options: Options) -> Fit:
    """The fit without its tests of extrapolation and its checks."""
    asked = resolved(shape, options)
    kept = usable(runs, shape)
    objective = Objective.of(asked.loss, asked.delta)
    inputs = {name: kept.columns[name] for name in shape.inputs}
    target, weights = kept.columns[target_of(shape)], weights_of(kept, asked.weights)
    refuse_thin(shape, kept, asked)
    problem = problem_of(shape, inputs, target, fixed=asked.fixed, ties=asked.ties, bounds=asked.bounds)
    found = _search(problem, shape, (inputs, target, weights), objective, asked)
    best = int(np.argmin(found.value))
    free = found.free[best]
    at = problem.coordinates.full(free)
    certificate = _certificate(found, best)
    if asked.strict:
        refuse_bounds(shape, problem, free, kept)
        if not found.converged[best]:
            refuse_unsettled(certificate, flattest(problem, free, weights, objective), kept, shape)
    return Fit(
        shape=shape,
        at=at,
        objective=objective,
        fixed=asked.fixed,
        ties=asked.ties,
        certificate=certificate,
        origin=origin_of(runs, kept, shape),
        doubt=_doubt(problem, free, (weights, kept.groups), objective, asked),
    )


def resolved(shape: Shape, options: Options) -> Options:
    """The options with constants named as people do (E) turned into coordinates (ln_E)."""
    names = shape.coordinates

    def named(given: str) -> str:
        for name in (given, f"ln_{given}"):
            if name in names:
                return name
        raise UnknownName("constant", given, names, hint=f"{shape.name} has {', '.join(names)}.")

    def value(given: str, number: float) -> float:
        if given in names:
            return number
        if number <= 0:
            raise BadInput(f"{given} must be positive; {number:g} was given")
        return float(np.log(number))

    fixed = {named(key): value(key, number) for key, number in options.fixed.items()}
    bounds = {named(key): (value(key, low), value(key, high)) for key, (low, high) in options.bounds.items()}
    ties = {named(key): named(other) for key, other in options.ties.items()}
    for key, other in ties.items():
        if other in ties or key == other:
            raise BadInput(f"{key} is tied to {other}, which is tied itself; tie both to a third")
    wrong = [key for key, (low, high) in bounds.items() if not low < high]
    if wrong:
        raise BadInput(f"the bounds of {wrong[0]} must be low < high")
    return replace(options, fixed=MappingProxyType(fixed), bounds=MappingProxyType(bounds), ties=MappingProxyType(ties))


def usable(runs: Runs, shape: Shape) -> Runs:
    """The rows that a shape can be fitted to."""
    runs.need((*shape.inputs, target_of(shape)))
    kept = runs.where(runs.usable(shape.inputs, target_of(shape)))
    if not kept.rows:
        counted = "; ".join(f"{count} with {reason}" for reason, count in runs.flagged.items())
        raise UntrustworthyFit(f"none of the {runs.rows} rows can be used: {counted}.", missing=("runs with a loss",))
    return kept


def weights_of(runs: Runs, name: str) -> FloatArray:
    """Weights of rows with mean 1: a column's values, the square root of compute, or 1."""
    if not name:
        return np.ones(runs.rows)
    if name == "sqrt-flops":
        runs.need(("flops",))
        values = np.sqrt(runs.columns["flops"])
    elif name in runs.columns:
        values = runs.columns[name]
    else:
        raise UnknownName("weight", name, runs.columns, hint="Give a column of the runs or sqrt-flops.")
    if not (np.isfinite(values) & (values >= 0)).all() or not values.any():
        raise BadInput(f"weights '{name}' must be finite and not negative")
    return np.asarray(values / values.mean())


def _search(
    problem: Problem,
    shape: Shape,
    data: tuple[Mapping[str, FloatArray], FloatArray, FloatArray],
    objective: Objective,
    options: Options,
) -> Minimum:
    """From every start down a widened objective to the one asked for: far out, sharp corners trap."""
    inputs, target, weights = data
    rows = np.arange(len(target))
    few, light = problem, weights
    most = BEGIN if isinstance(problem, SumProblem) else max(BEGIN // 10, CURVED // len(shape.coordinates))
    if len(rows) > most:
        rows = np.argsort(target, kind="stable")[np.linspace(0, len(target) - 1, most).astype(int)]
        thin = {name: values[rows] for name, values in inputs.items()}
        few = problem_of(shape, thin, target[rows], fixed=options.fixed, ties=options.ties, bounds=options.bounds)
        light = weights[rows]
    starts = few.coordinates.reduced(
        shape.starts({name: values[rows] for name, values in inputs.items()}, target[rows])
    )
    curved = isinstance(few, CurveProblem)
    corners = (100.0, 10.0) if np.isfinite(objective.delta) else (1.0,) if curved else ()
    found, back = starts, np.arange(len(starts))
    outer = replace(few, far=True) if isinstance(few, CurveProblem) else few
    for corner in corners:
        found = minimise(outer, found, light, objective.wider(corner), settled=1e-8).free
        found, same = _merged(found)
        back = same[back]
    last = minimise(few, found, light, objective)
    last = replace(last, **{name: getattr(last, name)[back] for name in Minimum.__slots__})
    if few is problem:
        return last
    order = np.argsort(last.value)[:1]
    full = problem.coordinates.reduced(few.coordinates.full(last.free[order]))
    final = minimise(problem, full, weights, objective)
    share = last.value / last.value[order[0]]
    return replace_values(final, share)


def _merged(free: FloatArray) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Points that have met, once each, and which of them each start has become."""
    _, first, back = np.unique(np.round(free, 4), axis=0, return_index=True, return_inverse=True)
    return free[first], back.reshape(-1)


def replace_values(final: Minimum, share: FloatArray) -> Minimum:
    """The minimum on all rows, with the starts that were only tried on a part of them standing beside it."""
    count = len(share)
    order = np.argsort(share)
    return replace(
        final,
        free=np.repeat(final.free, count, axis=0),
        value=final.value[0] * np.concatenate([[1.0], share[order][1:]]),
        gradient=np.repeat(final.gradient, count),
        decrease=np.repeat(final.decrease, count),
        converged=np.repeat(final.converged, count),
        steps=np.repeat(final.steps, count),
    )


def _certificate(found: Minimum, best: int) -> Certificate:
    least = found.value[best]
    near = found.value <= least * (1.0 + AGREE) + 1e-24
    others = np.unique(np.round(found.value[~near & found.converged] / max(least, 1e-300), 6))
    return Certificate(
        objective=float(least),
        gradient=float(found.gradient[best]),
        decrease=float(found.decrease[best]),
        starts=len(found.value),
        agree=int(near.sum()),
        steps=int(found.steps[best]),
        others=tuple(float(one) for one in others[:5]),
    )


def _doubt(
    problem: Problem,
    free: FloatArray,
    data: tuple[FloatArray, npt.NDArray[np.int64]],
    objective: Objective,
    options: Options,
) -> Doubt:
    """Covariance by the sandwich or from resamples; draws of the constants."""
    weights, groups = data
    rng = np.random.default_rng(options.seed)
    matrix = problem.coordinates.matrix
    residuals = problem.residuals(free)[0]
    own = covariance_of(problem, free, weights, groups, objective)
    many = problem.rows > NORMAL
    if options.bootstrap and not many:
        resampled = bootstrap(problem, free, (weights, groups), objective, options)
        covariance = np.cov(resampled.T).reshape(own.shape)
        of = f"{options.bootstrap:,} refits of resampled runs"
    else:
        resampled = normal_draws(free, own, 1000, rng)
        covariance = own
        of = "the sandwich of gradients and curvature" + (f": {problem.rows:,} rows need no resampling" if many else "")
    return Doubt(
        covariance=matrix @ covariance @ matrix.T,
        draws=problem.coordinates.full(np.clip(resampled, problem.coordinates.low, problem.coordinates.high)),
        of=of,
        residuals=residuals,
    )


def origin_of(runs: Runs, kept: Runs, shape: Shape) -> Origin:
    """Where the runs come from, as a result keeps it."""
    names = [name for name in dict.fromkeys((*shape.inputs, "params", "tokens", "flops")) if name in kept.columns]
    ranges = {name: (float(kept.columns[name].min()), float(kept.columns[name].max())) for name in names}
    reasons = {
        reason: count
        for reason, count in runs.flagged.items()
        if not runs.usable(shape.inputs)[runs.flags[reason]].any()
    }
    return Origin(
        source=runs.source,
        fingerprint=kept.fingerprint,
        rows=runs.rows,
        used=kept.rows,
        groups=group_count(kept.groups),
        flagged=MappingProxyType(reasons),
        mapping=tuple((one.quantity, one.column, one.how) for one in runs.mapping),
        guesses=runs.guesses,
        notes=runs.notes,
        ranges=MappingProxyType(ranges),
        counts=runs.counts,
    )


# --- refusals --------------------------------------------------------------------------------------------------------


def distinct(values: FloatArray, apart: float = 0.02, enough: int = 3) -> int:
    """How many values there are that differ by more than 2 %, counted up to `enough`."""
    logs = np.sort(np.log(values))
    count = place = 0
    while place < len(logs) and count < enough:
        count += 1
        place = int(np.searchsorted(logs, logs[place] + apart, side="right"))
    return count


def refuse_thin(shape: Shape, runs: Runs, options: Options) -> None:
    """Refuse runs at fewer than three values of an input, and fewer runs than constants."""
    free = len(shape.coordinates) - len(options.fixed) - len(options.ties)
    if runs.rows <= free:
        raise UntrustworthyFit(
            f"{runs.rows} usable runs cannot determine the {free} constants of {shape.name}.",
            missing=(f"at least {free + 1 - runs.rows} more runs, better {3 * free} in all",),
        )
    for name in shape.inputs:
        values = runs.columns[name]
        count = distinct(values) if (values > 0).all() else len(np.unique(values))
        if count < 3:
            there = " and ".join(_said(name, value) for value in np.unique(values)[[0, -1]][:count])
            middle = _said(name, float(np.sqrt(values.min() * values.max()) if count == 2 else values[0] * 4))
            further = _said(name, float(values.max() * 4))
            raise UntrustworthyFit(
                f"{runs.rows} runs at {count} value{'s' if count > 1 else ''} of {name} ({there}) cannot tell an"
                f" exponent from a scale.",
                missing=(f"runs at further {name}, for instance {middle} and {further}",),
            )
    if {"params", "tokens"} <= set(shape.inputs):
        _refuse_line(shape, runs, options)


def _refuse_line(shape: Shape, runs: Runs, options: Options) -> None:
    """Refuse runs whose tokens follow from their params: nothing tells the two parts of the loss apart."""
    size, data = np.log(runs.columns["params"]), np.log(runs.columns["tokens"])
    off = data - np.polyval(np.polyfit(size, data, 1), size)
    if np.std(off) < 0.05 and not options.fixed:
        ratio = float(np.exp(np.median(data - size)))
        raise UntrustworthyFit(
            f"in these {runs.rows} runs tokens follow from params (about {ratio:.3g} for each): what size lacks and"
            f" what data lack cannot be told apart by {shape.name}.",
            missing=(f"runs at other ratios, for instance {ratio / 4:.3g} and {ratio * 4:.3g} tokens per parameter",),
        )


def _said(name: str, value: float) -> str:
    try:
        return write(value, words(name))
    except UnknownName:
        return f"{value:.3g}"


def refuse_bounds(shape: Shape, problem: Problem, free: FloatArray, runs: Runs) -> None:
    """Refuse a minimum at a wall of the box: the constant there is the wall's, not the runs'."""
    box = problem.coordinates
    width = np.where(np.isfinite(box.high - box.low), box.high - box.low, 1.0)
    hit = (free <= box.low + 1e-6 * width) | (free >= box.high - 1e-6 * width)
    if not hit.any():
        return
    place = int(np.flatnonzero(hit)[0])
    name = box.free[place]
    wall = float(problem.coordinates.full(free)[box.names.index(name)])
    floor = name.removeprefix("ln_") == "E" and name.startswith("ln_")
    said = "the floor E fell to nothing: the runs do not bend" if floor else f"{name} ran into its bound ({wall:.3g})"
    remedy = "larger runs, where the loss levels off" if floor else f"runs over a wider range of what {name} acts on"
    raise UntrustworthyFit(
        f"{shape.name}: {said}; fix it (--fix {name.removeprefix('ln_')}=...), tie it, or take a form without it."
        f"{said_of_grids(runs, shape)}",
        missing=(remedy,),
    )
