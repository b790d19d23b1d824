"""Why the best layout is the best, what its time goes to, and what the next change would bring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop.errors import IsoflopError
from isoflop.training.inverse import need
from isoflop.training.legal import faults
from isoflop.training.step import step_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.kernel import Chip
    from isoflop.training.inverse import Need
    from isoflop.training.pace import Machine
    from isoflop.training.spec import Layout, Run

BANDWIDTHS = {"network": "the network between nodes", "link": "the links between chips", "bandwidth": "memory"}
"""Fields of a chip that are bandwidths, and what to call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One change in words: `speed` is tokens a second over what they are now; `fits` whether memory allows it."""

    says: str
    speed: float
    fits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The reasons for a layout.

    `terms` are seconds of its step by name, largest first. `second` is the next best kind of layout, `gains` seconds by
    term that it takes more than the best (negative: less). `effects` say what one more of something would bring.
    """

    terms: tuple[tuple[str, float], ...]
    second: Need | None
    gains: tuple[tuple[str, float], ...]
    effects: tuple[Effect, ...]


def reasons(held: Need, second: Need | None, machine: Machine, node: int) -> Why:
    """The reasons for `held`, beside the next best; `node` is how many chips are added at once."""
    mine = _terms(held.run, held.layout, machine)
    gains: dict[str, float] = {}
    if second is not None:
        other = _terms(second.run, second.layout, machine)
        gains = {name: other[name] - mine[name] for name in mine if abs(other[name] - mine[name]) > 0}
    return Why(
        terms=tuple(sorted(((name, value) for name, value in mine.items() if value > 0), key=lambda one: -one[1])),
        second=second,
        gains=tuple(sorted(gains.items(), key=lambda one: -abs(one[1]))),
        effects=tuple(_effects(held, machine, node)),
    )


def _terms(run: Run, layout: Layout, machine: Machine) -> dict[str, float]:
    found = step_time(run, layout, machine.chip, machine.profile)
    return {name: float(value.item()) for name, value in found.terms.items()}


def _effects(held: Need, machine: Machine, node: int) -> Iterator[Effect]:
    run, layout = held.run, held.layout
    more = replace(run, batch=run.batch + layout.dp * layout.micro_batch * (layout.pp if layout.vpp > 1 else 1))
    number = "one more micro-batch" if layout.vpp == 1 else f"{layout.pp} more micro-batches"
    yield from _effect(f"{number} a step (a batch of {more.batch:,})", more, layout, held, machine)
    inner = layout.tp * layout.pp * layout.cp
    ranks = max(1, node // inner)
    wide = replace(layout, dp=layout.dp + ranks)
    grown = replace(run, batch=run.batch // layout.dp * wide.dp)
    said = "one more node" if ranks * inner == node and node > 1 else f"{ranks * inner} more chips"
    yield from _effect(f"{said} with its share of the batch (dp {wide.dp})", grown, wide, held, machine)
    if run.batch % (2 * layout.dp * layout.micro_batch) == 0:
        twice = replace(layout, dp=2 * layout.dp)
        yield from _effect("twice the chips, the same batch", run, twice, held, machine)
    for name, says in BANDWIDTHS.items():
        faster = replace(machine, chip=_twice(machine.chip, name))
        yield from _effect(f"twice the bandwidth of {says}", run, layout, held, faster)
    done = run.recipe.execution
    if not done.graphs:
        yield from _effect("CUDA graphs", _execution(run, graphs=True), layout, held, machine)
    if not done.overlap_tensor and layout.tp > 1:
        said = "tensor parallelism's sums overlapped with products"
        yield from _effect(said, _execution(run, overlap_tensor=True), layout, held, machine)
    if not done.overlap_experts and layout.ep > 1:
        said = "dispatch to experts overlapped with compute"
        yield from _effect(said, _execution(run, overlap_experts=True), layout, held, machine)


def _execution(run: Run, **changes: bool) -> Run:
    return run.with_recipe(execution=replace(run.recipe.execution, **changes))


def _twice(chip: Chip, name: str) -> Chip:
    return replace(chip, **{name: 2 * getattr(chip, name)})


def _effect(says: str, run: Run, layout: Layout, held: Need, machine: Machine) -> Iterator[Effect]:
    """The effect of one change, where the run stays legal."""
    try:
        if faults(run, layout):
            return
        then = need(run, layout, held.capacity, machine)
    except IsoflopError:
        return
    if then.pace is None or held.pace is None:
        return
    speed = run.batch / then.pace.step / (held.run.batch / held.pace.step)
    yield Effect(says=says, speed=speed, fits=then.high <= then.capacity)
