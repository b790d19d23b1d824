"""Predictions with intervals: doubt of the constants, scatter of runs, and drift beyond the runs, in one mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.laws.choose.blend import Blend
from isoflop.laws.drift import widening

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.result import Fit
    from isoflop.quantity import FloatArray

DRAWS = 400
_CELLS = 2_000_000


def decades_beyond(fit: Fit, columns: Mapping[str, FloatArray]) -> FloatArray:
    """The largest distance of each point from the ranges of the runs, in powers of ten; compute counts where known."""
    rows = len(next(iter(columns.values())))
    found = np.zeros(rows)
    for name, (low, high) in fit.origin.ranges.items():
        if name in columns and name in {*fit.shape.inputs, "flops"}:
            outside = np.maximum(np.log10(columns[name] / high), np.log10(low / columns[name]))
            found = np.maximum(found, outside)
    return found


def _drawn(fit: Fit, at: FloatArray, columns: Mapping[str, FloatArray], rng: np.random.Generator) -> FloatArray:
    """ln(loss) of draws, (draws, rows); of several forms, each draw is one of them."""
    if isinstance(fit.shape, Blend):
        return fit.shape.log_loss_drawn(at, columns, rng)
    return np.asarray(fit.shape.log_loss(at, columns))


def predict_interval(
    fit: Fit, columns: Mapping[str, FloatArray], level: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Middle, low and high of the target for a new run at each point."""
    inputs = {name: np.asarray(columns[name], dtype=np.float64) for name in fit.shape.inputs}
    if "flops" in columns:
        inputs["flops"] = np.asarray(columns["flops"], dtype=np.float64)
    rows = len(next(iter(inputs.values())))
    middle = np.asarray(fit.shape.log_loss(fit.at, inputs))
    draws = fit.doubt.draws
    count = min(DRAWS, len(draws))
    at = draws[rng.permutation(len(draws))[:count]]
    used = max(len(fit.doubt.residuals) - len(fit.shape.coordinates), 1)
    scatter = -rng.choice(fit.doubt.residuals, size=count) * np.sqrt(len(fit.doubt.residuals) / used)
    shock = rng.standard_normal(count) * fit.doubt.drift
    far = decades_beyond(fit, inputs)
    tails = (0.5 - level / 2, 0.5 + level / 2)
    low, high = np.empty(rows), np.empty(rows)
    step = max(1, _CELLS // count)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        here = {name: one[part] for name, one in inputs.items()}
        values = _drawn(fit, at, here, rng)
        # Where the constants are resampled together, their draws scatter about their own mean; the point is the middle.
        values = values + scatter[:, None] + shock[:, None] * np.sqrt(widening(far[part]))
        low[part], high[part] = np.quantile(values, tails, axis=0)
    low, high = np.minimum(low, middle), np.maximum(high, middle)
    return np.exp(middle), np.exp(low), np.exp(high)
