"""Chip-hours, money, energy, emissions and speed of a run against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.audit.world.found import by, near, of_fact, one_of, shown, slip_of
from isoflop.audit.world.frames import Span, over
from isoflop.book import energy, money, rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.facts import Fact


HOUR = 3600.0


PRICES = (0.12 / HOUR, 30.0 / HOUR)
"""$/chip/s outside of which no chip for training was ever rented."""


WATTS = (60.0, 3000.0)
"""W a chip, machine and building included, outside of which no run was."""


INTENSITIES = (0.002 / 3.6e6, 1.5 / 3.6e6)
"""kg CO2e/J outside of which no grid is."""


TIME_SLIPS = (
    (24.0, "hours and days mixed up"),
    (1 / 24, "hours and days mixed up"),
    (60.0, "minutes and hours mixed up"),
    (1 / 60, "minutes and hours mixed up"),
    (7.0, "days and weeks mixed up"),
    (1 / 7, "days and weeks mixed up"),
    (30.44, "days and months mixed up"),
    (1 / 30.44, "days and months mixed up"),
    (365.25, "days and years mixed up"),
    (1 / 365.25, "days and years mixed up"),
    (3600.0, "seconds and hours mixed up"),
    (1 / 3600, "seconds and hours mixed up"),
    (86400.0, "seconds and days mixed up"),
    (1 / 86400.0, "seconds and days mixed up"),
)


def chip_hours(picked: dict[str, Fact], amounts: dict[str, Span]) -> Iterator[Finding]:
    """Chip-hours against chips and time."""
    if not {"chips", "train_time", "chip_time"} <= amounts.keys():
        return
    due = over(rate.chip_time, amounts["chips"], amounts["train_time"])
    ratio = amounts["chip_time"] / due
    if ratio.meets(0.85, 1.18):
        return
    fact, value = picked["chip_time"], ratio.middle
    slip = one_of(value, tuple((target, "time_unit", f"likely {words}") for target, words in TIME_SLIPS)) or slip_of(
        value
    )
    if slip is None and near(value, 1 / amounts["chips"].middle, 0.15):
        slip = "input_missing", "likely the number of chips left out"
    if slip is None and (near(value, 0.125) or near(value, 8.0)):
        slip = "noun_left_out", "likely machines of 8 chips counted as chips"
    reason = (
        f"{shown(amounts['chips'].middle, 'chips')} for {shown(amounts['train_time'].middle, 'train_time')} "
        f"are {shown(due.middle, 'chip_time')}"
    )
    yield of_fact(fact, slip[0] if slip else "contradiction", f"{reason}; {slip[1]}" if slip else reason, due.middle)


def held(amounts: dict[str, Span]) -> Span | None:
    """Chip-seconds of a run: as said, or chips times time."""
    if "chip_time" in amounts:
        return amounts["chip_time"]
    return amounts["chips"] * amounts["train_time"] if {"chips", "train_time"} <= amounts.keys() else None


def by_money(picked: dict[str, Fact], amounts: dict[str, Span]) -> Iterator[Finding]:
    """Cost against chip-hours and their price."""
    time = held(amounts)
    if time is None or "train_cost" not in amounts:
        return
    fact = picked["train_cost"]
    if "price" in amounts:
        due = over(money.train_cost, time, amounts["price"])
        ratio = amounts["train_cost"] / due
        if ratio.meets(0.8, 1.25):
            return
        value = ratio.middle
        slip = one_of(
            value, tuple((target, "time_unit", f"likely {words}") for target, words in TIME_SLIPS)
        ) or slip_of(value)
        if slip is None and "chips" in amounts and near(value, 1 / amounts["chips"].middle, 0.15):
            slip = "input_missing", "likely the number of chips left out"
        if slip is None and (near(value, 0.125) or near(value, 8.0)):
            slip = "noun_left_out", "likely the price of a machine of 8 chips against that of a chip"
        reason = f"{shown(time.middle, 'chip_time')} at that price are {shown(due.middle, 'train_cost')}"
        yield of_fact(
            fact, slip[0] if slip else "contradiction", f"{reason}; {slip[1]}" if slip else reason, due.middle
        )
        return
    implied = amounts["train_cost"] / time
    if implied.meets(*PRICES) or fact.amount.number.bound:
        return
    usual = time.middle * 2.0 / HOUR
    slip = slip_of(implied.middle / (2.0 / HOUR))
    words = f"that is ${implied.middle * HOUR:.3g} for each chip-hour; chips are rented for $0.5 to $12"
    yield of_fact(fact, slip[0] if slip else "contradiction", words, usual)


def _watts(amounts: dict[str, Span]) -> float:
    """Watts of a chip: as said, else what a machine takes for each."""
    each = amounts.get("power")
    return each.middle if each is not None and WATTS[0] <= each.middle <= WATTS[1] else 500.0


def by_power(picked: dict[str, Fact], amounts: dict[str, Span]) -> Iterator[Finding]:
    """Energy against chip-hours, emissions against energy."""
    time, said = held(amounts), amounts.get("train_energy")
    if time is not None and said is not None:
        implied = said / time
        if not implied.meets(*WATTS):
            due = by(energy.train_energy, by(energy.machine_energy, time.middle, _watts(amounts)), 1.1)
            value = said.middle / due
            thousand = 1e3 if value > 1 else 1e-3
            slip = slip_of(value)
            if 0.2 < value / thousand < 5:
                slip = "prefix", "likely kWh for MWh, or MWh for GWh"
            kind: Class = slip[0] if slip else "contradiction"
            yield of_fact(
                picked["train_energy"],
                kind,
                f"that is {implied.middle:.3g} W a chip; machines take 250 to 1,500{f'; {slip[1]}' if slip else ''}",
                due,
                factor=thousand if kind == "prefix" else None,
            )
            return
    if said is None or "train_emissions" not in amounts:
        return
    if "grid_intensity" in amounts:
        yield from _by_grid(picked, said, amounts["grid_intensity"], amounts["train_emissions"])
        return
    intensity = amounts["train_emissions"] / said
    if not intensity.meets(*INTENSITIES):
        due = by(energy.train_emissions, said.middle, 0.4 / 3.6e6)
        value = amounts["train_emissions"].middle / due
        thousand = 1e3 if value > 1 else 1e-3
        is_prefix = 0.05 < value / thousand < 20
        why = "; likely a prefix: kWh for MWh, kg for t" if is_prefix else ""
        reason = f"that is {intensity.middle * 3.6e6:.3g} kg CO2e for each kWh; grids emit 0.02 to 0.9{why}"
        yield of_fact(
            picked["train_emissions"],
            "prefix" if is_prefix else "contradiction",
            reason,
            due,
            factor=thousand if is_prefix else None,
        )


def _by_grid(picked: dict[str, Fact], said: Span, grid: Span, emissions: Span) -> Iterator[Finding]:
    """Emissions against energy and the intensity of the grid that is said with it."""
    due = over(energy.train_emissions, said, grid)
    ratio = emissions / due
    if ratio.meets(0.7, 1.6):
        return
    slip = slip_of(ratio.middle)
    reason = f"at that intensity the energy emits {shown(due.middle, 'train_emissions')}"
    yield of_fact(
        picked["train_emissions"],
        slip[0] if slip else "contradiction",
        f"{reason}; {slip[1]}" if slip else reason,
        due.middle,
    )


def by_speed(picked: dict[str, Fact], amounts: dict[str, Span]) -> Iterator[Finding]:
    """Tokens a second against tokens and time."""
    speed = amounts.get("throughput")
    if speed is None and {"throughput_per_chip", "chips"} <= amounts.keys():
        speed = amounts["throughput_per_chip"] * amounts["chips"]
    if speed is None or not {"tokens", "train_time"} <= amounts.keys():
        return
    due = amounts["tokens"] / speed
    ratio = amounts["train_time"] / due
    if ratio.meets(0.8, 1.3):
        return
    value = ratio.middle
    slip = one_of(value, tuple((target, "time_unit", f"likely {words}") for target, words in TIME_SLIPS)) or slip_of(
        value
    )
    reason = f"at that rate the tokens take {shown(due.middle, 'train_time')}"
    yield of_fact(
        picked["train_time"],
        slip[0] if slip else "contradiction",
        f"{reason}; {slip[1]}" if slip else reason,
        due.middle,
    )
