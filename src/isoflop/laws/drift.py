"""How fits to the cheaper runs predict the dearer ones: what extrapolation of this form on these runs is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from isoflop.laws.fitting import Options
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

CUTS = (0.5, 0.65, 0.8)
"""Shares of the runs, from the cheapest, that the rest is predicted from."""

COVERED = 0.9
"""Share of the dearer runs that intervals from the cheaper ones should have held."""

LEAST = 0.006
"""Least widening of ln(loss) at a decade: about what seeds and data order move, and what good fits were off by."""

EDGE = 0.25
"""Decades that count at once outside the runs: laws err most where nothing holds them."""

_ROWS = 2_000
MOST_ROWS = 20_000
"""Rows that the fits to the cheaper runs take: of more, every second, third, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """One cut: errors of ln(loss) beyond it, decades of compute beyond it."""

    cut: float
    errors: FloatArray
    decades: FloatArray


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
    return Ahead(
        cut=cut,
        errors=said - np.log(kept.columns[one.target][rows]),
        decades=np.log10(kept.columns["flops"][rows] / cut),
    )


def widening(decades: FloatArray) -> FloatArray:
    """Decades beyond the runs as they widen the variance: 0 inside, soon EDGE more than there are outside."""
    return decades + EDGE * -np.expm1(-decades / 0.05)


def drift(runs: Runs, shape: Shape, options: Options, found: Fit) -> tuple[float, float]:
    """What widens intervals beyond the runs, and the mean error a decade beyond them, both of ln(loss).

    The first is the s for which normal intervals of variance scatter + s^2 widening would have held COVERED of the
    farther half of the dearer runs. Errors of a fit share their sign, so that more is asked than the 80 % usually
    quoted, never less than LEAST, and more where they lie on one side.
    """
    cuts = ahead(runs, shape, options)
    return drift_of(cuts, float(np.mean(found.doubt.residuals**2))) if cuts else (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the drift has to do: hold this share of the farther half, be no less, count each cut `later` times more.

    `one_sided`: more where errors lie on one side.
    """

    covered: float = COVERED
    least: float = LEAST
    later: float = 1.0
    one_sided: bool = True


def drift_of(cuts: Sequence[Ahead], known: float, asked: Asked | None = None) -> tuple[float, float]:
    """As `drift`, from errors beyond cuts and the variance of runs about the law."""
    want = asked or Asked()
    errors, decades = (np.concatenate([getattr(one, name) for one in cuts]) for name in ("errors", "decades"))
    share = np.concatenate([np.full(len(one.errors), want.later**k) for k, one in enumerate(cuts)])
    far = np.concatenate([one.decades >= np.median(one.decades) for one in cuts])
    errors, decades, share = errors[far], decades[far], share[far] / share[far].sum()
    reach = NormalDist().inv_cdf(0.5 + want.covered / 2)
    need = np.sqrt(np.maximum((errors / reach) ** 2 - known, 0.0) / widening(decades))
    order = np.argsort(need)
    held = np.cumsum(share[order]) >= want.covered - 1e-12
    enough = float(need[order][int(np.argmax(held))])
    bias = float((errors * decades).sum() / (decades**2).sum())
    leaning = min(abs(bias), 2.0 * enough + want.least) if want.one_sided else 0.0
    return max(enough, want.least, leaning), bias
