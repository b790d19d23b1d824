"""What experts are worth: the dense model that would lose as little, under a law that follows experts and no tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import MissingData
from isoflop.laws.decide.belief import Estimate
from isoflop.laws.interface import positive
from isoflop.laws.result import interval_of
from isoflop.laws.splitting import LARGEST, SMALLEST

if TYPE_CHECKING:
    from isoflop.laws.result import Fit
    from isoflop.quantity import FloatArray

_HALVINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """A model of `params` (without its further experts) and `experts`: its loss, and the dense model that equals it.

    `gain` is `dense` over params: how much larger a dense model would have to be.
    """

    params: float
    experts: float
    loss: Estimate
    dense: Estimate

    @property
    def gain(self) -> float:
        """Dense params of equal loss over the model's own."""
        return self.dense.value / self.params


def worth_of_experts(fit: Fit, params: float, experts: float, *, level: float = 0.8) -> Worth:
    """The dense model with the loss of this one, by the law of a fit that follows params and experts (moe-clark).

    Such a law holds at the tokens of its runs and splits no budget: experts cost memory and routing, which it does not
    see. Intervals are of the constants. Source: [clark2022], their effective parameter count
    """
    if set(fit.shape.inputs) != {"params", "experts"}:
        raise MissingData(
            f"{fit.shape.name} follows {', '.join(fit.shape.inputs)}; the worth of experts takes a fit of moe-clark"
        )
    size, count = float(positive("params", params)), float(positive("experts", experts))
    at = np.concatenate([fit.at[None], fit.doubt.draws])
    goal = _log_loss(fit, at, np.full(len(at), np.log(size)), count)
    low, high = np.full(len(at), SMALLEST), np.full(len(at), LARGEST)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        short = _log_loss(fit, at, middle, 1.0) > goal
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    dense = 0.5 * (low + high)
    return Worth(params=size, experts=count, loss=_estimate(goal, level), dense=_estimate(dense, level))


def _log_loss(fit: Fit, at: FloatArray, size: FloatArray, experts: float) -> FloatArray:
    columns = {"params": np.exp(size)[:, None], "experts": np.full((len(size), 1), experts)}
    return np.asarray(fit.shape.log_loss(at, columns))[:, 0]


def _estimate(logs: FloatArray, level: float) -> Estimate:
    low, high = interval_of(float(logs[0]), logs[1:], level)
    ends = (float(logs[0]), min(low, float(logs[0])), max(high, float(logs[0])))
    return Estimate(*np.exp(ends).tolist())
