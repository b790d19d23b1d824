"""Rows of a table against the other rows: what a chip-hour costs and draws, by device.

A row is only held against others of its device, at least three of them, that agree with each other.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import inf, log
from statistics import median
from typing import TYPE_CHECKING

from isoflop.audit.document import Finding, Span
from isoflop.audit.world.found import slip_of
from isoflop.errors import BadInput
from isoflop.quantity import quantity, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.world.table import Table

ALIKE = log(2.0)
"""How far the other rows may lie from their median for it to stand for anything."""
APART = log(4.0)
"""How far a row must lie from it to be wrong: prices and power differ that much for good reasons."""
LEAST_OTHERS = 3

_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    line: int
    name: str
    said: float
    each: float


def outliers(table: Table, label: str) -> Iterator[tuple[str, Finding]]:
    """Which column, and what of it: costs and energies of rows that all others of their device are far from."""
    for key, what, scale in (("train_cost", "$", _HOUR), ("train_energy", "W", 1.0)):
        by_device: dict[str, list[_Cell]] = defaultdict(list)
        for line, row in zip(table.lines, table.rows, strict=True):
            held, said = _held(table, row), _value(table, row, key)
            device = row.get(table.columns["device"].header, "") if "device" in table.columns else ""
            if held and said and device:
                by_device[device.lower()].append(_Cell(line=line, name=row.get(label, ""), said=said, each=said / held))
        for cells in by_device.values():
            yield from ((key, found) for found in _apart(cells, (what, scale)))


def _apart(cells: list[_Cell], unit: tuple[str, float]) -> Iterator[Finding]:
    what, scale = unit
    for cell in cells:
        others = [one.each for one in cells if one is not cell]
        if len(others) < LEAST_OTHERS:
            return
        usual = median(others)
        ratio = cell.each / usual
        if abs(log(ratio)) < APART or sum(abs(log(one / usual)) > ALIKE for one in others) > len(others) / 4:
            continue
        slip = slip_of(ratio)
        shown = f"${scale * cell.each:.3g} a chip-hour" if what == "$" else f"{cell.each:.3g} W a chip"
        around = f"${scale * usual:.3g}" if what == "$" else f"{usual:.3g} W"
        reason = f"{cell.name}: {shown}, where the other rows of that device have about {around}"
        yield Finding(
            step=f"L{cell.line}",
            span=Span(line=cell.line),
            level="world",
            kind=slip[0] if slip else "contradiction",
            reason=f"{reason}{f'; {slip[1]}' if slip else ''}.",
            factor=ratio,
            says=cell.said,
            recomputed=cell.said / ratio,
        )


def _held(table: Table, row: Mapping[str, str]) -> float | None:
    """Chip-seconds of a row: as said, else chips times time."""
    said = _value(table, row, "chip_time")
    if said:
        return said
    chips, time = _value(table, row, "chips"), _value(table, row, "train_time")
    return chips * time if chips and time else None


def _value(table: Table, row: Mapping[str, str], key: str) -> float | None:
    column = table.columns.get(key)
    cell = row.get(column.header, "") if column else ""
    if column is None or not cell:
        return None
    try:
        value = float(read(f"{cell} {column.unit}".strip(), quantity(key)).spread.median)
    except BadInput:
        return None
    return value if 0 < value < inf else None
