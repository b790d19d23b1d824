"""How the best layout fares on fewer and on more chips, at the same batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop.training.pace import rates_of
from isoflop.training.search import search_layouts

if TYPE_CHECKING:
    from isoflop.training.advice import Advice
    from isoflop.training.inverse import Need

OCTAVES = 4
"""Halvings and doublings tried on either side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """The best layout of a number of chips, and its model FLOP utilisation with 5 and 95 %.

    `beaten`: some other number of chips is at least as fast at no more chip-seconds a step, so nobody would choose it.
    """

    chips: int
    need: Need
    mfu: float
    low: float
    high: float
    beaten: bool = False


def at_scales(advice: Advice) -> list[Scaled]:
    """The best layouts of halved and doubled numbers of chips that have one, fewest chips first."""
    held, place = advice.held, advice.place
    if held is None or place.machine is None:
        return []
    chips, run = held.layout.chips, advice.given or advice.run
    counts = [chips >> octave for octave in range(OCTAVES, 0, -1) if chips % (1 << octave) == 0]
    counts += [chips << octave for octave in range(OCTAVES + 1)]
    found = []
    for count in counts:
        best = search_layouts(run, count, place.domain, place.capacity, place.machine).best
        if not best or best[0].pace is None:
            continue
        rates = rates_of(best[0].run, best[0].layout, best[0].pace, place.machine)
        mfu, pace = rates.utilisation["model"], best[0].pace
        low, high = mfu * pace.step / pace.high, mfu * pace.step / pace.low
        found.append(Scaled(chips=count, need=best[0], mfu=mfu, low=low, high=high))
    return [replace(one, beaten=any(_beats(other, one) for other in found)) for one in found]


def _beats(other: Scaled, one: Scaled) -> bool:
    """Whether another number of chips is faster and takes no more chip-seconds."""
    if other.need.pace is None or one.need.pace is None:
        return False
    step, its = one.need.pace.step, other.need.pace.step
    return its < step and its * other.chips <= step * one.chips
