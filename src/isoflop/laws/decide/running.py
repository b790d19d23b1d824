"""Where a run that is under way will end: its loss so far and its learning rate to come.

ln(loss) = ln(E + A (p + p0)^-alpha + C (1 - a)) with p the progress weighted by the learning rate (1 where it would all
be at the peak) and a the share of the peak by which the rate has fallen, followed with a short lag: annealing takes off
what the noise of large steps adds. Everything is relative to lengths and losses of the curve itself, so that steps or
tokens, nats or bits give the same answer. What the curve does not show yet comes from priors, which are stated.
Source: after [tissue2024], with a lag that is a share of the run
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, UntrustworthyFit
from isoflop.laws.decide.belief import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws.decide.curve import Curve
    from isoflop.laws.decide.schedule import Schedule
    from isoflop.quantity import FloatArray

LAGS = (0.003, 0.01, 0.03)
"""Lags that are tried, as shares of the run."""

ALPHAS = (0.3, 0.6, 1.0)
"""Exponents that fits start from."""

EARLY = 0.02
"""Share of the run at its start that follows no power: warm-up and the first fall."""

BINS = 48
MISFIT = 0.002
"""ln(loss) by which a bin may be off whatever its noise: the form is not the truth."""

DOUBLING = 0.025
"""ln(loss) that the law may be off for each doubling that is to come beyond the last: a run changes its ways early."""

LAST = 0.02
"""Share of the run over which its final loss is meant."""

SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of the curve so far: earlier times from which today is foretold, to see how far off such answers are."""

LEAST_WIDENING = 0.75
"""Where outlooks from earlier parts were better than they said, the interval is narrowed, to this at most."""

UNSEEN = 0.01
"""Share of the loss that annealing still to come takes off from which nothing is narrowed, and which is told."""

_GRID = 1001
_DRAWS = 300
_STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is believed of ln(E), ln(A), ln(C) over the last loss, ln(alpha) and ln(p0) before the curve is seen."""

    middle: tuple[float, float, float, float, float]
    spread: tuple[float, float, float, float, float]
    of: str


USUAL = Prior(
    middle=(float(np.log(0.8)), float(np.log(0.15)), float(np.log(0.06)), float(np.log(0.5)), float(np.log(0.02))),
    spread=(0.25, 0.9, 0.7, 0.4, 1.0),
    of="annealing to zero takes 6 % off the loss, 2 to 15 % at 80 %; alpha 0.5, 0.3 to 0.8",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Where a run will end: `final` loss with its interval at `level`, in the units of the curve.

    `now` is the smoothed loss, `share` how much of the run is done. `at`, `middle`, `low`, `high` are the curve and its
    outlook; `noise` the standard deviation of one logged ln(loss). `calibration` is by how much the interval was
    widened (or narrowed) because outlooks from earlier parts of this curve, `checks` of them, were off by more (or
    less) than they said. `unseen` is the share of the loss that annealing still to come takes off.
    """

    final: Estimate
    level: float
    now: float
    share: float
    schedule: Schedule
    constants: tuple[tuple[str, float], ...]
    at: FloatArray
    middle: FloatArray
    low: FloatArray
    high: FloatArray
    noise: float
    calibration: float
    checks: int
    unseen: float
    prior: Prior
    warnings: tuple[str, ...] = ()


