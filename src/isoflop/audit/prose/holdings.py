"""What a chain has come to know: its steps, its nouns, and what each amount is of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import Amount, read_amounts
from isoflop.audit.prose.boards import devices_of
from isoflop.audit.prose.kinds import EITHER, kind_of
from isoflop.quantity import Unit

if TYPE_CHECKING:
    from isoflop.audit.document import Step, Unread


REFERENCE = re.compile(
    r"(?<![\w)])[\[(](?:see\s+|from\s+|by\s+|step\s+|#)?(?P<number>[0-9]{1,4})[\])]|(?<![\w])#(?P<hash>[0-9]{1,4})\b"
)


NOUNS = ("chip", "core", "slice", "node", "die")


LOT = "slice"


@dataclass(slots=True, kw_only=True)
class Chain:
    """The steps so far, what nouns are made of, and what could not be read."""

    steps: dict[str, Step] = field(default_factory=dict)
    nouns: dict[str, Unit] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    counted: frozenset[float] = frozenset()


def references(text: str) -> list[str]:
    """The numbers that a text refers to."""
    return [match["number"] or match["hash"] for match in REFERENCE.finditer(text)]


def without_references(text: str) -> str:
    """The text with its references covered, every place kept."""
    return REFERENCE.sub(lambda match: " " * len(match.group()), text)


def completed(amount: Amount, text: str, chain: Chain) -> Amount:
    """An amount with what its sentence says of it: a rate is one chip's, a price that of so many cores."""
    if (amount.kind in {EITHER, "FLOP/s"} and re.search(r"\bper chip\b|\beach\b", text)) or (
        amount.kind in {EITHER, "FLOP/s"} and _one_device(text)
    ):
        return replace(amount, kind="FLOP/s/chip", parsed=per_noun(rate_unit(amount), "chip"))
    if amount.kind in {"$/s", "$"}:
        held = _held(text, amount)
        if held is not None and amount.parsed is not None:
            noun = _tie(held, text, chain)
            return replace(amount, kind=f"{amount.kind}/{noun}", parsed=per_noun(amount.parsed, noun))
    return amount


def rate_unit(amount: Amount) -> Unit:
    """The unit of an amount as a rate, per second."""
    unit = amount.parsed or kind_of("FLOP/s")[2]
    assert unit is not None
    if dict(unit.dims).get("s"):
        return unit
    return Unit(dims=(("FLOP", Fraction(1)), ("s", Fraction(-1))), scale=unit.scale, text=unit.text)


def _one_device(text: str) -> bool:
    read = read_amounts(without_references(text))
    devices = [found for found in read.names if found.kind == "device"]
    return len(devices) == 1 and not any(amount.device is not None for amount in read.amounts)


def _held(text: str, price: Amount) -> Amount | None:
    """What a price is of: "64 TPUv4 cores cost $33,849 / month"."""
    found = [
        amount
        for amount in read_amounts(without_references(text)).amounts
        if amount.kind in NOUNS and amount.start < price.start and amount.low == amount.high > 1
    ]
    return (
        found[-1]
        if found and re.search(r"\bcosts?\b|\bprice\w*|\brent\w*|\bfor\b|\bat\b|:", text[found[-1].end : price.start])
        else None
    )


def _tie(held: Amount, text: str, chain: Chain) -> str:
    """A noun for so many cores or chips, tied to them; a core to the chip it is part of, by the catalogue."""
    per_chip = _cores(held, text)
    scale = held.low / per_chip if held.kind == "core" and per_chip else held.low
    dims = (("chip" if held.kind == "core" and per_chip else held.kind, Fraction(1)),)
    same = [noun for noun, unit in chain.nouns.items() if unit.dims == dims and unit.scale == scale and noun != "core"]
    if same:
        return same[0]
    noun = LOT if LOT not in chain.nouns else f"{LOT}{len(chain.nouns)}"
    chain.nouns[noun] = Unit(dims=dims, scale=scale, text=held.text)
    if held.kind == "core" and per_chip:
        chain.nouns.setdefault(
            "core", Unit(dims=(("chip", Fraction(1)),), scale=1 / per_chip, text=f"{1 / per_chip:g} chip")
        )
    return noun


def _cores(held: Amount, text: str) -> int | None:

    names = [found for found in read_amounts(text).names if found.kind == "device"]
    device = held.device or (names[0] if names else None)
    boards = devices_of(device.key, device.words) if device else ()
    return boards[0].cores if boards else None


def per_noun(unit: Unit, noun: str) -> Unit:
    """A unit per noun."""
    dims = dict(unit.dims)
    dims[noun] = dims.get(noun, Fraction(0)) - 1
    return Unit(dims=tuple(sorted(dims.items())), scale=unit.scale, text=f"{unit.text}/{noun}")
