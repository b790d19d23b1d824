"""Reads grids in bulk: one table a source with its unit and year, one line a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop.hardware import schema
from isoflop.hardware.schema import Place, figure
from isoflop.hardware.site import Grid
from isoflop.hardware.spec import Figure
from isoflop.quantity import read_toml

if TYPE_CHECKING:
    from pathlib import Path


class RawTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[table]]: `values` are title and intensity by name, and the year where it is not the table's."""

    kind: Literal["country", "region", "cloud"]
    source: str
    unit: str
    values: dict[str, tuple[str | int | float, ...]]
    year: int | None = None
    note: str = ""


class RawTables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole file of grid tables."""

    table: tuple[RawTable, ...]


def read_grid_tables(path: str | Path) -> tuple[Grid, ...]:
    """The grids of all tables of a file, in its order."""
    place = Place(str(path))
    raw = schema.convert(read_toml(path), RawTables, place)
    found: list[Grid] = []
    for row, table in enumerate(raw.table, start=1):
        here = place.at(f"table.{row}")
        one = figure({"value": 1.0, "unit": table.unit, "source": table.source}, schema.INTENSITY, here)
        found += [_grid(name, value, table, one, here) for name, value in table.values.items()]
    return tuple(found)


def _grid(name: str, value: tuple[str | int | float, ...], table: RawTable, one: Figure, place: Place) -> Grid:
    """One line of a table; `one` is an intensity of 1 in the table's unit, checked."""
    title, amount, *years = value if len(value) in {2, 3} else ("", "")
    if not isinstance(title, str) or not title or isinstance(amount, str) or any(not isinstance(y, int) for y in years):
        raise place.at(name).refuse('has to be ["title", intensity] or ["title", intensity, year].')
    if amount <= 0:
        raise place.at(name).refuse(f"{amount:g} is not positive; leave out what is not known.")
    year = int(years[0]) if years else table.year
    date = None if year is None else schema.day(str(year), place.at(name))
    intensity = Figure(value=amount * one.value, unit=table.unit, source=table.source, date=date)
    return Grid(name=name, title=title, kind=table.kind, year=year, intensity=intensity, note=table.note)
