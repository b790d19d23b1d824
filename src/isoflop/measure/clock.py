"""How long work takes on a device: medians with their spread, and joules where the device counts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import torch

from isoflop.measure.power import energy_meter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEAST_SAMPLE = 2e-3
"""Seconds that a sample lasts at least: shorter work is repeated inside it, so that clocks do not count."""

METERED = 0.25
"""Seconds of work from which joules are given: the counters of devices tick every 20 to 100 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of one run of some work: median, 10 and 90 % points of `samples`; `joules` of one run, None unmetered."""

    seconds: float
    low: float
    high: float
    samples: int
    joules: float | None = None

    @property
    def spread(self) -> float:
        """Half of what lies between the 10 and 90 % points, over the median."""
        return (self.high - self.low) / (2 * self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One thing that was measured, or that could not be: `failed` says why, then `timing` is None.

    `what` is its kind ("product", "copy"), `settings` what was set, `figures` what else was found in base units.
    """

    what: str
    settings: Mapping[str, str | float]
    timing: Timing | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    failed: str = ""

    def number(self, name: str) -> float:
        """A setting that is a number."""
        return float(self.settings[name])


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def timed(work: Callable[[], object], device: torch.device, *, seconds: float = 0.25, least: int = 5) -> Timing:
    """Time some work for about so many seconds, after it ran twice to warm up; at least `least` samples."""
    work()
    synchronize(device)
    once = _sample(work, device, 1)
    inner = max(1, round(LEAST_SAMPLE / max(once, 1e-7)))
    once = min(once, _sample(work, device, inner))
    count = int(min(200, max(least, seconds / (inner * max(once, 1e-7)))))
    meter = energy_meter(device)
    begun, joules = perf_counter(), meter()
    found = sorted(_sample(work, device, inner) for _ in range(count))
    lasted, spent = perf_counter() - begun, meter()
    metered = joules is not None and spent is not None and lasted >= METERED
    return Timing(
        seconds=_point(found, 0.5),
        low=_point(found, 0.1),
        high=_point(found, 0.9),
        samples=count,
        joules=(spent - joules) / (count * inner) if metered and joules is not None and spent is not None else None,
    )


def _sample(work: Callable[[], object], device: torch.device, inner: int) -> float:
    """Seconds of one run, from `inner` of them in a row."""
    if device.type == "cuda":
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(inner):
            work()
        end.record()
        torch.cuda.synchronize(device)
        return float(start.elapsed_time(end)) / 1e3 / inner
    clock = clock_of(device)
    begun = clock()
    for _ in range(inner):
        work()
    synchronize(device)
    return (clock() - begun) / inner


def clock_of(device: torch.device) -> Callable[[], float]:
    """The clock that times work: on one thread of a CPU that of the process, which stands while others run."""
    return process_time if device.type == "cpu" and torch.get_num_threads() == 1 else perf_counter


def _point(found: list[float], share: float) -> float:
    """A quantile of sorted numbers."""
    place = share * (len(found) - 1)
    low = int(place)
    high = min(low + 1, len(found) - 1)
    return found[low] + (place - low) * (found[high] - found[low])


def attempt(what: str, settings: Mapping[str, str | float], work: Callable[[], Measured]) -> Measured:
    """What `work` finds, or why it failed: out of memory and what the device cannot do are results too.

    Only what torch raises for those: a TypeError, say, is a fault of ours and is not hidden.
    """
    try:
        return work()
    except (torch.OutOfMemoryError, MemoryError) as error:
        failed = f"out of memory: {_first_line(error)}"
    except (RuntimeError, NotImplementedError) as error:
        # a RuntimeError says that a format, a shape or a kernel is not there; on a CPU, that memory is not
        no_room = any(word in str(error).lower() for word in NO_ROOM)
        failed = f"{'out of memory' if no_room else type(error).__name__}: {_first_line(error)}"
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return Measured(what=what, settings=settings, failed=failed)


NO_ROOM = ("defaultcpuallocator", "not enough memory", "out of memory", "can't allocate memory")
"""What messages of torch say where memory is short and the error's class does not."""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
