"""The answer to "does it fit, how fast, for how much, and what would be better": a model served on given chips."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, Infeasible, MissingData
from isoflop.relation.shown import Shown
from isoflop.serving.caches import caches_of
from isoflop.serving.case import USUAL_HOST
from isoflop.serving.cost import Bill, Comparison, Offer, bill_of, compared
from isoflop.serving.disaggregate import Slow, Split, slow, split
from isoflop.serving.inverse import Change, Hardware, Room, changes, devices_that_fit, fewest_chips, room
from isoflop.serving.legal import device_faults, faults
from isoflop.serving.memory import budget, memory_ledger
from isoflop.serving.pace import pace, step_ledger
from isoflop.serving.search import Goal, Searched, measured, placements_on, search_placements
from isoflop.serving.spec import Deployment, Placement, Traffic

if TYPE_CHECKING:
    from isoflop.hardware.tariff import Tariff
    from isoflop.relation.answer import Ledger
    from isoflop.serving.life import Lifetime
    from isoflop.serving.pace import Pace

USUAL_CONTEXT = 4096
USUAL_OUTPUT = 512
DOMAIN = 8
NEAR = 0.95
"""Of placements that write at least this share of the most, the one with the shortest time a token is taken."""

MOST_DEVICES = 6
MOST_CHIPS = 256
"""Chips that are tried at most for limits on time and for a rate of arrivals, where nobody says how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of a deployment: requests at once or a second, their tokens, limits, a price, an offer to compare.

    `context` is the longest a request may get (input and output), 0 for what input and output make. `train_cost` [USD]
    and `serve_tokens` ask for the whole life; `use` is the share of the time in which there is such a load. `devices`
    asks for every catalogued device that would do, `prefill` for prompts read on chips of their own, placed so.
    """

    concurrency: float = 0.0
    request_rate: float = 0.0
    context: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    prefix_share: float = 0.0
    goal: Goal = field(default_factory=Goal)
    tariff: Tariff | None = None
    offer: Offer | None = None
    train_cost: float = 0.0
    serve_tokens: float = 0.0
    use: float = 1.0
    devices: bool = False
    prefill: Placement | None = None

    def __post_init__(self) -> None:
        if self.concurrency and self.request_rate:
            raise BadInput("give how many requests there are at once, or how many arrive a second, not both")
        if self.context and self.input_tokens + self.output_tokens > self.context:
            raise BadInput(
                f"{self.input_tokens:,} tokens read and {self.output_tokens:,} written do not fit into a context of "
                f"{self.context:,}; give a longer context, or fewer tokens"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Shown):
    """The whole answer. `deployment` has the placement that was asked for, else the best found.

    `room` is what an instance holds, `memory` its ledger; `pace`, `step` and `bill` are None where not even one request
    fits or the device's rates are not known (`untimed` says why). `changes` would hold more, `fewest` chips that hold
    all, `devices` others that do. `searched` has the best under the goal and the Pareto front. `slow` is
    what 99 % of requests keep to, `apart` the deployment with prompts on chips of their own. `assumed` says what nobody
    gave, `notes` what to mind.
    """

    deployment: Deployment
    traffic: Traffic
    wish: Wish
    chips: int
    asked: bool
    room: Room
    memory: Ledger
    pace: Pace | None
    step: Ledger | None
    bill: Bill | None
    searched: Searched | None
    comparison: Comparison | None
    lifetime: Lifetime | None
    changes: tuple[Change, ...]
    fewest: Placement | None
    devices: tuple[Hardware, ...] = ()
    untimed: str = ""
    slow: Slow | None = None
    apart: Split | None = None
    assumed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether at least one request fits, and the limits are kept where there are any."""
        return self.room.verdict != "does not fit" and not self.missed

    @property
    def missed(self) -> bool:
        """Whether a limit on time is not kept, or more arrives than is answered."""
        goal = self.wish.goal
        if self.pace is None:
            return False
        first, token = (_one(band.middle) for band in (self.pace.ttft, self.pace.tpot))
        return first > goal.first or token > goal.token or not np.isfinite(first)


