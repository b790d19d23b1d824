"""How fits to the cheaper runs predict the dearer ones: what extrapolation of this form on these runs is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit

if TYPE_CHECKING:
    import numpy.typing as npt

    from isoflop.laws.fitting import Options
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

CUTS = (0.5, 0.65, 0.8)
"""Shares of the runs, from the cheapest, that the rest is predicted from."""

_ROWS = 2_000
MOST_ROWS = 20_000
"""Rows that the fits to the cheaper runs take: of more, every second, third, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """One cut: errors of ln(loss) beyond it, decades of compute beyond it, and the variance the fit gave itself."""

    cut: float
    errors: FloatArray
    decades: FloatArray
    variance: FloatArray


def ahead(runs: Runs, shape: Shape, options: Options) -> tuple[Ahead, ...]:
    """Predictions beyond each cut; cuts whose cheaper part cannot carry a fit are left out."""
    from isoflop.laws.fitting import fit_point, usable

    kept = usable(runs, shape)
    if "flops" not in kept.columns:
        return ()
    if kept.rows > MOST_ROWS:
        kept = kept.where(np.arange(kept.rows) % -(-kept.rows // MOST_ROWS) == 0)
    flops = kept.columns["flops"]
    quick = replace(options, bootstrap=0, strict=False)
    found = []
    for share in CUTS:
        cut = float(np.quantile(flops, share))
        cheap, dear = flops <= cut, flops > cut * 1.05
        if not dear.any() or not cheap.any():
            continue
        try:
            one = fit_point(kept.where(cheap), shape, quick)
        except UntrustworthyFit:
            continue
        rows = np.flatnonzero(dear).astype(np.int64)
        rows = rows[:: max(1, len(rows) // _ROWS)]
        found.append(_ahead(one, kept, rows, cut))
    return tuple(found)


def _ahead(one: Fit, kept: Runs, rows: npt.NDArray[np.int64], cut: float) -> Ahead:
    inputs = {name: kept.columns[name][rows] for name in one.shape.inputs}
    said = np.asarray(one.shape.log_loss(one.at, inputs))
    draws = np.asarray(one.shape.log_loss(one.doubt.draws[:200], inputs))
    return Ahead(
        cut=cut,
        errors=said - np.log(kept.columns[one.target][rows]),
        decades=np.log10(kept.columns["flops"][rows] / cut),
        variance=np.minimum(draws.var(axis=0), 1.0),
    )


def drift(runs: Runs, shape: Shape, options: Options, found: Fit) -> tuple[float, float]:
    """Error of ln(loss) a decade of compute beyond the runs that the constants' doubt does not explain; mean error."""
    cuts = ahead(runs, shape, options)
    if not cuts:
        return 0.0, 0.0
    errors, decades, variance = (
        np.concatenate([getattr(one, name) for one in cuts]) for name in ("errors", "decades", "variance")
    )
    noise = float(np.mean(np.minimum(found.doubt.residuals**2, 9.0 * np.median(found.doubt.residuals**2))))
    typical = np.median(np.abs(errors)) * 4.0 + 1e-12
    extra = np.minimum(errors**2, typical**2) - noise - variance
    square = float(extra.sum() / (decades**2).sum())
    return float(np.sqrt(max(square, 0.0))), float((errors * decades).sum() / (decades**2).sum())
