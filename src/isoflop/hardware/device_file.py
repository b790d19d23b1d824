"""Reads a device file: one TOML table a subject, one inline table a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop.hardware import schema
from isoflop.hardware.schema import Place, Table, figure
from isoflop.hardware.spec import Device, Disagreement, Identity, Link, Memory, Parts, Rates, Review, SoldName, Topology
from isoflop.quantity import read_toml

if TYPE_CHECKING:
    from isoflop.hardware.spec import Figure
    from isoflop.quantity import Unit

Kind = Literal["GPU", "TPU", "ASIC", "APU", "SoC", "CPU"]


class RawMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[memory]."""

    kind: str = ""
    labelled: Table | None = None
    physical: Table | None = None
    usable: Table | None = None
    bandwidth: Table | None = None


class RawLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[link] or [bridge]."""

    kind: str
    topology: Topology
    per_direction: Table | None = None
    links: int | None = None
    peers: int | None = None
    note: str = ""


class RawSold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of parts.sold."""

    pattern: str
    counts: Literal["core", "chip"]


class RawParts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[parts]."""

    dies: int | None = None
    cores: int | None = None
    sold: tuple[RawSold, ...] = ()


class RawDisagreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[disagreements]]."""

    figure: str
    set: str
    value: float
    unit: str
    note: str = ""


class RawDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    title: str
    vendor: str
    kind: Kind
    year: int
    architecture: str = ""
    notes: tuple[str, ...] = ()
    agrees: tuple[str, ...] = ()
    peak_rate: Table = {}
    sparse_rate: Table = {}
    achievable_rate: Table = {}
    memory: RawMemory = RawMemory()
    link: RawLink | None = None
    bridge: RawLink | None = None
    power: Table | None = None
    parts: RawParts = RawParts()
    disagreements: tuple[RawDisagreement, ...] = ()
    profile: Table | None = None


def read_device(path: str | Path, *, name: str = "", aliases: tuple[str, ...] = ()) -> Device:
    """The device that a file describes; it is called `name`, else as the file is."""
    return device_of(read_toml(path), Place(str(path)), name=name or Path(path).stem, aliases=aliases)


def device_of(tables: Table, place: Place, *, name: str, aliases: tuple[str, ...] = ()) -> Device:
    """The device that tables describe."""
    raw = schema.convert(tables, RawDevice, place)
    if not 1980 <= raw.year <= 2100:
        raise place.at("year").refuse(f"{raw.year} is no year of release.")
    identity = Identity(
        title=raw.title, vendor=raw.vendor, kind=raw.kind, year=raw.year, architecture=raw.architecture, aliases=aliases
    )
    power = place.at("power")
    return Device(
        name=name,
        identity=identity,
        rates=_rates(raw, place),
        memory=_memory(raw.memory, place.at("memory")),
        link=_link(raw.link, place.at("link")),
        bridge=_link(raw.bridge, place.at("bridge")),
        tdp=None if raw.power is None else figure(_only(raw.power, "tdp", power), schema.POWER, power.at("tdp")),
        parts=_parts(raw.parts, place.at("parts")),
        review=Review(agrees=raw.agrees, disagreements=_disagreements(raw, place), notes=raw.notes),
        profile=raw.profile,
    )


def _only(table: Table, key: str, place: Place) -> object:
    for found in table:
        if found != key:
            raise place.at(found).refuse(f"is not known here; known is: {key}.")
    return table.get(key)


def _rates(raw: RawDevice, place: Place) -> Rates:
    peak = schema.rates(raw.peak_rate, place.at("peak_rate"))
    sparse = schema.rates(raw.sparse_rate, place.at("sparse_rate"), sparse=True)
    achievable = schema.rates(raw.achievable_rate, place.at("achievable_rate"))
    if not peak:
        raise place.at("peak_rate").refuse("is missing or empty; give at least one dense peak.")
    schema.check_sparse_above_dense(peak, sparse, place)
    schema.check_achievable_below_peak(peak, achievable, place)
    return Rates(peak=peak, sparse=sparse, achievable=achievable)


def _memory(raw: RawMemory, place: Place) -> Memory:
    memory = Memory(
        kind=raw.kind,
        labelled=_maybe(raw.labelled, schema.BYTES, place.at("labelled")),
        physical=_maybe(raw.physical, schema.BYTES, place.at("physical")),
        usable=_maybe(raw.usable, schema.BYTES, place.at("usable")),
        bandwidth=_maybe(raw.bandwidth, schema.BANDWIDTH, place.at("bandwidth")),
    )
    if memory.usable and memory.physical and memory.usable.value > memory.physical.value:
        raise place.at("usable").refuse("is above the physical memory.")
    return memory


def _maybe(table: Table | None, due: Unit, place: Place) -> Figure | None:
    return None if table is None else figure(table, due, place)


def _link(raw: RawLink | None, place: Place) -> Link | None:
    if raw is None:
        return None
    _counts(place, links=raw.links, peers=raw.peers)
    return Link(
        kind=raw.kind,
        topology=raw.topology,
        per_direction=_maybe(raw.per_direction, schema.BANDWIDTH, place.at("per_direction")),
        links=raw.links,
        peers=raw.peers,
        note=raw.note,
    )


def _parts(raw: RawParts, place: Place) -> Parts:
    _counts(place, dies=raw.dies, cores=raw.cores)
    for sold in raw.sold:
        if "{n}" not in sold.pattern:
            raise place.at("sold.pattern").refuse("has to hold {n}, the number in the name.")
        if sold.counts == "core" and raw.cores is None:
            raise place.at("cores").refuse("is missing, though a name counts cores.")
    return Parts(
        dies=raw.dies,
        cores=raw.cores,
        sold=tuple(SoldName(pattern=sold.pattern, counts=sold.counts) for sold in raw.sold),
    )


def _counts(place: Place, **counts: int | None) -> None:
    for key, count in counts.items():
        if count is not None and not 1 <= count <= 1_000_000:
            raise place.at(key).refuse(f"{count} is no count; it has to be at least 1.")


_DUE = {
    "memory.labelled": schema.BYTES,
    "memory.physical": schema.BYTES,
    "memory.usable": schema.BYTES,
    "memory.bandwidth": schema.BANDWIDTH,
    "link.per_direction": schema.BANDWIDTH,
    "bridge.per_direction": schema.BANDWIDTH,
    "power.tdp": schema.POWER,
}


def _disagreements(raw: RawDevice, place: Place) -> tuple[Disagreement, ...]:
    found = []
    for row, entry in enumerate(raw.disagreements, start=1):
        here = place.at(f"disagreements.{row}")
        due = schema.RATE if entry.figure.startswith("peak_rate.") else _DUE.get(entry.figure)
        if due is None:
            raise here.at("figure").refuse(f"'{entry.figure}' is no figure of a device, like peak_rate.bf16.")
        if not entry.set.strip():
            raise here.at("set").refuse("is empty; name the public set that prints this.")
        value = figure({"value": entry.value, "unit": entry.unit, "source": entry.set}, due, here).value
        found.append(Disagreement(figure=entry.figure, set=entry.set, value=value, unit=entry.unit, note=entry.note))
    return tuple(found)
