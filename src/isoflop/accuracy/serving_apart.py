"""Rows of serving kept aside from a fit by model family and by device, and how wide intervals have to be for them."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.accuracy.serving import QUANTITIES
from isoflop.accuracy.serving_fit import constants_of, fitted_vector, moved, numbers_of, prior, residuals, slopes_at
from isoflop.accuracy.serving_items import predicted, table_of
from isoflop.accuracy.toml_text import toml_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isoflop.accuracy.serving_fit import Numbers
    from isoflop.accuracy.serving_items import Item, Table
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.rates import Constants

FEW = 12
"""Residuals that a kind of case needs for an interval of its own."""

LEVEL = 0.8
NARROWEST = 1.04


def family_of(item: Item) -> str:
    """The family of a model: rows of it are kept aside together."""
    return item.row.settings.model_family or item.reading.deployment.model.name


def device_of(item: Item) -> str:
    """The chip, whatever its board: H100 SXM and PCIe are kept aside together."""
    name = item.reading.deployment.device.name
    chip = name.partition("-")[0]
    return name if chip in {"rtx", "gtx", "arc"} else chip


ASIDE: dict[str, Callable[[Item], str]] = {"family": family_of, "device": device_of}
"""Ways to keep rows aside, and what they go by."""


def made(items: Sequence[Item]) -> tuple[Constants, Table, dict[str, FloatArray]]:
    """(constants fitted to items, the items as a table, residuals of every target: fitted, family and device apart)."""
    base, table = prior(), table_of(items)
    numbers = numbers_of(items, base)
    used = np.array([not one.doubt for one in items])
    vector = fitted_vector(table, numbers, used)
    left = {"fitted": residuals(table, predicted(table, numbers.rates(vector)))}
    slopes = slopes_at(table, numbers, vector)
    for name, key in ASIDE.items():
        left[name] = _apart(table, numbers, used, (vector, slopes), np.array([key(one) for one in items]))
    said = f"{int(used.sum())} rows of {len({one.row.source for one in items})} sources, each counted evenly"
    found = constants_of(base, numbers, vector, said)
    return msgspec.structs.replace(found, interval=intervals(table, left)), table, left


def _apart(
    table: Table, numbers: Numbers, used: FloatArray, fitted: tuple[FloatArray, FloatArray], keys: FloatArray
) -> FloatArray:
    """Residuals of each target under constants fitted without all items that share its key.

    `fitted`: the vector of all rows and its slopes, from which each of these fits starts.
    """
    owner = np.array([target.item for target in table.targets])
    found = np.zeros(len(owner))
    for key in sorted(set(keys)):
        vector, _ = moved(table, numbers, used & (keys != key), *fitted, rounds=8)
        outside = keys[owner] == key
        found[outside] = residuals(table, predicted(table, numbers.rates(vector)))[outside]
    return found


def intervals(table: Table, left: dict[str, FloatArray]) -> dict[str, dict[str, float]]:
    """The factor that 80 % of rows kept aside stay in, by quantity and kind of case; what rows add is taken off."""
    wide = np.array([log(table.items[target.item].reading.wide) for target in table.targets])
    groups = [groups_of(table.items[target.item]) for target in table.targets]
    found: dict[str, dict[str, float]] = {}
    for quantity in QUANTITIES:
        mine = np.array([target.quantity == quantity for target in table.targets])
        by_group: dict[str, float] = {}
        for group in sorted({name for names in groups for name in names}):
            rows = np.flatnonzero(mine & np.array([group in names for names in groups]))
            if len(rows) >= FEW or (group == "all" and len(rows)):
                needed = [np.sqrt(np.maximum(left[name][rows] ** 2 - wide[rows] ** 2, 0.0)) for name in ASIDE]
                half = float(np.quantile(np.concatenate(needed), LEVEL))
                by_group[group] = float(f"{max(NARROWEST, np.exp(half)):.4g}")
        found[quantity] = by_group
    return found


def groups_of(item: Item) -> tuple[str, str, str]:
    """Kinds of cases that a row belongs to, the narrowest first."""
    mixed = "experts" if float(np.asarray(item.case.experts)) > 0 else "dense"
    return f"{item.keys.software}/{mixed}", item.keys.software, "all"


def pace_text(found: Constants) -> str:
    """The file of constants, a line a table."""
    lines = [
        "# Constants of inference: shares of peaks, waits and how requests queue. `make profiles` writes this file",
        "# from accuracy/priors/serving/pace.toml, where each is explained, and rows/serving.csv. Ratios by device,",
        "# software and era multiply the base; a class without an entry has the base.",
        f"fitted = {toml_value(found.fitted)}",
        "",
        "[eras]",
    ]
    for name, eras in found.eras.items():
        listed = ",\n".join(f"  {toml_value(_said(msgspec.to_builtins(one)))}" for one in eras)
        lines.append(f"{toml_value(name)} = [\n{listed},\n]")
    lines.append("\n[interval]  # the factor that 80 % of rows kept aside stay in")
    lines += [f"{name} = {toml_value(dict(table))}" for name, table in found.interval.items()]
    for name, slot in found.slots.items():
        lines.append(f"\n[slots.{name}]")
        lines += [f"{key} = {toml_value(value)}" for key, value in msgspec.to_builtins(slot).items() if value]
    return "\n".join(lines) + "\n"


def _said(plain: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in plain.items() if value}
