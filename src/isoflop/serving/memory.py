"""What a deployment takes of its fullest chip, and what that leaves for the state of sequences.

`budget` is the one ledger: tokens that fit, the largest context and batch and the chips that do are its inverses.
Bytes on one chip throughout; everything takes one placement or many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import MissingData
from isoflop.model.spec import Group
from isoflop.relation.answer import Ledger, Term
from isoflop.serving.activation import activation_bytes
from isoflop.serving.loaded import PRODUCTS, absorbed_bytes, draft_state, loaded_bytes
from isoflop.serving.pool import Paging, Pool, pool_of
from isoflop.serving.runtime import Era, era_of
from isoflop.serving.weights import held_of, load

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray, Real
    from isoflop.serving.spec import Deployment

SEEN_BY_SOFTWARE = 0.995
"""Memory that software is told of over what nvidia-smi prints: 79.22 of 79.65 GiB on an H100, 139.8 of 140.4 on an H200
(serving_memory.csv)."""

SEEN_OF_GDDR = 0.99
"""The same of cards without HBM: 0.983 (T4, L40S) to 0.995 (RTX 3090)."""

CAPACITY_SPREAD = 1.006
WEIGHTS_SPREAD = 1.006
USUAL_LENGTH = 4096
LARGE_BUT_SMALL_STEPS = ("a100", "gb10", "jetson")
"""vLLM starts A100 with the steps of small devices, whatever their memory; logs of devices that share the memory of
their host show small steps too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Bytes on the fullest chip, an entry a placement; `low` and `high` of the pool hold 80 % of what was measured.

    `capacity` of the chip, `weights`, `activation` at the height of a step, `graphs`, `outside` (libraries, buffers of
    communication), `kept_free` by the runtime. `pool` is what is left for state: below zero nothing is. `units` whole
    pages of it, `tokens` as the runtime prints them, `concurrency` sequences of `length` tokens, `state` their bytes.
    `asked` bytes are set aside from the start by a runtime that takes what the context asks for; 0 for others.
    """

    capacity: FloatArray
    weights: FloatArray
    activation: FloatArray
    graphs: FloatArray
    outside: FloatArray
    kept_free: FloatArray
    pool: FloatArray
    pool_low: FloatArray
    pool_high: FloatArray
    length: FloatArray
    pages: Pool
    era: Era
    asked: FloatArray

    @property
    def units(self) -> FloatArray:
        """Whole pages in every layer of a group that the pool holds."""
        return units_of(self.pool, self.pages)

    @property
    def state(self) -> FloatArray:
        """Bytes of the pool in whole pages."""
        return np.asarray(self.units * self.pages.unit)

    def tokens(self, pool: FloatArray | None = None) -> FloatArray:
        """Tokens that fit, as the runtime prints them."""
        return self.pages.printed(units_of(self.pool if pool is None else pool, self.pages), self.length)

    def concurrency(self, pool: FloatArray | None = None, length: Real | None = None) -> FloatArray:
        """Sequences of `length` tokens that fit at once, not rounded."""
        tokens = self.length if length is None else length
        needed = self.pages.needs(tokens)
        space = np.maximum(self.pool if pool is None else pool, 0)
        each = (needed * self.pages.unit + self.pages.apart) * self.pages.kept
        return np.asarray(space / np.maximum(each, 1e-9))


def units_of(pool: FloatArray, pages: Pool) -> FloatArray:
    """Whole units in so many bytes."""
    return np.asarray(np.floor(np.maximum(pool, 0) / np.maximum(pages.unit, 1e-9)))


def capacity_of(device: Device) -> float:
    """Memory of a chip that a runtime is told of [byte]; of a device without such a figure what its label says."""
    try:
        share = SEEN_OF_GDDR if "GDDR" in device.memory.kind else SEEN_BY_SOFTWARE
        return device.memory_usable().value * share
    except MissingData:
        if device.memory.labelled is None:
            raise MissingData(
                f"{device.name}: its memory is as large as it was bought with; say it, like --memory '512 GB'"
            ) from None
        return device.memory_labelled().value


def budget(deployment: Deployment, *, month: str = "", capacity: float | None = None) -> Budget:
    """The ledger of every placement.

    `month` ("2025-06") chooses the era of a runtime without a version. `capacity` stands for the device's where a log
    states it.
    """
    era = era_of(deployment.runtime, month)
    model, base, many = served(deployment), deployment.model, deployment.placements
    size = capacity or deployment.memory or capacity_of(deployment.device)
    total = np.full_like(many.tp, size)
    held = load(held_of(base, deployment.formats, era.mxfp4_pad), many)
    weights = loaded_bytes(deployment, era, held)
    length = length_of(deployment)
    step, sequences = steps_of(deployment, era, length, float(total.flat[0]))
    active = activation_bytes(model, era, many, step, sequences)
    graphs = _graphs(deployment, era, size) * (held.beyond - held.first)
    outside = _outside(deployment, era)
    last = np.where(held.beyond == base.layers, model.layers, held.beyond)  # the end guesses ahead
    pages = _pages(deployment, era, model, held.first, last, step)
    fraction = fraction_of(deployment, era)
    taken = _Taken(weights=weights, activation=active, graphs=graphs, outside=outside, fraction=fraction)
    running = np.maximum(_running(deployment, era), 1) * (era.of == "asked")
    asked = (pages.needs(length) * pages.unit + pages.apart) * pages.kept * running
    pools = [
        taken.pool(era, total),
        taken.at(1 / WEIGHTS_SPREAD, era.spread).pool(era, total / CAPACITY_SPREAD),
        taken.at(WEIGHTS_SPREAD, 1 / era.spread).pool(era, total * CAPACITY_SPREAD),
    ]
    if era.state_pool:
        pools = [pool - _apart(deployment, era, pages, pool) for pool in pools]
        pages = replace(pages, apart=np.zeros_like(pages.apart))
    return Budget(
        capacity=total,
        weights=weights,
        activation=active,
        graphs=graphs,
        outside=outside + era.context,
        kept_free=total * (1 - fraction),
        pool=pools[0],
        pool_low=pools[1],
        pool_high=pools[2],
        length=length,
        pages=pages,
        era=era,
        asked=asked,
    )


def _outside(deployment: Deployment, era: Era) -> FloatArray:
    """Bytes beside weights and activations that are taken from the share."""
    many = deployment.placements
    each = era.communication if linked(deployment.device) else era.communication_bus
    return np.asarray(np.where(many.instance_chips > 1, era.outside + each * many.tp, era.outside))


def _graphs(deployment: Deployment, era: Era, size: float) -> float:
    """Bytes of captured graphs a layer, 0 where none are wanted."""
    if deployment.runtime.graphs is False:
        return 0.0
    each = era.graphs_large if era.graphs_large and _large(deployment, era, size) else era.graphs
    return each * deployment.model.width


def _apart(deployment: Deployment, era: Era, pages: Pool, pool: FloatArray) -> FloatArray:
    """Bytes of a second pool for memories of recurrences: as many as sequences may run, else a share."""
    running = np.asarray(deployment.settings.max_sequences, dtype=np.float64)
    share = np.where(pages.apart > 0, era.state_pool * np.maximum(pool, 0), 0.0)
    return np.asarray(np.where(running > 0, np.minimum(running * pages.apart, np.maximum(pool, 0)), share))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What stands beside the pool."""

    weights: FloatArray
    activation: FloatArray
    graphs: FloatArray
    outside: FloatArray
    fraction: FloatArray

    def at(self, lighter: float, more: float) -> _Taken:
        """Weights lighter, everything else more, by these factors."""
        return replace(
            self,
            weights=self.weights / lighter,
            activation=self.activation * more,
            graphs=self.graphs * more,
            outside=self.outside * more,
        )

    def pool(self, era: Era, total: FloatArray) -> FloatArray:
        """Bytes left for state under an era's rule."""
        inside = self.graphs * era.graphs_inside
        if era.of == "asked":
            return np.asarray(total - era.context - self.weights - self.activation - self.outside)
        if era.of == "total":
            return np.asarray(total * self.fraction - self.weights - self.activation - self.outside - inside)
        free = total - era.context - self.weights - self.outside
        if era.of == "static":
            return np.asarray(free - total * (1 - self.fraction))
        return np.asarray((free - self.activation) * self.fraction)


