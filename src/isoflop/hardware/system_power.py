"""What whole machines draw over the TDP of their chips, where an owner has measured it in training.

Small chips carry more host each, so TPUs are further above their TDP than GPUs. Ratios are of measured power a chip in
published runs (`isoflop runs --energy`) over the TDP of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.hardware.spec import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPower:
    """Power of the machines over the TDP of their chips: the middle of what was measured, least and most."""

    ratio: float
    low: float
    high: float
    source: str
    note: str


MEASURED = {
    "v100-sxm2-16gb": SystemPower(
        ratio=1.1, low=1.1, high=1.14, source="patterson2021", note="330 W (GPT-3), 342 W (XLM-R) of 300 W"
    ),
    "tpu-v3": SystemPower(
        ratio=1.31, low=1.11, high=1.41, source="patterson2021", note="245 W (Switch) to 310 W (T5) of 220 W, six runs"
    ),
    "tpu-v4": SystemPower(
        ratio=1.97,
        low=1.77,
        high=2.17,
        source="chowdhery2022",
        note="378.5 W (PaLM) of 192 W; a tenth about it assumed",
    ),
}
ALIKE = {"v100-sxm2-32gb": "v100-sxm2-16gb"}


def system_power(device: Device) -> SystemPower | None:
    """What was measured of a device's machines; None where nobody has.

    >>> from isoflop.hardware import device
    >>> system_power(device("tpu-v4")).ratio
    1.97
    """
    return MEASURED.get(ALIKE.get(device.name, device.name))