def serve(deployment: Deployment, chips: int | None, wish: Wish, *, asked: bool = False) -> Service:
    """What a deployment does on so many chips; `asked`: its placement is as it is to be, else the best is sought.

    Raises: Infeasible with reason and nearest possibility for a placement or a format that cannot be.
    """
    wrong = faults(deployment, deployment.placements[0]) if asked else device_faults(deployment)
    if not deployment.model.causal:
        wrong = [f"{deployment.model.name} writes no tokens: it has no causal attention"]
    if wrong:
        raise Infeasible(f"{deployment.model.name} cannot be served so: {'; '.join(wrong)}.")
    traffic, assumed = traffic_of(deployment, wish)
    if deployment.offload.any and not deployment.offload.bandwidth:
        assumed = (f"memory of the host at {USUAL_HOST / 1e9:.0f} GB/s", *assumed)
    length = int(np.ceil(np.asarray(traffic.longest)))
    most = max(wish.context, length)
    asked_length = np.asarray(deployment.settings.max_model_len).reshape(-1)[0]
    settings = replace(deployment.settings, max_model_len=asked_length or float(most))
    deployment = replace(deployment, settings=settings)
    placed, number, searched = _placed(deployment, chips, wish, traffic, asked=asked)
    best = searched.best if searched is not None else None
    if best is not None and wish.goal.any and not (asked or wish.concurrency or wish.request_rate):
        # nobody says how many requests there are: as many as keep the limits
        wish, traffic = replace(wish, concurrency=best.load), replace(traffic, concurrency=best.load)
        placed = placed.at(best.placement)
        assumed = (*assumed[:-1], f"{best.load:,.0f} requests at once, the most that keep the limits")
    return _answered(placed, number, wish, traffic, (searched, asked, assumed, most))


