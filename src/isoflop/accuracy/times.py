"""The step time of a row: its readings on its device, with the 80 % interval."""

from __future__ import annotations

from functools import lru_cache
from math import exp, hypot, log
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import MissingData, UnknownName
from isoflop.hardware import device
from isoflop.kernel import chip_of, profile_of, profiles
from isoflop.training.step import step_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.accuracy.rows import Settings
    from isoflop.accuracy.runs import Case
    from isoflop.kernel import Chip, Profile

TO_80 = 1.2816 / 1.6449
"""From a 5 to 95 % interval to a 10 to 90 % one, in logarithms, where the spread is normal in them."""

MOST_READINGS = 6
"""Readings of a row that its interval looks at; the likeliest come first."""

READING = 0.5
"""Share of the way to the farthest other reading that counts as one 80 % half-width: the likeliest is mostly right."""

ESTIMATED = 1.05
"""How far off a step may be where a figure of the device or its node is an estimate."""


class Times(NamedTuple):
    """Seconds of a step: middle and the 10 and 90 % points."""

    middle: float
    low: float
    high: float


@lru_cache(maxsize=1024)
def chip_of_row(gpu: str, node_chips: int | None) -> Chip:
    """What the row ran on. Raises: MissingData naming the column, for what is not in the catalogue."""
    if not gpu:
        raise MissingData("column gpu is empty: no step time")
    try:
        return chip_of(device(gpu), node_chips=node_chips)
    except UnknownName as error:
        raise MissingData(f"column gpu: {error}") from error


def reading_spread(cases: Sequence[Case], chip: Chip, profile: Profile) -> tuple[float, float]:
    """How far below and above the likeliest reading the others let the interval reach, in logarithms."""
    found = [float(step_time(*case, chip, profile).total.item()) for case in cases[:MOST_READINGS]]
    return READING * log(found[0] / min(found)), READING * log(max(found) / found[0])


def times_of(row: Settings, cases: Sequence[Case], profile: Mapping[str, Profile] | None = None) -> Times:
    """Step time of the likeliest of legal readings; the others, and what was estimated, widen its interval."""
    chip = chip_of_row(row.gpu, row.gpus_per_node)
    made = chip.own or (profile or profiles())[profile_of(chip)[0]]
    middle = float(step_time(*cases[0], chip, made).total.item())
    spread = hypot(log(made.spread), log(ESTIMATED) if chip.notes else 0.0) * TO_80
    below, above = (hypot(spread, one) for one in reading_spread(cases, chip, made))
    return Times(middle, middle * exp(-below), middle * exp(above))
