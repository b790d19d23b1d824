"""What a fit is: the law's constants with their certificate, doubt, and the runs they come from."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import MissingData
from isoflop.laws.forms import Chinchilla, TiedChinchilla
from isoflop.laws.interface import Convention, Counts
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.checks import Check
    from isoflop.laws.objective import Objective
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

SKEWED = 0.6
"""Skewness of resamples from which their quantiles bound the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Why the minimum is believed: gradient and predicted decrease (no unit), starts that agree, steps it took.

    `others` are objectives of further minima that starts ended in, relative to the best.
    """

    objective: float
    gradient: float
    decrease: float
    starts: int
    agree: int
    steps: int
    others: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The runs behind a fit: where from, how many rows of how many runs, which were left out, ranges, fingerprint."""

    source: str
    fingerprint: str
    rows: int
    used: int
    groups: int
    flagged: Mapping[str, int]
    mapping: tuple[tuple[str, str, str], ...]
    guesses: tuple[str, ...]
    notes: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]]
    counts: Counts = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is known of the uncertainty of the coordinates.

    `covariance` is joint, `draws` (n x coordinates) come from resampled runs, or, where there are none, from the
    covariance. `residuals` are ln(law) - ln(measured). `drift` is the error of ln(loss) for each decade of compute
    beyond the runs, as fits to the cheaper runs had on the dearer ones: what another form could have said.
    """

    covariance: FloatArray
    draws: FloatArray
    of: str
    residuals: FloatArray
    drift: float = 0.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A form that --law auto weighed: its rolling error of ln(loss), None where no cut tested it, and its weight."""

    form: str
    error: float | None
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit(Shown):
    """A law fitted to runs. `tried` and `notes` say how --law auto came to it."""

    shape: Shape
    at: FloatArray
    objective: Objective
    fixed: Mapping[str, float]
    ties: Mapping[str, str]
    certificate: Certificate
    origin: Origin
    doubt: Doubt
    checks: tuple[Check, ...] = ()
    tried: tuple[Tried, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """What the law predicts: loss, or another column."""
        return target_of(self.shape)

    @property
    def constants(self) -> Mapping[str, float]:
        """The constants as people write them: A, not ln_A."""
        return MappingProxyType({plain(name): value for name, value in self._plain(self.at).items()})

    def _plain(self, at: FloatArray) -> dict[str, float]:
        return {
            name: float(np.exp(value)) if name.startswith("ln_") else float(value)
            for name, value in zip(self.shape.coordinates, at, strict=True)
        }

    def interval(self, level: float = 0.8) -> Mapping[str, tuple[float, float]]:
        """Low and high of each constant from the draws, at this level."""
        ends = [interval_of(float(at), draws, level) for at, draws in zip(self.at, self.doubt.draws.T, strict=True)]
        held = np.array(ends).T
        low, high = self._plain(held[0]), self._plain(held[1])
        return MappingProxyType({plain(name): (low[name], high[name]) for name in self.shape.coordinates})

    @property
    def errors(self) -> Mapping[str, float]:
        """Standard errors of the coordinates."""
        spread = np.sqrt(np.maximum(np.diagonal(self.doubt.covariance), 0.0))
        return MappingProxyType(dict(zip(self.shape.coordinates, spread.tolist(), strict=True)))

    @property
    def exponent(self) -> tuple[float, FloatArray] | None:
        """How the best params grow with compute, N* ~ C^a, with its draws; None for laws without params and tokens."""
        names = self.shape.coordinates
        if self.shape.name not in {"chinchilla", "chinchilla-tied", "kaplan-joint"}:
            return None
        alpha = names.index("alpha")
        beta = names.index("beta") if "beta" in names else alpha
        kaplan = self.shape.name == "kaplan-joint"

        def of(at: FloatArray) -> FloatArray:
            first, second = at[..., alpha], at[..., beta]
            # In Kaplan's joint law the tokens' exponent inside the bracket is 1 and the params' alpha / beta.
            return np.asarray(1.0 / (first / second + 1.0) if kaplan else second / (first + second))

        return float(of(self.at)), of(self.doubt.draws)

    def exponent_interval(self, level: float = 0.8) -> tuple[float, float, float] | None:
        """The exponent of the best params over compute with its interval, where the law has one."""
        found = self.exponent
        return None if found is None else (found[0], *interval_of(found[0], found[1], level))

    @property
    def convention(self) -> Convention:
        """How its parameters and FLOP are counted."""
        return Convention(params=self.origin.counts)

    @property
    def form(self) -> Chinchilla | TiedChinchilla:
        """The law as the rest of the house takes it; MissingData for forms that give no allocation in closed form."""
        if self.shape.name == "chinchilla":
            return Chinchilla.from_coordinates(self.at, self.convention)
        if self.shape.name == "chinchilla-tied":
            return TiedChinchilla.from_coordinates(self.at, self.convention)
        raise MissingData(
            f"{self.shape.name} is no law of params and tokens with a split of compute in closed form; fit"
            " chinchilla or chinchilla-tied to plan with."
        )

    def predict(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """The target (loss in nats per token) at these inputs."""
        return np.exp(np.asarray(self.shape.log_loss(self.at, columns)))

    def predict_interval(
        self, columns: Mapping[str, FloatArray], level: float = 0.8, rng: np.random.Generator | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The target with the interval that a new run falls into with this probability: middle, low, high.

        Holds the doubt of the constants, the scatter of runs about the law, and, beyond the runs, the drift that fits
        to cheaper runs showed.
        """
        from isoflop.laws.predict import predict_interval

        return predict_interval(self, columns, level, rng or np.random.default_rng(0))


def interval_of(point: float, draws: FloatArray, level: float) -> tuple[float, float]:
    """The interval that resamples give: by their standard deviation where they are near normal, else their quantiles.

    Near normal, quantiles of a few hundred resamples hold the truth up to five points too often.
    """
    low, high = (float(end) for end in np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2)))
    spread, middle = float(np.std(draws)), float(np.median(draws))
    core = float(np.subtract(*np.quantile(draws, (0.8413447, 0.1586553)))) / 2.0
    if spread <= 0 or core <= 0:
        return low, high
    skew = float(np.mean(((draws - np.mean(draws)) / spread) ** 3))
    if abs(skew) > SKEWED or not 0.8 < spread / core < 1.25 or abs(middle - point) > 0.5 * spread:
        return low, high
    reach = NormalDist().inv_cdf(0.5 + level / 2) * spread
    return point - reach, point + reach


def target_of(shape: Shape) -> str:
    """The column a shape predicts."""
    found: str = getattr(shape, "target", "loss")
    return found


def plain(coordinate: str) -> str:
    """The name of a constant whose coordinate may be its logarithm."""
    return coordinate.removeprefix("ln_")
