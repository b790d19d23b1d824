"""Prices from SkyPilot's catalogue files (catalogs/vN/CLOUD/vms.csv) as they are.

What the files do that a reader has to know: columns come in any order and some are missing; a price is for the whole
instance; Google Cloud lists hosts and accelerators in rows of their own, to be added; a TPU slice counts as one
accelerator whatever its size; 700.0 there means "no price"; counts are written 8 or 8.0; a spot price may be empty, or
merely repeat the other; rows are doubled; zones of a region differ. GpuInfo is not read: its memory is in no one unit.
Nothing is fetched: the caller brings the files. What cannot be priced is left out and counted, by reason.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import BadFile, IsoflopError, shorten
from isoflop.hardware.site import Price, Sale
from isoflop.hardware.skypilot_names import devices_meant, host_family, provider_of, tpu_chips
from isoflop.quantity import read_text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike

    from isoflop.hardware.site import Commitment

MOST_BYTES = 64_000_000
NEEDED = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region")
NO_PRICE = 700.0
"""What Google Cloud's rows hold where there is no price, for one chip and for 256 alike."""

HOUR = 3600.0


class Row(NamedTuple):
    """One line of a file, read: prices in USD per hour of the whole instance, None where there is none."""

    instance: str
    accelerator: str
    accelerators: float
    cpus: float
    region: str
    zone: str
    price: float | None
    spot: float | None


