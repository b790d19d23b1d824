"""What a whole run takes in practice, settings unknown: the usual of its year in place of the best layout there is.

Nobody states how most runs are divided, and nobody runs the best layout all the time. A prediction here is the
geometric mean over the habits of the year (`practice.toml`), each with its fastest layout; drawn towards what steps of
such chips reached in those years, each by how far off it has been; over the goodput. Habits, batches and what steps
reached are from measured steps whose settings are stated; chip-hours of published runs decide nothing but how wide
goodput is drawn (PaLM's, which is not counted), so that they can be predicted.

Neglected: sequences that grow late in a run, batches that grow early, evaluation; all of it is in the goodput.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp, hypot, log
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from isoflop import hardware
from isoflop.errors import BadFile, BadInput, MissingData
from isoflop.kernel import chip_of, profile_of
from isoflop.kernel.profile import GENERIC
from isoflop.model.count import counts
from isoflop.model.shard import expert_counts
from isoflop.quantity.toml_file import read_toml
from isoflop.training.goodput import GOODPUT
from isoflop.training.spec import Execution, Recipe, Run
from isoflop.training.usual import Usual, Ways, usual_layout

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.model.spec import ModelSpec
    from isoflop.training.cost import Bill

FILE = Path(__file__).with_name("practice.toml")

SEQUENCE, EARLY_SEQUENCE, EARLY = 4096, 2048, 2022
"""Tokens of a sequence at most, those of runs up to the year EARLY, where nobody says."""

CHIPS_A_SEQUENCE = 4
"""Chips that share one sequence of a batch at most: large fleets take larger batches."""

EXPERT_SEQUENCES = 8
"""Sequences of 4,096 tokens a chip where there are experts, who need enough tokens each: 8 and more in all 20 measured
layouts on 128 chips and more."""

WHOLE = 64
"""Chips that a fleet is a multiple of where its own number has no layout that fits."""

NOW = 2025
"""The year whose habits a run of one's own is held against."""

TO_80 = 1.2816
"""Standard deviations of a normal spread that 80 % lie within."""

_Positive = Annotated[float, msgspec.Meta(gt=0)]


class Habit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `practice.toml`: software and how it is usually used, in the years `since` to `until`."""

    name: str
    devices: tuple[str, ...]
    engine: str
    stages: bool
    chunks: bool
    sequence_parallel: bool
    since: int = 0
    until: int = 9999
    recompute_from: float = float("inf")
    params_to: float = float("inf")


class Reached(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What steps of chips of these architectures reached in those years, of 6 FLOP a parameter and token."""

    architectures: tuple[str, ...]
    mfu: _Positive
    since: int = 0
    until: int = 9999


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens of a batch of models below so many parameters."""

    tokens: _Positive
    below: float = float("inf")


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much longer measured steps take than predicted without their layout; 80 % stay within `wide` of that."""

    experts: bool
    longer: _Positive
    wide: _Positive


