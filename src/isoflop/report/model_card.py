"""The carbon block of a Hugging Face model card (`co2_eq_emissions`, in grams) and the text that goes with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.table import table_markdown
from isoflop.report.words import say, say_around

if TYPE_CHECKING:
    from isoflop.ask import Plan
    from isoflop.training import Account
    from isoflop.training.account import Line

GRAMS = 1e3
"""Grams in a kilogram: the card wants grams, everything else here kg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a run emits and what that is from. `emissions`, `low`, `high` in kg CO2e; `energy` in J at the meter.

    `how` says in one sentence how it was worked out, `assumptions` what it takes for granted, a line each.
    """

    emissions: float
    low: float
    high: float
    energy: float
    training_type: str
    location: str
    hardware: str
    how: str
    assumptions: tuple[str, ...] = ()


def card(found: Footprint) -> str:
    """YAML front matter that `huggingface_hub` reads as model-card data, and a section for the card below it."""
    from isoflop import __version__

    source = f"isoflop {__version__}, an estimate and not a measurement: {found.how}"
    block = {
        "emissions": _short(found.emissions * GRAMS),
        "source": source,
        "training_type": found.training_type,
        "geographical_location": found.location,
        "hardware_used": found.hardware,
    }
    lines = ["---", "co2_eq_emissions:"]
    lines += [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in block.items()]
    rows = [
        ("emissions of the electricity", say_around(found.emissions, found.low, found.high, "train_emissions")),
        ("electricity at the meter", say(found.energy, "train_energy")),
        ("hardware", found.hardware),
        ("where", found.location),
        ("kind", found.training_type),
    ]
    body = ["---", "", "## Environmental impact", "", f"Estimated with isoflop {__version__}: {found.how}.", ""]
    body += [table_markdown(("", "estimate"), rows), ""]
    body += ["Assumptions:", "", *(f"- {line}" for line in found.assumptions), ""] if found.assumptions else []
    return "\n".join([*lines, *body])


def _short(grams: float) -> int | float:
    """Four digits; whole grams where there are any."""
    short = float(f"{grams:.4g}")
    return int(short) if short >= 1000 else short


def plan_footprint(plan: Plan) -> Footprint:
    """The footprint of a plan. Raises: MissingData where the plan knows no energy or no grid."""
    from isoflop.report.drawn_plan import assumption_words

    emissions, energy, fleet = (
        plan.answers.get("train_emissions"), plan.answers.get("train_energy"), plan.fleet
    )  # fmt: skip
    if emissions is None or energy is None or plan.question.device is None:
        raise MissingData("no emissions are known for this plan: name the devices (--on) and where they are (--grid)")
    steps = {step.gives: step for step in emissions.steps}
    time, power, grid = (steps.get(name) for name in ("chip_time", "chip_power", "grid_intensity"))
    parts = [say(step.value, step.gives) for step in (time, power) if step is not None]
    how = (
        f"{' x '.join(parts)}, times PUE, times the grid's {say(grid.value, 'grid_intensity') if grid else 'intensity'}"
    )
    chips = f"{fleet.chips:,} x " if fleet is not None else ""
    return Footprint(
        emissions=emissions.value,
        low=emissions.low,
        high=emissions.high,
        energy=energy.value,
        training_type="pre-training",
        location=plan.question.grid.title if plan.question.grid is not None else "not known",
        hardware=f"{chips}{plan.question.device.title}",
        how=how,
        assumptions=(
            "the interval holds 90 % of the draws over all uncertain inputs; making the machines is not counted",
            *(assumption_words(step) for step in emissions.steps if step.kind == "default"),
        ),
    )


def account_footprint(account: Account) -> Footprint:
    """The footprint of a run's account. Raises: MissingData where no energy is known."""
    lines = account.parts["energy"]
    emitted = [line for line in lines if line.quantity == "train_emissions" and line.name.startswith("emissions, ")]
    energy = next((line for line in lines if line.quantity == "train_energy"), None)
    power = next((line for line in lines if line.quantity == "chip_power"), None)
    if not emitted or energy is None or power is None:
        raise MissingData("no emissions are known for this run: see what its energy part says is missing")
    bill, terms, first = account.bill, account.terms, emitted[0]
    ends = [line.value for line in emitted]
    how = f"{say(bill.chip_time, 'chip_time')} x {say(power.value, 'chip_power')} x PUE {terms.pue:g} x {first.note}"
    run = account.advice.run
    return Footprint(
        emissions=first.value,
        low=min(ends) * bill.time_low / bill.time,
        high=max(ends) * bill.time_high / bill.time,
        energy=energy.value,
        training_type="pre-training" if run.recipe.adapter is None else "fine-tuning",
        location=first.name.removeprefix("emissions, "),
        hardware=f"{bill.chips:,} x {account.advice.place.title}",
        how=how,
        assumptions=_taken(account, power),
    )


def _taken(account: Account, power: Line) -> tuple[str, ...]:
    terms = account.terms
    made = next((line for line in account.parts["energy"] if line.quantity == "embodied_emissions"), None)
    embodied = f"making the machines comes on top: {say(made.value, made.quantity)} ({made.note})" if made else ""
    taken = (
        "the interval is that of the step time (5 to 95 %) over the grid figures of all sources; nothing was measured",
        f"power: {power.note}",
        f"PUE {terms.pue:g}: building over machines",
        f"failures and evaluations are counted in, work before the run ({terms.development:.0%} of it) is not",
        embodied,
        *account.advice.assumed,
    )
    return tuple(line for line in taken if line)
