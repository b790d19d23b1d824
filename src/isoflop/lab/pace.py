"""Seconds of a step and bytes of a process: the training room on this machine's profile, times what a probe found.

One mechanism. The training room says how time grows with width, depth, sequence and batch on a machine; its profile is
`machine.toml` in the study's folder (`isoflop measure --threads 1` writes one), else that of another machine. A probe
of a few real steps at a few sizes gives measured over modelled; between the sizes that factor is interpolated over the
logarithm of parameters, beyond them it stays. Where the profile is the machine's own, the factor is near 1 and the
training room alone says the same; the probe is better where the machine is busy, threads are shared, or the profile is
another's. Memory alike: tensors as the training room has them, and what libraries hold beside them by the probe.
Runs that one process trains together share the time of starting operations, and are probed together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, shorten
from isoflop.hardware import device
from isoflop.quantity.toml_file import read_text
from isoflop.training import Layout, Recipe, Run, machine_of, peak, step_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.lab.spec import RunSpec
    from isoflop.training import Machine

Party = tuple["RunSpec", ...]
"""Runs that one process trains together, of one shape and length; mostly one."""

OWN = "machine.toml"
"""The profile of this machine in a study's folder."""

CHECKED = 64
"""Sequences that are validated at once."""

KEPT = 36.0
"""Bytes a parameter while a checkpoint is written: weights and two moments, their copy, and the file's bytes."""

FEWEST_DOUBT = 0.05
"""Half-width (of a logarithm, 90 %) of what the training room may be off between probed sizes: what `isoflop measure
--check` says of machine.toml (eight steps of other shapes: median 2.2 %, largest 6.4 %)."""


STARTING = 0.4
"""By how much (of a logarithm) the training room may be off where starting operations is all of a step: 21 shapes of
8 to 512 wide took 0.65 to 1.37 times what it said, those above 64 wide 0.89 to 1.00 (fp32, one thread)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one process of a probe found.

    By the hash of the first run of a party (runs trained together, or one): seconds of each step on the clock (`steps`)
    and of the process's own processor (`busy`), of one validated sequence, all divided by the runs of the party; and
    the most bytes `held` so far. `ready`: when its first run began (seconds since 1970); seconds to make a party, to
    keep a checkpoint, to keep a record.
    """

    steps: dict[str, list[float]]
    validation: dict[str, float]
    busy: dict[str, list[float]]
    held: dict[str, int]
    ready: float
    begin: float
    keep: float
    record: float


