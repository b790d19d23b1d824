"""Days and dollars of a run: steps times step time over goodput, chips times that times a price."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.hardware.tariff import Tariff, tariff_of
from isoflop.training.goodput import GOODPUT

if TYPE_CHECKING:
    from isoflop.training.inverse import Need


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


__all__ = ["Bill", "Order", "Tariff", "bill_of", "tariff_of"]
