"""`--law auto`: every form that the runs have columns for, weighed by rolling extrapolation and averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, UntrustworthyFit
from isoflop.laws.choose.blend import Blend, Part
from isoflop.laws.choose.candidate import Candidate, candidates, form_label, plain_candidates, varies
from isoflop.laws.choose.rolling import cuts, rolled, rolling_error, scores, thinned, weights
from isoflop.laws.drift import Ahead, Asked, drift_of
from isoflop.laws.fitting import fit_point, origin_of, refuse_thin
from isoflop.laws.result import Doubt, Fit, Tried
from isoflop.laws.shape import PowerSum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws.choose.rolling import Cut
    from isoflop.laws.fitting import Options
    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

_COSTLY = 20_000  # rows times constants of forms that are no sums
_WORTH = 200_000  # rows times resamples times forms for which loading numba pays

UNTRIED, UNTRIED_PLAIN = 0.03, 0.1
"""Drift of ln(loss) at a decade where no cut could test it, and of laws of one column where others vary too: about the
worst of the studies at hand."""

HELD = Asked(covered=0.85, least=0.004, later=2.0, one_sided=False)
"""What the drift of a blend has to hold: less than that of one form, for the spread between forms is counted too."""

MOST_ROWS = 20_000
"""Rows that are taken: of more, every second, third, ...; more of them would not tell the forms apart better."""

TESTED = 10
"""Runs above cuts that make the drift known: of fewer, a share of UNTRIED stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was weighed: candidates with rolling errors and weights, the cuts, and what could not be fitted."""

    runs: Runs
    taken: tuple[Candidate, ...]
    errors: tuple[tuple[FloatArray | None, ...], ...]
    rolling: FloatArray
    weights: FloatArray
    cuts: tuple[Cut, ...]
    left_out: tuple[tuple[str, str], ...]
    plain: bool


def choose(runs: Runs, options: Options) -> Choice:
    """Weigh every candidate; UntrustworthyFit where not even a law of one column can be fitted."""
    if options.fixed or options.ties or options.bounds:
        raise BadInput("fixed, tied and bounded constants belong to one form; --law auto weighs several: name one")
    kept = _common(runs)
    at = cuts(thinned(kept))
    found, plain = _tested(candidates(kept), kept, at, options), False
    if not found.taken:
        found, plain = _tested(plain_candidates(kept), kept, at, options), True
    if not found.taken:
        why = next(iter(found.left_out.values()), "no column varies that a law could follow.")
        raise UntrustworthyFit(why, missing=("runs of several sizes and amounts of data",))
    held = scores(found.errors)
    return Choice(
        runs=kept,
        taken=tuple(found.taken),
        errors=tuple(tuple(one) for one in found.errors),
        rolling=rolling_error(held),
        weights=weights(held, np.array([one.prior for one in found.taken])),
        cuts=at,
        left_out=tuple(found.left_out.items()),
        plain=plain and sum(varies(kept, (name,)) for name in ("params", "tokens")) == 2,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    taken: list[Candidate]
    errors: list[list[FloatArray | None]]
    left_out: dict[str, str]


def _tested(tried: Sequence[Candidate], runs: Runs, at: Sequence[Cut], options: Options) -> _Tested:
    """Candidates that the runs can carry, with their errors above the cuts; of the others, why not."""
    found = _Tested(taken=[], errors=[], left_out={})
    few = thinned(runs)
    for ways in _by_shape(tried):
        shape = ways[0].shape
        try:
            refuse_thin(shape, runs, options)
        except UntrustworthyFit as error:
            found.left_out[shape.name] = str(error)
            continue
        found.taken.extend(ways)
        found.errors.extend(rolled(shape, [one.trim for one in ways], few, at, options))
    return found


def _by_shape(tried: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates of one form together."""
    found: dict[str, list[Candidate]] = {}
    for one in tried:
        found.setdefault(form_label(one.shape), []).append(one)
    return list(found.values())