class Offer(NamedTuple):
    """What is rented as a whole: how many chips, its noun and name, and its prices in USD per hour."""

    row: Row
    noun: str
    name: str
    chips: int
    price: float | None
    spot: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The prices that files hold, and how many rows were left out for which reason."""

    prices: tuple[Price, ...]
    left_out: Mapping[str, int]


def read_catalogue(place: str | PathLike[str], *, cloud: str = "", date: dt.date | None = None) -> Catalogue:
    """The prices of a `vms.csv`, or of every CLOUD/vms.csv below a folder.

    Args:
        place: The file, or a folder of clouds.
        cloud: SkyPilot's name of the cloud; else that of the folder that holds the file.
        date: The day the file is of; without it the prices have no date.
    """
    path = Path(place)
    files = sorted(path.glob("**/vms.csv")) if path.is_dir() else [path]
    if not files:
        raise BadFile(f"{shorten(str(place), most=200)}: no vms.csv below it. Give a vms.csv, or a folder of clouds.")
    prices: list[Price] = []
    left_out: Counter[str] = Counter()
    for file in files:
        prices += _prices(file, cloud or file.resolve().parent.name, date, left_out)
    return Catalogue(prices=tuple(prices), left_out=dict(sorted(left_out.items())))


def _prices(file: Path, cloud: str, date: dt.date | None, left_out: Counter[str]) -> list[Price]:
    is_google = cloud == "gcp"
    rows = list(dict.fromkeys(_rows(file, is_google=is_google)))
    hosts = _hosts(rows) if is_google else {}
    found: dict[tuple[tuple[str, ...], str, str, str], Price] = {}
    for row in rows:
        if not row.accelerator:
            continue
        offer = _offer(row, hosts, is_google=is_google)
        if isinstance(offer, str):
            left_out[offer] += 1
            continue
        meant = devices_meant(row.accelerator, row.instance or _host_name(row, hosts))
        if not meant:
            left_out[f"not catalogued: {shorten(row.accelerator, most=40)}"] += 1
            continue
        for commitment, amount in _asked(offer, left_out):
            price = _price(offer, meant, commitment, amount, cloud)
            price = replace(price, date=date, source=_source(file, cloud))
            key = (price.devices, price.sale.name, price.region, commitment)
            found[key] = _cheaper(found.get(key), price)
    return list(found.values())


def _source(file: Path, cloud: str) -> str:
    version = next((part for part in reversed(file.parts) if part[:1] == "v" and part[1:].isdigit()), "")
    return "/".join(part for part in ("skypilot-org/skypilot-catalog catalogs", version, cloud, file.name) if part)


def _rows(file: Path, *, is_google: bool) -> Iterator[Row]:
    text = read_text(file, most_bytes=MOST_BYTES)
    table = csv.DictReader(io.StringIO(text))
    try:
        missing = [name for name in NEEDED if name not in (table.fieldnames or ())]
        if missing:
            due = ", ".join(NEEDED)
            raise BadFile(f"{file}: no column {', '.join(missing)}; a SkyPilot catalogue file has {due}.")
        for line, cells in enumerate(table, start=2):
            yield _row(cells, f"{file}: line {line}", is_google=is_google)
    except csv.Error as error:
        raise BadFile(f"{file}: not a CSV file: {shorten(str(error))}.") from error


def _row(cells: Mapping[str, str | None], place: str, *, is_google: bool) -> Row:
    def text(column: str) -> str:
        return (cells.get(column) or "").strip()

    accelerator = "" if text("AcceleratorName").lower() == "nan" else text("AcceleratorName")
    sentinel = NO_PRICE if is_google or accelerator.startswith("tpu") else None
    prices = [_number(text(column), f"{place}: {column}") for column in ("Price", "SpotPrice")]
    price, spot = (None if value in {sentinel, 0.0} else value for value in prices)
    return Row(
        instance="" if text("InstanceType").lower() == "nan" else text("InstanceType"),
        accelerator=accelerator,
        accelerators=_number(text("AcceleratorCount"), f"{place}: AcceleratorCount") or 0.0,
        cpus=_number(text("vCPUs"), f"{place}: vCPUs") or 0.0,
        region=text("Region"),
        zone=text("AvailabilityZone"),
        price=price,
        spot=spot,
    )


def _number(text: str, place: str) -> float | None:
    if not text or text.lower() == "nan":
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise BadFile(f"{place}: '{shorten(text)}' is no number.") from error
    if not isfinite(value) or value < 0:
        raise BadFile(f"{place}: '{shorten(text)}' has to be finite and not negative.")
    return value


Hosts = dict[tuple[str, str], list[Row]]


def _hosts(rows: Iterable[Row]) -> Hosts:
    """Rows of machines without accelerators, by machine family and region, cheapest first."""
    found: Hosts = {}
    for row in rows:
        if row.instance and not row.accelerator and row.price is not None:
            found.setdefault((row.instance.partition("-")[0], row.region), []).append(row)
    for same in found.values():
        same.sort(key=lambda row: (row.price or 0.0, row.instance))
    return found


def _host(row: Row, hosts: Hosts) -> Row | None:
    """The machine that Google Cloud attaches these accelerators to: the cheapest that is meant for so many."""
    wanted = host_family(row.accelerator, int(row.accelerators))
    same = hosts.get((wanted.family, row.region), [])
    fitting = [host for host in same if wanted.takes(host.instance, host.cpus)]
    in_zone = [host for host in fitting if host.zone == row.zone]
    return next(iter(in_zone or fitting), None)


def _host_name(row: Row, hosts: Hosts) -> str:
    host = _host(row, hosts) if hosts and not row.accelerator.startswith("tpu") else None
    return host.instance if host else ""


def _offer(row: Row, hosts: Hosts, *, is_google: bool) -> Offer | str:
    """What is rented, or the reason why a row has no price per chip."""
    if row.accelerator.startswith("tpu"):
        try:
            chips = tpu_chips(row.accelerator)
        except IsoflopError:
            return f"not catalogued: {shorten(row.accelerator, most=40)}"
        return _priced(Offer(row, "slice", row.accelerator, chips, row.price, row.spot))
    if row.accelerators < 1 or row.accelerators != int(row.accelerators):
        return "a part of a chip" if 0 < row.accelerators < 1 else "no whole number of chips"
    if row.instance or not is_google:
        return _priced(Offer(row, "instance", row.instance, int(row.accelerators), row.price, row.spot))
    host = _host(row, hosts)
    if host is None:
        return "no host listed for it in its region"
    spot = None if row.spot is None or host.spot is None else row.spot + host.spot
    price = None if row.price is None or host.price is None else row.price + host.price
    return _priced(Offer(row, "instance", host.instance, int(row.accelerators), price, spot))


def _priced(offer: Offer) -> Offer | str:
    return "no price" if offer.price is None and offer.spot is None else offer


def _asked(offer: Offer, left_out: Counter[str]) -> Iterator[tuple[Commitment, float]]:
    if offer.price is not None:
        yield "on-demand", offer.price
    if offer.spot is not None and offer.spot == offer.price:
        left_out["spot price that repeats the on-demand one"] += 1
    elif offer.spot is not None:
        yield "spot", offer.spot


def _price(offer: Offer, meant: tuple[str, ...], commitment: Commitment, amount: float, cloud: str) -> Price:
    row, per_slice = offer.row, offer.noun == "slice"
    notes = []
    if len(meant) > 1:
        notes.append(f"listed as '{row.accelerator}', which leaves open which device is meant")
    if not row.instance and not per_slice:
        notes.append(f"accelerators and their host {offer.name} added")
    sale = Sale(
        text=f"${amount:.10g}/h/{offer.noun}",
        noun=offer.noun,
        chips=offer.chips,
        name=offer.name,
        listed_as=row.accelerator if len(meant) > 1 else "",
    )
    return Price(
        devices=meant,
        provider=provider_of(cloud),
        region=row.region,
        commitment=commitment,
        date=None,
        amount=amount / offer.chips / HOUR,
        sale=sale,
        source="",
        note="; ".join(notes),
    )


LOWEST = "the lowest of its region's zones"


def _cheaper(known: Price | None, price: Price) -> Price:
    """Of two prices of a region that differ by zone, the lower."""
    if known is None or known.amount == price.amount:
        return known or price
    lower = min(known, price, key=lambda one: one.amount)
    return lower if LOWEST in lower.note else replace(lower, note="; ".join(filter(None, (lower.note, LOWEST))))
