"""Energy and emissions of published runs, recomputed from what was printed, under conventions by name.

Two conventions of one run differ by as much as 7: which power counts, whether the building's cooling is in, and whose
grid. So a figure is only compared with one of its own convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from isoflop.book import energy as book
from isoflop.book import rate

if TYPE_CHECKING:
    from isoflop.model.published import Run

Convention = Literal["owner", "llama"]

CONVENTIONS: dict[Convention, str] = {
    "owner": "the owner's own power a chip, PUE and grid, as printed",
    "llama": "TDP of the chip, PUE 1.1 and 0.385 kg CO2e/kWh for everybody: Touvron et al. 2023, table 15",
}
"""What each convention takes."""

LLAMA_PUE = 1.1
LLAMA_INTENSITY = 0.385 / 3.6e6
"""kg CO2e/J: the average of the United States, wherever a run took place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restated:
    """What a run's energy [J] and emissions [kg CO2e] come to under a convention; None where an input is not printed.

    `energy` is at the meter of the building or at the machines, as the printed figure is. `lacks` names the inputs
    that neither is printed nor follows.
    """

    convention: Convention
    energy: float | None
    emissions: float | None
    lacks: tuple[str, ...] = ()


def restated(run: Run, convention: Convention = "owner", *, tdp: float | None = None) -> Restated:
    """The run's energy and emissions under a convention; `tdp` [W/chip] is what "llama" takes for the power.

    >>> from isoflop.model import table
    >>> gpt3 = restated(table("energy")[0])
    >>> round(gpt3.energy / 3.6e9), round(gpt3.emissions / 1e3)  # MWh, t CO2e; printed: 1,287 and 552
    (1289, 553)
    """
    return _as_owner(run) if convention == "owner" else _as_llama(run, tdp)


def chip_time_of(run: Run) -> float | None:
    """Chip-seconds of a run: as printed, else chips times time."""
    use = run.use
    if use.chip_time is not None or use.chips is None or use.time is None:
        return use.chip_time
    return float(rate.chip_time(use.chips, use.time))


def _as_owner(run: Run) -> Restated:
    """The owner's convention. Where no power is printed, emissions follow from the printed energy."""
    footprint, chip_time = run.footprint, chip_time_of(run)
    at_meter = footprint.scope == "facility"
    needed = {"chip_time": chip_time, "chip_power": footprint.chip_power}
    if at_meter:
        needed["pue"] = footprint.pue
    lacks = [key for key, value in needed.items() if value is None]
    energy = None
    if chip_time is not None and footprint.chip_power is not None and not lacks:
        energy = float(book.machine_energy(chip_time, footprint.chip_power))
        energy = float(book.train_energy(energy, footprint.pue or 1.0)) if at_meter else energy
    known = energy or footprint.energy
    emissions = None
    if known is not None and footprint.grid_intensity is not None:
        metered = known if at_meter else float(book.train_energy(known, footprint.pue or 1.0))
        emissions = float(book.train_emissions(metered, footprint.grid_intensity))
    if footprint.grid_intensity is None:
        lacks.append("grid_intensity")
    return Restated(convention="owner", energy=energy, emissions=emissions, lacks=tuple(lacks))


def _as_llama(run: Run, tdp: float | None) -> Restated:
    chip_time = chip_time_of(run)
    if chip_time is None or tdp is None:
        lacks = tuple(key for key, value in (("chip_time", chip_time), ("tdp", tdp)) if value is None)
        return Restated(convention="llama", energy=None, emissions=None, lacks=lacks)
    energy = float(book.train_energy(book.machine_energy(chip_time, tdp), LLAMA_PUE))
    return Restated(convention="llama", energy=energy, emissions=float(book.train_emissions(energy, LLAMA_INTENSITY)))
