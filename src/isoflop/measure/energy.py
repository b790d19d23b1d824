"""Energy of a real training step, three ways beside each other: the device's own counter, our estimate, CodeCarbon.

CodeCarbon (MIT, an optional import) reads the same counter of NVIDIA boards as we do, RAPL of processors where it may,
and else takes a share of a TDP; it adds memory by the slot and no building. Ours is what an account takes before a run:
TDP by how busy the device is, host and network on top. How far they are apart is what an estimate is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, cast

from isoflop import hardware
from isoflop.errors import IsoflopError, MissingData
from isoflop.measure.clock import synchronize
from isoflop.measure.power import energy_meter
from isoflop.measure.steps import Trainer
from isoflop.measure.suite import fitting_steps
from isoflop.training.power import board_share

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.hardware import Device
    from isoflop.measure.machine import Machine

HOST = 0.1
"""Host and network over the board, as an account takes it."""

KWH = 3.6e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Joules of the work by one way of knowing; `note` says what is in it. None: it cannot be known so."""

    name: str
    joules: float | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """Emissions [kg CO2e] of one way of knowing, by whose table of the grid."""

    name: str
    mass: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyCheck:
    """The readings of `steps` training steps that took `seconds`; `theirs` names CodeCarbon's version, "" without it.

    `why` says in words why they are apart. PUE is in none of them.
    """

    seconds: float
    steps: int
    readings: tuple[Reading, ...]
    emissions: tuple[Emitted, ...]
    theirs: str
    why: tuple[str, ...]

    def joules(self, name: str) -> float | None:
        """What one way of knowing says."""
        return next((one.joules for one in self.readings if one.name == name), None)

    @property
    def ratio(self) -> float | None:
        """Our estimate over CodeCarbon's sum; None where one of them is missing."""
        ours, theirs = self.joules(OURS), self.joules(THEIRS)
        return ours / theirs if ours and theirs else None


OURS, THEIRS, COUNTED = "our estimate", "CodeCarbon, all", "the board's counter"


class Spent(Protocol):
    """What CodeCarbon says in the end, in kWh and kg, by its own names."""

    cpu_energy: float
    gpu_energy: float
    ram_energy: float
    energy_consumed: float
    emissions: float
    codecarbon_version: str


class Tracker(Protocol):
    """The calls of CodeCarbon's OfflineEmissionsTracker that are used here."""

    final_emissions_data: Spent

    def start(self) -> None:
        """Begin to count."""

    def stop(self) -> float | None:
        """End, and the kg CO2e."""


def codecarbon_tracker(grid: str) -> Tracker | None:
    """CodeCarbon's tracker of this machine, without network and files; None where it is not installed.

    Raises: MissingData for a grid that is no country, which CodeCarbon does not know by our name.
    """
    try:
        import pycountry  # type: ignore[import-not-found]  # codecarbon brings it
        from codecarbon import OfflineEmissionsTracker  # type: ignore[import-not-found]
    except ImportError:
        return None
    country = pycountry.countries.get(alpha_2=hardware.grid(grid).name.upper())
    if country is None:
        raise MissingData(f"CodeCarbon knows countries; '{grid}' is none. Give one: --grid fr")
    made = OfflineEmissionsTracker(
        country_iso_code=country.alpha_3, output_methods=[], log_level="critical", measure_power_secs=1,
        allow_multiple_runs=True,
    )  # fmt: skip
    return cast("Tracker", made)


def check_energy(
    machine: Machine, *, fast: bool, tdp: float | None = None, grid: str = "us", seconds: float = 20.0,
    tracker: Callable[[str], Tracker | None] = codecarbon_tracker,
) -> EnergyCheck:  # fmt: skip
    """Train a small decoder for so long and hold the ways of knowing its energy against each other.

    `tdp` in watts of the whole chip where the catalogue has none. `tracker` is a seam for tests.
    """
    step = fitting_steps(fast=fast)[2]
    trainer = Trainer(step, machine.device)
    trainer.once()
    counter = energy_meter(machine.device)
    theirs = tracker(grid)
    if theirs is not None:
        theirs.start()
    begun, before, steps = perf_counter(), counter(), 0
    while perf_counter() - begun < seconds:
        trainer.once()
        synchronize(machine.device)  # else steps are only handed over, and none has to have been made
        steps += 1
    lasted, after = perf_counter() - begun, counter()
    if theirs is not None:
        theirs.stop()
    flops = 6.0 * step.shape.params * step.tokens * steps
    readings = [_ours(machine, flops, lasted, tdp)]
    if before is not None and after is not None:
        readings.insert(0, Reading(name=COUNTED, joules=after - before, note="NVML: the board, no host"))
    spent = getattr(theirs, "final_emissions_data", None)  # it has none where it could not start
    return EnergyCheck(
        seconds=lasted,
        steps=steps,
        readings=(*readings, *_parts(spent)),
        emissions=_emissions(readings, spent, grid),
        theirs=f"CodeCarbon {spent.codecarbon_version}" if spent is not None else "",
        why=_why(spent, counted=before is not None),
    )


