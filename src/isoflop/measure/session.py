"""A whole measurement: look, refuse a busy machine, measure, fit; then hold the profile against unseen steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from isoflop.errors import MissingData, Undetermined
from isoflop.kernel import chip_of
from isoflop.kernel.profile import profile_by
from isoflop.measure import kernels
from isoflop.measure.fit import Fitted, fit_profile, predicted
from isoflop.measure.machine import find_device, look
from isoflop.measure.profile_file import device_from, device_text, known_device
from isoflop.measure.runs import layout_of, run_of
from isoflop.measure.steps import measure_memory, measure_step
from isoflop.measure.suite import FAST, Limits, memory_steps, suite, unseen_steps
from isoflop.training import peak

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.hardware import Device
    from isoflop.kernel import Chip
    from isoflop.measure.clock import Measured
    from isoflop.measure.machine import Machine

    Tell = Callable[[Measured], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a measurement ended in: `text` is the device file, `fitted` None where too little was measured for one.

    `notes` are what a user should know: a doubted name, an early end, what is missing.
    """

    machine: Machine
    found: tuple[Measured, ...]
    device: Device
    chip: Chip
    fitted: Fitted | None
    notes: tuple[str, ...]
    text: str
    fast: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A prediction beside what was measured, both in seconds or bytes; `predicted` None where it could not be made."""

    one: Measured
    quantity: str
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of a measurement: which device, on a busy one too, how long, on how many threads of a CPU."""

    device: str | None = None
    busy: bool = False
    limits: Limits = field(default_factory=Limits)
    threads: int = 0


def measure(wish: Wish, tell: Tell) -> Session:
    """Measure a device; `tell` hears of each result.

    Whatever ends it early (time, memory, Ctrl-C) leaves what was found, marked. Raises: MissingData where torch sees no
    such device, Undetermined where others use it and that was not allowed.
    """
    if wish.threads:
        torch.set_num_threads(wish.threads)
    device = find_device(wish.device)
    machine = look(device)
    if machine.busy and not wish.busy:
        raise Undetermined(
            f"{machine.name}: {machine.busy}; what is measured now would be theirs too. Wait until it is idle, or say "
            "--busy to measure all the same: the file then says so."
        )
    fast = _is_fast(device)
    found: list[Measured] = []
    ended = ""
    try:
        for one in suite(machine, wish.limits, fast=fast):
            found.append(one)
            tell(one)
    except KeyboardInterrupt:
        ended = "ended early by hand: what is not there was not measured"
    return finished(machine, tuple(found), fast=fast, ended=ended)


def _is_fast(device: torch.device) -> bool:
    """Whether the device is an accelerator by what it does, not by what it is called."""
    one = kernels.product(1024, 1024, 1024, "fp32" if device.type == "cpu" else "bf16", device, seconds=0.02)
    return one.timing is not None and one.figures["flops"] / one.timing.seconds >= FAST


def finished(machine: Machine, found: tuple[Measured, ...], *, fast: bool, ended: str = "") -> Session:
    """What measurements come to, however few there are. Raises: MissingData where not even a product ran."""
    if not any(one.what == "product" and one.timing for one in found):
        failed = next((one.failed for one in found if one.failed), "nothing was measured")
        raise MissingData(f"{machine.name}: no matrix product could be measured ({failed}), so there is no profile.")
    known, notes = known_device(machine, found)
    notes = (*notes, *((ended,) if ended else ()))
    device = device_from(device_text(machine, found, None, notes, known), machine.name)
    chip = chip_of(device, node_chips=machine.count)
    base = profile_by(chip.architecture)[1]
    fitted = fit_profile(found, chip, base, machine)
    notes = (*notes, *(f"not measured: {one}" for one in fitted.missing))
    text = device_text(machine, found, fitted, notes, known)
    device = device_from(text, machine.name)
    chip = chip_of(device, node_chips=machine.count)
    return Session(
        machine=machine, found=found, device=device, chip=chip, fitted=fitted, notes=notes, text=text, fast=fast
    )


def check_steps(session: Session, tell: Tell, *, seconds: float = 1.5) -> tuple[Check, ...]:
    """Training steps of shapes that no constant was fitted to, measured and predicted: time and peak memory."""
    found: list[Check] = []
    for step in unseen_steps(fast=session.fast):
        one = measure_step(step, session.machine.device, seconds=seconds)
        tell(one)
        if one.timing is None or session.chip.own is None:
            continue
        time = predicted(one, session.chip, session.chip.own)
        found.append(Check(one=one, quantity="step_time", predicted=time, measured=one.timing.seconds))
        found.append(_memory_check(one))
    return tuple(found)


def check_memory(session: Session, tell: Tell) -> tuple[Check, ...]:
    """Peaks of memory over a grid of models, batches, sequences, recomputation and formats."""
    found: list[Check] = []
    for step in memory_steps(fast=session.fast):
        one = measure_memory(step, session.machine.device)
        tell(one)
        if not one.failed:
            found.append(_memory_check(one))
    return tuple(found)


def _memory_check(one: Measured) -> Check:
    made = peak(run_of(one.settings), layout_of(one.settings))
    return Check(
        one=one,
        quantity="peak_memory",
        predicted=float(made.allocated.item()),
        measured=one.figures["peak.allocated"],
    )
