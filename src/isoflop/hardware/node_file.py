"""Reads node and grid files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop.hardware import schema
from isoflop.hardware.schema import Place, Table, figure
from isoflop.hardware.site import Fabric, Grid, Node
from isoflop.quantity import read_toml

if TYPE_CHECKING:
    from isoflop.hardware.spec import Figure
    from isoflop.quantity import Unit


class RawNode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole node file."""

    title: str
    device: str
    chips: int
    domain: int | None = None
    nics: int | None = None
    notes: tuple[str, ...] = ()
    network: Table | None = None
    host_link: Table | None = None
    host_memory: Table | None = None
    storage: Table | None = None
    power: Table | None = None


class RawGrid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[grid]]."""

    name: str
    title: str
    kind: Literal["country", "region", "cloud", "owner"]
    intensity: Table
    year: int | None = None
    note: str = ""


class RawGrids(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole grid file."""

    grid: tuple[RawGrid, ...]


def read_node(path: str | Path, *, name: str = "", aliases: tuple[str, ...] = ()) -> Node:
    """The node that a file describes; it is called `name`, else as the file is."""
    place = Place(str(path))
    raw = schema.convert(read_toml(path), RawNode, place)
    domain = raw.chips if raw.domain is None else raw.domain
    for key, count in {"chips": raw.chips, "domain": domain, "nics": raw.nics}.items():
        if count is not None and not 1 <= count <= 1_000_000:
            raise place.at(key).refuse(f"{count} is no count; it has to be at least 1.")
    if raw.nics is None and raw.network is not None:
        raise place.at("nics").refuse("is missing, though [network] is given; it is the sum over all NICs.")
    return Node(
        name=name or Path(path).name.removesuffix(".toml"),
        title=raw.title,
        device=raw.device,
        chips=raw.chips,
        fabric=Fabric(
            domain=domain,
            nics=raw.nics,
            network=_maybe(raw.network, schema.NODE_BANDWIDTH, place.at("network")),
            host_link=_maybe(raw.host_link, schema.BANDWIDTH, place.at("host_link")),
        ),
        host_memory=_maybe(raw.host_memory, schema.NODE_BYTES, place.at("host_memory")),
        storage=_maybe(raw.storage, schema.NODE_BANDWIDTH, place.at("storage")),
        power=_maybe(raw.power, schema.NODE_POWER, place.at("power")),
        aliases=aliases,
        notes=raw.notes,
    )


def _maybe(table: Table | None, due: Unit, place: Place) -> Figure | None:
    return None if table is None else figure(table, due, place)


def read_grids(path: str | Path) -> tuple[Grid, ...]:
    """The grids of a file, in its order."""
    place = Place(str(path))
    raw = schema.convert(read_toml(path), RawGrids, place)
    found = []
    for row, entry in enumerate(raw.grid, start=1):
        here = place.at(f"grid.{row}")
        if entry.year is not None and not 1980 <= entry.year <= 2100:
            raise here.at("year").refuse(f"{entry.year} is no year.")
        intensity = figure(entry.intensity, schema.INTENSITY, here.at("intensity"))
        grid = Grid(
            name=entry.name,
            title=entry.title,
            kind=entry.kind,
            year=entry.year,
            intensity=intensity,
            note=entry.note,
        )
        found.append(grid)
    return tuple(found)
