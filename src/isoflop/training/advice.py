"""The answer to "does it fit, how fast, for how much": a run on given chips, the layouts that do, what would help."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, lcm
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.book.memory import rule_of_thumb_bytes
from isoflop.errors import BadInput, Infeasible, MissingData
from isoflop.model.count import counts
from isoflop.quantity import read_cluster
from isoflop.relation.shown import Shown
from isoflop.training.cost import bill_of
from isoflop.training.inverse import (
    Change,
    Need,
    changes,
    fewest_chips,
    fleets,
    largest_micro_batch,
    largest_model,
    largest_sequence,
    need,
)  # fmt: skip
from isoflop.training.legal import faults
from isoflop.training.memory import ledger
from isoflop.training.pace import flops_per_token, machine_of, rates_of
from isoflop.training.practice import beside
from isoflop.training.search import search_layouts
from isoflop.training.spec import Layout, Recipe, Run
from isoflop.training.step import step_ledger
from isoflop.training.why import reasons

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec
    from isoflop.relation.answer import Ledger
    from isoflop.training.cost import Bill, Order
    from isoflop.training.pace import Machine, Rates
    from isoflop.training.practice import Practised
    from isoflop.training.scaling import Scaled
    from isoflop.training.search import Found
    from isoflop.training.why import Why

USUAL_BATCH_TOKENS = 2**20
USUAL_SEQUENCE = 4096
USUAL_DOMAIN = 8
MOST_CHIPS = 2**17
NOTICED = 1.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a run is held against: `chips` of a device (None: not said), a node's `domain`, memory a chip [bytes].

    `note` says where the capacity is from; `machine` is what steps are timed on, None where `untimed` says why not.
    """

    device: str
    title: str
    chips: int | None
    domain: int
    capacity: float
    note: str
    machine: Machine | None = None
    untimed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """The largest of each that fits in the layout, everything else as it is; 0 where not even the smallest does."""

    micro_batch: int
    sequence: int
    params: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast the chosen layout is: the step term by term, rates, what decides them, and the bill where one was asked.

    `enough` is the fewest chips (in steps of an eighth) that keep the deadline where the bill's do not; `practice` what
    runs like it take where nobody states their settings.
    """

    step: Ledger
    rates: Rates
    why: Why
    bill: Bill | None
    enough: Need | None
    practice: Practised | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice(Shown):
    """The whole answer. `run` is that of the layout, `given` as it was asked for.

    `chosen` is the layout that was asked for, else the fastest that fits, else None. `fits` lists the fastest of each
    kind of layout that do, fastest first, of the `tried` legal ones; `pareto` those that no other beats in time and
    memory. `fewest` is the smallest number of chips where none does on those given. `timing` is None where there is no
    layout or no time is known. `assumed` says what nobody gave, `notes` what a settings file leaves open; `scales` are
    the best layouts of fewer and more chips, where asked for.
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
    tried: int = 0
    fitting: int = 0
    pareto: tuple[Need, ...] = ()
    timing: Timing | None = None
    assumed: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    scales: tuple[Scaled, ...] = field(default=())
    given: Run | None = None

    @property
    def good(self) -> bool:
        """Whether there is a layout that fits, the one asked for where one was."""
        return self.chosen is not None and self.chosen.verdict != "does not fit"

    @property
    def held(self) -> Need | None:
        """The layout that figures are of: the chosen one, else that of the fewest chips."""
        return self.chosen or self.fewest


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
    machine, untimed = None, ""
    try:
        machine = machine_of(device)
    except MissingData as error:
        untimed = str(error)
    return Place(
        device=device.name, title=device.title, chips=cluster.count, domain=domain, capacity=figure.value, note=note,
        machine=machine, untimed=untimed,
    )  # fmt: skip


