"""What the checks against the world are told beside the catalogues: families.toml and formats.toml, read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

from isoflop.errors import BadFile
from isoflop.quantity import parse_toml

_Text = Annotated[str, msgspec.Meta(max_length=500)]


class _Families(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    closed: list[_Text]
    figures: dict[str, list[float]]
    sizes: dict[str, list[float]]


class Format(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A number format: bits in storage, exponent and fraction bits (0 for integers), and its largest values in use."""

    bits: int
    exponent: int = 0
    fraction: int = 0
    largest: tuple[float, ...] = ()
    called: tuple[str, ...] = ()
    stored: float = 0.0

    @property
    def bytes(self) -> float:
        """Bytes of one number in memory."""
        return (self.stored or self.bits) / 8


def _table(name: str) -> dict[str, object]:
    return parse_toml(files("isoflop.audit.world").joinpath(name).read_text(encoding="utf-8"), name)


@cache
def _families() -> _Families:
    try:
        return msgspec.convert(_table("families.toml"), _Families, strict=False)
    except msgspec.ValidationError as error:
        raise BadFile(f"families.toml: {error}") from error


@cache
def formats() -> dict[str, Format]:
    """Number formats by name."""
    try:
        return msgspec.convert(_table("formats.toml"), dict[str, Format], strict=False)
    except msgspec.ValidationError as error:
        raise BadFile(f"formats.toml: {error}") from error


@cache
def closed_families() -> frozenset[str]:
    """Families of which every size is listed, in the catalogues or here."""
    return frozenset(_families().closed)


def other_figures(run: str) -> tuple[float, ...]:
    """Tokens in print for a run beside those of the catalogue: the size of its data set, a rounded count."""
    return tuple(_families().figures.get(run, ()))


def other_sizes(family: str) -> tuple[float, ...]:
    """Sizes of a family that no catalogue lists."""
    return tuple(_families().sizes.get(family, ()))
