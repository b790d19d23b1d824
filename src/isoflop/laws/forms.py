"""The forms that laws of loss and allocation take: one frozen class a form, constants apart in published.toml.

Coefficients are floats, or arrays of joint draws that broadcast with the inputs: a law of 10,000 draws is asked once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, NoReturn, Self

import numpy as np

from isoflop.errors import BadInput, MissingData
from isoflop.laws.interface import (
    FLOPS_PER_PARAM_TOKEN,
    Allocation,
    Convention,
    Path,
    Split,
    check_coefficients,
    positive,
)

if TYPE_CHECKING:
    from isoflop.quantity import FloatArray, Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Chinchilla:
    """Loss = E + A / N^alpha + B / D^beta, N parameters, D tokens, in nats per token.

    E is the loss of perfect prediction, A / N^alpha what a model of N parameters lacks, B / D^beta what D tokens leave
    unlearnt. Neglects: repeated data, learning rate and batch (taken as tuned), the shape of the model. A is not
    identified apart from alpha (their estimates correlate at 0.999, as do B and beta): compare exponents and
    predictions, never A.
    Source: [hoffmann2022 §3.3]
    >>> law = Chinchilla(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    >>> round(law.loss(70e9, 1.4e12), 3)
    1.937
    """

    E: Real
    A: Real
    B: Real
    alpha: Real
    beta: Real
    convention: Convention = field(default_factory=Convention)

    coordinates: ClassVar[tuple[str, ...]] = ("ln_E", "ln_A", "ln_B", "alpha", "beta")
    """What fits and spreads are expressed in: near-normal, unlike A and B themselves."""

    def __post_init__(self) -> None:
        check_coefficients("chinchilla", floor=self.E, A=self.A, B=self.B, alpha=self.alpha, beta=self.beta)

    @classmethod
    def from_coordinates(cls, at: FloatArray, convention: Convention | None = None) -> Self:
        """The law whose `coordinates` are the entries of `at` along its last axis."""
        ln_e, ln_a, ln_b, alpha, beta = np.moveaxis(np.asarray(at, dtype=np.float64), -1, 0)
        scales = {"E": np.exp(ln_e), "A": np.exp(ln_a), "B": np.exp(ln_b)}
        return cls(**scales, alpha=alpha, beta=beta, convention=convention or Convention())

    @property
    def irreducible_loss(self) -> Real:
        """E, in nats per token."""
        return self.E

    @property
    def compute_exponent(self) -> Real:
        """Elasticity of the reducible loss to compute, sign dropped: alpha beta / (alpha + beta)."""
        return self.alpha * self.beta / (self.alpha + self.beta)

    def loss(self, params: Real, tokens: Real) -> Real:
        """Final loss in nats per token."""
        return self.E + self.A * params**-self.alpha + self.B * tokens**-self.beta

    def gradient(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        """Derivatives by params (nat/token/param) and by tokens (nat/token^2); both negative."""
        by_params = -self.alpha * self.A * params ** (-self.alpha - 1.0)
        by_tokens = -self.beta * self.B * tokens ** (-self.beta - 1.0)
        return by_params, by_tokens

    def coordinate_gradient(self, params: Real, tokens: Real) -> FloatArray:
        """Derivatives of the loss by each of `coordinates`, stacked along the first axis."""
        lack, unlearnt = self.A * params**-self.alpha, self.B * tokens**-self.beta
        by_exponents = (-lack * np.log(params), -unlearnt * np.log(tokens))
        return np.stack(np.broadcast_arrays(self.E, lack, unlearnt, *by_exponents))

    def expansion_path(self) -> Path:
        """Where a step in params and one in tokens of equal cost gain the same: alpha A N^-alpha = beta B D^-beta."""
        weight = self.beta * self.B / (self.alpha * self.A)
        return Path(weight ** (1.0 / self.beta), self.alpha / self.beta)

    def allocate(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Allocation:
        """The split of `flops` with the lowest loss, in closed form: where the path meets flops = k params tokens.

        Source: [hoffmann2022 eq. 4]
        """
        params, tokens = _meet(self.expansion_path(), flops, flops_per_param_token)
        return Allocation(params=params, tokens=tokens, loss=self.loss(params, tokens))

    def minimum_loss(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Real:
        """The lowest loss that `flops` can reach, in nats per token."""
        return self.allocate(flops, flops_per_param_token).loss

    def minimum_flops(self, loss: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Real:
        """The least FLOP that reach `loss`; infinite at or below E.

        In closed form: the reducible loss at the optimum is a power of compute.
        """
        reducible = np.asarray(loss - self.E, dtype=np.float64)
        at_one = self.allocate(flops_per_param_token, flops_per_param_token).loss - self.E
        with np.errstate(divide="ignore", over="ignore"):
            ratio = at_one / np.maximum(reducible, 0.0)
            flops = flops_per_param_token * ratio ** (1.0 / self.compute_exponent)
        return flops if np.ndim(flops) else float(flops)


@dataclass(frozen=True, slots=True, kw_only=True)
class TiedChinchilla:
    """Loss = E + A / N^alpha + B / D^alpha: the Chinchilla form with one exponent, so that N and D grow alike.

    Four coefficients for small studies, where two exponents are not told apart.
    Source: [muennighoff2023]
    >>> law = TiedChinchilla(E=1.87, A=521.0, B=1488.0, alpha=0.353)
    >>> law.expansion_path().exponent
    1.0
    """

    E: Real
    A: Real
    B: Real
    alpha: Real
    convention: Convention = field(default_factory=Convention)

    coordinates: ClassVar[tuple[str, ...]] = ("ln_E", "ln_A", "ln_B", "alpha")
    """What fits and spreads are expressed in."""

    def __post_init__(self) -> None:
        check_coefficients("chinchilla-tied", floor=self.E, A=self.A, B=self.B, alpha=self.alpha)

    @classmethod
    def from_coordinates(cls, at: FloatArray, convention: Convention | None = None) -> Self:
        """The law whose `coordinates` are the entries of `at` along its last axis."""
        ln_e, ln_a, ln_b, alpha = np.moveaxis(np.asarray(at, dtype=np.float64), -1, 0)
        return cls(E=np.exp(ln_e), A=np.exp(ln_a), B=np.exp(ln_b), alpha=alpha, convention=convention or Convention())

    @property
    def untied(self) -> Chinchilla:
        """The same law in the form with two exponents."""
        scales = {"E": self.E, "A": self.A, "B": self.B}
        return Chinchilla(**scales, alpha=self.alpha, beta=self.alpha, convention=self.convention)

    @property
    def irreducible_loss(self) -> Real:
        """E, in nats per token."""
        return self.E

    def loss(self, params: Real, tokens: Real) -> Real:
        """Final loss in nats per token."""
        return self.E + self.A * params**-self.alpha + self.B * tokens**-self.alpha

    def gradient(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        """Derivatives by params (nat/token/param) and by tokens (nat/token^2)."""
        return self.untied.gradient(params, tokens)

    def coordinate_gradient(self, params: Real, tokens: Real) -> FloatArray:
        """Derivatives of the loss by each of `coordinates`, stacked along the first axis."""
        apart = self.untied.coordinate_gradient(params, tokens)
        return np.concatenate([apart[:3], apart[3:4] + apart[4:5]])

    def expansion_path(self) -> Path:
        """Tokens in fixed proportion to params: the exponent is 1."""
        return self.untied.expansion_path()

    def allocate(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Allocation:
        """The split of `flops` with the lowest loss."""
        return self.untied.allocate(flops, flops_per_param_token)

    def minimum_loss(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Real:
        """The lowest loss that `flops` can reach, in nats per token."""
        return self.untied.minimum_loss(flops, flops_per_param_token)

    def minimum_flops(self, loss: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Real:
        """The least FLOP that reach `loss`; infinite at or below E."""
        return self.untied.minimum_flops(loss, flops_per_param_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kaplan:
    """Three power laws, each with the other inputs not limiting: loss = (scale / x)^exponent in nats per token.

    x is parameters without embeddings, tokens, or compute spent well below the critical batch ("C_min", FLOP). There is
    no floor: loss falls to zero, which is wrong far out. No joint law of params and tokens and no allocation: of the
    optimum only the exponent `optimal_params_exponent` is held, not its coefficient.
    Source: [kaplan2020 §1.2]
    >>> law = Kaplan(
    ...     params_scale=8.8e13,
    ...     params_exponent=0.076,
    ...     tokens_scale=5.4e13,
    ...     tokens_exponent=0.095,
    ...     flops_scale=3.1e8 * 8.64e19,
    ...     flops_exponent=0.05,
    ...     optimal_params_exponent=0.73,
    ... )
    >>> round(law.loss_from_params(1.5e9), 2)
    2.3
    """

    params_scale: Real
    params_exponent: Real
    tokens_scale: Real
    tokens_exponent: Real
    flops_scale: Real
    flops_exponent: Real
    optimal_params_exponent: Real
    convention: Convention = field(default_factory=lambda: Convention(params="non_embedding"))

    def __post_init__(self) -> None:
        names = [part.name for part in fields(self) if part.name != "convention"]
        check_coefficients("kaplan", **{name: getattr(self, name) for name in names})

    def loss_from_params(self, params: Real) -> Real:
        """Loss of a model of `params` (without embeddings) trained to convergence on enough data."""
        return (self.params_scale / params) ** self.params_exponent

    def loss_from_tokens(self, tokens: Real) -> Real:
        """Loss of a large model stopped early on `tokens` of data."""
        return (self.tokens_scale / tokens) ** self.tokens_exponent

    def loss_from_flops(self, flops: Real) -> Real:
        """Loss of the best model for `flops` (FLOP), each batch far below the critical size."""
        return (self.flops_scale / flops) ** self.flops_exponent

    def allocate(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> NoReturn:
        """Refused: the exponent of the optimum is held, its coefficient is not."""
        del flops, flops_per_param_token
        raise MissingData(
            "the Kaplan laws give no allocation here: the best params grow as"
            f" compute^{self.optimal_params_exponent:g}, but no coefficient was verified. Take law=besiroglu2024 or"
            " law=ratio20."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A fixed number of tokens for each parameter. It gives an allocation and no loss.

    Source: [hoffmann2022]
    >>> split = Ratio(tokens_per_param=20.0).allocate(3.14e23)
    >>> f"{split.params:.2g} {split.tokens:.2g}"
    '5.1e+10 1e+12'
    """

    tokens_per_param: Real
    convention: Convention = field(default_factory=Convention)

    def __post_init__(self) -> None:
        check_coefficients("ratio", tokens_per_param=self.tokens_per_param)

    def expansion_path(self) -> Path:
        """Tokens = tokens_per_param * params."""
        return Path(self.tokens_per_param, 1.0)

    def allocate(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Split:
        """The split of `flops` (FLOP) in this proportion."""
        params, tokens = _meet(self.expansion_path(), flops, flops_per_param_token)
        return Split(params=params, tokens=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensPower:
    """Best tokens = coefficient * compute ^ exponent, compute counted as 6 params tokens: approach 2. No loss.

    Rounding the exponent moves the answer by the power of compute itself: two digits at 1e25 FLOP, 60 %.
    Source: [llama2024 §3.2.1]
    >>> f"{TokensPower(coefficient=0.299, exponent=0.5368).allocate(3.8e25).tokens:.3g}"
    '1.61e+13'
    """

    coefficient: Real
    exponent: Real
    convention: Convention = field(default_factory=Convention)

    def __post_init__(self) -> None:
        check_coefficients("tokens-power", coefficient=self.coefficient, exponent=self.exponent)
        if np.any(np.asarray(self.exponent) >= 1):
            raise BadInput(f"tokens-power: exponent must be below 1; {self.exponent:g} was given")

    def expansion_path(self) -> Path:
        """Tokens over params: from D = k (6 N D)^p, D = (k 6^p)^(1/(1-p)) N^(p/(1-p))."""
        left = 1.0 - self.exponent
        return Path((self.coefficient * FLOPS_PER_PARAM_TOKEN**self.exponent) ** (1.0 / left), self.exponent / left)

    def allocate(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Split:
        """The split of `flops` (FLOP) on this line."""
        params, tokens = _meet(self.expansion_path(), flops, flops_per_param_token)
        return Split(params=params, tokens=tokens)


def _meet(path: Path, flops: Real, flops_per_param_token: Real) -> tuple[Real, Real]:
    """Params and tokens where tokens = K params^e meets flops = k params tokens."""
    product = positive("flops", flops) / positive("flops_per_param_token", flops_per_param_token)
    params = (product / path.coefficient) ** (1.0 / (1.0 + path.exponent))
    return params, product / params