def foresee(
    curve: Curve,
    schedule: Schedule,
    *,
    level: float = 0.8,
    prior: Prior = USUAL,
    calibrate: bool = True,
    notes: tuple[str, ...] = (),
) -> Outlook:
    """The final loss of a run from its curve so far and its schedule; `notes` are put before the warnings.

    UntrustworthyFit where too little has been logged; an interval that says so where the curve is short or noisy.

    >>> from isoflop.laws.decide.curve import Curve
    >>> from isoflop.laws.decide.schedule import Schedule
    >>> steps = np.arange(10.0, 6010.0, 10.0)
    >>> losses = 2.0 + 0.3 * (steps / 10_000) ** -0.4
    >>> found = foresee(Curve.of(steps, losses), Schedule(kind="constant", total=10_000))
    >>> abs(found.final.value / 2.3 - 1) < 0.01
    True
    """
    if curve.end > schedule.total * (1 + 1e-9):
        raise BadInput(
            f"the curve stands at {curve.end:g} {curve.measure}, beyond the {schedule.total:g} of --total; say how long"
            " the run is to be"
        )
    held = _Fitted(curve, schedule, prior)
    ends = np.linspace((1 - LAST) * schedule.total, schedule.total, 9)
    point, spread = held.foretell(ends)
    widened, checks = _calibration(curve, schedule, prior) if calibrate else (1.0, 0)
    if held.unseen() > UNSEEN:  # what the curve has not shown, its past cannot vouch for
        widened = max(widened, 1.0)
    early = DOUBLING * max(float(np.log2(schedule.total / curve.end)) - 1.0, 0.0)
    unsure = float(np.sqrt((widened * spread) ** 2 + held.level_noise**2 + early**2))
    reach = NormalDist().inv_cdf(0.5 + level / 2) * unsure
    final = Estimate(*(float(np.exp(point + side * reach)) for side in (0.0, -1.0, 1.0)))
    grid = np.linspace(held.first, schedule.total, 121)
    middle, spreads = held.along(grid)
    to_come = early * np.clip(np.log(grid / curve.end) / max(np.log(schedule.total / curve.end), 1e-9), 0.0, 1.0)
    beyond = np.sqrt((widened * spreads) ** 2 + held.level_noise**2 + to_come**2)
    ahead = np.where(grid > curve.end, beyond, spreads)
    off = NormalDist().inv_cdf(0.5 + level / 2) * ahead
    found = Outlook(
        final=final, level=level, now=float(np.exp(held.last)), share=curve.end / schedule.total, schedule=schedule,
        constants=held.constants(), at=grid, middle=np.exp(middle), low=np.exp(middle - off), high=np.exp(middle + off),
        noise=held.noise, calibration=widened, checks=checks, unseen=held.unseen(), prior=prior,
    )  # fmt: skip
    return replace(found, warnings=(*notes, *_warnings(found, curve)))


def prior_from(curves: Sequence[tuple[Curve, Schedule]]) -> Prior:
    """A prior from earlier runs of the same kind: what annealing brought them and how they fell."""
    if not curves:
        return USUAL
    at = np.array([_Fitted(curve, schedule, USUAL).at for curve, schedule in curves])
    low = np.array([0.1, 0.3, 0.25, 0.15, 0.5])
    spread = np.sqrt(np.var(at, axis=0) * len(at) / max(len(at) - 1, 1) + low**2)
    return Prior(
        middle=tuple(at.mean(axis=0).tolist()),
        spread=tuple(np.minimum(spread, USUAL.spread).tolist()),
        of=f"{len(curves)} earlier run{'s' if len(curves) > 1 else ''}",
    )


