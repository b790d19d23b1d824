"""What fits: layouts that do, the largest batch, context and model, the fewest chips, the smallest change.

All are inverses of one ledger (`memory.peak`), found by trying: memory never falls with any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import Infeasible
from isoflop.model.sizes import LARGEST, SMALLEST, shape_for
from isoflop.training.legal import faults
from isoflop.training.memory import peak
from isoflop.training.pace import pace_of
from isoflop.training.space import policies, space, variants
from isoflop.training.spec import Layout, Layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from isoflop.training.pace import Machine, Pace
    from isoflop.training.spec import Run

Verdict = Literal["fits", "tight", "does not fit"]
"""Whether the 95 % point of the peak is below the capacity, only the median is, or neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one layout of a run needs on its worst rank [bytes, as the driver shows them], against a capacity.

    `allocated` is what its tensors take, `reserved` what the allocator holds for them; `pace` how fast it is, where
    that was asked.
    """

    run: Run
    layout: Layout
    allocated: float
    reserved: float
    bytes: float
    low: float
    high: float
    capacity: float
    pace: Pace | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether it fits."""
        return "fits" if self.high <= self.capacity else "tight" if self.bytes <= self.capacity else "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change to a run or its layout, in words, and what is needed then."""

    says: str
    need: Need


def need(run: Run, layout: Layout, capacity: float, machine: Machine | None = None) -> Need:
    """What `layout` needs, and how fast it is on a machine; it has to be legal (`legal.faults`)."""
    found = peak(run, layout)
    middle, low, high = (float(one.item()) for one in found.of_kind("device"))
    return Need(
        run=run, layout=layout, allocated=float(found.allocated.item()), reserved=float(found.reserved.item()),
        bytes=middle, low=low, high=high, capacity=capacity, pace=pace_of(run, layout, machine) if machine else None,
    )  # fmt: skip


def fits_at_all(run: Run, chips: int, domain: int, capacity: float) -> bool:
    """Whether any layout of `chips` chips fits; recomputation, which helps most, is tried first."""
    return any(
        bool((peak(tried, many).of_kind("device")[2] <= capacity).any())
        for tried in reversed(variants(run, chips))
        for many in space(tried, chips, domain)
    )


def largest_micro_batch(run: Run, layout: Layout, capacity: float) -> int:
    """Most sequences at once that fit; 0 where not even one does. The batch of the run is not asked to divide."""
    sizes = np.arange(1.0, 4097.0)
    many = Layouts.of(**(_sizes(layout) | {"micro_batch": sizes}))
    wide = replace(run, batch=2**30)
    return _last(peak(wide, many).of_kind("device")[2] <= capacity)


def largest_sequence(run: Run, layout: Layout, capacity: float, *, step: int = 256) -> int:
    """The longest sequence [token] that fits, in steps of `step` per context-parallel rank; 0 where none does."""
    each = step * layout.cp
    return each * _most(
        lambda times: need(replace(run, sequence=each * times), layout, capacity).high <= capacity, 2**22 // step
    )


