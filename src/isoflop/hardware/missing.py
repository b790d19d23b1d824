"""What an entry still lacks: for whoever adds one, and for answers that say why something is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.hardware.spec import Device, Figure

TRAINING_DTYPES = ("bf16", "fp16", "fp32")


def missing(device: Device) -> tuple[str, ...]:
    """Keys of a device file that answers need and this one does not have, each with what it is for."""
    return tuple(_missing(device))


def _missing(device: Device) -> Iterator[str]:
    if not any(dtype in device.peak_rates for dtype in TRAINING_DTYPES):
        yield f"peak_rate: one of {', '.join(TRAINING_DTYPES)} (how fast it can train)"
    memory = device.memory
    needed = {
        "memory.labelled": (memory.labelled, "what people call it by"),
        "memory.usable": (memory.usable, "what fits"),
        "memory.bandwidth": (memory.bandwidth, "how fast it can decode"),
        "power.tdp": (device.tdp, "energy"),
        "link": (device.link, 'what parallel work costs; topology = "none" where there is none'),
    }
    for key, (figure, use) in needed.items():
        if figure is None:
            yield f"{key} ({use})"
    for key, figure in figures(device):
        if (
            not figure.is_estimate
            and figure.date is None
            and figure.source.endswith(("datasheet", "brief", "white paper"))
        ):
            yield f"{key}: date (the year of the {figure.source})"


def figures(device: Device) -> Iterator[tuple[str, Figure]]:
    """Every figure of a device with its key in the file."""
    tables = {
        "peak_rate": device.peak_rates,
        "sparse_rate": device.sparse_rates,
        "achievable_rate": device.achievable_rates,
    }
    for table, rates in tables.items():
        yield from ((f"{table}.{dtype}", figure) for dtype, figure in rates.items())
    others = {
        "memory.labelled": device.memory.labelled,
        "memory.physical": device.memory.physical,
        "memory.usable": device.memory.usable,
        "memory.bandwidth": device.memory.bandwidth,
        "link.per_direction": device.link.per_direction if device.link else None,
        "bridge.per_direction": device.bridge.per_direction if device.bridge else None,
        "power.tdp": device.tdp,
    }
    yield from ((key, figure) for key, figure in others.items() if figure is not None)
