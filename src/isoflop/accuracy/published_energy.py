"""Energy of published runs from model, device, chips, tokens and year: predicted chip-hours, times power, times PUE.

The rule, written down before any prediction was looked at: power is the maker's TDP times 1.1 for GPUs, as the book has
it, and 1.4 for TPUs, whose hosts weigh more beside smaller chips (owners measured 1.1 to 1.4 on v3, 2.0 on v4: seen
before, so TPU rows are shown apart). PUE is the site's, as stated, else 1.1; a table that prints the energy of machines
gets none. A run counts where its energy is printed for the run itself, not restated by others, and its chip-hours can
be predicted (`published_hours`).
"""

from __future__ import annotations

from dataclasses import dataclass

from isoflop import hardware
from isoflop.accuracy.published_hours import all_hours, predicted
from isoflop.book.energy import chip_power, machine_energy, train_energy
from isoflop.model import published

RATIO = {"GPU": 1.1, "TPU": 1.4}
PUE = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """A run's printed energy beside the prediction [J]; `from_hours` from its stated chip-hours, `by_tdp` TDP alone."""

    name: str
    device: str
    kind: str
    printed: float
    predicted: float
    from_hours: float
    by_tdp: float
    in_practice: bool


def energies() -> tuple[Energy, ...]:
    """Every run that counts."""
    hours = {one.name: one for one in all_hours() if one.bare is not None and one.stated is not None}
    found = []
    for run in published.table("energy"):
        one = hours.get(run.model)
        printed = run.footprint.energy
        if one is None or printed is None or one.stated is None:
            continue
        device = hardware.device(run.use.device)
        kind = "TPU" if device.kind == "TPU" else "GPU"
        tdp = device.power().value
        pue = 1.0 if run.footprint.scope == "machine" else run.footprint.pue or PUE
        power = float(chip_power(tdp, RATIO[kind]))
        found.append(
            Energy(
                name=run.model,
                device=device.name,
                kind=kind,
                printed=printed,
                predicted=float(train_energy(machine_energy(predicted(one)[0], power), pue)),
                from_hours=float(train_energy(machine_energy(one.stated, power), pue)),
                by_tdp=float(machine_energy(one.stated, tdp)),
                in_practice=one.use == "practice",
            )
        )
    return tuple(found)
