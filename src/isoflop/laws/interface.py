"""What a scaling law is to the rest of the house: its convention, what it gives, and which questions it answers.

Three interfaces, because published laws answer different questions: a `Law` gives loss and therefore allocation; an
`Allocator` splits compute and knows no loss; an `Advisor` recommends learning rate and batch. A law with further inputs
(unique tokens, experts, bits) has them fixed in its fields, so that to everyone else it is a function of parameters and
tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from isoflop.errors import BadInput

if TYPE_CHECKING:
    from isoflop.quantity import Real

Counts = Literal["total", "active", "non_embedding"]
Work = Literal["6nd", "model", "full-attention", "hardware"]

FLOPS_PER_PARAM_TOKEN = 6.0
"""FLOP per parameter and token in training: 2 forward, 4 backward. The convention C = 6ND of most published laws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """How a law counts: which parameters are its N, which FLOP are its C.

    Loss is always in nats per token, tokens are tokens seen.
    """

    params: Counts = "total"
    flops: Work = "6nd"


class Path(NamedTuple):
    """Compute-optimal pairs lie on tokens = coefficient * params ** exponent: log-linear, so one row for a solver."""

    coefficient: Real
    exponent: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Compute split into parameters and training tokens."""

    params: Real
    tokens: Real

    @property
    def tokens_per_param(self) -> Real:
        """Training tokens for each parameter."""
        return self.tokens / self.params


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Parameters and training tokens with the loss a law gives them, in nats per token."""

    params: Real
    tokens: Real
    loss: Real

    @property
    def tokens_per_param(self) -> Real:
        """Training tokens for each parameter."""
        return self.tokens / self.params


class Allocator(Protocol):
    """Splits compute into parameters and tokens along a log-linear path."""

    @property
    def convention(self) -> Convention:
        """How its parameters and FLOP are counted."""

    def allocate(self, flops: Real, flops_per_param_token: Real = ...) -> Split | Allocation:
        """The best split of `flops` (FLOP), where a run costs `flops_per_param_token` FLOP per parameter and token."""

    def expansion_path(self) -> Path:
        """The line of best splits over all compute."""


class Law(Protocol):
    """Loss as a function of parameters and tokens. Every method takes and gives floats or arrays, which broadcast."""

    @property
    def convention(self) -> Convention:
        """How its parameters and FLOP are counted."""

    @property
    def irreducible_loss(self) -> Real:
        """The loss that no amount of parameters and tokens goes below, in nats per token."""

    def loss(self, params: Real, tokens: Real) -> Real:
        """Final training loss in nats per token."""

    def gradient(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        """Derivatives of the loss by params (nat/token/param) and by tokens (nat/token^2)."""

    def allocate(self, flops: Real, flops_per_param_token: Real = ...) -> Allocation:
        """The split of `flops` (FLOP) with the lowest loss."""

    def minimum_loss(self, flops: Real, flops_per_param_token: Real = ...) -> Real:
        """The lowest loss that `flops` (FLOP) can reach, in nats per token."""

    def minimum_flops(self, loss: Real, flops_per_param_token: Real = ...) -> Real:
        """The least FLOP that reach `loss`; infinite at or below the irreducible loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Recommended settings of a run: peak learning rate (1), batch in tokens, and the optimizer steps that follow."""

    learning_rate: Real
    batch_tokens: Real
    steps: Real


class Advisor(Protocol):
    """Recommends learning rate and batch for a run."""

    @property
    def convention(self) -> Convention:
        """How its parameters and FLOP are counted."""

    def advise(self, params: Real, tokens: Real, flops: Real) -> Settings:
        """Settings for `params` trained on `tokens` with `flops` FLOP, each counted in the law's convention."""


def positive(name: str, value: Real) -> Real:
    """`value` as float or float64 array, refused unless all of it is positive and finite.

    Integers become floats here: 6 * N * D in 64-bit integers wraps above 9.2e18 FLOP.
    """
    number = np.asarray(value, dtype=np.float64)
    wrong = ~(np.isfinite(number) & (number > 0))
    if wrong.any():
        first = float(number[wrong].flat[0]) if number.ndim else float(number)
        raise BadInput(f"{name} must be positive and finite; {first:g} was given")
    return number if number.ndim else float(number)


def check_coefficients(form: str, *, floor: Real = 0.0, **coefficients: Real) -> None:
    """Refuse coefficients of a law that are not finite and positive; `floor`, a loss, may be zero."""
    for name, value in (("E", floor), *coefficients.items()):
        number = np.asarray(value, dtype=np.float64)
        below = number < 0 if name == "E" else number <= 0
        if below.any() or not np.isfinite(number).all():
            raise BadInput(f"{form}: {name} must be finite and positive; {float(number.flat[0]):g} was given")