def largest_model(run: Run, layout: Layout, capacity: float) -> float:
    """The largest model [param] of the usual shape (`model.sizes`) that fits in the layout; 0 where none does.

    Shapes that the layout cannot divide are passed over in words only: memory is computed as if they could.
    """
    steps = 400
    sizes = np.geomspace(SMALLEST * 30, LARGEST / 10, steps)

    def fits(place: int) -> bool:
        shape = shape_for(float(sizes[place - 1]), vocabulary=min(run.model.vocabulary, 2**17))
        if shape.layers < 2 * layout.pp:
            return True  # too few layers for the stages, and small
        chunked = replace(layout, vpp=max(1, min(layout.vpp, shape.layers // layout.pp)))
        return need(replace(run, model=shape, split=()), chunked, capacity).high <= capacity

    place = _most(fits, steps)
    return float(sizes[place - 1]) if place else 0.0


def fewest_chips(run: Run, domain: int, capacity: float, *, most: int = 2**17) -> int:
    """The smallest number of chips (whole nodes above one) with a layout that fits."""
    for chips in fleets(domain, most):
        if fits_at_all(run, chips, domain, capacity):
            return chips
    raise Infeasible(
        f"{run.model.name} does not fit on up to {most:,} chips of {capacity / 2**30:.1f} GiB with a batch of "
        f"{run.batch} sequences of {run.sequence:,} tokens. Shorten the sequence, or enlarge the batch."
    )


def fleets(domain: int, most: int) -> Iterator[int]:
    """Numbers of chips to try: parts of a node, whole nodes, then doublings."""
    chips = 1
    while chips <= most:
        yield chips
        chips = chips * 2 if chips < domain or chips >= 8 * domain else chips + domain


def changes(run: Run, layout: Layout, capacity: float, machine: Machine | None = None) -> list[Change]:
    """Single changes that lower the need, those that make it fit first, and of these the gentlest first."""
    tried = [*_recipe_changes(run, layout), *_layout_changes(run, layout)]
    now = need(run, layout, capacity).bytes
    found = [
        Change(says=says, need=need(other, changed, capacity, machine))
        for says, other, changed in tried
        if not faults(other, changed)
    ]
    lower = [change for change in found if change.need.bytes < 0.995 * now]
    return sorted(lower, key=lambda change: change.need.verdict != "fits")


def _recipe_changes(run: Run, layout: Layout) -> Iterator[tuple[str, Run, Layout]]:
    recipe = run.recipe
    if not recipe.fused_loss:
        yield "a fused or chunked loss", run.with_recipe(fused_loss=True), layout
    for policy in policies(run)[1:]:
        if recipe.recompute == ("none",) or (policy == ("full",) and recipe.recompute != ("full",)):
            yield f"recompute {' and '.join(policy)}", run.with_recipe(recompute=policy), layout
    if recipe.adapter is None and "fp32" in recipe.states:
        yield "optimizer states in 8 bits", run.with_recipe(states=("int8",) * len(recipe.states)), layout
    if recipe.gradients == "fp32" and recipe.weights != "fp32":
        yield "gradients summed in bf16", run.with_recipe(gradients="bf16", reduce="bf16"), layout


def _layout_changes(run: Run, layout: Layout) -> Iterator[tuple[str, Run, Layout]]:
    if layout.micro_batch > 1:
        yield f"micro-batch {layout.micro_batch // 2}", run, replace(layout, micro_batch=layout.micro_batch // 2)
    if layout.tp > 1 and not layout.sequence_parallel:
        yield "sequence parallelism", run, replace(layout, sequence_parallel=1)
    if layout.dp * layout.cp > 1:
        for zero in range(layout.zero + 1, 4):
            yield f"ZeRO-{zero}", run, replace(layout, zero=zero)
    for name in ("tp", "pp", "cp"):
        twice = 2 * getattr(layout, name)
        if layout.dp % 2 == 0:
            says = f"{name} {twice} with half the replicas"
            yield says, run, replace(layout, **{name: twice, "dp": layout.dp // 2})
        else:
            yield f"{name} {twice}, on twice the chips", run, replace(layout, **{name: twice})
    if layout.offload_optimizer < 1 and run.recipe.adapter is None:
        yield "optimizer states on the host", run, replace(layout, offload_optimizer=1.0)


def _sizes(layout: Layout) -> dict[str, float | npt.NDArray[np.float64]]:
    return {name: float(getattr(layout, name)) for name in Layout.__dataclass_fields__}


def _last(fits: npt.NDArray[np.bool_]) -> int:
    """How many of the first are true before one is not."""
    wrong = np.flatnonzero(~fits)
    return int(wrong[0]) if len(wrong) else len(fits)


def _most(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, where everything below a number that fits does; 0 for none."""
    low, high = 0, 1
    while high <= most and fits(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
