"""What it costs: rent, work per dollar, chips of one's own, electricity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real


@relation
def train_cost(chip_time: Real, price: Real) -> Real:
    """Rent of the chips for one training run.

    Neglects: people (29 to 49 % of what developing a frontier model costs), storage and traffic, and the runs before
    the one that counted (half as much again in one open project).
    Source: [epoch-costs §2] [morrison2025]
    >>> round(train_cost(2762 * 3600, 1.448 / 3600))
    3999
    """
    return chip_time * price


@relation(gives="train_cost")
def train_cost_by_work(train_flops: Real, flops_per_usd: Real) -> Real:
    """Rent of the chips from the work and what a dollar buys of it.

    Neglects: as `train_cost`.
    Source: [epoch-costs §2]
    >>> train_cost_by_work(1.2e21, 3e17)
    4000.0
    """
    return train_flops / flops_per_usd


@relation
def flops_per_usd(mfu: Real, peak_rate: Real, price: Real) -> Real:
    """Model work that a dollar of rent buys.

    Rate and price must be of the same thing: the rate of one chip over the price of a slice of 32 does not pass the
    units. Neglects: as `train_cost`.
    Source: [epoch-costs §2]
    >>> f"{flops_per_usd(0.4, 275e12, 1.448 / 3600):.3g}"  # TPU v4, three-year price
    '2.73e+17'
    """
    return mfu * peak_rate / price


@relation
def usd_per_param(train_cost: Real, params: Real) -> Real:
    """Cost of a run for each parameter.

    Neglects: nothing for the run it is taken from, and holds for no other: at a fixed number of tokens cost grows as
    parameters, trained compute-optimally about as their square.
    Source: [definition]
    >>> usd_per_param(100e6, 1.25e12)
    8e-05
    """
    return train_cost / params


@relation
def params_per_usd(params: Real, train_cost: Real) -> Real:
    """Parameters of a run for each dollar of its cost.

    Neglects: as `usd_per_param`.
    Source: [definition]
    >>> params_per_usd(1.25e12, 100e6)
    12500.0
    """
    return params / train_cost


@relation
def tokens_per_usd(tokens: Real, train_cost: Real) -> Real:
    """Training tokens for each dollar of a run's cost.

    Neglects: nothing for the run it is taken from, and holds for no other: a dollar trains a larger model on fewer.
    Source: [definition]
    >>> tokens_per_usd(4e12, 100e6)
    40000.0
    """
    return tokens / train_cost


@relation
def owned_price(
    chip_capital: Real,
    lifetime: Real,
    utilisation: Real,
    chip_power: Real,
    electricity_price: Real,
    pue: Real = 1.1,
) -> Real:
    """What an hour of work on a chip of one's own costs: its price over the hours it works, and electricity.

    Comparable with a rent: give it as `price`. Neglects: interest (at 8 % a year over four years a sixth of the
    capital), building and people, what the chip sells for afterwards, and the power of idle hours.
    Source: [epoch-costs §2]
    >>> year, kwh = 8766 * 3600, 3.6e6
    >>> round(owned_price(40e3, 4 * year, 0.8, 1000, 0.08 / kwh) * 3600, 2)  # an H100 with its share of a server
    1.51
    """
    return chip_capital / (lifetime * utilisation) + chip_power * pue * electricity_price


@relation
def energy_cost(train_energy: Real, electricity_price: Real) -> Real:
    """Money for the electricity of a training run.

    Part of the rent where chips are rented; comes on top of the capital where they are owned. Neglects: charges for
    peak power and connection.
    Source: [epoch-costs §2]
    >>> energy_cost(1287e3 * 3.6e6, 0.08 / 3.6e6)  # GPT-3: 1,287 MWh at 8 cents a kWh
    102960.0
    """
    return train_energy * electricity_price
