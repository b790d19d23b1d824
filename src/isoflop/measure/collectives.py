"""How long sums over several devices take: one process a device, as training has them."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import distributed, multiprocessing

from isoflop.measure.clock import Measured, Timing, attempt, synchronize

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue


def measure_collective(backend: str, ranks: int, size: int) -> Measured:
    """An all-reduce of `size` bytes over `ranks` processes: nccl on CUDA and ROCm devices, gloo on a host's cores."""
    settings: dict[str, str | float] = {"backend": backend, "ranks": ranks, "size": size}

    def work() -> Measured:
        answers = multiprocessing.get_context("spawn").SimpleQueue()
        with TemporaryDirectory() as folder:
            try:
                multiprocessing.spawn(_rank, (backend, ranks, size, f"{folder}/meet", answers), nprocs=ranks)
            except DIED as error:  # no RuntimeError, though it says the same
                raise RuntimeError(_said(error)) from error
        middle, low, high, samples = answers.get()
        timing = Timing(seconds=middle, low=low, high=high, samples=int(samples))
        return Measured(what="all-reduce", settings=settings, timing=timing, figures={"bytes": float(size)})

    return attempt("all-reduce", settings, work)


def _said(error: Exception) -> str:
    """The last line of what a process said: the one with its error."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip().removeprefix("RuntimeError: ") if lines else "a process ended"


DIED = (multiprocessing.ProcessRaisedException, multiprocessing.ProcessExitedException)
"""What says that one of the processes did not come to its end."""

SAMPLES = 20
"""All ranks make as many: none may stop before the others."""


def _rank(rank: int, backend: str, ranks: int, size: int, meet: str, answers: SimpleQueue[object]) -> None:
    """What one process does; the first says how long it took."""
    distributed.init_process_group(backend, init_method=f"file://{meet}", rank=rank, world_size=ranks)
    device = torch.device("cuda", rank) if backend == "nccl" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    whole = torch.ones(max(1, size // 4), device=device)
    found = []
    for _ in range(SAMPLES + 3):
        distributed.barrier()
        found.append(_once(whole, device))
    distributed.destroy_process_group()
    if rank == 0:
        kept = sorted(found[3:])
        answers.put((kept[SAMPLES // 2], kept[SAMPLES // 10], kept[-SAMPLES // 10], SAMPLES))


def _once(whole: torch.Tensor, device: torch.device) -> float:
    begun = perf_counter()
    distributed.all_reduce(whole)
    synchronize(device)
    return perf_counter() - begun
