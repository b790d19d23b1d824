"""Every quantity that isoflop speaks of, read from glossary.toml when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import tomli

from isoflop.errors import UnknownName, shorten
from isoflop.quantity import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.quantity.units import Unit

Domain = Literal["positive", "fraction", "count", "real"]
"""positive: above 0. count: the same, whole in practice. fraction: above 0, at most 1. real: any sign."""

Section = Literal["work", "rate", "money", "energy", "memory", "scaling", "serving", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One entry of the glossary.

    `unit` is the base unit that values are held in (its scale is 1), `unit_text` how it is written; `display` the units
    people read, smallest first; `plausible` the range outside which a value deserves a second look.
    """

    name: str
    symbol: str
    latex: str
    unit: Unit
    unit_text: str
    domain: Domain
    plausible: tuple[float, float]
    meaning: str
    section: Section
    display: tuple[str, ...]
    aliases: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.name)


@cache
def quantities() -> Mapping[str, Quantity]:
    """All quantities by name, in the order of the glossary.

    >>> quantities()["train_flops"].unit_text
    'FLOP'
    """
    tables = tomli.loads(Path(__file__).with_name("glossary.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _quantity(name, **entry) for name, entry in tables.items()})


def _quantity(name: str, unit: str, plausible: list[float], display: list[str], **rest: Any) -> Quantity:  # noqa: ANN401
    """One entry as it stands in the file: a key the dataclass lacks, or one left out, is a TypeError."""
    low, high = plausible
    aliases = tuple(rest.pop("aliases", ()))
    return Quantity(
        name=name,
        unit=units.unit(unit),
        unit_text=unit,
        plausible=(float(low), float(high)),
        display=tuple(display),
        aliases=aliases,
        **rest,
    )


@cache
def _by_alias() -> Mapping[str, Quantity]:
    return {alias: entry for entry in quantities().values() for alias in entry.aliases}


@lru_cache(maxsize=2048)
def quantity(name: str) -> Quantity:
    """The quantity of that name or alias; hyphens, as in flags, are underscores.

    >>> quantity("budget").name, quantity("train-cost").unit_text
    ('train_cost', '$')
    """
    plain = str(name).strip().replace("-", "_")
    found = quantities().get(plain) or _by_alias().get(plain)
    if found is None:
        raise unknown_quantity(str(name))
    return found


def unknown_quantity(name: str, others: Iterable[str] = ()) -> UnknownName:
    """The error for a name that is no quantity, nor one of `others`; who writes a symbol is told the name."""
    meant = [entry.name for entry in quantities().values() if entry.symbol == name.strip()]
    hint = f"{shorten(name)} is the symbol of {' and of '.join(meant)}: write the name." if meant else ""
    return UnknownName(
        "quantity", name, (*quantities(), *_by_alias(), *others), listing="isoflop quantities", hint=hint
    )