def traffic_of(deployment: Deployment, wish: Wish) -> tuple[Traffic, tuple[str, ...]]:
    """(the traffic that a wish means, what was assumed)."""
    assumed = []
    usual = min(deployment.model.context or USUAL_CONTEXT, USUAL_CONTEXT)
    context = wish.context or (wish.input_tokens + wish.output_tokens if wish.input_tokens else 0)
    if not context:
        context, said = usual, f"a context of {usual:,} tokens"
        assumed.append(said)
    output = wish.output_tokens
    if not output:
        output = max(1, min(USUAL_OUTPUT, context // 4))
        assumed.append(f"{output:,} tokens written a request")
    read = wish.input_tokens
    if not read:
        read = max(1, context - output)
        assumed.append(f"{read:,} tokens read a request")
    concurrency = wish.concurrency
    if not concurrency and not wish.request_rate:
        concurrency = 1.0
        assumed.append("one request at a time")
    found = Traffic(
        concurrency=concurrency,
        request_rate=wish.request_rate,
        input_tokens=float(read),
        output_tokens=float(output),
        prefix_share=wish.prefix_share,
    )
    return found, tuple(assumed)


def _placed(
    deployment: Deployment, chips: int | None, wish: Wish, traffic: Traffic, *, asked: bool
) -> tuple[Deployment, int, Searched | None]:
    """The deployment with its placement, its chips, and what the search found."""
    if asked:
        one = deployment.placements[0]
        number = chips or one.chips
        if number % one.instance_chips:
            raise Infeasible(
                f"an instance of {one.words()} takes {one.instance_chips} chips, which does not divide {number}; give "
                f"a multiple of {one.instance_chips} chips, or degrees whose product divides {number}"
            )
        placed = deployment.at(replace(one, replicas=number // one.instance_chips))
        return placed, number, _searched(placed, number, wish, traffic)
    length = float(np.asarray(traffic.longest))
    if chips is None:
        chips = _enough_chips(deployment, wish, traffic, length)
    found = _searched(deployment, chips, wish, traffic)
    best = _best(deployment, chips, wish, traffic, found)
    return deployment.at(best), chips, found


def _enough_chips(deployment: Deployment, wish: Wish, traffic: Traffic, length: float) -> int:
    """The fewest chips that hold all requests (a power of two); where limits or arrivals ask for more, whole nodes."""
    few = fewest_chips(deployment, length, max(1.0, wish.concurrency)) or fewest_chips(deployment, length, 1.0)
    if few is None:
        return DOMAIN
    chips = few.chips
    while wish.goal.any or wish.request_rate:
        if _keeps(deployment, chips, wish, traffic):
            return _fewest_that_keep(deployment, (max(chips // 2, few.chips), chips), wish, traffic)
        chips *= 2
        if chips > MOST_CHIPS:
            break
    return few.chips


def _fewest_that_keep(deployment: Deployment, between: tuple[int, int], wish: Wish, traffic: Traffic) -> int:
    """Fewest whole nodes between chips that keep the limits not and that do; by halving, as if more did no worse."""
    low, high = between
    while high - low > DOMAIN:
        middle = (low + high) // 2 // DOMAIN * DOMAIN
        low, high = (low, middle) if _keeps(deployment, middle, wish, traffic) else (middle, high)
    return high


def _keeps(deployment: Deployment, chips: int, wish: Wish, traffic: Traffic) -> bool:
    """Whether so many chips keep the limits and answer what arrives."""
    found = _searched(deployment, chips, wish, traffic)
    if found is None or not (wish.concurrency or wish.request_rate):
        return found is not None and found.best is not None
    timed = pace(deployment.at(_best(deployment, chips, wish, traffic, found)), traffic)
    first, token = _one(timed.ttft.middle), _one(timed.tpot.middle)
    return bool(np.isfinite(first)) and first <= wish.goal.first and token <= wish.goal.token


def _searched(deployment: Deployment, chips: int, wish: Wish, traffic: Traffic) -> Searched | None:
    try:
        return search_placements(deployment, traffic, chips, wish.goal)
    except (Infeasible, MissingData):
        return None


def _best(deployment: Deployment, chips: int, wish: Wish, traffic: Traffic, found: Searched | None) -> Placement:
    """The placement that writes most at the load asked for within the goal, else next to it; else what holds most."""
    length = float(np.asarray(traffic.longest))
    many = placements_on(deployment, chips, length)
    made = budget(deployment.at(many))
    holds = made.concurrency(length=length)
    total = many.dp * many.replicas * holds
    fits = holds >= 1
    if found is None or not bool(fits.any()):
        return many[int(np.lexsort((made.weights / made.capacity, -holds))[0])]
    open_load = found.best is not None and (wish.goal.any or wish.request_rate)
    load = wish.concurrency or (found.best.load if open_load and found.best is not None else 1.0)
    kept = np.flatnonzero(fits)
    chosen = many.take(kept)
    first, token, rate, _ = measured(deployment, traffic, chosen, np.full(len(kept), float(load)))
    first, token, rate = (np.broadcast_to(each, kept.shape) for each in (first, token, rate))
    over = np.maximum(first / wish.goal.first, token / wish.goal.token)
    enough = np.minimum(total[kept] / load, 1.0)
    gained = rate * enough
    if bool((enough >= 1).any()):
        over = np.where(enough >= 1, over, np.maximum(over, 1e6))
    near = (over <= 1) & (gained >= NEAR * np.max(np.where(over <= 1, gained, -1.0)))
    if bool(near.any()):
        return chosen[int(np.argmin(np.where(near, token, np.inf)))]
    return chosen[int(np.argmin(over))]


def _answered(
    deployment: Deployment,
    chips: int,
    wish: Wish,
    traffic: Traffic,
    more: tuple[Searched | None, bool, tuple[str, ...], int],
) -> Service:
    """Everything that is said of a placed deployment."""
    searched, asked, assumed, length = more
    one = deployment.placements[0]
    made = budget(deployment)
    wanted = max(wish.concurrency, 1.0) / one.replicas
    holds = room(deployment, length, wanted, made)
    timed, untimed = None, ""
    if holds.verdict == "does not fit":
        untimed = "nothing fits, so nothing is timed"
    else:
        try:
            timed = pace(deployment, traffic)
        except MissingData as error:
            untimed = str(error)
    tokens = (float(np.asarray(traffic.input_tokens)), float(np.asarray(traffic.output_tokens)))
    bill = None if timed is None else bill_of(timed, one.chips, wish.tariff, tokens, wish.use)
    short = holds.verdict in {"does not fit", "queues"}
    fewest = fewest_chips(deployment, float(length), max(wish.concurrency, 1.0)) if short else None
    return Service(
        deployment=deployment,
        traffic=traffic,
        wish=wish,
        chips=chips,
        asked=asked,
        room=holds,
        memory=memory_ledger(deployment, made),
        pace=timed,
        step=None if timed is None else step_ledger(deployment, traffic),
        bill=bill,
        searched=searched,
        comparison=_comparison(deployment, wish, tokens, bill),
        lifetime=_lifetime(deployment, wish, bill),
        changes=tuple(changes(deployment, length, wanted)) if short else (),
        fewest=fewest,
        devices=tuple(_others(deployment, wish, traffic, float(length), short=short)),
        untimed=untimed,
        slow=None if timed is None else slow(timed),
        apart=None if timed is None else _prompts_apart(deployment, wish, traffic, wanted),
        assumed=assumed,
        notes=(*_outrun(timed, wish, tokens[1]), *_notes(deployment, length)),
    )


def _prompts_apart(deployment: Deployment, wish: Wish, traffic: Traffic, wanted: float) -> Split | None:
    """The same with prompts on chips of their own, where that is asked for."""
    if wish.prefill is None:
        return None
    wrong = faults(deployment, wish.prefill)
    if wrong:
        raise Infeasible(f"prompts cannot be read so: {'; '.join(wrong)}.")
    each = replace(traffic, concurrency=wanted, request_rate=0.0)
    return split(replace(deployment, prefill=wish.prefill), each)


def _others(deployment: Deployment, wish: Wish, traffic: Traffic, length: float, *, short: bool) -> list[Hardware]:
    """Devices that hold all requests: all of them, timed, where they are asked for; a few where these chips do not."""
    if not (short or wish.devices):
        return []
    found = devices_that_fit(deployment, length, max(wish.concurrency, 1.0))
    return [_timed(deployment, traffic, one) for one in found] if wish.devices else found[:MOST_DEVICES]


def _timed(deployment: Deployment, traffic: Traffic, other: Hardware) -> Hardware:
    """A device with how fast it would be."""
    there = replace(deployment, device=other.device, node=None, memory=0.0, placement=other.placement)
    try:
        found = pace(there, traffic)
    except MissingData:
        return other
    return replace(other, token=_one(found.tpot.middle), rate=_one(found.output_rate.middle))


def _comparison(
    deployment: Deployment, wish: Wish, tokens: tuple[float, float], bill: Bill | None
) -> Comparison | None:
    """The API's offer against these chips under the largest load."""
    if wish.offer is None or bill is None:
        return None
    if wish.tariff is None:
        said = f"no price of {deployment.device.name} is known to hold against an API"
        raise MissingData(f"{said}; give one: --price '$2/chip/h'")
    full = pace(deployment, Traffic(input_tokens=tokens[0], output_tokens=tokens[1], prefix_share=wish.prefix_share))
    return compared(wish.offer, full, deployment.placements[0].chips, wish.tariff, tokens)


def _lifetime(deployment: Deployment, wish: Wish, bill: Bill | None) -> Lifetime | None:
    if bill is None or not wish.serve_tokens:
        return None
    if wish.tariff is None:
        raise MissingData(f"no price of {deployment.device.name} is known; a whole life needs one: --price '$2/chip/h'")
    from isoflop.serving.life import lifetime  # scaling laws are loaded by who asks for a life only

    return lifetime(bill, deployment, wish.tariff, wish.train_cost, wish.serve_tokens)


def _outrun(timed: Pace | None, wish: Wish, written: float) -> list[str]:
    """What to say where more requests arrive than are answered."""
    if timed is None or not wish.request_rate or np.isfinite(_one(timed.ttft.middle)):
        return []
    most = _one(timed.output_rate.middle) / written
    return [f"{wish.request_rate:g} requests a second outrun it: about {most:.3g} are answered, and the line grows"]


def _notes(deployment: Deployment, length: int) -> list[str]:
    """What a reader should know before believing it."""
    said = []
    made = deployment.model.context
    if made is not None and length > made:
        said.append(f"{deployment.model.name} was made for {made:,} tokens; {length:,} need its positions stretched")
    if any(cache.kind == "compressed" for cache in caches_of(deployment.model)):
        said.append(
            "runtimes page compressed attention in ways that are not modelled: the state is the least it can be"
        )
    if deployment.device.vendor == "Apple" and deployment.runtime.name in {"vllm", "sglang"}:
        said.append(f"no measurement of {deployment.runtime.name} on Apple devices is behind this; llama.cpp is usual")
    if deployment.device.memory.usable is None and not deployment.memory:
        said.append("usable memory of the device is not known: that of its label is taken")
    return said


def _one(values: object) -> float:
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])
