"""Reads a price file: rows that keep the text, the noun and the count of chips they are sold by."""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from isoflop.errors import BadInput, shorten
from isoflop.hardware import schema
from isoflop.hardware.schema import Place, Table
from isoflop.hardware.site import Commitment, Price, Sale
from isoflop.quantity import read_toml, unit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TIED = ("slice", "node", "instance")
"""Nouns that a price may be for, once a row ties them to chips."""

LEFT_OPEN = "The listing leaves open which of these is meant."
"""At the head of a written file of several devices; reading adds it to every row."""

MOST_CHIPS = 10_000_000
_AMOUNT = re.compile(r"\$ ?(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?) ?(?P<per>/.+)")
_WORD = re.compile(r"[a-z]+")
_TIE = re.compile(r"(?P<count>[0-9]{1,8}) chips?")
_PER_CHIP = unit("$/s/chip")


class RawPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[price]]: `slice`, `node` and `instance` tie that noun to chips ("32 chip"); `devices` narrows the file's."""

    provider: str
    commitment: Commitment
    amount: str
    source: str
    region: str = ""
    date: object = None
    slice: str | None = None
    node: str | None = None
    instance: str | None = None
    sold_as: str = ""
    listed_as: str = ""
    devices: tuple[str, ...] = ()
    via: str = ""
    note: str = ""


class RawPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. More than one device: the listing leaves open which is meant."""

    price: tuple[Table, ...]
    devices: tuple[str, ...] = ()
    listed_as: str = ""
    note: str = ""


def read_prices(path: str | Path) -> tuple[Price, ...]:
    """The prices that a file holds, in its order."""
    return prices_of(read_toml(path), Place(str(path)))


def own_prices(path: str | Path) -> tuple[Price, ...]:
    """The prices of a user's file; a device file holds none."""
    tables = read_toml(path)
    return () if "peak_rate" in tables and "price" not in tables else prices_of(tables, Place(str(path)))


def prices_of(tables: Table, place: Place) -> tuple[Price, ...]:
    """The prices that tables hold."""
    raw = schema.convert(tables, RawPrices, place)
    if len(raw.devices) > 1 and not raw.note:
        raise place.at("note").refuse("is missing; say what the listing leaves open when a file names several devices.")
    return tuple(_price(row, raw, place.at(f"price.{number}")) for number, row in enumerate(raw.price, start=1))


def _price(row: Table, file: RawPrices, place: Place) -> Price:
    raw = schema.convert(row, RawPrice, place)
    for key in ("provider", "source"):
        if not getattr(raw, key).strip():
            raise place.at(key).refuse("is empty; a price has to say who asked it and where that stands.")
    ties = {noun: _tie(text, place.at(noun)) for noun in TIED if (text := getattr(raw, noun))}
    amount, noun = _amount(raw.amount, ties, place)
    sale = Sale(
        text=raw.amount, noun=noun, chips=ties.get(noun, 1), name=raw.sold_as, listed_as=raw.listed_as or file.listed_as
    )
    devices = raw.devices or file.devices
    notes = [raw.note, file.note if len(devices) > 1 else "", f"via {raw.via}" if raw.via else ""]
    return Price(
        devices=devices,
        provider=raw.provider,
        region=raw.region,
        commitment=raw.commitment,
        date=_date(raw.date, place),
        amount=amount,
        sale=sale,
        source=raw.source,
        note="; ".join(note for note in notes if note),
    )


def _tie(text: str, place: Place) -> int:
    found = _TIE.fullmatch(text.strip())
    count = int(found["count"]) if found else 0
    if not 1 <= count <= MOST_CHIPS:
        raise place.refuse(f"'{shorten(text)}' is no number of chips; write it like \"32 chip\".")
    return count


def _amount(text: str, ties: dict[str, int], place: Place) -> tuple[float, str]:
    """USD/s/chip, and the noun that the text names."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise place.at("amount").refuse(
            f'\'{shorten(text)}\' is no price; write it like "$3.22/h/chip" or "$33,849/month/slice".'
        )
    noun = next((word for word in _WORD.findall(found["per"]) if word in TIED), "chip")
    if noun != "chip" and noun not in ties:
        raise place.at("amount").refuse(
            f"'{shorten(text)}': say how many chips that is for, like {noun} = \"32 chip\"."
        )
    try:
        per = _per(found["per"], tuple(ties.items()))
    except BadInput as error:
        raise place.at("amount").refuse(str(error)) from error
    if per is None:
        raise place.at("amount").refuse(f"'{shorten(text)}' is no price per time and chip, like $3.22/h/chip.")
    amount = float(found["number"].replace(",", "")) * per
    if amount <= 0:
        raise place.at("amount").refuse("is not positive; leave out what is not known.")
    return amount, noun


@lru_cache(maxsize=1024)
def _per(text: str, ties: tuple[tuple[str, int], ...]) -> float | None:
    """USD/s/chip in one dollar "/month/slice", None where that is no price of a chip."""
    per = unit("$" + text, {tied: unit("chip") * count for tied, count in ties})
    return per.scale if per.same_kind(_PER_CHIP) else None


def _date(value: object, place: Place) -> dt.date | None:
    if value is None:
        return None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    raise place.at("date").refuse(f"'{shorten(str(value))}' is no day; write date = 2023-03-29, without quotes.")


def price_files(prices: Iterable[Price]) -> dict[str, str]:
    """Prices as the text of price files, by file name; what may mean several devices stands in files of its own."""
    grouped: dict[str, list[Price]] = {}
    for price in prices:
        grouped.setdefault(_file_name(price.devices), []).append(price)
    return {f"{name}.toml": _file_text(rows) for name, rows in sorted(grouped.items())}


def _file_name(devices: tuple[str, ...]) -> str:
    """The device, or the words that all names begin with: a100-unstated may be any a100-..."""
    if len(devices) == 1:
        return devices[0]
    shared = takewhile(lambda words: len(set(words)) == 1, zip(*(name.split("-") for name in devices), strict=False))
    return "-".join([*(words[0] for words in shared), "unstated"])


def _file_text(rows: list[Price]) -> str:
    devices = sorted({device for row in rows for device in row.devices})
    head = [f"devices = {_list(devices)}"]
    if len(devices) > 1:
        head.append(f"note = {_quoted(LEFT_OPEN)}")
    return "\n\n".join(["\n".join(head), *(_row_text(row, own_devices=len(devices) > 1) for row in rows)]) + "\n"


def _row_text(price: Price, *, own_devices: bool) -> str:
    entries = {
        "provider": price.provider,
        "region": price.region,
        "commitment": price.commitment,
        "amount": price.sale.text,
        price.sale.noun: f"{price.sale.chips} chip" if price.sale.noun != "chip" else "",
        "sold_as": price.sale.name,
        "listed_as": price.sale.listed_as,
        "source": price.source,
        "note": price.note.removesuffix(LEFT_OPEN).removesuffix("; "),  # stands at the head
    }
    lines = ["[[price]]", *(f"{key} = {_quoted(text)}" for key, text in entries.items() if text)]
    if own_devices:
        lines.append(f"devices = {_list(price.devices)}")
    if price.date:
        lines.append(f"date = {price.date.isoformat()}")
    return "\n".join(lines)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(text) for text in texts)}]"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(text.replace("\x7f", " "), ensure_ascii=False)
