"""All placements of a deployment at all loads, in arrays: which holds, how fast each is, which none beats.

One call of `pace` and one of `budget` serve a whole block; nothing here walks over candidates one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Infeasible, MissingData
from isoflop.kernel import chip_of
from isoflop.serving.inverse import instances
from isoflop.serving.memory import budget, linked
from isoflop.serving.pace import pace

if TYPE_CHECKING:
    import numpy.typing as npt

    from isoflop.quantity.types import FloatArray
    from isoflop.serving.pace import Pace
    from isoflop.serving.spec import Deployment, Placement, Placements, Traffic

LOADS = (1.0, *(float(step * 2**power) for power in range(11) for step in (2, 3)))
"""Requests at once that are tried, of the whole deployment."""

DOMAIN = 8
"""Chips of a server."""

MOST_DOMAIN = 72
"""Chips of a rack that are tied together (NVL72); groups of attention fill it, heads stop tensor ranks before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Limits on the time to the first token and on each further one [s]; infinite where there is none."""

    first: float = float("inf")
    token: float = float("inf")

    @property
    def any(self) -> bool:
        """Whether there is a limit."""
        return bool(np.isfinite(self.first) or np.isfinite(self.token))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One placement at one load: seconds to the first and between further tokens, tokens a second, watts of all chips.

    `alone` is what a single stream gets [tokens a second]; `each` what a chip gives.
    """

    placement: Placement
    load: float
    first: float
    token: float
    rate: float
    power: float

    @property
    def alone(self) -> float:
        """Tokens a second that one user sees."""
        return 1 / self.token

    @property
    def each(self) -> float:
        """Tokens a second and chip."""
        return self.rate / self.placement.chips


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Candidates that hold: `tried` of them, the `best` under the goal, and those that none beats (`pareto`).

    `pareto` goes from the fastest for one user to the most for all.
    """

    tried: int
    holding: int
    best: Candidate | None
    pareto: tuple[Candidate, ...]
    nearest: Candidate | None


def search_placements(
    deployment: Deployment, traffic: Traffic, chips: int, goal: Goal | None = None, loads: tuple[float, ...] = LOADS
) -> Searched:
    """Every legal placement on `chips` chips at every load; the best gives most tokens a second within the goal.

    Loads whose requests all run at once go before those that keep some in line, which add wait and hardly any tokens.
    The load of `traffic` is replaced by `loads`. Raises: Infeasible where no placement holds a single request.
    """
    length = np.asarray(traffic.longest, dtype=np.float64)
    many, load = _grid(deployment, chips, loads, float(length))
    wanted = goal or Goal()
    each = budget(deployment.at(many)).concurrency(length=length)
    groups = many.replicas * many.dp
    kept = np.flatnonzero((each >= 1) & (load >= groups))
    at_once = (load <= groups * each)[kept]
    if not len(kept):
        raise Infeasible(f"{deployment.model.name} holds no request of {float(length):,.0f} tokens on {chips} chips")
    found = measured(deployment, traffic, many.take(kept), load[kept])
    first, token, rate = (np.broadcast_to(each, kept.shape) for each in (found[0], found[1], found[2]))
    power = np.broadcast_to(found[3], kept.shape)
    arrays = _Arrays(many.take(kept), load[kept], first, token, rate, power)
    good = (first <= wanted.first) & (token <= wanted.token)
    good = good & at_once if bool((good & at_once).any()) else good
    best = int(np.argmax(np.where(good, rate, -1.0))) if bool(good.any()) else None
    over = np.maximum(first / wanted.first, token / wanted.token) if wanted.any else -rate
    return Searched(
        tried=len(load),
        holding=len(kept),
        best=None if best is None else arrays.one(best),
        pareto=tuple(arrays.one(place) for place in front(token, rate)),
        nearest=arrays.one(int(np.argmin(over))),
    )


def measured(
    deployment: Deployment, traffic: Traffic, many: Placements, load: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """(seconds to the first token, between tokens, tokens a second, watts) of placements at loads, in arrays."""
    found: Pace = pace(deployment.at(many), replace(traffic, concurrency=load, request_rate=0.0))
    values = (found.ttft.middle, found.tpot.middle, found.output_rate.middle, found.power.middle)
    first, token, rate, power = (np.asarray(value, dtype=np.float64) for value in values)
    return first, token, rate, power


def _grid(
    deployment: Deployment, chips: int, loads: tuple[float, ...], length: float
) -> tuple[Placements, FloatArray]:  # fmt: skip
    """Every placement with every load, flat."""
    many = placements_on(deployment, chips, length)
    places = np.repeat(np.arange(len(many)), len(loads))
    return many.take(places), np.tile(np.asarray(loads), len(many))


def domain_of(deployment: Deployment) -> int:
    """Chips that tensor ranks may be spread over: those that share fast links, a server's where there are none."""
    try:
        reach = chip_of(deployment.device, deployment.node).domain if linked(deployment.device) else DOMAIN
    except MissingData:
        return DOMAIN
    return min(max(reach, DOMAIN), MOST_DOMAIN)


def placements_on(deployment: Deployment, chips: int, length: float) -> Placements:
    """The placements that are tried: stages within a node only without fast links, or where nothing else holds.

    Raises: Infeasible where the model cannot be divided over so many chips.
    """
    for stages in (not linked(deployment.device), True):
        many = instances(deployment, chips, domain_of(deployment), stages=stages)
        if len(many) and bool((budget(deployment.at(many)).concurrency(length=length) >= 1).any()):
            return many
    if not len(many):
        raise Infeasible(f"no way to divide {deployment.model.name} over {chips} chips; try a power of two")
    return many


@dataclass(frozen=True, slots=True)
class _Arrays:
    many: Placements
    load: FloatArray
    first: FloatArray
    token: FloatArray
    rate: FloatArray
    power: FloatArray

    def one(self, place: int) -> Candidate:
        """A candidate as numbers."""
        return Candidate(
            placement=self.many[place],
            load=float(self.load[place]),
            first=float(self.first[place]),
            token=float(self.token[place]),
            rate=float(self.rate[place]),
            power=float(self.power[place]),
        )


def front(token: FloatArray, rate: FloatArray) -> npt.NDArray[np.intp]:
    """Places of those that no other beats in both time a token and tokens a second, the quickest first."""
    order = np.lexsort((-rate, token))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], rate[order][:-1]]))
    chosen: npt.NDArray[np.intp] = order[rate[order] > best * (1 + 1e-9)]
    return chosen
