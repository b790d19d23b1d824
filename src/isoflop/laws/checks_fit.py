"""Checks that need a fit: its certificate, other minima, leverage, identifiability, misfit, extrapolation, estimand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.laws.again import influence, refit, without
from isoflop.laws.checks import Check, judged
from isoflop.laws.result import target_of

if TYPE_CHECKING:
    from isoflop.laws.checks import Status
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

MOVES = 0.05
"""What 5 of 245 runs move Chinchilla's allocation exponent by, more than any choice of loss does."""

_MANY = 50_000  # rows above which nothing is refitted for a check


def optimiser(name: str, fit: Fit, runs: Runs) -> Check:
    """Whether this is a minimum, and how many starts found it."""
    del runs
    proof = fit.certificate
    share = proof.agree / proof.starts
    status: Status = "pass" if share >= 0.3 and proof.decrease < 1e-9 else "warn"
    return Check(
        name=name,
        status=status,
        number=share,
        says=f"{proof.agree} of {proof.starts} starts end here; gradient {proof.gradient:.1e}, another step promises"
        f" {proof.decrease:.1e} of the objective",
        remedy="" if status == "pass" else "most starts end elsewhere: look at the profile of each constant",
    )


def minima(name: str, fit: Fit, runs: Runs) -> Check:
    """Other minima nearly as good."""
    del runs
    near = [one for one in fit.certificate.others if one < 1.05]
    return Check(
        name=name,
        status="warn" if near else "pass",
        number=float(len(near)),
        says=f"{len(near)} other minima within 5 %, the next {100 * (near[0] - 1):.2g} % above"
        if near
        else "no other minimum within 5 %",
        remedy="report the profile, not the point" if near else "",
    )


def rounding(name: str, fit: Fit, runs: Runs) -> Check:
    """To how many digits the constants must be quoted."""
    columns = {key: np.atleast_1d(high) for key, (_, high) in fit.origin.ranges.items() if key in fit.shape.inputs}
    if len(columns) < len(fit.shape.inputs):
        return Check(name=name, status="none", number=None, says="not judged for these inputs")
    del runs
    exact = float(np.asarray(fit.shape.log_loss(fit.at, columns))[0])
    for digits in range(2, 9):
        plain = [
            np.log(float(f"{np.exp(value):.{digits}g}")) if key.startswith("ln_") else float(f"{value:.{digits}g}")
            for key, value in zip(fit.shape.coordinates, fit.at, strict=True)
        ]
        if abs(float(np.asarray(fit.shape.log_loss(np.array(plain), columns))[0]) - exact) < 1e-4:
            break
    return Check(
        name=name,
        status="pass",
        number=float(digits),
        says=f"quote {digits} digits: fewer move the loss of the largest run by more than 0.01 %; the file keeps all",
    )


def leverage(name: str, fit: Fit, runs: Runs) -> Check:
    """How far the five most influential runs move the exponents."""
    if fit.origin.used > _MANY:
        return Check(name=name, status="pass", number=None, says=f"{fit.origin.used:,} rows: no five of them matter")
    moved = influence(fit, runs)
    errors = np.array([fit.errors[key] for key in fit.shape.coordinates]) + 1e-12
    size = np.max(np.abs(moved) / errors, axis=1)
    worst = np.argsort(size)[::-1][:5].astype(np.int64)
    again = without(fit, runs, worst)
    free = [index for index, key in enumerate(fit.shape.coordinates) if key not in fit.fixed]
    moves = np.abs(again - fit.at)[free]
    # Far rows widen the standard errors that they are measured by, so a move of an exponent counts by itself too.
    plain = np.array([MOVES if is_exponent(fit, fit.shape.coordinates[index]) else np.inf for index in free])
    shift = np.maximum(moves / errors[free], moves / plain)
    most = int(np.argmax(shift))
    coordinate = fit.shape.coordinates[free[most]]
    return Check(
        name=name,
        status=judged(float(shift[most]), 1.0, 3.0),
        number=float(shift[most]),
        says=f"without its 5 most influential rows {coordinate} moves by {float((again - fit.at)[free[most]]):+.3g}"
        f" ({moves[most] / errors[free[most]]:.2g} standard errors)",
        remedy="look at those runs: under-trained, diverged or mistyped?" if shift[most] >= 1.0 else "",
    )


def identifiability(name: str, fit: Fit, runs: Runs) -> Check:
    """Whether the runs tell the constants apart."""
    del runs
    spans = {key: float(np.log10(high / low)) for key, (low, high) in fit.origin.ranges.items() if low > 0}
    exponents = [key for key in fit.shape.coordinates if is_exponent(fit, key)]
    worst = max((fit.errors[key] / (abs(value) + 1e-12) for key, value in _values(fit, exponents)), default=0.0)
    spread = np.sqrt(np.maximum(np.diagonal(fit.doubt.covariance), 1e-300))
    correlation = fit.doubt.covariance / np.outer(spread, spread)
    np.fill_diagonal(correlation, 0.0)
    ranges = ", ".join(f"{key} {span:.1f}" for key, span in spans.items())
    return Check(
        name=name,
        status=judged(worst, 0.2, 0.7),
        number=worst,
        says=f"the least certain exponent is known to {worst:.1%} of itself; constants correlate up to"
        f" {float(np.abs(correlation).max()):.4f}; decades covered: {ranges}",
        remedy="compare exponents and predictions, never A or B alone"
        + ("; widen the runs, or tie or fix an exponent" if worst >= 0.2 else ""),
    )


