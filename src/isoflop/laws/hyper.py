"""Laws of hyper-parameters: learning rate and batch as products of powers of parameters, tokens and compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isoflop.laws.interface import Convention, Settings, check_coefficients, positive

if TYPE_CHECKING:
    from isoflop.quantity import Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """coefficient * params^params * tokens^tokens * flops^flops: the fields named after inputs are exponents.

    >>> Powers(coefficient=2.0, tokens=0.5).at(params=1.0, tokens=9.0, flops=1.0)
    6.0
    """

    coefficient: Real
    params: Real = 0.0
    tokens: Real = 0.0
    flops: Real = 0.0

    def __post_init__(self) -> None:
        check_coefficients("power law", coefficient=self.coefficient)

    def at(self, *, params: Real, tokens: Real, flops: Real) -> Real:
        """The value for a run, in the unit of the coefficient."""
        return self.coefficient * params**self.params * tokens**self.tokens * flops**self.flops


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperParameters:
    """Peak learning rate (1) and batch (tokens) that gave the lowest loss, as powers of a run's size.

    The optimum is broad: on the runs behind stepfun2025 a factor of 1.5 in either costs about 0.1 % of loss. Neglects:
    schedule, optimizer and its momenta, initialisation, sequence length, all as in the study the constants come from.
    Source: [deepseek2024 §3.1]
    >>> rate = Powers(coefficient=0.3118, flops=-0.1250)
    >>> law = HyperParameters(learning_rate=rate, batch_tokens=Powers(coefficient=0.2920, flops=0.3271))
    >>> f"{law.advise(params=1e9, tokens=20e9, flops=1e20).learning_rate:.2g}"
    '0.00099'
    """

    learning_rate: Powers
    batch_tokens: Powers
    convention: Convention = field(default_factory=lambda: Convention(params="non_embedding"))

    def advise(self, params: Real, tokens: Real, flops: Real) -> Settings:
        """Settings for `params` trained on `tokens` with `flops` FLOP, each counted in the law's convention."""
        run = {
            "params": positive("params", params),
            "tokens": positive("tokens", tokens),
            "flops": positive("flops", flops),
        }
        batch = self.batch_tokens.at(**run)
        return Settings(learning_rate=self.learning_rate.at(**run), batch_tokens=batch, steps=run["tokens"] / batch)