LINKED = 60e9
"""Links from this rate on [byte/s one way] are those whose buffers communication libraries set up; below is a bus."""


def linked(device: Device) -> bool:
    """Whether chips have links of their own, so that they work on one layer together."""
    rate = device.link.per_direction if device.link is not None else None
    return rate is not None and rate.value >= LINKED


def _kept(deployment: Deployment, model: ModelSpec) -> float:
    """Share of the state that is on chips: that of layers on the host stays there, all of it where asked."""
    off = deployment.offload
    return 0.0 if off.kv else 1.0 - min(1.0, off.layers / model.layers)


def _pages(
    deployment: Deployment, era: Era, model: ModelSpec, first: FloatArray, beyond: FloatArray, step: FloatArray
) -> Pool:
    """The pages of each placement; placements whose fullest stage has other layers are counted one by one."""
    many = deployment.placements
    block = np.asarray(deployment.settings.block_size, dtype=np.float64)
    block = np.broadcast_to(np.where(block > 0, block, era.block), many.tp.shape)
    drafts = np.broadcast_to(np.asarray(deployment.speculation.tokens, dtype=np.float64), many.tp.shape)
    paging = Paging(kv_bytes=deployment.formats.kv_bytes, block=block, step_tokens=step, drafts=drafts)
    encoder = model.encoder.layers if model.encoder is not None else 0
    spans = {(int(a), int(b)) for a, b in zip(first, beyond, strict=True)}
    kept = _kept(deployment, model) * (1 + draft_state(deployment))
    if len(spans) == 1:
        a, b = spans.pop()
        return replace(pool_of(model, era, many, paging, (max(a - encoder, 0), max(b - encoder, 0))), kept=kept)
    whole = pool_of(model, era, many, paging, (0, model.stack.layers))
    share = (beyond - first) / model.layers
    return replace(whole, unit=whole.unit * share, apart=whole.apart * share, kept=kept)