def _common(runs: Runs) -> Runs:
    """The rows that every candidate can be fitted to; columns with holes in them give way to rows."""
    base = tuple(name for name in ("params", "tokens") if name in runs.columns)
    runs.need(("loss",))
    kept = runs.where(runs.usable(base, "loss"))
    if not kept.rows:
        counted = "; ".join(f"{count} with {reason}" for reason, count in runs.flagged.items())
        raise UntrustworthyFit(f"none of the {runs.rows} rows can be used: {counted}.", missing=("runs with a loss",))
    if kept.rows > MOST_ROWS:
        kept = kept.where(np.arange(kept.rows) % -(-kept.rows // MOST_ROWS) == 0)
    whole = {name: one for name, one in kept.columns.items() if np.isfinite(one).all() and (one > 0).all()}
    return replace(kept, columns=MappingProxyType(whole))


def fit_auto(runs: Runs, options: Options) -> Fit:
    """The blend of the forms that predict best, as a fit: with draws, residuals, drift and the checks of its first."""
    chosen = choose(runs, options)
    members = [place for place in np.argsort(-chosen.weights, kind="stable").tolist() if chosen.weights[place] > 0]
    shape = Blend(
        parts=tuple(
            Part(shape=chosen.taken[k].shape, label=chosen.taken[k].label, weight=float(chosen.weights[k]))
            for k in members
        )
    )
    fits = [_doubted(chosen, k, options) for k in members]
    first = fits[0]
    at = np.concatenate([fit.at for fit in fits])
    # Runs that the first member leaves out say nothing of the scatter where it is to predict.
    residuals = _at(shape, at, chosen.runs.where(chosen.taken[members[0]].kept(chosen.runs)))
    from isoflop.laws.checks import check

    thin = runs.rows > MOST_ROWS
    return Fit(
        shape=shape,
        at=at,
        objective=first.objective,
        fixed=first.fixed,
        ties=first.ties,
        certificate=first.certificate,
        origin=origin_of(runs, chosen.runs, shape),
        doubt=_doubt(fits, residuals, _drift(chosen, residuals)),
        checks=check(chosen.runs if thin else runs, _untrimmed(chosen, members, fits, options)),
        tried=_tried(chosen),
        notes=(*_notes(chosen), *_thinned_note(chosen, runs) * thin),
    )


def _doubt(fits: Sequence[Fit], residuals: FloatArray, drift: tuple[float, float]) -> Doubt:
    """Draws of all members side by side: the same resamples where the members take the same runs."""
    count = min(len(fit.doubt.draws) for fit in fits)
    draws = np.concatenate([fit.doubt.draws[:count] for fit in fits], axis=1)
    return Doubt(
        covariance=np.atleast_2d(np.cov(draws.T)),
        draws=draws,
        of=fits[0].doubt.of,
        residuals=residuals,
        drift=drift[0],
        bias=drift[1],
    )


def _thinned_note(chosen: Choice, runs: Runs) -> tuple[str, ...]:
    return (f"{chosen.runs.rows:,} of {runs.rows:,} rows were taken, evenly through the table",)


def _doubted(chosen: Choice, k: int, options: Options) -> Fit:
    """A member with its resamples; where these cost more than they tell, with the normal limit of them."""
    one = chosen.taken[k]
    runs = chosen.runs.where(one.kept(chosen.runs))
    asked = replace(options, strict=False, engine=_engine(chosen, options))
    if not isinstance(one.shape, PowerSum) and runs.rows * len(one.shape.coordinates) > _COSTLY:
        asked = replace(asked, bootstrap=0)
    return fit_point(runs, one.shape, asked)


def _engine(chosen: Choice, options: Options) -> str:
    """The compiled core pays sooner here: several forms are resampled."""
    work = chosen.runs.rows * options.bootstrap * int((chosen.weights > 0).sum())
    if options.engine == "auto" and work > _WORTH and find_spec("numba") is not None:
        return "numba"
    return options.engine


def _untrimmed(chosen: Choice, members: Sequence[int], fits: Sequence[Fit], options: Options) -> Fit:
    """The weightiest member that was fitted to all runs; of the first, where none was: what the checks look at."""
    for k, fit in zip(members, fits, strict=True):
        if not chosen.taken[k].trim:
            return fit
    return fit_point(chosen.runs, fits[0].shape, replace(options, strict=False))


def _at(shape: Blend, at: FloatArray, runs: Runs) -> FloatArray:
    """ln(law) - ln(measured) at the runs."""
    return np.asarray(shape.log_loss(at, runs.columns) - np.log(runs.loss))


def _drift(chosen: Choice, residuals: FloatArray) -> tuple[float, float]:
    """What widens intervals beyond the runs: from the blend's own errors above the cuts, more where these are few."""
    few, found = thinned(chosen.runs), []
    for index, cut in enumerate(chosen.cuts):
        there = [(one[index], weight) for one, weight in zip(chosen.errors, chosen.weights, strict=True) if weight > 0]
        good = [(off, weight) for off, weight in there if off is not None]
        if good:
            off = _middle(np.array([off for off, _ in good]), np.array([weight for _, weight in good]))
            found.append(Ahead(cut=cut.at, errors=off, decades=cut.decades(few)))
    untried = UNTRIED_PLAIN if chosen.plain else UNTRIED
    if not found:
        return untried, 0.0
    moved, bias = drift_of(found, float(np.mean(residuals**2)), HELD)
    tested = max(len(one.errors) for one in found)
    return float(np.hypot(moved, untried * np.exp(-tested / TESTED))), bias


def _middle(errors: FloatArray, weights: FloatArray) -> FloatArray:
    """The weighted median over members: one that failed below an early cut has its weight from later ones."""
    order = np.argsort(errors, axis=0)
    held = np.cumsum(weights[order], axis=0) >= 0.5 * weights.sum() * (1.0 - 1e-12)
    found: FloatArray = np.take_along_axis(np.take_along_axis(errors, order, 0), held.argmax(axis=0)[None], 0)[0]
    return found


def _tried(chosen: Choice) -> tuple[Tried, ...]:
    order = sorted(
        range(len(chosen.taken)), key=lambda k: (-chosen.weights[k], np.nan_to_num(chosen.rolling[k], nan=9.0))
    )
    return tuple(
        Tried(
            form=chosen.taken[k].label,
            error=float(chosen.rolling[k]) if np.isfinite(chosen.rolling[k]) else None,
            weight=float(chosen.weights[k]),
        )
        for k in order
    )


def _notes(chosen: Choice) -> tuple[str, ...]:
    """What else to know: forms that could not be fitted, cuts that were not possible."""
    notes = []
    if chosen.left_out:
        names, why = ", ".join(label for label, _ in chosen.left_out), chosen.left_out[0][1]
        notes.append(f"not tried: {names}. Of the first: {why}")
    if chosen.plain:
        notes.insert(
            0, "no form of params and tokens can be fitted, so the law follows one column, and other splits err more"
        )
    able = sum(any(off is not None for off in (one[k] for one in chosen.errors)) for k in range(len(chosen.cuts)))
    if not able:
        notes.insert(
            0,
            f"{chosen.runs.rows} runs are too few to be cut into cheaper and dearer ones, so no form was tested:"
            f" weights go by simplicity alone, and intervals beyond the runs take {UNTRIED:.0%} a decade",
        )
    return tuple(notes)
