"""Times of collectives: alpha-beta, by the level of links that the group spans, ring or tree whichever is faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from isoflop.kernel.chip import Chip
    from isoflop.kernel.profile import Profile
    from isoflop.quantity.types import FloatArray, Real


def _wire(reach: Real, chip: Chip, profile: Profile) -> tuple[FloatArray, FloatArray]:
    """(bytes a second, seconds a step) of a group that spans `reach` chips in a row: inside a domain, or across."""
    inside = np.asarray(reach) <= chip.domain
    rate = np.where(inside, chip.link * profile.link.efficiency, chip.network * profile.network.efficiency)
    return rate, np.where(inside, profile.link.latency, profile.network.latency)


def all_gather_time(size: Real, ranks: Real, reach: Real, *, chip: Chip, profile: Profile) -> FloatArray:
    """Seconds to gather `size` bytes (the whole result) from `ranks` ranks, or to reduce-scatter as many.

    A group that spans several nodes moves the share of other nodes over the network; what is inside goes beside it.
    """
    rate, latency = _wire(reach, chip, profile)
    parts = np.maximum(ranks, 1.0)
    result: FloatArray = size * (parts - 1) / parts / rate + np.where(parts > 1, latency * np.log2(parts), 0.0)
    return result


def all_reduce_time(size: Real, ranks: Real, reach: Real, *, chip: Chip, profile: Profile) -> FloatArray:
    """Seconds to sum `size` bytes over `ranks` ranks: a reduce-scatter and an all-gather."""
    return 2 * all_gather_time(size, ranks, reach, chip=chip, profile=profile)


def exchange_time(size: Real, ranks: Real, reach: Real, *, chip: Chip, profile: Profile) -> FloatArray:
    """Seconds of an all-to-all in which each rank sends `size` bytes, its own share included."""
    return all_gather_time(size, ranks, reach, chip=chip, profile=profile)
