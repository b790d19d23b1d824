"""Approach 2: IsoFLOP profiles. At each budget the loss is a valley over model size; its bottom is the best size.

Only bracketed minima count: a valley whose bottom lies outside its runs gives no exponent but the list of missing runs.
The parabola is biased where alpha and beta differ or the runs lie off-centre; `bias` says by how much for a given law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import BadInput, UntrustworthyFit
from isoflop.laws.akima import akima_minimum
from isoflop.quantity import quantity, write

if TYPE_CHECKING:
    from isoflop.laws.interface import Law
    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

Method = Literal["parabola", "akima", "surface"]
METHODS: tuple[Method, ...] = ("parabola", "akima", "surface")

SAME = 0.07
"""ln(FLOP) within which runs are of one budget."""

FEWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class IsoFlop:
    """One budget: its runs, and the best size where its minimum lies inside; else what is missing."""

    flops: float
    params: FloatArray
    loss: FloatArray
    best_params: float
    best_loss: float
    bracketed: bool
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The best size over compute, params = exp(intercept) * flops ** exponent, with draws of the exponent.

    `profiles` are all, `left_out` those without a bracketed minimum.
    """

    method: str
    exponent: float
    intercept: float
    draws: FloatArray
    intercepts: FloatArray
    profiles: tuple[IsoFlop, ...]
    left_out: tuple[str, ...]

    def params(self, flops: float) -> float:
        """The best size at this compute."""
        return float(np.exp(self.intercept) * flops**self.exponent)

    def interval(self, level: float = 0.8) -> tuple[float, float]:
        """The exponent's interval."""
        low, high = np.quantile(self.draws, (0.5 - level / 2, 0.5 + level / 2))
        return float(low), float(high)


def isoflop_profiles(runs: Runs, method: Method = "parabola") -> tuple[IsoFlop, ...]:
    """The IsoFLOP profiles among runs: budgets at which at least four sizes were trained."""
    runs.need(("params", "tokens", "flops", "loss"))
    kept = runs.where(runs.usable())
    order = np.argsort(kept.columns["flops"], kind="stable")
    logs = np.log(kept.columns["flops"][order])
    if not len(order):
        raise UntrustworthyFit("no usable runs.", missing=("runs at three budgets and five sizes each",))
    found = []
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or logs[end] - logs[start] > SAME:
            rows = order[start:end]
            size = kept.columns["params"][rows]
            if len(np.unique(np.round(np.log(size), 2))) >= FEWEST:
                found.append(_profile(kept.columns["flops"][rows], size, kept.loss[rows], method))
            start = end
    return tuple(found)


def isoflop_line(runs: Runs, method: Method = "parabola", *, resamples: int = 1000, seed: int = 0) -> Line:
    """How the best size grows with compute, from the minima of the profiles; UntrustworthyFit below three of them."""
    if method not in METHODS:
        raise BadInput(f"no method '{method}'; known are {', '.join(METHODS)}")
    found = isoflop_profiles(runs, method)
    inside = [one for one in found if one.bracketed]
    missing = tuple(one.missing for one in found if not one.bracketed)
    if len(inside) < 3:
        raise UntrustworthyFit(
            f"{len(inside)} of {len(found)} IsoFLOP profiles have their minimum inside; an exponent takes three.",
            missing=missing
            or ("runs of at least five sizes at each of three budgets, on both sides of the best size",),
        )
    rng = np.random.default_rng(seed)
    if method == "surface":
        exponent, intercept = _surface(inside)
        lines = [_surface([_resampled(one, method, rng) for one in inside]) for _ in range(resamples)]
    else:
        exponent, intercept = _line(inside)
        lines = [_line([_resampled(one, method, rng) for one in inside]) for _ in range(resamples)]
    drawn = np.array([line for line in lines if np.isfinite(line).all()]).reshape(-1, 2)
    return Line(
        method=method,
        exponent=exponent,
        intercept=intercept,
        draws=drawn[:, 0],
        intercepts=drawn[:, 1],
        profiles=found,
        left_out=missing,
    )


