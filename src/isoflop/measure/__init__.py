"""Real devices measured: single operations, training steps, decoding; and the profile that follows from them.

Needs torch (the extra `lab`). `measure(Wish(), tell)` measures the machine it runs on and ends in a `Session` whose
`text` is a device file: it can stand wherever a device is named. Values are in base units, times are medians.
"""

from __future__ import annotations

from isoflop.measure.clock import Measured, Timing
from isoflop.measure.energy import Emitted, EnergyCheck, Reading, check_energy
from isoflop.measure.fit import Fitted, fit_profile
from isoflop.measure.machine import Machine, find_device, look
from isoflop.measure.session import Check, Session, Wish, check_memory, check_steps, finished, measure
from isoflop.measure.suite import Limits

__all__ = [
    "Check",
    "Emitted",
    "EnergyCheck",
    "Fitted",
    "Limits",
    "Machine",
    "Measured",
    "Reading",
    "Session",
    "Timing",
    "Wish",
    "check_energy",
    "check_memory",
    "check_steps",
    "find_device",
    "finished",
    "fit_profile",
    "look",
    "measure",
]
