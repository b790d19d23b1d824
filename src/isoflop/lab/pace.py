"""Seconds of a step and bytes of a process: the training room on this machine's profile, times what a probe found.

One mechanism. The training room says how time grows with width, depth, sequence and batch on a machine; its profile is
`machine.toml` in the study's folder (`isoflop measure --threads 1` writes one), else that of another machine. A probe
of a few real steps at a few sizes gives measured over modelled; between the sizes that factor is interpolated over the
logarithm of parameters, beyond them it stays. Where the profile is the machine's own, the factor is near 1 and the
training room alone says the same; the probe is better where the machine is busy, threads are shared, or the profile is
another's. Memory alike: tensors as the training room has them, and what libraries hold beside them by the probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, shorten
from isoflop.hardware import device
from isoflop.quantity.toml_file import read_text
from isoflop.training import Layout, Recipe, Run, machine_of, pace_of, peak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.lab.spec import RunSpec
    from isoflop.training import Machine

OWN = "machine.toml"
"""The profile of this machine in a study's folder."""

CHECKED = 64
"""Sequences that are validated at once."""

KEPT = 36.0
"""Bytes a parameter while a checkpoint is written: weights and two moments, their copy, and the file's bytes."""

FEWEST_DOUBT = 0.05
"""Half-width (of a logarithm, 90 %) of what the training room may be off between probed sizes: what `isoflop measure
--check` says of machine.toml (eight steps of other shapes: median 2.2 %, largest 6.4 %)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one process of a probe found.

    By the hash of the run: seconds of each step on the clock (`steps`) and of the process's own processor (`busy`), of
    one validated sequence, and the most bytes `held` so far. `rest`: bytes after the first two steps. `ready`: when its
    first run began (seconds since 1970); seconds to make a run, to keep a checkpoint, to keep a record.
    """

    rest: int
    steps: dict[str, list[float]]
    validation: dict[str, float]
    busy: dict[str, list[float]]
    held: dict[str, int]
    ready: float
    begin: float
    keep: float
    record: float


class Pace:
    """What steps of a study take on this machine."""

    def __init__(self, study: Path, probed: Sequence[RunSpec], heard: Sequence[Heard]) -> None:
        self.own = (study / OWN).is_file()
        self.machine = machine_at(study)
        self.probed, self.heard = probed, heard

    def alone(self, spec: RunSpec) -> float:
        """Seconds of a step by the training room alone."""
        run, layout = as_run(spec)
        return pace_of(run, layout, self.machine).step

    @property
    def spread(self) -> float:
        """What the profile says of itself: 5 and 95 % points are the time over and times this."""
        return self.machine.profile.spread

    def step(self, spec: RunSpec) -> float:
        """Seconds of a step."""
        return self.alone(spec) * self._factor(spec, self._factors)

    def validation(self, spec: RunSpec) -> float:
        """Seconds to validate one sequence."""
        return self.alone(spec) * self._factor(spec, self._checks)

    def _factor(self, spec: RunSpec, factors: Sequence[float]) -> float:
        if not self.probed:
            return 1.0
        return float(np.exp(np.interp(log(spec.params), [log(one.params) for one in self.probed], np.log(factors))))

    @cached_property
    def _factors(self) -> list[float]:
        return [self._mean(one.hash) / self.alone(one) for one in self.probed]

    @cached_property
    def _checks(self) -> list[float]:
        return [
            float(np.mean([held.validation[one.hash] for held in self.heard])) / self.alone(one) for one in self.probed
        ]

    def _mean(self, run: str) -> float:
        return float(np.mean(np.concatenate([held.steps[run] for held in self.heard])))

    @property
    def slowed(self) -> float:
        """Times on the clock over times of the process's own processor: what others took; 1 where nobody did."""
        clock = sum(sum(held.steps[one.hash]) for held in self.heard for one in self.probed)
        busy = sum(sum(held.busy[one.hash]) for held in self.heard for one in self.probed)
        return max(1.0, clock / busy) if busy else 1.0

    @property
    def doubt(self) -> float:
        """Half-width of the logarithm of a step's time at sizes that were not probed.

        How far a probed size in the middle is off what its neighbours say of it.
        """
        found = [FEWEST_DOUBT]
        for place in range(1, len(self.probed) - 1):
            at = [log(self.probed[near].params) for near in (place - 1, place, place + 1)]
            low, here, high = (log(self._factors[near]) for near in (place - 1, place, place + 1))
            found.append(abs(here - float(np.interp(at[1], [at[0], at[2]], [low, high]))))
        return max(found)

    @property
    def differing(self) -> float:
        """Half-width (90 %) of the logarithm of the mean step, from how far processes and sizes of the probe differ."""
        ratios = [
            np.log(np.mean(held.steps[one.hash]) / self._mean(one.hash)) for held in self.heard for one in self.probed
        ]
        return 1.645 * float(np.std(ratios)) if ratios else 0.0

    def rest(self) -> float:
        """Bytes beside tensors: of the largest probed size, in the process that held most."""
        largest = self.probed[-1]
        return max(held.held[largest.hash] for held in self.heard) - held_bytes(largest)


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


def held_bytes(spec: RunSpec) -> float:
    """The most that a run's tensors take on a CPU: while training (the training room), validating, or being kept."""
    run, layout = as_run(spec)
    training = float(peak(run, layout).allocated.item())
    together = min(CHECKED, spec.validation) * spec.sequence
    logits = (8.0 if spec.precision == "fp32" else 10.0) * spec.shape.vocabulary
    inside = 4.0 * max(6 * spec.shape.width, 2 * spec.shape.width + 3 * spec.shape.inner)
    validating = 12.0 * spec.params + together * max(logits, inside)
    return max(training, validating, KEPT * spec.params)
