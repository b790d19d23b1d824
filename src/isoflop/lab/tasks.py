"""Runs in the order in which they are to be done, with the trunks that they share and how often they are kept."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from isoflop.lab.pool import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.lab.spec import RunSpec

SHARED = ("wsd", "constant")
CHECKPOINTS = 5
"""Checkpoints a run makes, so that a crash costs a fifth of it at most."""


def tasks_of(specs: Sequence[RunSpec]) -> list[Task]:
    """Runs in the order of work, longest first; those that share a trunk wait for the longest of them."""
    groups: dict[str, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        groups[spec.trunk if spec.schedule.kind in SHARED else spec.hash].append(spec)
    tasks: list[tuple[float, Task]] = []
    for group in groups.values():
        longest, *rest = sorted(group, key=lambda one: -one.steps)
        leaves = tuple(one.schedule.decline_from(one.steps) for one in rest)
        tasks.append((longest.flops, _task(longest, leaves, "")))
        tasks += [(one.flops, _task(one, (), longest.hash)) for one in rest]
    return [task for _, task in sorted(tasks, key=lambda one: (one[1].after != "", -one[0]))]


def _task(spec: RunSpec, leaves: tuple[int, ...], after: str) -> Task:
    return Task(
        run=spec.hash,
        log_every=max(10, spec.steps // 100),
        checkpoint_every=max(50, spec.steps // CHECKPOINTS),
        branch_at=leaves,
        after=after,
    )