def isoflop_bias(runs: Runs, law: Law, method: Method = "parabola") -> float:
    """What this method gives on these sizes and budgets if the law were true and noiseless, less the law's exponent."""
    from dataclasses import replace
    from types import MappingProxyType

    losses = np.asarray(law.loss(runs.columns["params"], runs.columns["flops"] / 6.0 / runs.columns["params"]))
    clean = replace(runs, columns=MappingProxyType({**runs.columns, "loss": losses}))
    found = isoflop_line(clean, method, resamples=0)
    low, high = (law.allocate(one).params for one in (found.profiles[0].flops, found.profiles[-1].flops))
    true = np.log(high / low) / np.log(found.profiles[-1].flops / found.profiles[0].flops)
    return float(found.exponent - true)


def _profile(flops: FloatArray, params: FloatArray, loss: FloatArray, method: Method) -> IsoFlop:
    budget = float(np.exp(np.log(flops).mean()))
    best, low = _minimum(np.log(params), loss, method)
    sizes = np.log(params)
    inside = np.isfinite(best) and sizes.min() < best < sizes.max()
    # A run on either side of the bottom, higher than it: else the bottom is the parabola's wish.
    both = (
        inside and (loss[sizes < best].max(initial=-np.inf) > low) and (loss[sizes > best].max(initial=-np.inf) > low)
    )
    missing = "" if both else _missing(budget, params, loss, best)
    return IsoFlop(
        flops=budget,
        params=params,
        loss=loss,
        best_params=float(np.exp(best)) if both else float("nan"),
        best_loss=float(low) if both else float("nan"),
        bracketed=bool(both),
        missing=missing,
    )


def _missing(budget: float, params: FloatArray, loss: FloatArray, best: float) -> str:
    """Which runs would bracket a minimum."""
    of = quantity("params")
    at = write(budget, quantity("train_flops"))
    smaller = best < np.log(params.min()) if np.isfinite(best) else loss[np.argmin(params)] < loss[np.argmax(params)]
    edge = params.min() if smaller else params.max()
    side = "smaller than" if smaller else "larger than"
    example = write(float(edge / 2 if smaller else edge * 2), of)
    return f"at {at} runs with models {side} {write(float(edge), of)}, for instance {example}"


def _minimum(size: FloatArray, loss: FloatArray, method: Method) -> tuple[float, float]:
    """Place and height of a profile's bottom; nan where it has none."""
    if method == "akima":
        return akima_minimum(size, loss)
    middle = size.mean()
    bend, slope, level = np.polyfit(size - middle, np.log(loss), 2)
    if bend <= 0:
        return float("nan"), float("nan")
    at = -slope / (2 * bend)
    return float(middle + at), float(np.exp(level - slope**2 / (4 * bend)))


def _resampled(one: IsoFlop, method: Method, rng: np.random.Generator) -> IsoFlop:
    """The profile with its residuals about its own curve drawn anew: few points bear no drawing of points."""
    size = np.log(one.params)
    coefficients = np.polyfit(size - size.mean(), np.log(one.loss), 2)
    smooth = np.polyval(coefficients, size - size.mean())
    residuals = (np.log(one.loss) - smooth) * np.sqrt(len(size) / max(len(size) - 3, 1))
    loss = np.exp(smooth + rng.choice(residuals, len(size)))
    best, low = _minimum(size, loss, method)
    return IsoFlop(
        flops=one.flops, params=one.params, loss=loss, best_params=float(np.exp(best)), best_loss=low, bracketed=True
    )


def _line(found: list[IsoFlop]) -> tuple[float, float]:
    x, y = np.log([one.flops for one in found]), np.log([one.best_params for one in found])
    good = np.isfinite(y)
    if good.sum() < 3:
        return float("nan"), float("nan")
    slope, level = np.polyfit(x[good], y[good], 1)
    return float(slope), float(level)


def _surface(found: list[IsoFlop]) -> tuple[float, float]:
    """All profiles at once: one bend, a level for each, the bottom on a line over ln(FLOP)."""
    size = np.concatenate([np.log(one.params) for one in found])
    budget = np.concatenate([np.full(len(one.params), np.log(one.flops)) for one in found])
    loss = np.concatenate([np.log(one.loss) for one in found])
    x, c = size - size.mean(), budget - budget.mean()
    levels = (budget[:, None] == np.unique(budget)).astype(float)
    design = np.column_stack([x**2, x, x * c, levels])
    bend, slope, tilt = np.linalg.lstsq(design, loss, rcond=None)[0][:3]
    if bend <= 0:
        return float("nan"), float("nan")
    exponent = -tilt / (2 * bend)
    return float(exponent), float(size.mean() - slope / (2 * bend) - exponent * budget.mean())