class Pace:
    """What steps of a study take on this machine. `probed`: parties, smallest runs first."""

    def __init__(self, study: Path, probed: Sequence[Party], heard: Sequence[Heard]) -> None:
        self.own = (study / OWN).is_file()
        self.machine = machine_at(study)
        self.probed, self.heard = probed, heard

    def alone(self, spec: RunSpec, many: int = 1) -> float:
        """Seconds of a step of one run by the training room alone, where `many` are trained together.

        Together they share the time of starting operations, and nothing else.
        """
        run, layout = as_run(spec)
        found = step_time(run, layout, self.machine.chip, self.machine.profile)
        shared = float(found.terms["launch"].item()) + self.machine.profile.launch.step
        return float(found.total.item()) - shared * (1 - 1 / many)

    def spread(self, spec: RunSpec, many: int = 1) -> float:
        """5 and 95 % points of `alone` are it over and times this.

        What the profile says of itself, and more where starting operations, which differs between programs, takes most
        of a step.
        """
        run, layout = as_run(spec)
        found = step_time(run, layout, self.machine.chip, self.machine.profile)
        shared = float(found.terms["launch"].item()) + self.machine.profile.launch.step
        return self.machine.profile.spread * exp(STARTING * min(1.0, shared / many / self.alone(spec, many)))

    def step(self, spec: RunSpec, many: int = 1) -> float:
        """Seconds of a step of one run."""
        return self.alone(spec, many) * self._factor(spec, self._factors)

    def validation(self, spec: RunSpec, many: int = 1) -> float:
        """Seconds to validate one sequence with one run."""
        return self.alone(spec, many) * self._factor(spec, self._checks)

    def _factor(self, spec: RunSpec, factors: Sequence[float]) -> float:
        if not self.probed:
            return 1.0
        return float(np.exp(np.interp(log(spec.params), self._sizes, np.log(factors))))

    @property
    def _sizes(self) -> list[float]:
        return [log(party[0].params) for party in self.probed]

    def _over(self, party: Party, measured: float) -> float:
        return measured / self.alone(party[0], len(party))

    @cached_property
    def _factors(self) -> list[float]:
        return [self._over(party, self._mean(party)) for party in self.probed]

    @cached_property
    def _checks(self) -> list[float]:
        return [
            self._over(party, float(np.mean([held.validation[party[0].hash] for held in self.heard])))
            for party in self.probed
        ]

    def _mean(self, party: Party) -> float:
        return float(np.mean(np.concatenate([held.steps[party[0].hash] for held in self.heard])))

    @property
    def slowed(self) -> float:
        """Times on the clock over times of the process's own processor: what others took; 1 where nobody did."""
        clock = sum(sum(held.steps[party[0].hash]) for held in self.heard for party in self.probed)
        busy = sum(sum(held.busy[party[0].hash]) for held in self.heard for party in self.probed)
        return max(1.0, clock / busy) if busy else 1.0

    @property
    def doubt(self) -> float:
        """Half-width of the logarithm of a step's time at sizes that were not probed.

        How far a probed size in the middle is off what its neighbours say of it.
        """
        found = [FEWEST_DOUBT]
        at, said = self._sizes, [log(one) for one in self._factors]
        for place in range(1, len(at) - 1):
            ends = (place - 1, place + 1)
            found.append(abs(said[place] - float(np.interp(at[place], [at[x] for x in ends], [said[x] for x in ends]))))
        return max(found)

    @property
    def differing(self) -> float:
        """Half-width (90 %) of the logarithm of the mean step, from how far processes and sizes of the probe differ."""
        means = [(np.mean(held.steps[one[0].hash]), self._mean(one)) for held in self.heard for one in self.probed]
        return 1.645 * float(np.std([log(here / every) for here, every in means])) if means else 0.0

    def rest(self) -> float:
        """Bytes beside tensors: of the largest party probed, in the process that held most."""
        largest = max(self.probed, key=party_bytes)
        return max(held.held[largest[0].hash] for held in self.heard) - party_bytes(largest)


def machine_at(study: Path) -> Machine:
    """The machine of a study: its own profile, else the one that comes with this room."""
    own = study / OWN
    return machine_of(device(str(own if own.is_file() else Path(str(files("isoflop.lab") / OWN)))))


def profile_text(path: Path) -> str:
    """The text of a device file that has a profile of its own.

    Raises: BadInput for one without: nothing measured says there how long a step takes.
    """
    found = device(str(path))
    if found.profile is None:
        raise BadInput(
            f"{shorten(str(path), most=200)} has no [profile]: give what isoflop measure --threads 1 --out FILE wrote."
        )
    return read_text(path)


def as_run(spec: RunSpec) -> tuple[Run, Layout]:
    """The run as the training room takes it."""
    recipe = Recipe(
        name=spec.precision,
        engine="native-host",
        weights="fp32",
        gradients="fp32",
        master="none",
        states=("fp32", "fp32"),
        reduce="fp32",
        compute=spec.precision,
        recompute=("full",) if spec.recompute else ("none",),
    )
    run = Run(model=spec.model, sequence=spec.sequence, batch=spec.batch, recipe=recipe)
    return run, Layout(micro_batch=spec.batch // spec.pieces)


def party_bytes(party: Party) -> float:
    """The most that the tensors of runs trained together take."""
    return len(party) * held_bytes(party[0])


def held_bytes(spec: RunSpec) -> float:
    """The most that a run's tensors take on a CPU: while training (the training room), validating, or being kept."""
    run, layout = as_run(spec)
    training = float(peak(run, layout).allocated.item())
    together = min(CHECKED, spec.validation) * spec.sequence
    logits = (8.0 if spec.precision == "fp32" else 10.0) * spec.shape.vocabulary
    inside = 4.0 * max(6 * spec.shape.width, 2 * spec.shape.width + 3 * spec.shape.inner)
    validating = 12.0 * spec.params + together * max(logits, inside)
    return max(training, validating, KEPT * spec.params)
