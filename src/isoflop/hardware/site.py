"""What stands around a chip: the node it is built into, the price it is rented at, the grid that feeds it.

Base units: byte/s/node, byte/node, W/node, USD/s/chip, kg CO2e/J. What is not known is None or empty, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from isoflop.errors import MissingData

if TYPE_CHECKING:
    import datetime as dt

    from isoflop.hardware.spec import Figure

Commitment = Literal["on-demand", "1y", "3y", "spot", "assumed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """What ties chips beyond their own links: `domain` chips share the scale-up fabric, `nics` leave the node.

    `network` is the sum over all NICs, one way [byte/s/node]; `host_link` is one chip's bus to its host [byte/s/chip].
    """

    domain: int
    nics: int | None = None
    network: Figure | None = None
    host_link: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine (or a slice) as it is built or rented: `chips` of one device, and what surrounds them."""

    name: str
    title: str
    device: str
    chips: int
    fabric: Fabric
    host_memory: Figure | None = None
    storage: Figure | None = None
    power: Figure | None = None
    aliases: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def network(self) -> Figure:
        """All NICs together, one way [byte/s/node]."""
        if self.fabric.network is None:
            raise MissingData(f"{self.name}: no network is catalogued. Give it in a node file of your own.")
        return self.fabric.network


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What a price was asked for: its text, the noun it counts, and how many chips that noun has."""

    text: str
    noun: str
    chips: int
    name: str = ""
    listed_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a chip cost for a second, somewhere, some day: `amount` in USD/s/chip.

    An unknown `date` is None, an unknown `region` empty. Several `devices`: the listing leaves open which is meant.
    """

    devices: tuple[str, ...]
    provider: str
    region: str
    commitment: Commitment
    date: dt.date | None
    amount: float
    sale: Sale
    source: str
    note: str = ""

    @property
    def per_hour(self) -> float:
        """USD per chip-hour, for people."""
        return self.amount * 3600

    @property
    def is_exact(self) -> bool:
        """Whether the listing names one device; else it could be any of `devices`."""
        return len(self.devices) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Greenhouse gas per energy drawn from one grid, in one year, by one source: `intensity` in kg CO2e/J."""

    name: str
    title: str
    kind: Literal["country", "region", "cloud", "owner"]
    year: int | None
    intensity: Figure
    note: str = ""

    @property
    def source(self) -> str:
        """Who says so."""
        return self.intensity.source