def _ours(machine: Machine, flops: float, seconds: float, tdp: float | None) -> Reading:
    """What an account would take for these seconds: TDP by how busy the device is, host and network on top."""
    device = _catalogued(machine)
    watts = tdp if tdp is not None else (device.tdp.value if device is not None and device.tdp is not None else None)
    if watts is None:
        said = f"no TDP of '{machine.name}' is catalogued; give it: --tdp '360 W'"
        return Reading(name=OURS, joules=None, note=said)
    if machine.device.type == "cuda" and device is not None:
        peak = next(device.peak_rates[name].value for name in ("bf16", "fp16", "fp32") if name in device.peak_rates)
        share = board_share(flops / seconds / peak)
        note = f"board at {share:.0%} of {watts:g} W by its utilisation, host and network {HOST:.0%} of {watts:g} W"
        return Reading(name=OURS, joules=(share + HOST) * watts * seconds, note=note)
    note = f"all of {watts:g} W while it trains, host and network {HOST:.0%} of it"
    return Reading(name=OURS, joules=(1 + HOST) * watts * seconds, note=note)


def _catalogued(machine: Machine) -> Device | None:
    if machine.device.type == "cpu":
        return None  # a process is given some of its cores: its whole TDP would be that of others too
    try:
        return hardware.device(machine.name)
    except IsoflopError:
        return None


def _parts(spent: Spent | None) -> tuple[Reading, ...]:
    if spent is None:
        return (Reading(name=THEIRS, joules=None, note="not installed, or it did not start: pip install codecarbon"),)
    return (
        Reading(name="CodeCarbon, processor", joules=spent.cpu_energy * KWH, note="RAPL where it may, else from a TDP"),
        Reading(name="CodeCarbon, GPU", joules=spent.gpu_energy * KWH, note="NVML, as the board counts"),
        Reading(name="CodeCarbon, memory", joules=spent.ram_energy * KWH, note="some watts a slot, whatever it does"),
        Reading(name=THEIRS, joules=spent.energy_consumed * KWH, note="no building: PUE 1"),
    )


def _emissions(readings: list[Reading], spent: Spent | None, grid: str) -> tuple[Emitted, ...]:
    found = []
    ours = next((one.joules for one in readings if one.name == OURS), None)
    if ours is not None:
        first: dict[str, float] = {}
        for one in hardware.grids(grid):
            first.setdefault(one.source, one.intensity.value)
        found = [Emitted(name=OURS, mass=ours * value, source=source) for source, value in first.items()]
    if spent is not None:
        found.append(Emitted(name=THEIRS, mass=spent.emissions, source=f"its own table of {grid}"))
    return tuple(found)


def _why(spent: Spent | None, *, counted: bool) -> tuple[str, ...]:
    """Why they are apart, as far as what was read tells."""
    lines = ["neither counts the building: an account multiplies by a PUE of 1.1, CodeCarbon by 1 unless told"]
    if spent is None:
        return tuple(lines)
    if not spent.gpu_energy:
        lines.append(
            "CodeCarbon sees no GPU; where it cannot read RAPL, as in virtual machines, it guesses the processor: a "
            "share of its TDP, or some watts a thread where it knows no TDP"
        )
    elif counted:
        lines.append("both read the same counter of the board; hosts differ: CodeCarbon reads or guesses its parts")
    if spent.ram_energy > 0.2 * spent.energy_consumed:
        lines.append("memory is a constant of CodeCarbon's by the slot; an account has it in host and network")
    return tuple(lines)
