"""How long one operation takes: matrix products, attention, element-wise work, collectives, launches.

Analytic shapes with few constants, kept as data by class of device (`profiles/*.toml`). Times are in seconds; every
function takes numbers or arrays.
"""

from __future__ import annotations

from isoflop.kernel.chip import Chip, chip_of
from isoflop.kernel.collective import all_gather_time, all_reduce_time, exchange_time
from isoflop.kernel.operation import attention_time, cast_time, elementwise_time, matmul_time, score_time
from isoflop.kernel.profile import Profile, profile_by, profile_of, profiles, read_profile

__all__ = [
    "Chip",
    "Profile",
    "all_gather_time",
    "all_reduce_time",
    "attention_time",
    "cast_time",
    "chip_of",
    "elementwise_time",
    "exchange_time",
    "matmul_time",
    "profile_by",
    "profile_of",
    "profiles",
    "read_profile",
    "score_time",
]
