"""Days and dollars of a run: steps times step time over goodput, chips times that times a price."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.errors import BadInput, MissingData
from isoflop.quantity import quantity, read
from isoflop.training.goodput import GOODPUT

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.training.inverse import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a chip costs a second [USD], and in words whose price that is."""

    amount: float
    note: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a bill is asked for: `tokens` to train on, within `deadline` seconds where there is one, at a price.

    `goodput` is the share of the time in which steps are made that count.
    """

    tokens: float
    tariff: Tariff | None = None
    deadline: float | None = None
    goodput: float = GOODPUT

    def __post_init__(self) -> None:
        if not 0 < self.goodput <= 1:
            raise BadInput(f"goodput = {self.goodput:g}: give a share above 0 % and up to 100 %")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What training on the tokens takes: seconds and dollars with 5 and 95 % (of the step time alone).

    `cost` is None where no price is known; `late` by how much the point misses the deadline, 0 where it is kept.
    """

    order: Order
    chips: int
    steps: int
    time: float
    time_low: float
    time_high: float

    @property
    def chip_time(self) -> float:
        """Chip-seconds."""
        return self.time * self.chips

    @property
    def cost(self) -> float | None:
        """Dollars."""
        return None if self.order.tariff is None else self.chip_time * self.order.tariff.amount

    @property
    def cost_interval(self) -> tuple[float, float] | None:
        """5 and 95 % of the dollars."""
        if self.order.tariff is None:
            return None
        each = self.chips * self.order.tariff.amount
        return self.time_low * each, self.time_high * each

    @property
    def late(self) -> float:
        """Seconds by which the point misses the deadline."""
        return 0.0 if self.order.deadline is None else max(0.0, self.time - self.order.deadline)


def tariff_of(device: Device, *, price: str = "", folder: str = "", **wish: str) -> Tariff | None:
    """The price of a device as `plan` takes it: given, of a price file, or chosen; None where none is known.

    `wish` holds provider, commitment, region, as_of. Raises: MissingData where a wish cannot be met.
    """
    if price and not price.lower().endswith(".toml"):
        if wish:
            raise BadInput(f"a price is given, so {', '.join(wish)} cannot choose another one; leave one of them out")
        got = read(price, quantity("price"))
        return Tariff(amount=got.spread.median, note="as given", source="given")
    try:
        chosen = hardware.choose_price(price or device, folder=folder, **wish).price
    except MissingData:
        if wish or price:
            raise
        return None
    words = (chosen.provider, chosen.region, chosen.commitment, str(chosen.date or "undated"))
    return Tariff(amount=chosen.amount, note=", ".join(word for word in words if word), source=chosen.source)


def bill_of(held: Need, order: Order) -> Bill | None:
    """The bill of a layout; None where its pace is not known."""
    if held.pace is None:
        return None
    steps = max(1, ceil(order.tokens / (held.run.batch * held.run.sequence) - 1e-9))
    each = steps / order.goodput
    return Bill(
        order=order,
        chips=held.layout.chips,
        steps=steps,
        time=each * held.pace.step,
        time_low=each * held.pace.low,
        time_high=each * held.pace.high,
    )
