"""A model's whole life: training once, writing all its tokens, and which size would be best for both together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, Infeasible
from isoflop.kernel import chip_of
from isoflop.laws import published
from isoflop.laws.lifetime import allocate_lifetime
from isoflop.model.count import counts

if TYPE_CHECKING:
    from isoflop.hardware.tariff import Tariff
    from isoflop.laws.interface import Allocation
    from isoflop.serving.cost import Bill
    from isoflop.serving.spec import Deployment

LAW = "besiroglu2024"
"""The law by which sizes are weighed where nobody names one; that of `plan`."""

TRAIN_MFU = 0.4
"""Utilisation of training on the same chips (27 to 50 % are usual), by which money is turned into FLOP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """Dollars and joules of training a model once and of writing all its tokens, and where the two are equal.

    `equal` is how many tokens have to be written until serving has cost as much as training. `flops_per_param_token` is
    the training that the money of one written token would buy, over the active parameters: 2 where serving used chips
    as well as training does, more by as much as it uses them worse. `best` is the split of the same money, at this cost
    a parameter and token, with the lowest loss under `law` for a dense model; None where no training cost is given or
    serving alone takes more.
    """

    train_cost: float
    serve_cost: float
    serve_energy: float
    equal: float
    flops_per_param_token: float
    best: Allocation | None = None
    law: str = LAW

    @property
    def total(self) -> float:
        """Dollars of both."""
        return self.train_cost + self.serve_cost


def lifetime(
    bill: Bill, deployment: Deployment, tariff: Tariff, train_cost: float, tokens: float, mfu: float = TRAIN_MFU
) -> Lifetime:  # fmt: skip
    """Training for so many dollars and then writing so many tokens at the cost of a bill.

    Neglects: that a smaller model is cheaper to serve by more than its parameters where the cache is what is read.
    Raises: BadInput where no price is known.
    Source: [sardana2024 §2]
    """
    if bill.usd_per_output_token is None:
        raise BadInput("no price of these chips is known; give one, like price='$2/chip/h'")
    each = bill.usd_per_output_token[0]
    per_dollar = chip_of(deployment.device).rate("16") * mfu / tariff.amount
    active = float(counts(deployment.model).active_params)
    ratio = each * per_dollar / active
    total = train_cost + each * tokens
    return Lifetime(
        train_cost=train_cost,
        serve_cost=each * tokens,
        serve_energy=bill.joules_per_output_token[0] * tokens,
        equal=train_cost / each,
        flops_per_param_token=ratio,
        best=_best(total * per_dollar, tokens, ratio) if train_cost else None,
    )


def _best(flops: float, tokens: float, ratio: float) -> Allocation | None:
    try:
        return allocate_lifetime(published(LAW).law, flops, tokens, serve_flops_per_param_token=ratio)
    except Infeasible:
        return None