def is_exponent(fit: Fit, name: str) -> bool:
    """Whether a free coordinate is the exponent of a power that falls: one whose box starts above zero."""
    return not name.startswith("ln_") and name not in fit.fixed and fit.shape.bounds.get(name, (0.0, 0.0))[0] > 0


def _values(fit: Fit, names: list[str]) -> list[tuple[str, float]]:
    return [(key, float(fit.at[fit.shape.coordinates.index(key)])) for key in names]


def misfit(name: str, fit: Fit, runs: Runs) -> Check:
    """Whether residuals follow compute, size or the ratio of tokens to params."""
    kept = runs.where(runs.usable(fit.shape.inputs, target_of(fit.shape)))
    residuals = fit.doubt.residuals
    found = [
        (*_trend(np.log(kept.columns[key]), residuals), key)
        for key in ("flops", "params", "tokens_per_param", *fit.shape.inputs)
        if key in kept.columns and (kept.columns[key] > 0).all()
    ]
    if not found:
        return Check(name=name, status="none", number=None, says="nothing to hold residuals against")
    share, size, key = max(found)
    scatter = float(np.sqrt(np.mean(residuals**2)))
    status: Status = "pass" if share < 0.1 or size < 5e-4 else "warn" if share < 0.4 else "fail"
    return Check(
        name=name,
        status=status,
        number=share,
        says=f"a curve in ln({key}) explains {share:.0%} of the residuals' variance ({size:.2%} of loss; scatter"
        f" {scatter:.2%})",
        remedy="the form misses something there: compare others with --law auto" if status != "pass" else "",
    )


def _trend(x: FloatArray, residuals: FloatArray) -> tuple[float, float]:
    """Share of variance that a cubic in x explains beyond what chance gives, and its size."""
    if len(x) < 8 or len(np.unique(np.round(x, 3))) < 6:
        return 0.0, 0.0
    middle = np.median(residuals)
    near = np.clip(
        residuals - middle, *(np.array([-4.0, 4.0]) * (1.4826 * np.median(np.abs(residuals - middle)) + 1e-15))
    )
    z = (x - x.mean()) / x.std()
    curve = np.polyval(np.polyfit(z, near, 3), z)
    total = float(np.var(near)) + 1e-300
    share = max(float(np.var(curve)) / total - 3.0 / len(x), 0.0)
    return share, float(np.std(curve))


def extrapolation(name: str, fit: Fit, runs: Runs) -> Check:
    """What predicting the dearer runs from the cheaper ones cost."""
    del runs
    if "flops" not in fit.origin.ranges or not (fit.doubt.drift or fit.doubt.bias):
        return Check(name=name, status="none", number=None, says="no fit to the cheaper runs to judge by")
    off = max(fit.doubt.drift, abs(fit.doubt.bias))
    top = fit.origin.ranges.get("flops", (0.0, 0.0))[1]
    scatter = float(np.sqrt(np.mean(fit.doubt.residuals**2)))
    return Check(
        name=name,
        status=judged(off, max(0.01, 2 * scatter), 0.05),
        number=off,
        says=f"fits to the cheaper runs were off by {fit.doubt.bias:+.2%} of loss a decade beyond them (spread"
        f" {fit.doubt.drift:.2%}); the runs end at {top:.2g} FLOP",
        remedy="intervals beyond the runs are widened by this; run closer to the target" if off >= 0.01 else "",
    )


def estimand(name: str, fit: Fit, runs: Runs) -> Check:
    """Whether the fit goes through the middle of the runs or along their lower edge, and what that does to E."""
    if "ln_E" not in fit.shape.coordinates or "ln_E" in fit.fixed:
        return Check(name=name, status="none", number=None, says="no floor to compare")
    place = fit.shape.coordinates.index("ln_E")
    other = "log-huber" if fit.objective.kind == "asymmetric" else "asymmetric"
    if fit.origin.used > _MANY:
        return Check(name=name, status="pass", number=None, says=f"loss {fit.objective.kind}")
    moved = float(np.exp(refit(fit, runs, other)[place]) - np.exp(fit.at[place]))
    asymmetric = fit.objective.kind == "asymmetric"
    return Check(
        name=name,
        status="warn" if asymmetric else "pass",
        number=moved,
        says=f"{'the lower envelope' if asymmetric else 'the middle'} of the runs ({fit.objective.kind}); {other} would"
        f" move E by {moved:+.3f}",
        remedy="do not compare its E with those of other fits" if asymmetric else "",
    )