def served(deployment: Deployment) -> ModelSpec:
    """The model as it is loaded: with its layers for further tokens where they guess ahead."""
    return _with_drafts(deployment.model) if deployment.speculation.method == "mtp" else deployment.model


@lru_cache(maxsize=64)
def _with_drafts(model: ModelSpec) -> ModelSpec:
    groups = [group for one in model.apart for group in one.groups] or [Group(1, model.stack.groups[-1].layer)]
    return replace(model, stack=replace(model.stack, groups=(*model.stack.groups, *groups)))


def length_of(deployment: Deployment) -> FloatArray:
    """Tokens of the longest sequence: as set, else what the model was made for."""
    asked = np.asarray(deployment.settings.max_model_len, dtype=np.float64)
    usual = float(deployment.model.context or USUAL_LENGTH)
    return np.broadcast_to(np.where(asked > 0, asked, usual), deployment.placements.tp.shape)


def steps_of(
    deployment: Deployment, era: Era, length: FloatArray, capacity: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """(tokens that a step works on at most, sequences that may run): as set, else the era's for such a device."""
    settings = deployment.settings
    large = _large(deployment, era, capacity_of(deployment.device) if capacity is None else capacity)
    tokens = np.asarray(era.large_tokens if large and era.large_tokens else era.step_tokens, dtype=np.float64)
    if era.sequence_profiled:
        whole = np.maximum(length, tokens)
        pieces = era.chunked_beyond > 0 and not (era.absorbed == PRODUCTS and absorbed_bytes(deployment.model, 1))
        tokens = np.where(length > era.chunked_beyond, tokens, whole) if pieces else whole
    most = np.asarray(era.large_sequences if large and era.large_sequences else era.step_sequences, dtype=np.float64)
    asked, running = (
        np.asarray(value, dtype=np.float64) for value in (settings.max_batched_tokens, settings.max_sequences)
    )
    step = np.where(asked > 0, asked, tokens)
    return np.broadcast_to(step, length.shape), np.broadcast_to(np.where(running > 0, running, most), length.shape)


def _large(deployment: Deployment, era: Era, size: float) -> bool:
    """Whether the runtime takes the device for a large one."""
    return size >= era.large and not deployment.device.name.startswith(LARGE_BUT_SMALL_STEPS)


def _running(deployment: Deployment, era: Era) -> FloatArray:
    asked = np.asarray(deployment.settings.max_sequences, dtype=np.float64)
    return np.where(asked > 0, asked, era.step_sequences)


def fraction_of(deployment: Deployment, era: Era) -> FloatArray:
    """Share of the device that the runtime may fill: as set, else the era's for so many tensor ranks."""
    many = deployment.placements
    usual = np.full_like(many.tp, era.fraction)
    for ranks, share in era.fractions:
        usual = np.where(many.tp >= ranks, share, usual)
    asked = np.asarray(deployment.settings.memory_fraction, dtype=np.float64)
    return np.asarray(np.where(asked > 0, asked, usual))


def memory_ledger(deployment: Deployment, found: Budget | None = None) -> Ledger:
    """The budget of one placement as named terms, the pool among them, against the memory of its chip."""
    made = found or budget(deployment)
    era = made.era
    terms = [
        Term(name="weights", value=_one(made.weights), note=weights_note(deployment)),
        Term(name="activations", value=_one(made.activation), note="at the height of a step"),
    ]
    terms.append(Term(name="CUDA graphs", value=_one(made.graphs), note=_graphs_note(era)))
    terms.append(Term(name="libraries and communication", value=_one(made.outside)))
    state = _one(made.asked) if era.of == "asked" else max(_one(made.pool), 0.0)
    terms.append(Term(name="state of sequences", value=state, note=f"{era.title}"))
    named = tuple(term for term in terms if term.value)
    return Ledger(quantity="peak_memory", title="Memory of the fullest chip", terms=named, limit=_one(made.capacity))


def weights_note(deployment: Deployment) -> str:
    """The format of the weights in words."""
    weights = deployment.formats.weights
    return weights.upper() if isinstance(weights, str) else weights.words


def _graphs_note(era: Era) -> str:
    return "inside the share" if era.graphs_inside else "on top of the share"


def _one(values: FloatArray) -> float:
    return float(np.asarray(values).reshape(-1)[0])
