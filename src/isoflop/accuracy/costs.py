"""Published costs beside ours, method by method; and whether what was rumoured of GPT-4 closes.

Epoch AI gives three costs of one run: the capital used up and the energy, rent at cloud prices, and buying all the
chips. Ours are the same three on the same chip-hours and chips, from the estimates beside them in published_hours.toml.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from isoflop.accuracy.published_hours import all_hours, costs
from isoflop.book import money
from isoflop.model import published

HOUR, YEAR, KWH = 3600.0, 8766 * 3600.0, 3.6e6
LIFETIME, UTILISATION, ELECTRICITY = 4 * YEAR, 0.8, 0.08 / KWH
"""Of a chip of one's own: how long it is written off, what share of that it works, USD a joule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBeside:
    """One run by one method: Epoch's figure and ours [USD]; `price` is ours a chip-second, nan for a purchase."""

    run: str
    method: str
    device: str
    chip_time: float
    published: float
    ours: float
    price: float
    taken: str

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.published


METHODS = ("capital and energy", "cloud rent", "buying all chips")

WHY = (
    ("the three methods answer different questions: what was used up, what renting would have cost, and what had to be"
    " bought before it could begin; one run differs 17 to 110 times between them"),
    ("capital and energy: Epoch takes TDP x a server factor x 0.75 for power, 6.7 to 8.3 cents a kWh by year, PUE 1.1"
    " or 1.25; ours takes the whole node's rated power, 8 cents, PUE 1.1, and 4 years at 80 % use"),
    "cloud rent: both are chip-hours times a price; the prices are of other days and providers, and spread sixfold",
    ("buying: ours is a chip with its share of a server, times the chips that are stated; the network between them is"
    " not in it"),
)  # fmt: skip
"""Why they differ, as far as what was read of Epoch's model tells."""


def costs_beside() -> tuple[CostBeside, ...]:
    """Every run whose cost Epoch gives, three lines each."""
    hours = {one.name: one.stated for one in all_hours()}
    chips = {run.model: run.use.chips for run in published.runs()}
    found = []
    for one in costs():
        spent = hours[one.run] or 0.0
        owned = float(
            money.owned_price(one.chip_capital, LIFETIME, UTILISATION, one.chip_power, ELECTRICITY)
        )  # fmt: skip
        rent, many = one.rent / HOUR, chips.get(one.run) or 0.0
        taken = (
            f"${one.chip_capital:,.0f} a chip, {one.chip_power:g} W",
            f"${one.rent:g} an hour",
            f"{many:,.0f} chips at ${one.chip_capital:,.0f}",
        )
        ours = (spent * owned, float(money.train_cost(spent, rent)), many * one.chip_capital)
        for method, theirs, own, price, said in zip(
            METHODS, (one.capital, one.cloud, one.purchase), ours, (owned, rent, nan), taken, strict=True
        ):
            found.append(
                CostBeside(
                    run=one.run, method=method, device=one.device, chip_time=spent, published=theirs, ours=own,
                    price=price, taken=said,
                )
            )  # fmt: skip
    return tuple(found)


RUMOUR = "GPT-4 (rumour)"
PEAK = 312e12
"""FLOP/s of an A100, bf16 dense."""
DAYS = (90, 95, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What the rumoured figures come to if training took `time` seconds: chip-seconds, MFU, USD a chip-second."""

    time: float
    chip_time: float
    mfu: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rumour:
    """GPT-4 as rumoured: as printed, `implied_active` parameters from FLOP and tokens, and `closings` by the days."""

    flops: float
    tokens: float
    active_params: float
    chips: float
    cost: float
    implied_active: float
    closings: tuple[Closing, ...]


def rumour() -> Rumour:
    """Whether GPT-4's rumoured figures hang together; not whether they are true."""
    run = next(one for one in published.runs() if one.model == RUMOUR)
    flops, tokens, chips, cost = run.work.flops_printed, run.work.tokens, run.use.chips, run.cost
    assert flops
    assert tokens
    assert chips
    assert cost
    closings = []
    for days in DAYS:
        spent = chips * days * 86400.0
        share = flops / (spent * PEAK)
        closings.append(Closing(time=days * 86400.0, chip_time=spent, mfu=share, price=cost / spent))
    return Rumour(
        flops=flops, tokens=tokens, active_params=run.work.active_params or nan, chips=chips, cost=cost,
        implied_active=flops / (6.0 * tokens), closings=tuple(closings),
    )  # fmt: skip


__all__ = ["METHODS", "WHY", "Closing", "CostBeside", "Rumour", "costs_beside", "rumour"]
