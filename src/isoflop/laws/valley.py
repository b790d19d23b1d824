"""The flat valley: at fixed compute, the sizes of model whose loss is nearly the best, or is a given one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, Infeasible
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, Allocation, positive
from isoflop.quantity import quantity, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.laws.interface import Law
    from isoflop.quantity import FloatArray, Real

WITHIN = 0.005
"""Half a percent of the loss: about what a change of seed or of data order moves."""

_FIRST_STEP = 0.1  # in ln(params)
_DOUBLINGS = 13  # reaches factors of e^400 in params, beyond which floats end
_STEPS = 200  # far more than bisection needs to use up a double
_SETTLED = 1e-13  # relative change of ln(params / optimum) at which a root has been found


@dataclass(frozen=True, slots=True, kw_only=True)
class Valley:
    """Params between `params_low` and `params_high` have a loss within a given fraction of the best at this compute."""

    params_low: Real
    params_high: Real


def valley(law: Law, flops: Real, within: Real = WITHIN, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Valley:
    """The sizes whose loss at `flops` FLOP is at most (1 + within) times the lowest.

    >>> from isoflop.laws import published
    >>> found = valley(published("besiroglu2024").law, 1.094e21)
    >>> f"{found.params_low:.2g} to {found.params_high:.2g}"
    '1.6e+09 to 5.4e+09'
    """
    best = law.allocate(flops, flops_per_param_token)
    product = best.params * best.tokens
    target = best.loss * (1.0 + positive("within", within))
    low, high = (_edge(law, best.params, product, target, side) for side in (-1.0, 1.0))
    return Valley(params_low=low, params_high=high)


def roots(
    law: Law, loss: float, flops: float, flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN
) -> tuple[Allocation, ...]:
    """Every split of `flops` FLOP that reaches exactly `loss` (nat/token), the smaller model first.

    Two of them, as a rule: a small model on many tokens and a large one on few. One at the minimum itself; below it,
    Infeasible names the minimum.
    """
    wanted = positive("loss", loss)
    if np.ndim(wanted) or np.ndim(flops):
        raise BadInput("roots take one loss and one compute at a time; give numbers, not arrays")
    best = law.allocate(flops, flops_per_param_token)
    if wanted < best.loss * (1.0 - 4 * np.finfo(np.float64).eps):
        raise Infeasible(_unreachable(law, float(wanted), float(flops), best, flops_per_param_token))
    if wanted <= best.loss:
        return (best,)
    product = best.params * best.tokens
    found = (_edge(law, best.params, product, wanted, side) for side in (-1.0, 1.0))
    return tuple(Allocation(params=params, tokens=product / params, loss=wanted) for params in found)


def _unreachable(law: Law, loss: float, flops: float, best: Allocation, flops_per_param_token: Real) -> str:
    needed = float(law.minimum_flops(loss, flops_per_param_token))
    more = (
        f"It takes at least {write(needed, quantity('train_flops'))}."
        if np.isfinite(needed)
        else f"No compute does: the law's irreducible loss is {law.irreducible_loss:.4g}."
    )
    return (
        f"loss {loss:.4g} is below the minimum that {write(flops, quantity('train_flops'))} can reach under this law:"
        f" {best.loss:.4g}, at {write(float(best.params), quantity('params'))} parameters and"
        f" {write(float(best.tokens), quantity('tokens'))} tokens. {more}"
    )


def _edge(law: Law, optimum: Real, product: Real, target: Real, side: float) -> Real:
    """Params on one `side` of the optimum (-1 smaller, +1 larger) whose loss is `target`, at fixed params x tokens.

    Works on x = side ln(params / optimum) >= 0, along which the loss rises: doubles a step until it brackets, then
    takes Newton steps, and bisects where one would leave the bracket. All elements of the arrays at once.
    """

    def above(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        params = optimum * np.exp(side * x)
        tokens = product / params
        by_params, by_tokens = law.gradient(params, tokens)
        slope = side * (by_params * params - by_tokens * tokens)
        return np.asarray(law.loss(params, tokens) - target), np.asarray(slope)

    high = _bracket(above)
    low, x = np.zeros_like(high), high
    for _ in range(_STEPS):
        excess, slope = above(x)
        low, high = np.where(excess <= 0, x, low), np.where(excess > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = x - excess / slope
        following = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        settled = np.abs(following - x) <= _SETTLED * np.maximum(x, _SETTLED)
        x = np.where(settled, x, following)
        if settled.all():
            break
    edge = optimum * np.exp(side * x)
    return edge if np.ndim(edge) else float(edge)


def _bracket(above: Callable[[FloatArray], tuple[FloatArray, FloatArray]]) -> FloatArray:
    """An x for every element at which the loss lies above its target."""
    x = np.full_like(above(np.zeros(()))[0], _FIRST_STEP)
    for _ in range(_DOUBLINGS):
        short = above(x)[0] <= 0
        if not short.any():
            return x
        x = np.where(short, 2.0 * x, x)
    raise Infeasible("the loss of this law never rises that high at this compute: every size of model reaches it")
