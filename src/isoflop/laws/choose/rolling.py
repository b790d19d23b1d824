"""Rolling extrapolation: fits to the cheaper runs held against the dearer ones, cut by cut, and weights from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.laws.choose.candidate import trimmed
from isoflop.laws.choose.subsets import fit_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws.fitting import Options
    from isoflop.laws.runs import BoolArray, Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

SHARES = (0.4, 0.55, 0.7, 0.85)
"""Shares of the runs, from the cheapest, that the rest is predicted from."""

POWER = 6.0
"""Weights go as the rolling error to minus this: 4 to 8 predict alike, 1 averages too much, 30 takes the winner."""

LATER = 2.0
"""How much more a cut counts than the one before: it is nearer to what is asked."""

PRUNED = 0.03
"""Members below this share of the largest weight are left out."""

WORSE = 2.0
"""A form that cannot be fitted below a cut counts as this many times worse than the worst that can."""

BY = ("flops", "params", "tokens")
_DISTINCT = 1.02
_FAR_OFF = 3.0  # in ln(loss): an error beyond it is as bad
_ROWS = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Rows below and above a value of a column."""

    by: str
    at: float
    below: BoolArray
    above: BoolArray

    def decades(self, runs: Runs) -> FloatArray:
        """How far the rows above lie beyond the cut, in powers of ten."""
        return np.log10(runs.columns[self.by][self.above] / self.at)


def cuts(runs: Runs) -> tuple[Cut, ...]:
    """Cuts by compute, or by size or data where compute is not known; none where the runs are too few to be cut."""
    by = next((name for name in BY if name in runs.columns), "")
    if not by:
        return ()
    values = runs.columns[by]
    found: list[Cut] = []
    for share in SHARES:
        at = float(np.quantile(values, share))
        below, above = values <= at, values > at * _DISTINCT
        if below.any() and above.any() and not (found and found[-1].at >= at / _DISTINCT):
            found.append(Cut(by=by, at=at, below=below, above=above))
    return tuple(found)


def thinned(runs: Runs) -> Runs:
    """Every second, third, ... row of large tables: cuts need no more."""
    if runs.rows <= _ROWS:
        return runs
    return runs.where(np.arange(runs.rows) % -(-runs.rows // _ROWS) == 0)


def rolled(
    shape: Shape, trims: Sequence[str], runs: Runs, at: Sequence[Cut], options: Options
) -> list[list[FloatArray | None]]:
    """Errors of ln(loss) above each cut of fits to the runs below it, for each trim; None where no fit is possible."""
    parts = []
    for trim in trims:
        for cut in at:
            part = cut.below.copy()
            part[cut.below] = trimmed(runs.where(cut.below), trim)
            parts.append(part)
    found = fit_parts(shape, runs, parts, options)
    errors: list[list[FloatArray | None]] = []
    for index in range(len(trims)):
        own = found[index * len(at) : (index + 1) * len(at)]
        errors.append([_off(shape, fit, runs, cut) for fit, cut in zip(own, at, strict=True)])
    return errors


def _off(shape: Shape, fit: FloatArray | None, runs: Runs, cut: Cut) -> FloatArray | None:
    if fit is None:
        return None
    with np.errstate(all="ignore"):
        said = shape.log_loss(fit, {name: runs.columns[name][cut.above] for name in shape.inputs})
        off = np.asarray(said) - np.log(runs.loss[cut.above])
    return np.clip(np.nan_to_num(off, nan=_FAR_OFF), -_FAR_OFF, _FAR_OFF)


def scores(errors: Sequence[Sequence[FloatArray | None]]) -> FloatArray:
    """The mean error of each candidate above each cut; cuts that no candidate could be fitted below are left out."""
    held = np.array([[np.nan if off is None else float(np.abs(off).mean()) for off in one] for one in errors])
    if not held.size:
        return np.empty((len(errors), 0))
    held = held[:, np.isfinite(held).any(axis=0)]
    worst = np.nanmax(held, axis=0) if held.size else held
    return np.maximum(np.where(np.isfinite(held), held, WORSE * worst), 1e-12)


def rolling_error(held: FloatArray) -> FloatArray:
    """One figure for each candidate: the geometric mean over the cuts, each counting twice the one before."""
    count = held.shape[1]
    if not count:
        return np.full(len(held), np.nan)
    later = LATER ** np.arange(count)
    return np.asarray(np.exp((np.log(held) * later).sum(axis=1) / later.sum()))


def weights(held: FloatArray, priors: FloatArray) -> FloatArray:
    """Weights of the candidates, adding up to 1: small ones are 0. Without a cut, those before any evidence."""
    error = rolling_error(held)
    found = priors * (1.0 if not held.shape[1] else (error / error.min()) ** -POWER)
    found = np.where(found < PRUNED * found.max(), 0.0, found)
    return np.asarray(found / found.sum())
