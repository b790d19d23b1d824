"""The account of many runs: a study, a sweep, a grid of sizes; chip-hours, money, energy, emissions before the first.

Each run is timed by the best of the usual layouts on the fewest chips that hold it; all chips are taken to be kept busy
with such runs. Failures count as on one run's chips. Values are in base units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.book import money
from isoflop.errors import BadInput, Infeasible, MissingData
from isoflop.kernel import chip_of, profile_of
from isoflop.model.count import counts
from isoflop.training.account import rents
from isoflop.training.footprint import energy_lines, machine_power
from isoflop.training.power import board_share
from isoflop.training.spec import Recipe, Run
from isoflop.training.terms import Line, Terms
from isoflop.training.usual import usual_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.hardware import Device
    from isoflop.hardware.tariff import Tariff
    from isoflop.model.spec import ModelSpec

DOMAIN = 8
SEQUENCE = 4096
LEAST_BATCH = 1
GOODPUT = 0.98
"""Of short runs on few chips: what evaluations leave; failures of so few chips take less than a thousandth."""

MOST = 10_000
"""Runs of one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run that somebody means to make: `tokens` to train on, `batch` of them a step (0: as the step law has it)."""

    name: str
    model: ModelSpec
    tokens: float
    batch: float = 0.0
    sequence: int = SEQUENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """What one of them takes: chips, chip-seconds with 5 and 95 %, share of the peak, joules at the meter."""

    name: str
    params: float
    tokens: float
    flops: float
    chips: int
    chip_time: float
    low: float
    high: float
    mfu: float
    energy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """The account of them all on `chips` of a device, in parts of lines as that of one run has them."""

    device: str
    title: str
    chips: int
    every: tuple[Each, ...]
    parts: dict[str, tuple[Line, ...]]
    terms: Terms

    @property
    def chip_time(self) -> float:
        """Chip-seconds of all."""
        return sum(one.chip_time for one in self.every)

    @property
    def time(self) -> float:
        """Seconds with every chip busy; the last runs leave some idle, which is not in it."""
        return max(self.chip_time / self.chips, *(one.chip_time / one.chips for one in self.every))


def account_of_many(
    wanted: Sequence[Wanted], device: Device, chips: int, tariff: Tariff | None, terms: Terms | None = None
) -> Many:
    """The account of many runs on `chips` chips of a device.

    Raises: BadInput for no runs or more than 10,000; Infeasible for one that the chips do not hold; MissingData for a
    device without the figures that times need.
    """
    if not 0 < len(wanted) <= MOST:
        raise BadInput(f"{len(wanted):,} runs: give 1 to {MOST:,}")
    if chips < 1:
        raise BadInput(f"{chips} chips: give 1 or more")
    taken = terms or Terms()
    known: dict[Wanted, Each] = {}
    for one in wanted:  # a study makes the same run with several seeds
        kind = replace(one, name="")
        if kind not in known:
            known[kind] = _each(one, device, chips, taken)
    every = tuple(replace(known[replace(one, name="")], name=one.name) for one in wanted)
    chip_time = sum(one.chip_time for one in every)
    draws = sum(one.chip_time * board_share(one.mfu) for one in every) / chip_time
    made = Many(device=device.name, title=device.title, chips=chips, every=every, parts={}, terms=taken)
    parts = {
        "time": _time_lines(made),
        "money": _money_lines(chip_time, device, tariff, taken, draws),
        "energy": energy_lines(chip_time, device, taken, draws),
    }
    return Many(device=device.name, title=device.title, chips=chips, every=every, parts=parts, terms=taken)


def _each(one: Wanted, device: Device, most: int, terms: Terms) -> Each:
    chip = chip_of(device)
    figure = device.memory.usable or device.memory_labelled()
    nodes = hardware.nodes_of(device.name) if device.name in hardware.devices() else ()
    domain = max((node.fabric.domain for node in nodes), default=DOMAIN)
    flops = 6.0 * float(counts(one.model).active_params) * one.tokens
    sequence = min(one.sequence, one.model.context or one.sequence)
    batch = max(LEAST_BATCH, round((one.batch or _advised(one.model, one.tokens, flops)) / sequence))
    chips = 1
    while chips <= most:
        sequences = chips * max(1, round(batch / chips))
        run = Run(model=one.model, sequence=sequence, batch=sequences, recipe=Recipe())
        found = usual_layout(run, chips, domain, figure.value, (chip, profile_of(chip)[1]))
        if found is not None:
            break
        chips *= 2
    else:
        raise Infeasible(f"{one.name}: no usual layout of {most:,} x {device.name} holds it; give more chips")
    each = one.tokens / (found.run.batch * sequence) * chips / GOODPUT
    peak = next((device.peak_rates[name].value for name in ("bf16", "fp16", "fp32") if name in device.peak_rates), None)
    mfu = flops / (each * found.step) / peak if peak else 0.0
    joules = 0.0
    if device.tdp is not None:
        joules = each * found.step * machine_power(device, terms, board_share(mfu)) * terms.pue
    return Each(
        name=one.name, params=float(counts(one.model).params), tokens=one.tokens, flops=flops, chips=chips,
        chip_time=each * found.step, low=each * found.low, high=each * found.high, mfu=mfu, energy=joules,
    )  # fmt: skip


def _advised(model: ModelSpec, tokens: float, flops: float) -> float:
    """Tokens of a batch, as the step law has them for such a run."""
    from isoflop.laws import published

    law = published("stepfun2025").advisor
    return float(law.advise(float(counts(model).non_embedding_params), tokens, flops).batch_tokens)


def _time_lines(made: Many) -> tuple[Line, ...]:
    low, high = (sum(getattr(one, name) for one in made.every) for name in ("low", "high"))
    largest = max(made.every, key=lambda one: one.chip_time)
    share = largest.chip_time / made.chip_time
    return (
        Line(name="runs", value=float(len(made.every)), words=f"{len(made.every):,}"),
        Line(
            name="work", value=sum(one.flops for one in made.every), quantity="train_flops", note="6 N D, all of them"
        ),
        Line(
            name="chip-hours", value=made.chip_time, quantity="chip_time",
            note=f"{low / 3600:,.3g} to {high / 3600:,.3g} by the profile; {largest.name} is {share:.0%} of it",
        ),
        Line(
            name="done in", value=made.time, quantity="train_time",
            note=f"{made.chips:,} chips, each run on the fewest that hold it",
        ),
    )  # fmt: skip


def _money_lines(
    chip_time: float, device: Device, tariff: Tariff | None, terms: Terms, draw: float
) -> tuple[Line, ...]:  # fmt: skip
    lines = []
    if tariff is not None:
        cost = float(money.train_cost(chip_time, tariff.amount))
        lines.append(Line(name="rent", value=cost, quantity="train_cost", note=tariff.note))
    lines += rents(chip_time, device)
    if terms.chip_capital is not None:
        try:
            power = machine_power(device, terms, draw)
        except MissingData:
            return tuple(lines)
        owned = float(
            money.owned_price(
                terms.chip_capital, terms.lifetime, terms.utilisation, power, terms.electricity_price, terms.pue
            )
        )
        lines.append(Line(name="owned", value=chip_time * owned, quantity="train_cost", note="capital and electricity"))
    if not lines:
        lines.append(Line(name="rent", value=0.0, words="not known", note="give --price '$2/chip/h'"))
    return tuple(lines)


__all__ = ["Each", "Many", "Wanted", "account_of_many"]
