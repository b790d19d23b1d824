"""Runs trained together, from their folders to their results: each keeps a log and a result as if it were alone.

They share one checkpoint, under the name of all of them: it is one state, and half of it would be none.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import torch

from isoflop.lab.checkpoint import about_checkpoint
from isoflop.lab.run import SHARED, Ended, Stopped, keep, result_of, trunk_path
from isoflop.lab.store import environment
from isoflop.lab.together import Fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from isoflop.lab.data import Corpus
    from isoflop.lab.store import RunFolder
    from isoflop.lab.train import Habits


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where runs that are trained together keep what is not of one alone."""

    trunks: Path
    together: Path


def perform_together(
    folders: Sequence[RunFolder],
    corpus: Corpus,
    habits: Habits,
    *,
    places: Places,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, str]:
    """The status of each run by its hash, training what is still to be done.

    Raises: Stopped once `stopping` says so, with a checkpoint written; OSError where the disk is full, which leaves the
    last whole checkpoint.
    """
    with ExitStack() as held:
        for folder in sorted(folders, key=lambda one: one.spec.hash):
            held.enter_context(folder.held())
        while any(one.result is None for one in folders):
            _Party(folders, corpus, habits, places).train(stopping)
        return {one.spec.hash: one.result.status for one in folders if one.result is not None}


class _Party:
    """Runs on their way: the fleet, and the folders of those that are not over, by their place in it."""

    def __init__(self, folders: Sequence[RunFolder], corpus: Corpus, habits: Habits, places: Places) -> None:
        self.corpus, self.habits, self.places = corpus, habits, places
        folders = _members(folders, places.together)
        self.spoiled = any(one.result is not None and one.result.status != "done" for one in folders)
        self.fleet = Fleet([one.spec for one in folders], corpus)
        by_hash = {one.spec.hash: one for one in folders}
        self.live = {
            number: by_hash[spec.hash]
            for number, spec in enumerate(self.fleet.specs)
            if by_hash[spec.hash].result is None
        }
        self.losses: dict[int, list[float | None]] = {number: [] for number in self.live}
        self.checkpoint = places.together / f"{self.fleet.trunk}-{self.fleet.spec.steps}.safetensors"
        self.branched = self._begin()
        about = environment(torch.get_num_threads()) | {"together": len(self.fleet.specs)}
        for folder in self.live.values():
            folder.log.add({"attempt": self.fleet.done, **about, "branched_at": self.branched})

    def _begin(self) -> int:
        """Go on from the checkpoint, or from a trunk; the step at which they left the trunk, 0 for none."""
        fleet, spec = self.fleet, self.fleet.spec
        leaves = spec.schedule.decline_from(spec.steps)
        trunk = trunk_path(self.places.trunks, fleet.trunk, leaves)
        shared = spec.schedule.kind in SHARED and trunk.exists()
        if self.checkpoint.exists():
            fleet.load(self.checkpoint)
        elif shared:
            fleet.load(trunk)
        return leaves if shared else 0

    def train(self, stopping: Callable[[], bool]) -> None:
        """To the end of all, or until told to stop."""
        fleet, habits = self.fleet, self.habits
        began = (perf_counter(), process_time())
        while self.live and fleet.done < fleet.spec.steps:
            found = fleet.step()
            for number, held in self.losses.items():
                held.append(found[number][0] if isfinite(found[number][0]) else None)
            lost = [number for number in self.live if fleet.lost(*found[number])]
            last = fleet.done == fleet.spec.steps
            kept = fleet.done % habits.checkpoint_every == 0 or fleet.done in habits.branch_at
            if lost or last or kept or fleet.done % habits.log_every == 0:
                self._record([norm for _, norm in found], began)
                told = stopping() and not last
                self.spoiled |= bool(lost)
                if kept or lost or told:
                    self._save()
                if told:
                    raise Stopped
                if lost:
                    self._end(lost, "diverged")
                began = (perf_counter(), process_time())
        self._end(list(self.live), "done")
        self.checkpoint.unlink(missing_ok=True)

    def _record(self, norms: Sequence[float], began: tuple[float, float]) -> None:
        """A line in the log of each; time is divided evenly, for they take it together."""
        many = len(self.fleet.specs)
        seconds, processor = (perf_counter() - began[0]) / many, (process_time() - began[1]) / many
        for number, folder in self.live.items():
            norm = norms[number] if isfinite(norms[number]) else None
            line = {"step": self.fleet.done, "losses": self.losses[number], "grad_norm": norm}
            folder.log.add(line | {"seconds": seconds, "processor": processor})
        self.losses = {number: [] for number in self.live}

    def _save(self) -> None:
        # A trunk on which a run was lost is no trunk: each branch finds that out by itself.
        if self.fleet.done in self.habits.branch_at and not self.spoiled:
            self.places.trunks.mkdir(exist_ok=True)
            self.fleet.save(trunk_path(self.places.trunks, self.fleet.trunk, self.fleet.done))
        self.places.together.mkdir(exist_ok=True)
        self.fleet.save(self.checkpoint)

    def _end(self, numbers: Sequence[int], status: str) -> None:
        """Keep the results of these."""
        if not numbers:
            return
        validated = self.fleet.validate()
        for number in numbers:
            folder = self.live.pop(number)
            self.losses.pop(number, None)
            ended = Ended(status=status, steps=self.fleet.done, loss=validated[number])
            result = result_of(folder, self.corpus, ended, self.branched)
            keep(folder, result, self.fleet.plain(number), self.corpus)


def _members(folders: Sequence[RunFolder], together: Path) -> list[RunFolder]:
    """Those to train now, for rounding depends on who is trained with whom.

    The runs of a checkpoint that one of them is in, which may hold some that are over; without one all that are not.
    """
    left = [one for one in folders if one.result is None]
    by_hash = {one.spec.hash: one for one in folders}
    for path in sorted(together.glob("*.safetensors")):
        runs = about_checkpoint(path).get("runs", "").split()
        if set(runs) <= set(by_hash) and any(one.spec.hash in runs for one in left):
            return [by_hash[run] for run in runs]
    return left
