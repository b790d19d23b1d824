"""What fits: the largest context and batch, the fewest chips, the devices that do, the smallest change.

All are inverses of one ledger (`memory.budget`): what is needed never falls with a longer context or a larger batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop import hardware
from isoflop.errors import IsoflopError
from isoflop.serving.legal import block_of, device_faults, faults, legal_placements
from isoflop.serving.memory import budget
from isoflop.serving.spec import Formats, Placements
from isoflop.serving.weights import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.hardware import Device
    from isoflop.serving.memory import Budget
    from isoflop.serving.spec import Deployment, Placement

Verdict = Literal["fits", "tight", "queues", "does not fit"]
"""All sequences at the 10 % point of the memory left; at its middle; fewer at once, the rest waits; not even one."""

MOST_TOKENS = 2**27
LARGEST_INSTANCE = 64
"""Chips of one instance that are tried at most where nobody says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one deployment holds [per replica], middle and the 80 % interval where there are two more numbers.

    `tokens` as its runtime prints them; `sequences` of `length` tokens at once; `context` the longest that `wanted`
    sequences may have, `longest` that a single one may.
    """

    length: int
    wanted: float
    tokens: tuple[float, float, float]
    sequences: tuple[float, float, float]
    context: int
    longest: int

    @property
    def verdict(self) -> Verdict:
        """Whether the sequences fit."""
        middle, low, _ = self.sequences
        if middle < 1:
            return "does not fit"
        return "fits" if low >= self.wanted else "tight" if middle >= self.wanted else "queues"


def room(deployment: Deployment, length: int, wanted: float, made: Budget | None = None) -> Room:
    """What a deployment of one placement holds of sequences of `length` tokens, `wanted` of them at an instance."""
    found = made or budget(deployment)
    dp = float(np.asarray(deployment.placements.dp).reshape(-1)[0])
    pools = (found.pool, found.pool_low, found.pool_high)
    sequences = tuple(dp * _one(found.concurrency(pool, float(length))) for pool in pools)
    if found.era.windows == "cells" or found.era.of == "asked":
        tokens = tuple(float(largest_context(replace(found, pool=pool), 1.0)) for pool in pools)
    else:
        tokens = tuple(dp * _one(found.tokens(pool)) for pool in pools)
    return Room(
        length=length,
        wanted=wanted,
        tokens=(tokens[0], tokens[1], tokens[2]),
        sequences=(sequences[0], sequences[1], sequences[2]),
        context=largest_context(found, max(wanted / dp, 1.0)),
        longest=largest_context(found, 1.0),
    )


def largest_context(found: Budget, sequences: float) -> int:
    """The longest sequence [token] of which so many fit at once at one group of attention; 0 for none."""
    low, high = 0, 1
    while high <= MOST_TOKENS and _one(found.concurrency(length=float(high))) >= sequences:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        fits = _one(found.concurrency(length=float(middle))) >= sequences
        low, high = (middle, high) if fits else (low, middle)
    return low


def instances(deployment: Deployment, chips: int, domain: int, *, stages: bool = True) -> Placements:
    """Legal placements on so many chips: tensor ranks within a node, stages, attention by data, replicas.

    `stages` false: pipeline stages are whole nodes of `domain` chips, as usual where chips have fast links.
    """
    found = [
        (tp, pp, dp, ep, chips // (tp * pp * dp))
        for tp in _powers(min(chips, domain))
        for pp in _powers(chips // tp if stages else max(1, min(chips // domain, chips // tp)))
        for dp in _powers(chips // (tp * pp))
        for ep in ({1, tp * dp} if pp == 1 else {1})
        if chips % (tp * pp * dp) == 0 and (dp == 1 or ep > 1)
    ]
    tp, pp, dp, ep, replicas = (np.array(column, dtype=np.float64) for column in zip(*found, strict=True))
    many = Placements.of(tp=tp, pp=pp, dp=dp, ep=ep, replicas=replicas)
    block = 1 if deployment.runtime.name in {"llama.cpp", "ideal"} else block_of(scheme_of(deployment.formats))
    return many.take(legal_placements(deployment.model, many, block))


def _powers(most: int) -> Iterator[int]:
    """1, 2, 4 ... and the number itself."""
    one = 1
    while one <= most:
        yield one
        one *= 2
    if most >= 1 and one != 2 * most:
        yield most


def fewest_chips(
    deployment: Deployment, length: float, sequences: float, domain: int = 8, most: int = LARGEST_INSTANCE
) -> Placement | None:
    """The placement of the fewest chips (powers of two) that holds so many sequences at once; None where none does."""
    chips = 1
    while chips <= most:
        many = instances(deployment, chips, min(domain, chips))
        if len(many):
            made = budget(deployment.at(many))
            holds = many.dp * many.replicas * made.concurrency(length=length)
            good = (made.concurrency(length=length) >= 1) & (holds >= sequences)
            if bool(good.any()):
                # tensor ranks before stages, stages before groups of attention
                order = many.dp * 1e6 + many.pp * 1e3 - np.minimum(holds, 1e5) / 1e6
                return many[int(np.argmin(np.where(good, order, np.inf)))]
        chips *= 2
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Chips of a device that hold what is asked, with the price [USD/s] of all of them, None where none is known.

    `token` seconds between tokens and `rate` tokens a second of all chips under the load asked for, None where nothing
    was timed.
    """

    device: Device
    placement: Placement
    price: float | None
    token: float | None = None
    rate: float | None = None