def advise(  # noqa: PLR0913 - what a run is, as keywords
    model: ModelSpec,
    on: str,
    *,
    sequence: int | None = None,
    batch: int | None = None,
    recipe: Recipe | None = None,
    layout: Layout | None = None,
    order: Order | None = None,
) -> Advice:
    """Whether `model` can be trained on the devices `on`, how, how fast, and for an `order` of tokens how much.

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
    return advise_run(run, place, layout, order, tuple(assumed))


def advise_run(
    run: Run, place: Place, layout: Layout | None = None, order: Order | None = None, assumed: tuple[str, ...] = ()
) -> Advice:
    """The same for a run that is settled already."""
    if order is not None:
        assumed = (*assumed, f"goodput {order.goodput:.0%} (share of the time in which steps are made that count)")
    if layout is not None:
        return _of_layout(run, place, layout, order, assumed)
    return _of_all(run, place, order, assumed)


def _of_layout(run: Run, place: Place, layout: Layout, order: Order | None, assumed: tuple[str, ...]) -> Advice:
    """What one layout needs and takes."""
    wrong = faults(run, layout)
    if place.chips is not None and place.chips != layout.chips:
        wrong = (f"dp x tp x pp x cp is {layout.chips} chips, and {place.chips} were given", *wrong)
    if wrong:
        raise Infeasible(f"the layout {layout.words()} cannot be: {'; '.join(wrong)}.")
    needed = need(run, layout, place.capacity, place.machine)
    return _advice(run, place, needed, None, order, assumed)


def _of_all(run: Run, place: Place, order: Order | None, assumed: tuple[str, ...]) -> Advice:
    """Every layout of the chips given, or of the fewest that do."""
    if place.chips is None:
        few = _in_time(run, place, order)
        said = "the fewest chips that do"
        if few is None:
            few = fewest_chips(run, place.domain, place.capacity)
        else:
            said = "the fewest chips that keep the deadline"
        place = replace(place, chips=few)
        assumed = (*assumed, f"{said}: {few:,}")
    assert place.chips is not None
    found = _search(run, place, place.chips)
    if place.chips and not found.tried and run.batch % place.chips and place.chips <= run.batch:
        raise BadInput(
            f"no layout of {place.chips} chips divides a batch of {run.batch} sequences; give a --batch that is a "
            "multiple of the chips"
        )
    return _advice(run, place, found.best[0] if found.best else None, found, order, assumed)


def _search(run: Run, place: Place, chips: int) -> Found:
    return search_layouts(run, chips, place.domain, place.capacity, place.machine)


def _in_time(run: Run, place: Place, order: Order | None) -> int | None:
    """The fewest chips whose best layout keeps the deadline, in steps of an eighth; None where none is asked."""
    if order is None or order.deadline is None or place.machine is None:
        return None
    work = flops_per_token(run)["model"] * order.tokens / order.goodput
    least = work / (place.machine.chip.rate("16") * order.deadline)  # at a utilisation of one
    for chips in _steps(place.domain, least):
        found = _search(run, place, chips)
        bill = bill_of(found.best[0], order) if found.best else None
        if bill is not None and not bill.late:
            return chips
    raise Infeasible(
        f"no number of chips up to {MOST_CHIPS:,} that was tried keeps the deadline with a batch of {run.batch} "
        "sequences; enlarge the batch, or the deadline"
    )


def _steps(domain: int, least: float) -> list[int]:
    """Whole nodes (parts of one below it), an eighth more each time."""
    found = [chips for chips in fleets(domain, domain) if chips >= least]
    nodes = max(1, ceil(least / domain))
    while nodes * domain <= MOST_CHIPS:
        found.append(nodes * domain)
        step = 2 ** max(0, nodes.bit_length() - 4)
        nodes = (nodes // step + 1) * step
    return sorted(set(found))


def _advice(
    run: Run, place: Place, chosen: Need | None, found: Found | None, order: Order | None, assumed: tuple[str, ...]
) -> Advice:
    fewest = None
    if chosen is None:
        try:
            few = fewest_chips(run, place.domain, place.capacity)
            fewest = _search(run, place, few).best[0]
        except Infeasible:
            fewest = None
    held = chosen or fewest
    second = _second(found.best) if found is not None else None
    return Advice(
        run=held.run if held else run,
        place=place,
        asked=found is None,
        chosen=chosen,
        fits=found.best if found else (),
        memory=ledger(held.run, held.layout, "device", place.capacity) if held else None,
        most=_most(held, place) if held else None,
        changes=tuple(changes(held.run, held.layout, place.capacity, place.machine)) if held else (),
        fewest=fewest,
        rule_bytes=float(rule_of_thumb_bytes(counts(run.model).params)),
        tried=found.tried if found else 0,
        fitting=found.fit if found else 0,
        pareto=found.pareto if found else (),
        timing=_timing(held, second, place, order, run) if held else None,
        assumed=assumed,
        given=run,
    )


def _second(best: tuple[Need, ...]) -> Need | None:
    """The next best kind of layout that is slower by something: what is as fast has no reasons to tell."""
    first = best[0].pace if best else None
    if first is None or len(best) < 2:
        return None
    slower = (one for one in best[1:] if one.pace is not None and one.pace.step > NOTICED * first.step)
    return next(slower, best[1])


def _timing(held: Need, second: Need | None, place: Place, order: Order | None, run: Run) -> Timing | None:
    machine = place.machine
    if machine is None or held.pace is None:
        return None
    bill = bill_of(held, order) if order else None
    enough = None
    if bill is not None and bill.late and second is not None:
        try:
            chips = _in_time(run, place, order)
            enough = _search(run, place, chips).best[0] if chips else None
        except Infeasible:
            enough = None
    return Timing(
        step=step_ledger(held.run, held.layout, machine.chip, machine.profile),
        rates=rates_of(held.run, held.layout, held.pace, machine),
        why=reasons(held, second, machine, machine.chip.node),
        bill=bill,
        enough=enough,
        practice=_practised(held, place, bill),
    )


def _practised(held: Need, place: Place, bill: Bill | None) -> Practised | None:
    """What runs like it take, for devices of the catalogue."""
    if bill is None or place.device not in hardware.devices():
        return None
    return beside(held.run, hardware.device(place.device), bill)


def _most(held: Need, place: Place) -> Most:
    return Most(
        micro_batch=largest_micro_batch(held.run, held.layout, place.capacity),
        sequence=largest_sequence(held.run, held.layout, place.capacity),
        params=largest_model(held.run, held.layout, place.capacity),
    )
