"""What a device costs a second: a price as given, from a price file, or chosen from the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, MissingData
from isoflop.hardware.catalog import choose_price
from isoflop.quantity import quantity, read

if TYPE_CHECKING:
    from isoflop.hardware.spec import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a chip costs a second [USD], and in words whose price that is."""

    amount: float
    note: str
    source: str


def tariff_of(device: Device, *, price: str = "", folder: str = "", **wish: str) -> Tariff | None:
    """The price of a device as `plan` takes it: given, of a price file, or chosen; None where none is known.

    `wish` holds provider, commitment, region, as_of. Raises: MissingData where a wish cannot be met.
    """
    if price and not price.lower().endswith(".toml"):
        if wish:
            raise BadInput(f"a price is given, so {', '.join(wish)} cannot choose another one; leave one of them out")
        got = read(price, quantity("price"))
        return Tariff(amount=got.spread.median, note="as given", source="given")
    try:
        chosen = choose_price(price or device, folder=folder, **wish).price
    except MissingData:
        if wish or price:
            raise
        return None
    words = (chosen.provider, chosen.region, chosen.commitment, str(chosen.date or "undated"))
    return Tariff(amount=chosen.amount, note=", ".join(word for word in words if word), source=chosen.source)
