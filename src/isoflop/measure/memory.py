"""The peak of what the allocator gave to tensors while some work ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor


def peak_of(work: Callable[[], object], device: torch.device, held: Iterable[Tensor]) -> dict[str, float]:
    """Bytes at the peak of `work`: `allocated`, and on CUDA and ROCm `reserved` by the allocator and `device` in all.

    On a CPU the allocator has no counters: its events during `work` are added to `held`, the tensors that lived before.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        free, total = torch.cuda.mem_get_info(device)
        return {
            "allocated": float(torch.cuda.max_memory_allocated(device)),
            "reserved": float(torch.cuda.max_memory_reserved(device)),
            "device": float(total - free),
        }
    if device.type == "mps":
        work()
        return {"allocated": float(torch.mps.driver_allocated_memory())}
    return {"allocated": bytes_of(held) + _traced(work)}


def bytes_of(held: Iterable[Tensor]) -> float:
    """Bytes of the storages of tensors, each counted once."""
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in held}
    return float(sum(storages.values()))


def _traced(work: Callable[[], object]) -> float:
    """The most that was allocated and not yet freed at any time, over what was there at the start."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    assert seen.profiler is not None
    events = [one for one in seen.profiler.kineto_results.events() if one.name() == "[memory]"]
    events.sort(key=lambda one: one.start_ns())
    most = now = 0.0
    for one in events:
        now += one.nbytes()
        most = max(most, now)
    return most
