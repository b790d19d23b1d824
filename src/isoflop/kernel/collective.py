"""Times of collectives: alpha-beta, by the level and the topology of the links that a group spans.

Bandwidth is that of rings, which all large transfers use; the steps they wait for are those of a ring or of a tree,
whichever has fewer. All-to-all on a torus is taken to run as fast as rings do: it is slower the larger the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from isoflop.kernel.chip import Chip
    from isoflop.kernel.profile import Profile
    from isoflop.quantity.types import FloatArray, Real


def _local(ranks: Real, reach: Real, chip: Chip) -> tuple[FloatArray, FloatArray]:
    """(ranks of a group in one domain, domains that it spans); its ranks stand `reach` / `ranks` chips apart."""
    apart = np.asarray(reach) / ranks
    local = np.clip(chip.domain / apart, 1.0, ranks)
    return local, np.ceil(np.asarray(reach) / chip.domain)


SIDE = 4
"""Chips along one side of a torus before a group takes up a further dimension (the cubes of TPU v4 and v5p)."""


def _link_rate(local: FloatArray, chip: Chip, profile: Profile) -> FloatArray:
    """Bytes a second that a ring of `local` chips gets out of the links of each.

    Through a switch all of them; in a mesh those to the other members; in a torus those of the dimensions it spans.
    """
    share = np.ones_like(local)
    if chip.topology == "mesh" and chip.peers:
        share = np.clip((local - 1) / chip.peers, 1 / chip.peers, 1.0)
    elif chip.topology == "torus" and chip.peers:
        dimensions = np.ceil(np.log(np.maximum(local, 2.0)) / np.log(SIDE))
        share = np.minimum(1.0, 2 * dimensions / chip.peers)
    rate: FloatArray = share * chip.link * profile.link.efficiency
    return rate


def _waits(ranks: FloatArray) -> FloatArray:
    """Steps one after the other: of a ring, or of a tree up and down."""
    steps: FloatArray = np.minimum(ranks - 1, 2 * np.log2(np.maximum(ranks, 1.0)))
    return steps


def all_gather_time(
    size: Real,
    ranks: Real,
    reach: Real,
    *,
    chip: Chip,
    profile: Profile,
    rails: bool = True,
) -> FloatArray:
    """Seconds to gather `size` bytes (the whole result) from `ranks` ranks, or to reduce-scatter as many.

    Rings: inside a domain over its links; across domains every rank of a domain brings its own network, and what it
    brings is passed on over the links (without `rails` one rank's has to do).
    """
    parts = np.maximum(ranks, 1.0)
    local, domains = _local(parts, reach, chip)
    link = _link_rate(local, chip, profile)
    across = np.minimum(link, chip.network * profile.network.efficiency * (local if rails else 1.0))
    rate = np.where(domains > 1, across, link)
    wait = profile.link.latency * _waits(local) + profile.network.latency * _waits(domains)
    result: FloatArray = size * (parts - 1) / parts / rate + wait
    return result


def all_reduce_time(size: Real, ranks: Real, reach: Real, *, chip: Chip, profile: Profile) -> FloatArray:
    """Seconds to sum `size` bytes over `ranks` ranks: a reduce-scatter and an all-gather."""
    return 2 * all_gather_time(size, ranks, reach, chip=chip, profile=profile)


def exchange_time(
    size: Real, ranks: Real, reach: Real, *, chip: Chip, profile: Profile, targets: Real = 0.0
) -> FloatArray:
    """Seconds of an all-to-all in which each rank sends `size` bytes, its own share included.

    What goes to other domains takes the rank's own network. With `targets` (how many ranks a token goes to) a token
    goes to a domain once and is spread there, as DeepEP and HybridEP do.
    """
    parts = np.maximum(ranks, 1.0)
    local, domains = _local(parts, reach, chip)
    once = np.ones_like(domains)
    if np.any(targets):
        once = domains * (1 - (1 - 1 / domains) ** targets) / np.maximum(targets, 1.0)
    across = np.where(domains > 1, size * (1 - local / parts) * once, 0.0)
    inside = size * (local - 1) / np.where(domains > 1, local, parts)
    wait = profile.link.latency + profile.network.latency * (domains > 1)
    result: FloatArray = (
        inside / _link_rate(local, chip, profile)
        + across / (chip.network * profile.network.efficiency)
        + np.where(parts > 1, wait, 0.0)
    )
    return result
