"""A law with everything that must be known to use it: source, rounding, convention, fitted range, spread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import MissingData
from isoflop.laws.forms import Chinchilla, Kaplan, Ratio, TiedChinchilla, TokensPower
from isoflop.laws.hyper import HyperParameters
from isoflop.laws.surface import Surface

if TYPE_CHECKING:
    from isoflop.laws.interface import Advisor, Allocator, Law
    from isoflop.laws.limits import FittedOn
    from isoflop.quantity import FloatArray

Form = Chinchilla | TiedChinchilla | Kaplan | Ratio | TokensPower | HyperParameters | Surface
Drawable = Chinchilla | TiedChinchilla | Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Joint uncertainty of a law's constants: normal in the form's `coordinates`, with this covariance.

    `draws` (draws x coordinates) stand instead where a fit has them and its form no closed one. `of` says where it
    comes from, or, where both are empty, why there is none.
    """

    covariance: tuple[tuple[float, ...], ...]
    of: str
    draws: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A law with everything that must be known to use it. `law`, `allocator` and `advisor` say what it can answer."""

    name: str
    title: str
    form: Form
    source: str
    place: str
    rounding: str
    verified: str
    note: str
    fitted_on: FittedOn
    spread: Spread
    aliases: tuple[str, ...] = ()

    @property
    def law(self) -> Law:
        """The law as loss(params, tokens); MissingData where it gives no such loss."""
        if isinstance(self.form, Surface):
            self.form.need(self.name)
            return self.form
        if isinstance(self.form, Chinchilla | TiedChinchilla):
            return self.form
        raise MissingData(f"{self.name} gives no loss of params and tokens together. Take law=besiroglu2024.")

    @property
    def allocator(self) -> Allocator:
        """The law as a split of compute; MissingData where it gives none."""
        if isinstance(self.form, Kaplan):
            self.form.allocate(1.0)
        if isinstance(self.form, HyperParameters):
            raise MissingData(
                f"{self.name} recommends learning rate and batch, not sizes. Take law=besiroglu2024 or law=ratio20."
            )
        if isinstance(self.form, Surface):
            self.form.need(self.name)
        assert not isinstance(self.form, Kaplan)
        return self.form

    @property
    def advisor(self) -> Advisor:
        """The law as recommended settings; MissingData where it gives none."""
        if isinstance(self.form, HyperParameters):
            return self.form
        raise MissingData(
            f"{self.name} recommends no learning rate or batch. Take law=stepfun2025 or law=deepseek2024."
        )

    @property
    def has_draws(self) -> bool:
        """True where the joint uncertainty of the constants is known."""
        return bool(self.spread.covariance or self.spread.draws)

    def draws(self, rng: np.random.Generator, n: int) -> Drawable:
        """The law with its constants drawn jointly `n` times: coefficients are arrays of length n, which broadcast.

        Jointly, because ln A and alpha correlate at 0.999: drawn apart they would make loss intervals far too wide.
        """
        if isinstance(self.form, Surface) and self.has_draws:
            rows = rng.integers(0, len(self.spread.draws), n)
            return replace(self.form, at=np.array(self.spread.draws)[rows])
        if not self.has_draws or not isinstance(self.form, Chinchilla | TiedChinchilla):
            raise MissingData(f"the spread of {self.name} is not known: {self.spread.of}. Take law=besiroglu2024.")
        covariance = np.asarray(self.spread.covariance)
        at = _coordinates(self.form) + rng.standard_normal((n, len(covariance))) @ np.linalg.cholesky(covariance).T
        return type(self.form).from_coordinates(at, self.form.convention)

    @property
    def further(self) -> tuple[str, ...]:
        """What the law follows beside params and tokens."""
        return self.form.further if isinstance(self.form, Surface) else ()

    def bound(self, **values: float) -> Published:
        """The law with values for the further inputs it follows: unique_tokens, experts, bits."""
        return replace(self, form=self.form.bound(**values)) if isinstance(self.form, Surface) and values else self

    def warnings(self, **values: float) -> tuple[str, ...]:
        """What to mind at these values (by glossary name): one sentence for each outside the range it was fitted on."""
        return self.fitted_on.warnings(self.name, **values)


def _coordinates(form: Chinchilla | TiedChinchilla) -> FloatArray:
    """Where the form's constants lie in its coordinates."""
    return np.array(
        [np.log(getattr(form, key[3:])) if key.startswith("ln_") else getattr(form, key) for key in form.coordinates]
    )