class Draw(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Standard deviations as factors: of predictions by profile, of what was reached, of the goodput."""

    own: _Positive
    generic: _Positive
    reached: _Positive
    goodput: _Positive


class Practice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `practice.toml`."""

    habit: tuple[Habit, ...]
    batch: tuple[Ladder, ...]
    reached: tuple[Reached, ...]
    measured: tuple[Measured, ...]
    draw: Draw


@cache
def practice() -> Practice:
    """What is usual, from `practice.toml`."""
    try:
        return msgspec.convert(read_toml(FILE), Practice)
    except msgspec.ValidationError as error:
        raise BadFile(f"{FILE}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A run as far as anybody says: sequence [tokens] and batch [sequences] None where nobody does; `year` of the run.

    `matmul` is the format of the layers' products where it is not 16-bit ("fp8").
    """

    model: ModelSpec
    tokens: float
    year: int
    sequence: int | None = None
    batch: int | None = None
    matmul: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A habit with its fastest layout; `mfu` of 6 FLOP a parameter and token, while steps are made."""

    habit: str
    usual: Usual
    mfu: float


def habits(asked: Asked, device: Device) -> tuple[Habit, ...]:
    """What was usual in the year of a run, on such devices, for models of such a size."""
    kind, params = "TPU" if device.kind == "TPU" else "GPU", counts(asked.model).params
    return tuple(
        one
        for one in practice().habit
        if one.since <= asked.year <= one.until and kind in one.devices and params <= one.params_to
    )


def sequence_of(asked: Asked) -> int:
    """Tokens of a sequence, the usual where nobody says."""
    usual = EARLY_SEQUENCE if asked.year <= EARLY else SEQUENCE
    return asked.sequence or min(usual, asked.model.context or usual)


def batch_of(asked: Asked, chips: int) -> int:
    """Sequences of a batch: as asked, else what is usual for the size, enough for the chips, and divisible by many."""
    if asked.batch is not None:
        return asked.batch
    params, sequence = counts(asked.model).active_params, sequence_of(asked)
    tokens = next(one.tokens for one in practice().batch if params < one.below)
    wanted = max(tokens / sequence, chips / CHIPS_A_SEQUENCE)
    if expert_counts(asked.model):
        wanted = max(wanted, EXPERT_SEQUENCES * chips * SEQUENCE / sequence)
    if wanted > chips:
        return chips * round(wanted / chips)
    halvings = (chips & -chips).bit_length()
    even = [chips >> power for power in reversed(range(halvings))]  # chips that share one are a power of two
    return min(even, key=lambda one: abs(log(one / max(wanted, 1.0))))


def recipe_in(habit: Habit, asked: Asked, compute: str) -> Recipe:
    """Formats and kernels of a habit in a year, as measured steps of those years had them (accuracy/software.toml)."""
    year, megatron = asked.year, habit.engine == "megatron"
    full = counts(asked.model).params >= habit.recompute_from
    execution = Execution(
        year=year,
        overlap_gradients=year >= 2023,
        attention=1 + (year >= 2023) + (megatron and year >= 2025),
        rails=year >= 2023,
    )
    return Recipe(
        name=habit.name,
        engine=habit.engine,
        weights=compute if megatron else "fp32",
        master="fp32" if megatron else "none",
        compute=compute,
        recompute=("full",) if full else ("none",),
        fused_attention=year >= 2023,
        fused_loss=megatron and year >= 2024,
        dropout=megatron and year <= EARLY,
        matmul=asked.matmul,
        execution=execution,
    )


def tried(asked: Asked, device: Device, chips: int) -> tuple[Tried, ...]:
    """Every habit of the year that fits, with its fastest layout; on a few chips less where no layout divides them.

    Raises: MissingData where the device's figures do not reach.
    """
    found = _tried(asked, device, chips)
    if not found and chips > WHOLE:
        found = _tried(asked, device, chips // WHOLE * WHOLE)
    return found


def _tried(asked: Asked, device: Device, chips: int) -> tuple[Tried, ...]:
    chip = chip_of(device)
    on = (chip, profile_of(chip)[1])
    capacity = (device.memory.usable or device.memory_labelled()).value
    nodes = hardware.nodes_of(device.name) if device.name in hardware.devices() else ()
    domain = max((node.fabric.domain for node in nodes), default=8)
    compute = "bf16" if "bf16" in device.peak_rates else "fp16"
    sequence, batch = sequence_of(asked), batch_of(asked, chips)
    flops = 6.0 * counts(asked.model).active_params * batch * sequence / (chips * chip.rate("16"))
    found = []
    for habit in habits(asked, device):
        run = Run(model=asked.model, sequence=sequence, batch=batch, recipe=recipe_in(habit, asked, compute))
        ways = Ways(stages=habit.stages, chunks=habit.chunks, sequence_parallel=habit.sequence_parallel)
        best = usual_layout(run, chips, domain, capacity, on, ways)
        if best is not None:
            found.append(Tried(habit=habit.name, usual=best, mfu=flops / best.step))
    return tuple(found)


def bottom_up(found: tuple[Tried, ...]) -> float | None:
    """The geometric mean of the habits' utilisation; None where none fits."""
    return exp(sum(log(one.mfu) for one in found) / len(found)) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Practised:
    """What a whole run takes in practice: chip-seconds, the point and 10 and 90 %.

    `mfu` is of 6 FLOP a parameter and token over the whole time; `steps` while steps are made, as predicted; `reached`
    what steps of such chips reached, None where nobody measured. `tried` are the habits it is the mean of.
    """

    chips: int
    chip_time: float
    low: float
    high: float
    mfu: float
    steps: float | None
    reached: float | None
    goodput: float
    tried: tuple[Tried, ...]


def practice_of(
    asked: Asked, device: Device, chips: int, goodput: float = GOODPUT, *, mixture: bool = False
) -> Practised | None:
    """Chip-seconds of a whole run; None where no habit fits and nothing is known of such chips.

    `mixture`: the model stands for a mixture of experts of its active size, whose shape is not known.
    Raises: MissingData where the device's figures do not reach.

    >>> from isoflop.hardware import device
    >>> from isoflop.model import model
    >>> asked = Asked(model=model("llama-3.1-8b"), tokens=1e12, year=2024)
    >>> found = practice_of(asked, device("h100-sxm"), 256)
    >>> 0.2 < found.mfu < 0.4
    True
    """
    if not 0 < goodput <= 1:
        raise BadInput(f"goodput = {goodput:g}: give a share above 0 % and up to 100 %")
    found = tried(asked, device, chips)
    chip = chip_of(device)
    experts = mixture or bool(expert_counts(asked.model))
    measured = next(one for one in practice().measured if one.experts == experts)
    steps = bottom_up(found)
    dense = next(one for one in practice().measured if not one.experts)
    reached = _reached(chip.architecture, asked.year)
    reached = None if reached is None else reached * dense.longer / measured.longer  # experts cost there as elsewhere
    share, spread = _drawn(
        None if steps is None else steps / measured.longer, reached, generic=profile_of(chip)[0] == GENERIC
    )
    if share is None:
        return None
    wide = exp(hypot(log(measured.wide), spread, TO_80 * log(practice().draw.goodput)))
    mfu = share * goodput
    middle = 6.0 * counts(asked.model).active_params * asked.tokens / (mfu * chip.rate("16"))
    return Practised(
        chips=chips, chip_time=middle, low=middle / wide, high=middle * wide, mfu=mfu, steps=steps, reached=reached,
        goodput=goodput, tried=found,
    )  # fmt: skip


def beside(run: Run, device: Device, bill: Bill) -> Practised | None:
    """What runs like one take in practice, beside the bill of its layout: same model, sequences, batch and chips.

    None where nothing is known of that, only an adapter is trained, or the layout takes longer than runs do. Goodput is
    the usual one, as where published runs were predicted, or the bill's where that is lower.
    """
    if run.recipe.adapter is not None:
        return None
    asked = Asked(
        model=run.model, tokens=bill.order.tokens, year=NOW, sequence=run.sequence, batch=run.batch,
        matmul=run.recipe.matmul,
    )  # fmt: skip
    try:
        found = practice_of(asked, device, bill.chips, min(GOODPUT, bill.order.goodput))
    except MissingData:
        return None
    return None if found is None or found.chip_time <= bill.chip_time else found


def _reached(architecture: str, year: int) -> float | None:
    """What steps of an architecture reached in a year; TPUs count as one."""
    return next(
        (
            one.mfu
            for one in practice().reached
            if one.since <= year <= one.until and any(name in architecture for name in one.architectures)
        ),
        None,
    )


def _drawn(steps: float | None, reached: float | None, *, generic: bool) -> tuple[float | None, float]:
    """(the prediction drawn towards what was reached, by their spreads; what a profile not its own adds to 80 %)."""
    draw = practice().draw
    own, other = log(draw.generic if generic else draw.own) ** 2, log(draw.reached) ** 2
    if steps is None or reached is None:
        left = other if steps is None else own
        return (reached if steps is None else steps), TO_80 * left**0.5 if generic else 0.0
    weight = own / (own + other)
    mean = exp((1 - weight) * log(steps) + weight * log(reached))
    return mean, TO_80 * (own * other / (own + other)) ** 0.5 if generic else 0.0
