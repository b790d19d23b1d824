"""What a device draws: NVIDIA's own counter of joules, through NVML where its Python package is there."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


class Nvml(Protocol):
    """The calls of nvidia-ml-py that are used here, each as its own documentation says."""

    NVMLError: type[Exception]
    nvmlInit: Callable[[], None]  # noqa: N815  (their names, not ours)
    nvmlDeviceGetHandleByIndex: Callable[[int], object]  # noqa: N815
    nvmlDeviceGetTotalEnergyConsumption: Callable[[object], int]  # noqa: N815
    nvmlDeviceGetUtilizationRates: Callable[[object], object]  # noqa: N815
    nvmlDeviceGetComputeRunningProcesses: Callable[[object], list[object]]  # noqa: N815
    nvmlSystemGetDriverVersion: Callable[[], str]  # noqa: N815


@cache
def nvml() -> Nvml | None:
    """NVML, ready; None where its package or the driver is missing."""
    try:
        import pynvml  # type: ignore[import-not-found]  # of nvidia-ml-py, which torch for CUDA often brings
    except ImportError:
        return None
    found = cast("Nvml", pynvml)
    try:
        found.nvmlInit()
    except found.NVMLError:
        return None
    return found


def handle(device: torch.device) -> object | None:
    """NVML's own name of a device, None where there is none."""
    library = nvml()
    if library is None or device.type != "cuda":
        return None
    try:
        return library.nvmlDeviceGetHandleByIndex(device.index or 0)
    except library.NVMLError:
        return None


def energy_meter(device: torch.device) -> Callable[[], float | None]:
    """A reading of the joules that a device has used since its driver started; always None where it counts none."""
    library, one = nvml(), handle(device)
    if library is None or one is None:
        return lambda: None

    def read() -> float | None:
        try:
            return library.nvmlDeviceGetTotalEnergyConsumption(one) / 1e3
        except library.NVMLError:
            return None

    return read
