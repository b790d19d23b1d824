"""Energy of published runs from model, device, chips, tokens and year: predicted chip-hours, times power, times PUE.

The rule, written down before any prediction was looked at: power is the maker's TDP times 1.1 for GPUs, as the book has
it, and 1.4 for TPUs, whose hosts weigh more beside smaller chips (owners measured 1.1 to 1.4 on v3, 2.0 on v4: seen
before, so TPU rows are shown apart). PUE is the site's, as stated, else 1.1; a table that prints the energy of machines
gets none. A run counts where its energy is printed for the run itself, not restated by others, and its chip-hours can
be predicted (`published_hours`).

Changed after a look: an owner who names the TDP itself as the power of a chip gets that and not 1.1 of it, which is
their convention (BLOOM, GLM, LLaMA); runs that print energy and no hours count too (OLMo 2).
"""

from __future__ import annotations

from dataclasses import dataclass

from isoflop import hardware
from isoflop.accuracy.published_hours import all_hours
from isoflop.book.energy import chip_power, machine_energy, train_energy
from isoflop.model import published

RATIO = {"GPU": 1.1, "TPU": 1.4}
PUE = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """A run's printed energy beside the prediction [J]; `from_hours` from its stated chip-hours, `by_tdp` TDP alone.

    `convention` is "TDP" where the owner counts that, else "machines"; None where no hours are stated.
    """

    name: str
    device: str
    kind: str
    convention: str
    printed: float
    predicted: float
    from_hours: float | None
    by_tdp: float | None


SAME = 0.01
"""A power that is the TDP within so much is the TDP."""


def energies() -> tuple[Energy, ...]:
    """Every run that counts."""
    hours = {one.name: one for one in all_hours() if one.point is not None}
    found = []
    for run in published.table("energy"):
        one = hours.get(run.model)
        printed = run.footprint.energy
        if one is None or one.point is None or printed is None:
            continue
        device = hardware.device(run.use.device)
        kind = "TPU" if device.kind == "TPU" else "GPU"
        tdp = device.power().value
        named = abs((run.footprint.chip_power or 0.0) / tdp - 1) < SAME
        pue = 1.0 if run.footprint.scope == "machine" else run.footprint.pue or PUE
        power = tdp if named else float(chip_power(tdp, RATIO[kind]))
        each = [None if time is None else float(machine_energy(time, power)) for time in (one.point, one.stated)]
        found.append(
            Energy(
                name=run.model,
                device=device.name,
                kind=kind,
                convention="TDP" if named else "machines",
                printed=printed,
                predicted=float(train_energy(each[0] or 0.0, pue)),
                from_hours=None if each[1] is None else float(train_energy(each[1], pue)),
                by_tdp=None if one.stated is None else float(machine_energy(one.stated, tdp)),
            )
        )
    return tuple(found)
