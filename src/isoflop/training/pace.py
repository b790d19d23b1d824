"""How fast a layout is on a machine: step time with its interval, and what follows: tokens a second, utilisation.

Utilisation is work a second over the dense peak of the format that the layers' products are done in; of which work is
always named (`CONVENTIONS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.kernel import chip_of, profile_of
from isoflop.kernel.profile import GENERIC
from isoflop.model.flops import train_flops_per_token
from isoflop.training.engine import engine
from isoflop.training.spec import MATMUL_GROUPS
from isoflop.training.step import step_time
from isoflop.training.work import work

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.kernel import Chip, Profile
    from isoflop.training.spec import Layout, Run

CONVENTIONS = {
    "model": "causal attention halved, nothing recomputed counted",
    "hardware": "as model, with what is computed again",
    "full-attention": "every query against every key",
    "6nd": "6 FLOP a token and active parameter, no attention",
}
"""Of which work a utilisation is the share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a step is timed on: a chip with its links, and the profile of its class by name."""

    chip: Chip
    profile: Profile
    name: str

    @property
    def measured(self) -> bool:
        """Whether the profile is of the chip's own architecture; else it is the generic one, with its wider spread."""
        return self.name != GENERIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of a step: the point, and 5 and 95 %."""

    step: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a step time comes to: tokens a second on all chips, utilisation by convention, and the peak it is of.

    `format` is the class of number formats of that peak ("16", "8", "4", "fp32"), `peak` FLOP/s of one chip.
    """

    tokens_per_second: float
    tokens_per_second_per_chip: float
    utilisation: dict[str, float]
    peak: float
    format: str


def machine_of(device: Device, *, node_chips: int | None = None) -> Machine:
    """A device as something to time a step on. Raises: MissingData where its bandwidths are not known."""
    chip = chip_of(device, node_chips=node_chips)
    name, profile = profile_of(chip)
    return Machine(chip=chip, profile=profile, name=name)


def pace_of(run: Run, layout: Layout, machine: Machine) -> Pace:
    """The step time of one layout."""
    found = step_time(run, layout, machine.chip, machine.profile)
    return Pace(step=float(found.total.item()), low=float(found.low.item()), high=float(found.high.item()))


def flops_per_token(run: Run) -> dict[str, float]:
    """FLOP of a step a token, by convention. Frozen weights have no gradient: two thirds of it with an adapter."""
    share = 1.0 if run.recipe.adapter is None else 2.0 / 3.0
    found = {
        name: share * train_flops_per_token(run.model, run.sequence, convention=name).total
        for name in ("model", "full-attention", "6nd")
    }
    return {"model": found["model"], "hardware": found["model"] + recomputed_flops(run), **found}


def recomputed_flops(run: Run) -> float:
    """FLOP a token that the recomputation policy does once more, forward."""
    kernels = engine(run.recipe.engine).kernels
    done = work(run.model, run.sequence, run.recipe.recompute, kernels, merged=kernels == "fused")
    total = 0.0
    for kind in done.kind_of:
        layer = done.kinds[kind]
        for one in layer.products:
            total += 2.0 * one.inputs * one.outputs * (one.active if one.copies > 1 else one.copies) * one.again
        total += layer.pair_flops * layer.attention_again
    return total


def rates_of(run: Run, layout: Layout, pace: Pace, machine: Machine) -> Rates:
    """Tokens a second and utilisation of a layout at this pace."""
    group = MATMUL_GROUPS[run.recipe.matmul or run.recipe.compute]
    peak = machine.chip.rate(group)
    tokens = run.batch * run.sequence / pace.step
    each = tokens / layout.chips
    return Rates(
        tokens_per_second=tokens,
        tokens_per_second_per_chip=each,
        utilisation={name: flops * each / peak for name, flops in flops_per_token(run).items()},
        peak=peak,
        format=group,
    )
