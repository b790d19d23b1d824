"""Likely reasons for a factor: known slips held against the claim that is off. One slip at a time, never certain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log
from typing import TYPE_CHECKING

import msgspec

from isoflop.ask.assumptions import MFU_GEOMETRIC_SD, MFU_MEDIAN
from isoflop.errors import BadFile
from isoflop.quantity import parse_toml
from isoflop.relation.reconcile import Z90
from isoflop.relation.reconciliation import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.relation.reconciliation import Judged, Reconciliation

MOST = 2
"""Reasons shown: with thirty slips to choose from, a longer list explains anything."""

NOTICED = 1.05
"""A factor below this needs no reason."""

USUAL_MFU = (MFU_MEDIAN / MFU_GEOMETRIC_SD**Z90, MFU_MEDIAN * MFU_GEOMETRIC_SD**Z90)
"""What 90 % of published runs reach."""

_FILE = "reasons.toml"
_NEAR, _WIDEST = 0.05, 0.15
_EXPERTS = (0.02, 0.75)
"""Shares of active parameters that mixtures of experts have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What somebody may have got wrong: with it, the claim about `quantity` is `makes` times the right one."""

    words: str
    quantity: str
    makes: float


class _Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    words: str
    makes: dict[str, float]


class _Reasons(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    reason: list[_Entry]


@cache
def slips() -> tuple[Slip, ...]:
    """Every known slip, the most specific first; quantity "any" stands for all. Raises: BadFile."""
    text = files("isoflop.ask").joinpath(_FILE).read_text(encoding="utf-8")
    try:
        table = msgspec.convert(parse_toml(text, _FILE), _Reasons, strict=True)
    except msgspec.ValidationError as error:
        raise BadFile(f"{_FILE}: {error}") from error
    return tuple(
        Slip(words=entry.words, quantity=key, makes=makes)
        for entry in table.reason
        for key, makes in entry.makes.items()
    )


def likely(
    found: Reconciliation, nouns: Mapping[str, float], *, among: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """What may have gone wrong, in words that follow "likely": for the suspects, or for a share that passes 1.

    `nouns` are the ties declared with the question: how many of the unit a noun stands for ("slice": 32). `among` are
    the claims to explain where they are not the suspects.
    """
    suspects = set(found.suspects) | set(among or ())
    matches: dict[tuple[str, str], str] = {}
    for slip in (*_declared(nouns), *_of_this_run(found), *slips()):
        if _explains(slip, found, suspects):
            matches.setdefault((slip.quantity, f"{slip.makes:.3g}"), slip.words)
    return tuple(dict.fromkeys(matches.values()))[:MOST]


def _declared(nouns: Mapping[str, float]) -> Iterator[Slip]:
    """A noun of the question mixed up with what it is made of, which is what nouns are declared for."""
    for noun, size in nouns.items():
        one, many = f"the price of a {noun}", f"{size:g} times as much as its parts"
        yield Slip(words=f"{one}, {many}, taken for that of a part", quantity="price", makes=size)
        yield Slip(
            words=f"the work of one part over {one}, which has {size:g}", quantity="flops_per_usd", makes=1 / size
        )
        for key in ("chips", "chip_time"):
            yield Slip(words=f"each {noun} counted once and not {size:g} times", quantity=key, makes=1 / size)


def _of_this_run(found: Reconciliation) -> Iterator[Slip]:
    """Slips whose size depends on the claims: hours for each trillion tokens, total for active parameters."""
    tokens, params = found.claim("tokens"), found.claim("params")
    if tokens is not None and tokens.said > 1.2e12:
        trillions = tokens.said / 1e12
        words = f"chip-hours for each trillion tokens, of which there were {trillions:.3g}, taken for the total"
        yield Slip(words=words, quantity="chip_time", makes=1 / trillions)
    share = found.claim("active_share")
    if params is not None and share is not None and share.tested:
        low, high = _EXPERTS
        if low <= share.factor <= high:
            words = f"a mixture of experts, where {100 * share.factor:.0f} % of the parameters work on each token"
            yield Slip(words=words, quantity="params", makes=1 / share.factor)


def _explains(slip: Slip, found: Reconciliation, suspects: set[str]) -> bool:
    if found.alarms and found.p >= LEVEL:
        return _explains_alarm(slip, found)
    return any(_explains_claim(slip, claim) for claim in found.claims if claim.quantity in suspects)


def _explains_claim(slip: Slip, claim: Judged) -> bool:
    """Whether a claim is as far off as the slip would have made it."""
    if slip.quantity not in {claim.quantity, "any"} or abs(claim.off) < log(NOTICED):
        return False
    if claim.rank == "catalogue" or (slip.quantity == "any" and claim.rank != "given"):
        return False  # the catalogue's figures are what makers print; a constant has no digits to slip
    near = min(_WIDEST, _NEAR * max(1.0, abs(claim.off) / log(2)))
    return abs(-claim.off - log(slip.makes)) <= near


def _explains_alarm(slip: Slip, found: Reconciliation) -> bool:
    """Whether without the slip a utilisation above 1 would be one that published runs have (90 % of them)."""
    for alarm in found.alarms:
        power = alarm.powers.get(slip.quantity)
        if alarm.quantity != "mfu" or power is None:
            continue
        mended = alarm.value * slip.makes**-power
        if USUAL_MFU[0] <= mended <= USUAL_MFU[1]:
            return True
    return False
