"""Runs in the order in which they are to be done, with what they share: trunks, and processes of several small runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.lab.pool import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.lab.spec import RunSpec

SHARED = ("wsd", "constant")
CHECKPOINTS = 5
"""Checkpoints a run makes, so that a crash costs a fifth of it at most."""


WORK = 32 * 512
"""Width times tokens of a piece up to which runs are trained together: beyond it a run alone is nearly as fast."""

LONGEST = 128
"""Tokens of a sequence likewise: scores of attention are held."""


def tasks_of(specs: Sequence[RunSpec], every: Sequence[RunSpec] = (), *, together: int = 1) -> list[Task]:
    """Runs in the order of work, longest first; those that share a trunk wait for the longest of them.

    At most `together` small runs that differ in seed and learning rate alone are one task. Who goes with whom follows
    from `every` run of the study, done or not, so that a study taken up again has the same tasks.
    """
    todo = {one.hash for one in specs}
    groups: dict[tuple[str, ...], list[tuple[RunSpec, ...]]] = defaultdict(list)
    for party in parties(every or specs, together):
        if any(one.hash in todo for one in party):
            shared = party[0].schedule.kind in SHARED
            groups[tuple(one.trunk if shared else one.hash for one in party)].append(party)
    tasks: list[tuple[float, Task]] = []
    for group in groups.values():
        longest, *rest = sorted(group, key=lambda one: -one[0].steps)
        leaves = tuple(one[0].schedule.decline_from(one[0].steps) for one in rest)
        tasks.append((sum(one.flops for one in longest), _task(longest, leaves, "")))
        tasks += [(sum(one.flops for one in party), _task(party, (), longest[0].hash)) for party in rest]
    return [task for _, task in sorted(tasks, key=lambda one: (one[1].after != "", -one[0]))]


def _task(party: Sequence[RunSpec], leaves: tuple[int, ...], after: str) -> Task:
    steps = party[0].steps
    return Task(
        run=party[0].hash,
        others=tuple(one.hash for one in party[1:]),
        log_every=max(10, steps // 100),
        checkpoint_every=max(50, steps // CHECKPOINTS),
        branch_at=leaves,
        after=after,
    )


def kin(spec: RunSpec) -> RunSpec:
    """The same for all runs that can be trained together."""
    return replace(spec, seed=0, optimizer=replace(spec.optimizer, learning_rate=0.01))


def alone(spec: RunSpec) -> str:
    """Why such a run is trained alone, whatever it would gain; "" where it need not be."""
    if spec.precision != "fp32":
        return f"precision is {spec.precision}"
    if spec.bits:
        return "weights are quantized while training"
    return "activations are recomputed" if spec.recompute else "steps are compiled" if spec.compiled else ""


def gains(spec: RunSpec) -> bool:
    """Whether such runs are faster together, as `benchmarks/lab.py together` found."""
    work = spec.shape.width * spec.sequence * spec.batch // spec.pieces
    return not alone(spec) and work <= WORK and spec.sequence <= LONGEST


def parties(specs: Sequence[RunSpec], most: int) -> list[tuple[RunSpec, ...]]:
    """The runs, those that are trained in one process together; `most` 1 for none with another."""
    groups: dict[RunSpec, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        groups[kin(spec) if most > 1 and gains(spec) else spec].append(spec)
    found = []
    for group in groups.values():
        members = sorted(group, key=lambda one: (one.optimizer.learning_rate, one.seed))
        many = -(-len(members) // most)
        size = -(-len(members) // many)
        found += [tuple(members[place : place + size]) for place in range(0, len(members), size)]
    return found
