"""A figure from the world and the device it belongs to, as frozen values in base units.

Base units: FLOP/s/chip, byte/chip, byte/s/chip, W/chip. A figure that no source gives is absent: getters raise
`MissingData` and name what there is. Nothing is derived from another figure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadInput, MissingData, UnknownName, shorten
from isoflop.quantity import Centred, Point, Range, Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

Topology = Literal["switch", "mesh", "torus", "bridge", "none"]

DTYPES = (
    "fp64", "fp64-matrix", "fp32", "fp32-matrix", "tf32", "fp16", "fp16-acc16", "bf16",
    "fp8", "fp8-acc16", "fp6", "fp4", "int8", "int4",
)  # fmt: skip
"""Names of rates. `-matrix` is the matrix unit where the vector unit has the plain name; `-acc16` accumulates in fp16
(consumer cards run that at twice the speed of the fp32 accumulation that training needs)."""

MATRIX_DTYPES = frozenset(DTYPES) - {"fp64", "fp32"}
"""Rates of matrix units, where a sparse figure may be printed in place of the dense one."""

SPARSE = "-sparse"

ESTIMATE = "estimate"
"""The source of a figure that nobody publishes; it always has a low and a high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number from the world: `value`, `low` and `high` in base units, `unit` as it was written.

    For an estimate low and high are the 5 and 95 % points; for a sourced figure they bound what documents print.
    `date` is the day, month or year of the document, None where it is not known.
    """

    value: float
    unit: str
    source: str
    date: str | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def is_estimate(self) -> bool:
        """Whether nobody publishes this figure."""
        return self.source == ESTIMATE

    def spread(self) -> Spread:
        """What is known about the value, for sampling."""
        if self.low is None or self.high is None or self.low == self.high:
            return Point(self.value)
        if self.is_estimate:
            return Centred(self.value, self.low, self.high, "lognormal")
        return Range(self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Another public set's figure for the same thing: shown beside ours, never averaged in. Value in base units."""

    figure: str
    set: str
    value: float
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rates of one chip by dtype: dense peaks, 2:4-sparse peaks, and the fastest matmul that was measured (dense)."""

    peak: Mapping[str, Figure] = field(default_factory=dict)
    sparse: Mapping[str, Figure] = field(default_factory=dict)
    achievable: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of one chip: what the label says, what is soldered on, what software can use; and its bandwidth."""

    kind: str = ""
    labelled: Figure | None = None
    physical: Figure | None = None
    usable: Figure | None = None
    bandwidth: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How one chip reaches its neighbours: `per_direction` is the total over all its links, one way [byte/s/chip].

    topology: switch (all of it can go to any one peer), mesh or torus (it is split evenly over `peers` neighbours),
    bridge (fixed pairs), none (only the host's bus).
    """

    kind: str
    topology: Topology
    per_direction: Figure | None = None
    links: int | None = None
    peers: int | None = None
    note: str = ""

    def pair_rate(self) -> float:
        """Bytes a second that one chip can send to one neighbour."""
        if self.per_direction is None:
            raise MissingData(f"no rate of {self.kind} links is catalogued. Give it in a device file of your own.")
        if self.topology not in {"mesh", "torus"}:
            return self.per_direction.value
        if self.peers is None:
            raise MissingData(
                f"{self.kind} is a {self.topology}, and how many neighbours share its rate is not catalogued. "
                "Give it in a device file of your own."
            )
        return self.per_direction.value / self.peers


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldName:
    """How groups of a device are named when sold: in `v4-{n}` the n may count cores, not chips."""

    pattern: str
    counts: Literal["core", "chip"]

    def count(self, name: str) -> int | None:
        """The n in a name of this pattern, None where it is another name."""
        before, _, after = self.pattern.partition("{n}")
        found = re.fullmatch(rf"(?:tpu-)?{re.escape(before)}([0-9]{{1,7}}){re.escape(after)}", name.strip().lower())
        return int(found[1]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a chip is made of: `dies` that software sees as devices of their own, `cores` that names may count."""

    dies: int | None = None
    cores: int | None = None
    sold: tuple[SoldName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """How the file's figures stand beside public sets: what agrees within 3 %, what does not, and what to mind."""

    agrees: tuple[str, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who made it, what it is, and by which other names it is known."""

    title: str
    vendor: str
    kind: str
    year: int
    architecture: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One chip (a package, or a board with one): what it can do at most, what it holds, what it is tied to.

    `profile` is how fast single operations run on it, as a table that the room kernel reads; None where the profile of
    its architecture has to do. `isoflop measure` writes it.
    """

    name: str
    identity: Identity
    rates: Rates
    memory: Memory
    link: Link | None
    bridge: Link | None
    tdp: Figure | None
    parts: Parts
    review: Review
    profile: Mapping[str, object] | None = None

    @property
    def title(self) -> str:
        """The name people write."""
        return self.identity.title

    @property
    def vendor(self) -> str:
        """Who sells it."""
        return self.identity.vendor

    @property
    def kind(self) -> str:
        """GPU, TPU, ASIC, APU, SoC or CPU."""
        return self.identity.kind

    @property
    def year(self) -> int:
        """Year of release."""
        return self.identity.year

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names that find it."""
        return self.identity.aliases

    @property
    def peak_rates(self) -> Mapping[str, Figure]:
        """Dense peaks by dtype [FLOP/s/chip]."""
        return self.rates.peak

    @property
    def sparse_rates(self) -> Mapping[str, Figure]:
        """2:4-sparse peaks by dtype [FLOP/s/chip]."""
        return self.rates.sparse

    @property
    def achievable_rates(self) -> Mapping[str, Figure]:
        """The fastest matmul measured, by dtype [FLOP/s/chip]."""
        return self.rates.achievable

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """What other public sets print instead."""
        return self.review.disagreements

    @property
    def notes(self) -> tuple[str, ...]:
        """What to mind with this device."""
        return self.review.notes

    @property
    def dies(self) -> int:
        """Dies per chip that software sees as devices of their own (1 where nothing else is said)."""
        return self.parts.dies or 1

    @property
    def cores(self) -> int | None:
        """Cores per chip, where a name of the device counts them."""
        return self.parts.cores

    def peak_rate(self, dtype: str) -> Figure:
        """The dense peak for `dtype`, or the sparse one for a name like "bf16-sparse" [FLOP/s/chip]."""
        if dtype.endswith(SPARSE):
            return self._rate(dtype.removesuffix(SPARSE), self.rates.sparse, "sparse peak", SPARSE)
        return self._rate(dtype, self.rates.peak, "peak rate", "")

    def achievable_rate(self, dtype: str) -> Figure:
        """The fastest dense matmul that was measured in `dtype` [FLOP/s/chip]."""
        return self._rate(dtype, self.rates.achievable, "achievable rate", "")

    def memory_labelled(self) -> Figure:
        """What the label says [byte/chip]; a "GB" on a label may be either unit."""
        return self._there(self.memory.labelled, "labelled memory")

    def memory_physical(self) -> Figure:
        """What is soldered on [byte/chip]."""
        return self._there(self.memory.physical, "physical memory")

    def memory_usable(self) -> Figure:
        """What software is given, as the driver reports it [byte/chip]."""
        return self._there(self.memory.usable, "usable memory")

    def memory_bandwidth(self) -> Figure:
        """Peak rate of the chip's own memory [byte/s/chip]."""
        return self._there(self.memory.bandwidth, "memory bandwidth")

    def power(self) -> Figure:
        """Thermal design power of the board [W/chip]."""
        return self._there(self.tdp, "TDP")

    def links(self) -> Link:
        """How it reaches its neighbours."""
        if self.link is None:
            raise MissingData(self._lacks("links"))
        return self.link

    def chips_in(self, sold_as: str) -> int:
        """How many chips a group of that name has: "v4-64" is 64 cores, hence 32 chips."""
        for sold in self.parts.sold:
            number = sold.count(sold_as)
            if number is not None:
                return self._chips(number, sold, sold_as)
        known = ", ".join(sold.pattern for sold in self.parts.sold) or "none"
        raise BadInput(f"no group of {self.name} is sold as '{shorten(sold_as)}'; known patterns: {known}.")

    def _chips(self, number: int, sold: SoldName, sold_as: str) -> int:
        per_chip = (self.parts.cores or 1) if sold.counts == "core" else 1
        if number < 1 or number % per_chip:
            due = f"a multiple of {per_chip} {sold.counts}s" if per_chip > 1 else "at least 1"
            raise BadInput(
                f"'{shorten(sold_as)}': {sold.pattern} counts {sold.counts}s, so the number has to be {due}."
            )
        return number // per_chip

    def _rate(self, dtype: str, rates: Mapping[str, Figure], what: str, suffix: str) -> Figure:
        found = rates.get(dtype)
        if found is not None:
            return found
        if dtype not in DTYPES:
            raise UnknownName("dtype", dtype + suffix, [name + suffix for name in DTYPES])
        there = ", ".join(name + suffix for name in rates) or "none"
        raise MissingData(
            f"{self.name}: no {what} for '{dtype + suffix}' is catalogued; there are: {there}. "
            "Take one of these, or give peak_rate=."
        )

    def _there(self, figure: Figure | None, what: str) -> Figure:
        if figure is None:
            raise MissingData(self._lacks(what))
        return figure

    def _lacks(self, what: str) -> str:
        return f"{self.name}: no {what} is catalogued. Give it, or use a device file of your own."
