"""The answer to "does it fit": a run on given chips, the layouts that do, what takes the memory, what would help."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import lcm
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.book.memory import rule_of_thumb_bytes
from isoflop.errors import BadInput, Infeasible, MissingData
from isoflop.model.count import counts
from isoflop.quantity import read_cluster
from isoflop.training.inverse import (
    Change,
    Need,
    changes,
    fewest_chips,
    fitting,
    largest_micro_batch,
    largest_model,
    largest_sequence,
    need,
)  # fmt: skip
from isoflop.training.legal import faults
from isoflop.training.memory import ledger
from isoflop.training.spec import Layout, Recipe, Run

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec
    from isoflop.relation.answer import Ledger

USUAL_BATCH_TOKENS = 2**20
USUAL_SEQUENCE = 4096
USUAL_DOMAIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a run is held against: `chips` of a device (None: not said), a node's `domain`, memory a chip [bytes].

    `note` says where the capacity is from.
    """

    device: str
    title: str
    chips: int | None
    domain: int
    capacity: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """The largest of each that fits in the layout, everything else as it is; 0 where not even the smallest does."""

    micro_batch: int
    sequence: int
    params: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The whole answer. `chosen` is the layout that was asked for, else the first that fits, else None.

    `fits` lists layouts that do; `fewest` is the smallest number of chips where none does on those given. `assumed`
    says what nobody gave.
    """

    run: Run
    place: Place
    asked: bool
    chosen: Need | None
    fits: tuple[Need, ...]
    memory: Ledger | None
    most: Most | None
    changes: tuple[Change, ...]
    fewest: Need | None
    rule_bytes: float
    assumed: tuple[str, ...] = field(default=())

    @property
    def good(self) -> bool:
        """Whether there is a layout that fits, the one asked for where one was."""
        return self.chosen is not None and self.chosen.verdict != "does not fit"


def place_of(on: str) -> Place:
    """The devices of "64xh100-sxm", or of a device.toml, with what memory a chip has to give."""
    cluster = read_cluster(on)
    device = hardware.device(cluster.device)
    try:
        figure, note = device.memory_usable(), "usable memory"
    except MissingData:
        figure, note = device.memory_labelled(), "labelled memory; no source says how much of it is usable"
    nodes = hardware.nodes_of(device.name) if device.name in hardware.devices() else ()
    domain = max((node.fabric.domain for node in nodes), default=USUAL_DOMAIN)
    note += ", an estimate" if figure.is_estimate else ""
    return Place(
        device=device.name, title=device.title, chips=cluster.count, domain=domain, capacity=figure.value, note=note
    )


def advise(
    model: ModelSpec,
    on: str,
    *,
    sequence: int | None = None,
    batch: int | None = None,
    recipe: Recipe | None = None,
    layout: Layout | None = None,
) -> Advice:
    """Whether `model` can be trained on the devices `on`, and how.

    `sequence` [token] is 4,096 or the model's context where that is less; `batch` [sequence] about a million tokens.
    Without a `layout` all are tried. A layout that cannot be is refused with every reason.
    """
    place = place_of(on)
    assumed = []
    length = sequence or min(USUAL_SEQUENCE, model.context or USUAL_SEQUENCE)
    if sequence is None:
        assumed.append(f"sequences of {length:,} tokens")
    chips = place.chips if place.chips is not None else layout.chips if layout is not None else None
    if batch is None:
        share = lcm(chips or 1, layout.dp * layout.micro_batch if layout else 1)
        batch = share * max(1, round(USUAL_BATCH_TOKENS / length / share))
        assumed.append(f"a batch of {batch:,} sequences, {batch * length:,} tokens")
    run = Run(model=model, sequence=length, batch=batch, recipe=recipe or Recipe())
    if recipe is None:
        assumed.append("mixed precision as in Megatron-LM")
    if layout is not None:
        return _of_layout(run, place, layout, tuple(assumed))
    return _of_all(run, place, tuple(assumed))


def _of_layout(run: Run, place: Place, layout: Layout, assumed: tuple[str, ...]) -> Advice:
    """What one layout needs."""
    wrong = faults(run, layout)
    if place.chips is not None and place.chips != layout.chips:
        wrong = (f"dp x tp x pp x cp is {layout.chips} chips, and {place.chips} were given", *wrong)
    if wrong:
        raise Infeasible(f"the layout {layout.words()} cannot be: {'; '.join(wrong)}.")
    needed = need(run, layout, place.capacity)
    return _advice(run, place, needed, (), assumed, asked=True)


def _of_all(run: Run, place: Place, assumed: tuple[str, ...]) -> Advice:
    """Every layout of the chips given, or of the fewest that do."""
    if place.chips is None:
        few = fewest_chips(run, place.domain, place.capacity)
        place = replace(place, chips=few.layout.chips)
        assumed = (*assumed, f"the fewest chips that do: {few.layout.chips}")
        if run.batch % few.layout.dp:
            raise BadInput(f"the batch of {run.batch} sequences does not divide among {few.layout.dp} replicas")
    assert place.chips is not None
    found = fitting(run, place.chips, place.domain, place.capacity)
    return _advice(run, place, found[0] if found else None, tuple(found), assumed, asked=False)


def _advice(
    run: Run, place: Place, chosen: Need | None, fits: tuple[Need, ...], assumed: tuple[str, ...], *, asked: bool
) -> Advice:
    fewest = None
    if chosen is None:
        try:
            fewest = fewest_chips(run, place.domain, place.capacity)
        except Infeasible:
            fewest = None
    held = chosen or fewest
    return Advice(
        run=held.run if held else run,
        place=place,
        asked=asked,
        chosen=chosen,
        fits=fits,
        memory=ledger(held.run, held.layout, "device", place.capacity) if held else None,
        most=_most(held, place) if held else None,
        changes=tuple(changes(held.run, held.layout, place.capacity)) if held else (),
        fewest=fewest,
        rule_bytes=float(rule_of_thumb_bytes(counts(run.model).params)),
        assumed=assumed,
    )


def _most(held: Need, place: Place) -> Most:
    return Most(
        micro_batch=largest_micro_batch(held.run, held.layout, place.capacity),
        sequence=largest_sequence(held.run, held.layout, place.capacity),
        params=largest_model(held.run, held.layout, place.capacity),
    )
