"""What reconciling claims ends in: each claim judged, the confounded set, what follows, what is impossible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.relation.answer import Fact, Rank

Verdict = Literal["consistent", "contradictory", "untested"]

LEVEL = 0.01
"""Claims are contradictory where chance alone gives so large a chi2 less often than this."""

TIE = 0.01
"""Pulls within this part of the largest are one: structure alone makes them equal."""


def exponential(place: float) -> float:
    """exp, infinite where that is beyond floats: claims may be absurd, and then this is what they imply."""
    with np.errstate(over="ignore"):
        return float(np.exp(place))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One claim: as said, as all claims together have it, and as the others alone imply it. Values in base units.

    `pull` is the change from said to reconciled in standard deviations of that change; 0 where nothing tests the
    claim. `implied` and its 90 % interval need no word of the claim itself; None where the others do not reach it, or
    only beyond what floats hold. `off` is ln(implied / said), 0 where nothing is implied. `restores` says whether the
    others agree with each other once this claim is dropped.
    """

    fact: Fact
    said: float
    value: float
    low: float
    high: float
    pull: float
    tested: bool
    implied: tuple[float, float, float] | None
    off: float
    restores: bool

    @property
    def quantity(self) -> str:
        """The quantity that the claim is about."""
        return self.fact.quantity

    @property
    def rank(self) -> Rank:
        """Who claims it: "given" is a claim, "catalogue" and "default" are priors."""
        return self.fact.rank

    @property
    def factor(self) -> float:
        """What the others imply, divided by what is said; 1 where they imply nothing."""
        return exponential(self.off)


@dataclass(frozen=True, slots=True, kw_only=True)
class Implied:
    """A quantity nobody claimed that the claims determine, with its 90 % interval, in base units.

    It is a product of powers of the claims; `powers` is empty where it is itself one of them.
    """

    quantity: str
    value: float
    low: float
    high: float
    powers: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """The equation in which suspects meet: the product of said ** power is `ratio` times what it must be."""

    powers: Mapping[str, float]
    ratio: float

    def would_be(self, claim: Judged) -> float:
        """What one claim would have to be if all others in the equation were right."""
        return float(claim.said * self.ratio ** (-1 / self.powers[claim.quantity]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Claims reconciled; `claims` are those given and whatever else had a part in the test.

    `chi2` on `dof` degrees of freedom; `p` is how often chance alone gives as much. `suspects` is the confounded set:
    the claims whose pull is the largest, all that meet in one relation and so cannot be told apart from within; empty
    where nothing is wrong. `alarms` are shares that would have to exceed 1. `implied` holds what follows beside.
    """

    verdict: Verdict
    chi2: float
    dof: int
    p: float
    claims: tuple[Judged, ...]
    suspects: tuple[str, ...]
    meeting: Meeting | None
    implied: tuple[Implied, ...]
    alarms: tuple[Implied, ...]

    def claim(self, key: str) -> Judged | None:
        """The judgement on one quantity's claim."""
        return next((claim for claim in self.claims if claim.quantity == key), None)

    @property
    def tied(self) -> tuple[Judged, ...]:
        """The claims that pull most, whether or not anything is wrong; claims proper before priors."""
        largest = max((abs(claim.pull) for claim in self.claims if claim.tested), default=0.0)
        found = [claim for claim in self.claims if claim.tested and abs(claim.pull) >= (1 - TIE) * largest]
        return tuple(sorted(found, key=lambda claim: claim.rank != "given"))

    @property
    def factor(self) -> float:
        """By how much the most suspect claim is off, at least 1; where only a share is impossible, the share."""
        if self.alarms and self.p >= LEVEL:
            return max(alarm.value for alarm in self.alarms)
        return exponential(max((abs(claim.off) for claim in self.tied[:1]), default=0.0))

    @property
    def priors(self) -> tuple[Judged, ...]:
        """What was taken from the catalogue and from our own assumptions, and had a part in the verdict."""
        return tuple(claim for claim in self.claims if claim.rank != "given")
