"""The three approaches side by side on the same runs: what each says is best, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import MissingData, UntrustworthyFit
from isoflop.laws.approach1 import envelope
from isoflop.laws.approach2 import isoflop_bias, isoflop_line
from isoflop.laws.decide.allocate import allocate
from isoflop.laws.decide.belief import Estimate
from isoflop.laws.decide.budget import Aim
from isoflop.laws.decide.ensemble import usual_forms
from isoflop.laws.fitting import Options, fit_point
from isoflop.laws.forms import Chinchilla, TiedChinchilla
from isoflop.laws.result import interval_of
from isoflop.laws.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.laws.approach1 import Envelope
    from isoflop.laws.approach2 import Line
    from isoflop.laws.decide.allocate import Decision
    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

APART = 1.5
"""Best params that differ by more than this disagree, where their intervals do not meet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One approach: its best params at the compute, its exponent, what its params cost in loss under approach 3's law.

    `why` says why there is no answer; `bias` is what the method would add to the exponent if approach 3 were right.
    """

    approach: str
    params: Estimate | None = None
    exponent: Estimate | None = None
    regret: float | None = None
    bias: float | None = None
    why: str = ""
    disagrees: bool = False


def approaches(runs: Runs, decision: Decision, *, resamples: int = 1000, seed: int = 0) -> tuple[Side, ...]:
    """Approaches 1, 2 and 3 at the compute of a plain decision, and 3 by other forms.

    Those that the runs cannot carry say why.
    """
    plain = (decision.plain or decision).at_its_compute()
    third = Side(approach="3, the fitted law", params=plain.params, exponent=plain.exponent, regret=0.0)

    def first() -> Side:
        found = envelope(runs, resamples=resamples, seed=seed)
        return _side("1, the envelope", found, found.exponent, found.draws, _pivoted(found), plain)

    def second() -> Side:
        found = isoflop_line(runs, resamples=resamples, seed=seed)
        side = _side("2, IsoFLOP valleys", found, found.exponent, found.draws, found.intercepts, plain)
        return replace(side, bias=_bias(runs, plain))

    sides = (_tried("1, the envelope", first), _tried("2, IsoFLOP valleys", second), third)
    return (*sides, *_other_forms(runs, plain))


def _other_forms(runs: Runs, plain: Decision) -> list[Side]:
    """Approach 3 by the other forms that these runs could follow; those that they cannot carry are left out."""
    found = []
    budget = plain.aim.flops or plain.train_flops.value
    aim = Aim(flops=budget, flops_per_param_token=plain.aim.flops_per_param_token, level=plain.aim.level)
    for name in usual_forms(runs):
        if name == plain.belief.shape.name or "params" not in SHAPES[name].inputs:
            continue
        try:
            other = allocate(fit_point(runs, SHAPES[name], Options(bootstrap=0)), aim)
        except (UntrustworthyFit, MissingData):
            continue
        there = plain.losses(np.array([other.params.value]))[0][0]
        found.append(
            Side(
                approach=f"3, by {name}",
                params=other.params,
                exponent=other.exponent,
                regret=float(there / plain.losses(np.array([plain.params.value]))[0][0] - 1.0),
                disagrees=_apart(other.params, plain.params),
            )
        )
    return found


def _apart(one: Estimate, other: Estimate) -> bool:
    """Whether two sizes disagree: intervals that do not meet, and points far from one another."""
    meets = one.low <= other.high and other.low <= one.high
    return not meets and max(one.value / other.value, other.value / one.value) > APART


def _tried(name: str, asked: Callable[[], Side]) -> Side:
    try:
        return asked()
    except (UntrustworthyFit, MissingData) as error:
        return Side(approach=name, why=str(error))


def _pivoted(found: Envelope) -> FloatArray:
    """Intercepts of resampled envelopes through the middle of the runs on it: only their slopes were kept."""
    middle = float(np.log(found.flops).mean())
    return found.intercept + (found.exponent - found.draws) * middle


def _side(
    name: str, found: Envelope | Line, exponent: float, slopes: FloatArray, levels: FloatArray, plain: Decision
) -> Side:
    budget = plain.aim.flops or plain.train_flops.value
    # The line counts C = 6 N D; another cost of a token scales the compute it is asked for.
    flops = budget * 6.0 / plain.aim.flops_per_param_token
    level = plain.aim.level
    point = found.intercept + exponent * np.log(flops)
    low, high = interval_of(float(point), levels + slopes * np.log(flops), level)
    params = Estimate(float(np.exp(point)), float(np.exp(low)), float(np.exp(high)))
    ends = interval_of(exponent, slopes, level)
    there = plain.losses(np.array([params.value]))[0][0]
    ours = plain.params
    return Side(
        approach=name,
        params=params,
        exponent=Estimate(exponent, *ends),
        regret=float(there / plain.losses(np.array([ours.value]))[0][0] - 1.0),
        disagrees=_apart(params, ours),
    )


def _bias(runs: Runs, plain: Decision) -> float | None:
    """What parabolas on these very sizes and budgets would add to the exponent of approach 3's own law."""
    if not plain.belief.closed:
        return None
    form = TiedChinchilla if plain.belief.shape.name == "chinchilla-tied" else Chinchilla
    try:
        return isoflop_bias(runs.where(runs.usable()), form.from_coordinates(plain.belief.at))
    except UntrustworthyFit:
        return None
