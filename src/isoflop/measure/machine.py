"""Which machine this is: its device by the driver's name, versions, load; and whether it is too busy to be measured."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from isoflop import __version__
from isoflop.errors import BadInput, MissingData
from isoflop.measure.power import handle, nvml

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY_SHARE = 0.10
"""Share of a device, or of a machine's cores, that others may use before a measurement is refused."""

KINDS = ("cuda", "mps", "cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device to measure and what was seen of it.

    `name` is what the driver says, `memory` the bytes it says the device has, `units` its multiprocessors or cores.
    `versions` by name; `busy` says in words what else runs on it, "" where nothing does; `load` is the share of it that
    others used.
    """

    device: torch.device
    name: str
    maker: str
    memory: float
    units: int
    count: int
    versions: Mapping[str, str]
    load: float
    busy: str
    date: str
    notes: tuple[str, ...] = field(default=())

    @property
    def kind(self) -> str:
        """cuda, rocm, mps or cpu."""
        return "rocm" if self.device.type == "cuda" and torch.version.hip else self.device.type


def find_device(name: str | None) -> torch.device:
    """The device of that name (cuda, cuda:1, mps, cpu), else the fastest there is. Raises: MissingData, BadInput."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(kind for kind in KINDS if there[kind]))
    kind, _, index = name.partition(":")
    kind = "cuda" if kind == "rocm" else kind
    if kind not in there or (index and not index.isdigit()):
        raise BadInput(f"no device '{name[:40]}'; there are {', '.join(KINDS)}, with a number as in cuda:1.")
    if not there[kind]:
        raise MissingData(
            f"torch {torch.__version__} sees no {kind} device here: {_why_not(kind)}. "
            f"Measure the CPU with --on cpu, or set up torch for the device."
        )
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise MissingData(f"no device cuda:{index}; torch sees {torch.cuda.device_count()} here.")
    return torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device(kind)


def _why_not(kind: str) -> str:
    if kind == "cuda":
        built = torch.version.cuda or torch.version.hip
        return "its build has no CUDA and no ROCm" if built is None else "no driver answers, or no device is free"
    return "its build or this system has none"


def look(device: torch.device) -> Machine:
    """What there is to be seen of a device, before anything runs on it."""
    return _cuda(device) if device.type == "cuda" else _host(device)


def _cuda(device: torch.device) -> Machine:
    seen = torch.cuda.get_device_properties(device)
    used, total = torch.cuda.mem_get_info(device)
    del used
    load, busy = _others_on(device)
    versions = _versions()
    runtime = torch.version.hip or torch.version.cuda or ""
    versions |= {"hip" if torch.version.hip else "cuda": runtime, "driver": _driver()}
    return Machine(
        device=device,
        name=str(seen.name),
        maker="AMD" if torch.version.hip else "NVIDIA",
        memory=float(total),
        units=int(seen.multi_processor_count),
        count=torch.cuda.device_count(),
        versions={key: value for key, value in versions.items() if value},
        load=load,
        busy=busy,
        date=_today(),
    )


def _host(device: torch.device) -> Machine:
    cores = _cores()
    load = _cpu_load(cores)
    busy = f"others keep {load:.0%} of its {cores} cores busy" if load > BUSY_SHARE else ""
    mps = device.type == "mps"
    return Machine(
        device=device,
        name=_processor(),
        maker="Apple" if mps else _vendor(),
        memory=float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        units=torch.get_num_threads(),
        count=1,
        versions=_versions(),
        load=load,
        busy=busy,
        date=_today(),
    )


def _today() -> str:
    return datetime.now(tz=UTC).date().isoformat()


def _versions() -> dict[str, str]:
    return {"isoflop": __version__, "torch": torch.__version__, "python": platform.python_version()}


def _cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _cpu_load(cores: int) -> float:
    """Share of the cores that was busy over the fifth of a second before now, this process left out."""
    from time import process_time, sleep

    before, own = _busy_ticks(), process_time()
    if before is None:
        return min(1.0, os.getloadavg()[0] / cores)
    sleep(0.2)
    after = _busy_ticks()
    assert after is not None
    total = after[1] - before[1]
    own_share = (process_time() - own) / (0.2 * cores)
    return max(0.0, (after[0] - before[0]) / total - own_share) if total else 0.0


def _busy_ticks() -> tuple[float, float] | None:
    """(ticks in which a core was busy, all ticks) since the start of the system; None where no one counts them."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    except OSError:
        return None
    ticks = [float(word) for word in words[:8]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)


def _others_on(device: torch.device) -> tuple[float, str]:
    """(share of the device that others use, what they do in words)."""
    library, one = nvml(), handle(device)
    if library is None or one is None:
        free, total = torch.cuda.mem_get_info(device)
        taken = 1 - free / total
        return taken, f"{taken:.0%} of its memory is taken" if taken > BUSY_SHARE else ""
    try:
        used = float(getattr(library.nvmlDeviceGetUtilizationRates(one), "gpu", 0)) / 100
        others = len(library.nvmlDeviceGetComputeRunningProcesses(one))
    except library.NVMLError:
        return 0.0, ""
    if used <= BUSY_SHARE:
        return used, ""
    said = f"{others} other process{'' if others == 1 else 'es'}" if others else "another program"
    return used, f"{said} keeps it {used:.0%} busy"


def _driver() -> str:
    """The driver's version, "" where nobody says."""
    library = nvml()
    if library is None:
        return ""
    try:
        return str(library.nvmlSystemGetDriverVersion())
    except library.NVMLError:
        return ""


def _processor() -> str:
    """What the system calls its processor."""
    found = _cpu_field("model name")
    if not found and platform.system() == "Darwin":
        done = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        found = done.stdout.strip()
    return found or platform.processor() or platform.machine()


def _vendor() -> str:
    known = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}
    return known.get(_cpu_field("vendor_id"), "unknown")


def _cpu_field(name: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = next((line for line in lines if line.startswith(name)), "")
    return found.partition(":")[2].strip()
