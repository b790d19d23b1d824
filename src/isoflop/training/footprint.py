"""Power, energy, emissions and water of chip-hours: before a run, from how busy its boards are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.book import energy, money
from isoflop.errors import MissingData
from isoflop.hardware.system_power import system_power
from isoflop.training.power import machine_ratio
from isoflop.training.terms import KWH, Line

if TYPE_CHECKING:
    from isoflop.hardware import Device, Grid
    from isoflop.training.terms import Terms

LLAMA_PUE, LLAMA_GRID = 1.1, 0.385 / KWH
"""LLaMA's convention: TDP times chip-hours times this PUE, at this intensity, wherever the run was."""


USUAL_RATIO = 1.1
"""Machines over the board's TDP where nobody has measured it: hosts and network. An estimate."""


def ratio_of(device: Device, terms: Terms) -> tuple[float, str]:
    """Power of the machines over the board's TDP at full load, and in words whose it is."""
    if terms.power_ratio is not None:
        return terms.power_ratio, "as given"
    measured = system_power(device)
    if measured is not None:
        return measured.ratio, f"measured: {measured.note}"
    return USUAL_RATIO, "assumed"


def machine_power(device: Device, terms: Terms, draw: float) -> float:
    """Watts of the machines for each chip: its board at this utilisation, host and network on top."""
    tdp = device.power().value
    return float(energy.chip_power(tdp, machine_ratio(ratio_of(device, terms)[0], draw)))


def energy_lines(chip_time: float, device: Device, terms: Terms, draw: float) -> tuple[Line, ...]:
    """Power, energy, electricity, emissions by each source of the grid, making the machines, water.

    `draw` is the boards' power over TDP. Where the device has no TDP one line says so.
    """
    try:
        tdp = device.power().value
    except MissingData as error:
        return (Line(name="energy", value=0.0, words="not known", note=str(error)),)
    ratio, said = ratio_of(device, terms)
    power = machine_power(device, terms, draw)
    machines = float(energy.machine_energy(chip_time, power))
    whole = float(energy.train_energy(machines, terms.pue))
    lines = [
        Line(
            name="power of the machines", value=power, quantity="chip_power",
            note=f"board at {draw:.0%} of {tdp:g} W, host and network {ratio - 1:.0%} of it, {said}",
        ),
        Line(name="energy", value=whole, quantity="train_energy", note=f"at the meter, PUE {terms.pue:g}"),
        Line(
            name="electricity", value=float(money.energy_cost(whole, terms.electricity_price)), quantity="energy_cost",
            note=f"at ${terms.electricity_price * KWH:.3g} a kWh; part of a rent, beside capital where owned",
        ),
    ]  # fmt: skip
    lines += [_emissions(whole, one) for one in _grids(terms.grid)]
    llama = float(energy.train_emissions(chip_time * tdp * LLAMA_PUE, LLAMA_GRID))
    lines.append(
        Line(
            name="by LLaMA's convention", value=llama, quantity="train_emissions",
            note="TDP x chip-hours x 1.1 at 0.385 kg a kWh, wherever it runs",
        )
    )  # fmt: skip
    made = float(energy.embodied_emissions(chip_time, terms.lifetime, terms.utilisation))
    said = "BLOOM's method, 462.5 kg a chip"
    lines.append(Line(name="making the machines", value=made, quantity="embodied_emissions", note=said))
    lines.append(_water(machines, terms))
    return tuple(lines)


def _water(machines: float, terms: Terms) -> Line:
    """Water on site for joules of the machines: litres, in words."""
    water = machines / KWH * terms.wue
    cubic = water / 1e3
    said = f"{water:.3g} litres" if cubic < 1 else f"{cubic:.3g} m³" if cubic < 100 else f"{cubic:,.0f} m³"
    return Line(name="water on site", value=water, words=said, note=f"{terms.wue:g} litres a kWh, an estimate")


def _grids(name: str) -> tuple[Grid, ...]:
    """The entries of a grid, one a source, the newest year of each."""
    newest: dict[str, Grid] = {}
    for one in hardware.grids(name):
        before = newest.get(one.source)
        if before is None or (one.year or 0) > (before.year or 0):
            newest[one.source] = one
    return tuple(newest.values())[:3]


def _emissions(whole: float, grid: Grid) -> Line:
    year = f", {grid.year}" if grid.year else ""
    return Line(
        name=f"emissions, {grid.title}",
        value=float(energy.train_emissions(whole, grid.intensity.value)),
        quantity="train_emissions",
        note=f"{grid.intensity.value * KWH * 1e3:.3g} g a kWh: {grid.source}{year}",
    )