class _Fitted:
    """The curve fitted: the most probable constants, and how much they may differ."""

    def __init__(self, curve: Curve, schedule: Schedule, prior: Prior) -> None:
        self.schedule, self.prior = schedule, prior
        self.first = max(EARLY * schedule.total, 1.5 * schedule.warmup, float(curve.at[0]))
        kept = curve.at >= self.first
        if kept.sum() < 8:
            raise UntrustworthyFit(
                f"the curve has {int(kept.sum())} losses beyond its first {self.first:g} {curve.measure}, which follow"
                " no law; nothing is foretold yet.",
                missing=(f"at least 8 losses beyond {self.first:g}, better a tenth of the run",),
            )
        self.x, self.y, self.weight, self.noise = _binned(curve.at[kept], np.log(curve.loss[kept]))
        tail = max(1, len(self.y) // 12)
        self.last = float(np.average(self.y[-tail:], weights=self.weight[-tail:]))
        self.level_noise = self.noise / np.sqrt(max(self.weight[-tail:].sum(), 1.0))
        self.sigma = np.sqrt(self.noise**2 / self.weight + MISFIT**2)
        found = [self._settle(lag) for lag in LAGS]
        self.cost, self.lag, self.at, self.covariance = min(found, key=lambda one: one[0])

    def _settle(self, lag: float) -> tuple[float, float, FloatArray, FloatArray]:
        """Least squares of binned residuals and priors, by damped Gauss-Newton steps from a few starts."""
        progress, fallen = _features(self.schedule, self.x, lag)
        ends = []
        for alpha in ALPHAS:
            start = np.array(self.prior.middle)
            start[3] = np.log(alpha)
            ends.append(self._descend(start, progress, fallen))
        cost, at, curvature = min(ends, key=lambda one: one[0])
        return cost, lag, at, np.asarray(np.linalg.inv(curvature), dtype=np.float64)

    def _descend(
        self, at: FloatArray, progress: FloatArray, fallen: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        middle, spread = np.array(self.prior.middle), np.array(self.prior.spread)

        def parts(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
            value, slopes = _log_loss(theta, progress, fallen, self.last)
            rest = np.concatenate([(value - self.y) / self.sigma, (theta - middle) / spread])
            return rest, np.concatenate([slopes / self.sigma[:, None], np.diag(1.0 / spread)])

        rest, slopes = parts(at)
        damping, cost = 1e-3, float(rest @ rest)
        for _ in range(_STEPS):
            curvature = slopes.T @ slopes
            step = np.linalg.solve(curvature + damping * np.diag(np.diagonal(curvature)), -slopes.T @ rest)
            trial = at + np.clip(step, -1.0, 1.0)
            new, new_slopes = parts(trial)
            if float(new @ new) < cost:
                gain = cost - float(new @ new)
                at, rest, slopes, cost, damping = trial, new, new_slopes, float(new @ new), damping / 5.0
                if gain < 1e-9 * cost:
                    break
            else:
                damping *= 5.0
                if damping > 1e9:
                    break
        return cost, at, slopes.T @ slopes

    def along(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """ln(loss) at points, and its standard deviation."""
        progress, fallen = _features(self.schedule, x, self.lag)
        value, slopes = _log_loss(self.at, progress, fallen, self.last)
        return value, np.sqrt(np.einsum("rp,pq,rq->r", slopes, self.covariance, slopes))

    def foretell(self, ends: FloatArray) -> tuple[float, float]:
        """Mean ln(loss) over points, and its standard deviation over draws of the constants."""
        progress, fallen = _features(self.schedule, ends, self.lag)
        point = float(_log_loss(self.at, progress, fallen, self.last)[0].mean())
        root = np.linalg.cholesky(self.covariance + 1e-12 * np.eye(5))
        rng = np.random.default_rng(0)
        draws = self.at + rng.standard_normal((_DRAWS, 5)) @ root.T
        values = _log_loss(draws.T[..., None], progress, fallen, self.last)[0].mean(axis=-1)
        low, high = np.quantile(values, (0.1, 0.9))
        return point, float(high - low) / (2 * NormalDist().inv_cdf(0.9))

    def constants(self) -> tuple[tuple[str, float], ...]:
        """The constants as people write them, losses in the curve's units."""
        e, a, c, alpha, shift = np.exp(self.at)
        level = float(np.exp(self.last))
        return (
            ("E", float(e * level)), ("A", float(a * level)), ("C", float(c * level)), ("alpha", float(alpha)),
            ("p0", float(shift)), ("lag", self.lag),
        )  # fmt: skip

    def unseen(self) -> float:
        """Share of the final loss that annealing still to come takes off."""
        _, fallen = _features(self.schedule, np.array([self.x[-1], self.schedule.total]), self.lag)
        return float(np.exp(self.at[2]) * (fallen[1] - fallen[0]))


def _log_loss(
    theta: FloatArray, progress: FloatArray, fallen: FloatArray, last: float
) -> tuple[FloatArray, FloatArray]:
    """ln(loss) and its derivatives by ln E, ln A, ln C, ln alpha, ln p0; scales are relative to exp(last)."""
    alpha, shift = np.exp(theta[3]), np.exp(theta[4])
    logs = np.log(progress + shift)
    floor, power = np.exp(theta[0]), np.exp(theta[1] - alpha * logs)
    noise = np.exp(theta[2]) * (1.0 - fallen)
    total = floor + power + noise
    by = (floor * np.ones_like(power), power, noise, -power * alpha * logs, -power * alpha * shift / (progress + shift))
    return np.log(total) + last, np.stack(np.broadcast_arrays(*by), axis=-1) / total[..., None]


def _features(schedule: Schedule, x: FloatArray, lag: float) -> tuple[FloatArray, FloatArray]:
    """Progress weighted by the rate, over the length of the run; and how far the rate has fallen, with a lag."""
    grid = np.linspace(0.0, schedule.total, _GRID)
    rate = schedule.rate(grid)
    steps = np.diff(grid) / schedule.total
    progress = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * steps)])
    risen = int(np.argmax(rate))
    drop = np.where(np.arange(_GRID) > risen, 1.0 - rate, 0.0)
    keep = float(np.exp(-1.0 / (_GRID - 1) / lag))
    fallen = np.empty(_GRID)
    held = 0.0
    for place, value in enumerate(drop.tolist()):
        held = value + (held - value) * keep
        fallen[place] = held
    return np.interp(x, grid, progress), np.interp(x, grid, fallen)


def _binned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Means of ln(loss) over stretches of the curve, how many losses each holds, and the noise of one of them."""
    # From differences of second order: what a smooth curve does cancels.
    noise = float(1.4826 * np.median(np.abs(y[2:] - 2 * y[1:-1] + y[:-2])) / np.sqrt(6.0)) if len(y) > 4 else 0.01
    parts = np.array_split(np.arange(len(x)), min(BINS, max(4, len(x) // 2)))
    parts = [part for part in parts if len(part)]
    means = np.array([float(np.mean(_tamed(y[part], noise))) for part in parts])
    places = np.array([float(x[part].mean()) for part in parts])
    return places, means, np.array([float(len(part)) for part in parts]), max(noise, 1e-4)


def _tamed(values: FloatArray, noise: float) -> FloatArray:
    """Values without spikes: none further from their median than four times their noise."""
    middle = float(np.median(values))
    return np.clip(values, middle - 4 * noise, middle + 4 * noise)


def _calibration(curve: Curve, schedule: Schedule, prior: Prior) -> tuple[float, int]:
    """By how much earlier outlooks on today were off, over what they said; and how many there were."""
    today = _Fitted(curve, schedule, prior)
    scores = []
    for share in SHARES:
        past = curve.until(share * curve.end)
        try:
            held = _Fitted(past, schedule, prior)
        except UntrustworthyFit:
            continue
        point, spread = held.foretell(np.array([today.x[-1]]))
        unsure = np.hypot(spread, np.hypot(held.level_noise, today.level_noise))
        scores.append((point - today.last) / max(float(unsure), 1e-6))
    if len(scores) < 2:
        return 1.5, len(scores)
    return float(np.clip(np.sqrt(np.mean(np.square(scores))), LEAST_WIDENING, 5.0)), len(scores)


def _warnings(found: Outlook, curve: Curve) -> tuple[str, ...]:
    """What makes this outlook weak, in words."""
    said = []
    width = float(np.log(found.final.high / found.final.low)) / 2.0
    if found.share < 0.15:
        said.append(
            f"the curve is short: {found.share:.0%} of the run is done, and the rest follows from priors mostly"
        )
    if found.noise > 0.03:
        said.append(
            f"the curve is noisy: one logged loss is off by {found.noise:.1%}; a smoothed or validation loss tells more"
        )
    if found.unseen > UNSEEN and found.schedule.rate(np.array([curve.end]))[0] > 0.9:
        said.append(
            f"the decay is still to come: it is taken to bring {found.unseen:.1%} of the loss by prior"
            f" ({found.prior.of})"
            + ("; an earlier run with its decay (--like) says more" if found.prior is USUAL else "")
        )
    if width > 0.05:
        said.append("the interval is wide: this curve does not tell where the run ends")
    if found.calibration > 2.0:
        said.append(
            f"outlooks from earlier parts of this curve were off by {found.calibration:.1f} times what they said"
        )
    return (*curve.notes, *said)
