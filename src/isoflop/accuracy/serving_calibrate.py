"""Constants of inference moved by a few measured rows of one's own: what `isoflop calibrate serving` does.

Only ratios of the device class, the software and its era move, each near its shipped value; the bases, which all
devices share, stand still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.accuracy.serving_apart import groups_of
from isoflop.accuracy.serving_fit import fitted_vector, numbers_of, prior, residuals
from isoflop.accuracy.serving_items import predicted, table_of
from isoflop.serving.rates import RATIOS, constants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy.serving_items import Item, Table
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.rates import Constants

HELD, STILL = 0.7, 1e-3
"""Spread of a ratio over the one that the fit of shipped constants has; and what holds a base where it is."""

NARROWEST = 1.05

Changes = dict[str, dict[str, dict[str, dict[str, float]]]]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What a calibration changes, as tables for a file, and residuals of every target before and after."""

    changes: Changes
    quantities: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


def calibrated(items: Sequence[Item]) -> Calibration:
    """Constants moved by these rows."""
    start, table = _loosened(), table_of(items)
    numbers = numbers_of(items, start)
    vector = fitted_vector(table, numbers, np.ones(len(items)), rounds=6)
    before = residuals(table, predicted(table, numbers.rates(numbers.start)))
    after = residuals(table, predicted(table, numbers.rates(vector)))
    slots: dict[str, dict[str, dict[str, float]]] = {}
    for place, old, new in zip(numbers.places, numbers.start, vector, strict=True):
        if place.table in RATIOS and abs(new - old) > STILL:
            slots.setdefault(place.slot, {}).setdefault(place.table, {})[place.key] = float(f"{np.exp(new):.4g}")
    return Calibration(
        changes={"slots": slots, "interval": _intervals(table, after)},  # type: ignore[dict-item]
        quantities=tuple(target.quantity for target in table.targets),
        before=tuple(before.tolist()),
        after=tuple(after.tolist()),
    )


def _loosened() -> Constants:
    """The shipped constants with how far a few rows may move each table."""
    spreads = {name: slot.spread for name, slot in prior().slots.items()}
    plain = msgspec.to_builtins(constants())
    for name, slot in plain["slots"].items():
        ratios = {table: HELD * spread for table, spread in spreads[name].items() if table in RATIOS}
        slot["spread"] = {"base": STILL, "software": HELD * spreads[name]["base"], **ratios}
    return msgspec.convert(plain, type(constants()))


def _intervals(table: Table, after: FloatArray) -> dict[str, dict[str, float]]:
    """Intervals of the kinds of cases at hand, the narrower the more rows there were and the nearer they came."""
    found: dict[str, dict[str, float]] = {}
    for quantity, shipped in constants().interval.items():
        for group in {groups_of(item)[0] for item in table.items}:
            own = [
                abs(float(left))
                for target, left in zip(table.targets, after, strict=True)
                if target.quantity == quantity and groups_of(table.items[target.item])[0] == group
            ]
            if own:
                usual = shipped.get(group, shipped.get(group.partition("/")[0], shipped["all"]))
                half = max(np.log(usual) / np.sqrt(1 + len(own)), 1.28 * float(np.mean(own)), np.log(NARROWEST))
                found.setdefault(quantity, {})[group] = float(f"{min(np.exp(half), usual):.4g}")
    return found
