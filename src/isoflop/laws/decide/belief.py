"""A law with joint draws of its constants, wherever it comes from: what every decision here is made with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.errors import BadInput, MissingData
from isoflop.laws.forms import Chinchilla, TiedChinchilla
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, Convention
from isoflop.laws.limits import FittedOn
from isoflop.laws.published import find_law
from isoflop.laws.result import Fit, interval_of
from isoflop.laws.shapes import SHAPES
from isoflop.laws.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.entry import Published
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

DRAWS = 1000
NO_VALUES: Mapping[str, float] = MappingProxyType({})

DERIVED = frozenset({"params", "tokens", "flops", "tokens_per_param"})
"""Inputs that a split of compute decides; any other is given."""

_ALWAYS = frozenset({"unique_tokens"})  # what any law may be told: how data repeat is added where it has no law of it

_R_D, _R_N = (5.0, 1000.0), (0.3, 21.0)
"""What 1,000 refits of the 182 resampled runs behind the published constants leave of R_D and R_N (95 %)."""


class Estimate(NamedTuple):
    """A value with its interval; equal ends where no spread is known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A form with its constants `at`, `draws` of them (n x coordinates; none where no spread is known), and why.

    `given` holds the inputs beside params and tokens. `fit` is there where the runs' scatter is known too.
    """

    name: str
    shape: Shape
    at: FloatArray
    draws: FloatArray
    of: str
    given: Mapping[str, float] = field(default_factory=lambda: NO_VALUES)
    convention: Convention = field(default_factory=Convention)
    fitted_on: FittedOn = field(default_factory=lambda: FittedOn(of="runs that are not recorded"))
    fit: Fit | None = None
    notes: tuple[str, ...] = ()

    @property
    def everything(self) -> FloatArray:
        """The point and, after it, the draws: (1 + n) x coordinates."""
        return np.concatenate([self.at[None], self.draws.reshape(-1, len(self.at))])

    @property
    def closed(self) -> bool:
        """Whether the split of compute has a closed form."""
        return self.shape.name in {"chinchilla", "chinchilla-tied"}

    def closed_form(self) -> Chinchilla:
        """Point and draws as one law of arrays; only where `closed`."""
        tied = self.shape.name == "chinchilla-tied"
        form = TiedChinchilla if tied else Chinchilla
        law = form.from_coordinates(self.everything, self.convention)
        return law.untied if isinstance(law, TiedChinchilla) else law

    def log_loss(self, params: FloatArray, tokens: FloatArray) -> FloatArray:
        """ln(loss) of each draw at points of its own: params and tokens are (1 + n) x points."""
        return self._log_loss(self.everything, params, tokens)

    def log_loss_at(self, params: FloatArray, tokens: FloatArray) -> FloatArray:
        """ln(loss) of the point alone."""
        size, data = np.broadcast_arrays(np.asarray(params, dtype=np.float64), np.asarray(tokens, dtype=np.float64))
        return self._log_loss(self.at, size.ravel(), data.ravel()).reshape(size.shape)

    def _log_loss(self, at: FloatArray, params: FloatArray, tokens: FloatArray) -> FloatArray:
        params, tokens = np.broadcast_arrays(params, tokens)
        columns: dict[str, FloatArray] = {name: np.full(params.shape, value) for name, value in self.given.items()}
        columns |= {
            "params": params,
            "tokens": tokens,
            "flops": FLOPS_PER_PARAM_TOKEN * params * tokens,
            "tokens_per_param": tokens / params,
        }
        return np.asarray(self.shape.log_loss(at, columns))

    def thinned(self, most: int) -> Belief:
        """With fewer draws, where a question is dear to ask."""
        return replace(self, draws=self.draws[:most])

    def estimate(self, values: FloatArray, level: float) -> Estimate:
        """Positive values, the point first and then the draws, as a value with its interval."""
        good = np.asarray(values)[np.isfinite(values) & (np.asarray(values) > 0)]
        point = float(values[0])
        if len(good) < 3:
            return Estimate(point, point, point)
        low, high = interval_of(float(np.log(point)), np.log(good[1:]), level)
        return Estimate(point, min(float(np.exp(low)), point), max(float(np.exp(high)), point))


def believed(
    law: str | Path | Fit | Published,
    given: Mapping[str, float] = NO_VALUES,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Belief:
    """A fit, the path of one, or a published law (by name too) as something to decide with.

    `given` are values of its further inputs (experts, bits, unique_tokens). MissingData where the law gives no loss of
    params and tokens, or where an input has no value.
    """
    if isinstance(law, Fit):
        found = _of_fit(law, law.shape.name, draws)
    elif isinstance(law, str | Path) and str(law).lower().endswith(".json"):
        from isoflop.laws.fit_file import read_fit

        found = _of_fit(read_fit(law), Path(law).stem, draws)
    else:
        found = _of_published(find_law(str(law)) if isinstance(law, str | Path) else law, draws, seed)
    found = replace(found, given=MappingProxyType({**found.given, **given}))
    _need(found)
    return found


def _of_fit(fit: Fit, name: str, draws: int) -> Belief:
    of = f"{fit.origin.used} rows of {Path(fit.origin.source).name}"
    ranges = {"params": "params", "tokens": "tokens", "flops": "train_flops"}
    held = {ranges[key]: ends for key, ends in fit.origin.ranges.items() if key in ranges}
    bad = [one.name for one in fit.checks if one.status == "fail"]
    return Belief(
        name=name,
        shape=fit.shape,
        at=np.asarray(fit.at),
        draws=np.asarray(fit.doubt.draws)[:draws],
        of=fit.doubt.of,
        convention=fit.convention,
        fitted_on=FittedOn(of=of, ranges=MappingProxyType(held)),
        fit=fit,
        notes=(f"checks of this fit that failed: {', '.join(bad)}",) if bad else (),
    )


def _of_published(law: Published, draws: int, seed: int) -> Belief:
    if isinstance(law.form, Surface):
        form = law.form
        shape, at, held = form.shape, form.at, np.empty((0, len(form.at)))
        given = dict(form.given)
    elif isinstance(law.form, Chinchilla | TiedChinchilla):
        plain = law.form
        shape, given = SHAPES["chinchilla" if isinstance(plain, Chinchilla) else "chinchilla-tied"], {}
        at = np.array(
            [
                np.log(getattr(plain, key[3:])) if key.startswith("ln_") else getattr(plain, key)
                for key in shape.coordinates
            ]
        )
        held = np.empty((0, len(at)))
        if law.has_draws:
            root = np.linalg.cholesky(np.asarray(law.spread.covariance))
            held = at + np.random.default_rng(seed).standard_normal((draws, len(at))) @ root.T
    else:
        raise MissingData(
            f"{law.name} gives no loss of params and tokens together, so it weighs no split; take besiroglu2024"
        )
    return Belief(
        name=law.name,
        shape=shape,
        at=at,
        draws=held,
        of=law.spread.of,
        given=MappingProxyType(given),
        convention=law.form.convention,
        fitted_on=law.fitted_on,
    )


def _need(found: Belief) -> None:
    inputs = set(found.shape.inputs)
    strange = [name for name in found.given if name not in inputs and name not in _ALWAYS]
    if strange:
        raise BadInput(
            f"{found.name} ({found.shape.name}) has no input '{strange[0]}'; it follows {', '.join(found.shape.inputs)}"
        )
    lacking = [name for name in found.shape.inputs if name not in DERIVED and name not in found.given]
    if not {"params", "tokens"} <= inputs and not {"tokens_per_param", "flops"} <= inputs:
        raise MissingData(
            f"{found.name} ({found.shape.name}) follows {', '.join(found.shape.inputs)}, not params and tokens,"
            " so it splits no budget; take a fit of chinchilla, or ask: isoflop laws predict"
        )
    if lacking:
        raise MissingData(
            f"{found.name} ({found.shape.name}) follows {', '.join(lacking)} too: give a value with"
            f" {' '.join(f'--set {name}=VALUE' for name in lacking)}"
        )


def repeating(belief: Belief, unique_tokens: float, *, seed: int = 0) -> Belief:
    """The same law where data repeat: effective tokens and params by the published R_D and R_N, widely drawn.

    The law's own constants stay. R_D and R_N are drawn log-normally over the intervals that the runs behind them leave,
    5 to 1,000 and 0.3 to 21; the point has the published constants. A law that follows unique tokens itself keeps its
    own. Source: [muennighoff2023 eq. 5]
    """
    given = MappingProxyType({**belief.given, "unique_tokens": unique_tokens})
    if "unique_tokens" in belief.shape.inputs and len(belief.draws):
        return replace(belief, given=given)
    if belief.shape.name == "data-constrained":
        return replace(
            belief, given=given, draws=_with_fading(belief.at[None, :-2], seed), of="R_D 5 to 1,000, R_N 0.3 to 21"
        )
    if not belief.closed:
        raise MissingData(
            f"{belief.name} ({belief.shape.name}) knows nothing of repeated data; give --epochs 1 to stay within"
            " the data, or take a fit of chinchilla or data-constrained"
        )
    shape = SHAPES["data-constrained"]
    held = find_law("repeated2023").form
    assert isinstance(held, Surface)
    published = held.at[-2:]
    own = belief.draws if len(belief.draws) else belief.at[None]

    def whole(at: FloatArray) -> FloatArray:
        return np.concatenate([at, at[..., -1:]], axis=-1) if belief.shape.name == "chinchilla-tied" else at

    return replace(
        belief,
        shape=shape,
        at=np.concatenate([whole(belief.at), published]),
        draws=_with_fading(whole(own), seed),
        of=f"{belief.of}; R_D 5 to 1,000 and R_N 0.3 to 21" if len(belief.draws) else "R_D 5 to 1,000, R_N 0.3 to 21",
        given=given,
        fit=None,
        notes=(
            *belief.notes,
            "how repeats fade is taken from repeated2023, whose runs leave R_D anywhere between 5 and 1,000",
        ),
    )


def _with_fading(own: FloatArray, seed: int) -> FloatArray:
    """Draws of a law's own constants with ln R_D and ln R_N drawn beside them; one row stands for all."""
    rng = np.random.default_rng(seed)
    size = len(own) if len(own) > 1 else DRAWS
    faded = [np.log(np.sqrt(a * b)) + np.log(b / a) / 3.92 * rng.standard_normal(size) for a, b in (_R_D, _R_N)]
    return np.column_stack([np.broadcast_to(own, (size, own.shape[1])), *faded])
