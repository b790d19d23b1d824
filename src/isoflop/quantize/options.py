"""How a conversion is done, beside its scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, shorten
from isoflop.quantize.scheme import PLAIN

if TYPE_CHECKING:
    from isoflop.quantize.scheme import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to convert.

    `choice` of scales: "absmax", "mse" (least squared error: several times the work, and for INT4 some 9 % less error)
    or "percentile". `keep` and `include` are patterns of layers to leave as they are, or to quantize although the rules
    would not. `rest` is the plain format for what is not quantized ("" leaves it). `threads`: 0 for all cores. `fast`
    uses numba where it is there. `sync` waits for the disk, so that a power cut loses nothing either.
    """

    choice: Choice = "absmax"
    percentile: float = 99.9
    keep: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    rest: str = ""
    threads: int = 0
    fast: bool = True
    sync: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.choice not in {"absmax", "mse", "percentile"}:
            raise BadInput(f"scales are chosen by absmax, mse or percentile, not '{shorten(self.choice)}'.")
        if not 50 <= self.percentile <= 100:
            raise BadInput(f"percentile {self.percentile:g}: give one from 50 to 100; 99.9 is usual.")
        if self.rest and self.rest not in PLAIN:
            raise BadInput(f"what is not quantized is kept in {', '.join(PLAIN)}, not in '{shorten(self.rest)}'.")
        if not 0 <= self.threads <= 4096:
            raise BadInput(f"threads {self.threads}: give 0 for all cores, or how many.")