def devices_that_fit(deployment: Deployment, length: float, sequences: float, most: int = 16) -> list[Hardware]:
    """Every catalogued GPU, with the fewest of its chips that hold so many sequences; the cheapest first."""
    found = []
    for device in hardware.devices().values():
        if device.kind != "GPU":
            continue
        try:
            other = replace(deployment, device=device, node=None, memory=0.0)
            placement = None if device_faults(other) else fewest_chips(other, length, sequences, most=most)
        except IsoflopError:
            continue
        if placement is not None:
            found.append(Hardware(device=device, placement=placement, price=_price(device, placement.chips)))
    return sorted(found, key=lambda one: (one.price is None, one.price or 0.0, one.placement.chips))


def _price(device: Device, chips: int) -> float | None:
    from isoflop.hardware.tariff import tariff_of

    tariff = tariff_of(device)
    return None if tariff is None else tariff.amount * chips


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change to a deployment in words, and what it holds then."""

    says: str
    deployment: Deployment
    room: Room


def changes(deployment: Deployment, length: int, wanted: float) -> list[Change]:
    """Single changes that let more sequences fit, those that make all fit first, and of these the gentlest first."""
    now = room(deployment, length, wanted).sequences[0]
    found = []
    for says, other, tokens in _tried(deployment, length):
        one = other.placements[0]
        if faults(other, one):
            continue
        found.append(Change(says=says, deployment=other, room=room(other, tokens, wanted)))
    better = [change for change in found if change.room.sequences[0] > 1.02 * max(now, 0.0)]
    better = [change for change in better if change.room.verdict != "does not fit"] or better
    return sorted(better, key=lambda change: change.room.verdict not in {"fits", "tight"})


def _tried(deployment: Deployment, length: int) -> Iterator[tuple[str, Deployment, int]]:
    formats, one = deployment.formats, deployment.placements[0]
    if formats.kv_bytes > 1:
        yield "the cache in FP8", replace(deployment, formats=replace(formats, kv="fp8")), length
    if isinstance(formats.weights, str) and formats.weights in {"bf16", "fp16", "fp32"}:
        for name, words in (("fp8", "weights in FP8"), ("int4", "weights in 4 bits")):
            yield words, replace(deployment, formats=Formats(weights=name, kv=formats.kv)), length
    fraction = np.asarray(deployment.settings.memory_fraction).reshape(-1)[0]
    if deployment.runtime.name in {"vllm", "sglang"} and fraction < 0.95:
        settings = replace(deployment.settings, memory_fraction=0.95)
        yield "95 % of the memory for the runtime", replace(deployment, settings=settings), length
    if length > 2048:
        yield f"sequences of {length // 2:,} tokens", deployment, length // 2
    if one.replicas > 1 and one.replicas % 2 == 0:
        yield f"tp {2 * one.tp} with half the replicas", deployment.at(_doubled(one, one.replicas // 2)), length
    yield f"tp {2 * one.tp}, on twice the chips", deployment.at(_doubled(one, one.replicas)), length
    if one.tp > 1:
        yield f"pp {2 * one.pp}, on twice the chips", deployment.at(replace(one, pp=2 * one.pp)), length


def _doubled(one: Placement, replicas: int) -> Placement:
    return replace(one, tp=2 * one.tp, ep=2 * one.ep if one.ep > 1 else 1, replicas=replicas)


def _one(values: object) -> float:
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])
