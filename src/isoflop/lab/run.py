"""One run from its folder to its result: resumed where it was, branched from a trunk where there is one."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import torch

from isoflop.lab.hugging_face import export_model
from isoflop.lab.store import Result, environment
from isoflop.lab.train import Habits, Trainer, advance, peak_bytes
from isoflop.lab.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from isoflop.lab.data import Corpus
    from isoflop.lab.store import RunFolder
    from isoflop.torchmodel.decoder import Decoder

SHARED = {"wsd", "constant"}
"""Schedules whose runs of several lengths are one run until the first decline."""


class Stopped(Exception):
    """Training was asked to stop; what has been done lies in the checkpoint."""


def perform(
    folder: RunFolder,
    corpus: Corpus,
    habits: Habits,
    *,
    trunks: Path | None = None,
    stopping: Callable[[], bool] = lambda: False,
    world: World | None = None,
) -> Result:
    """The run's result, training what is still to be done; in a `world` of several processes all call this.

    Raises: Stopped once `stopping` says so, with a checkpoint written; OSError where the disk is full, which leaves the
    last whole checkpoint.
    """
    world = world or World()
    with folder.held() if world.rank == 0 else nullcontext():
        found = folder.result
        if found is not None:
            return found
        trainer = Trainer(folder.spec, corpus, world)
        branched = _begin(folder, trainer, trunks)
        note = folder.log.add if world.rank == 0 else _ignore
        note({"attempt": trainer.done, **environment(torch.get_num_threads()), "branched_at": branched})

        def record(one: dict[str, object]) -> None:
            note(one)
            if world.size == 1 and stopping() and trainer.done < folder.spec.steps:
                trainer.save(folder.checkpoint)
                raise Stopped

        def save(at: Trainer) -> None:
            if trunks is not None and at.done in habits.branch_at:
                trunks.mkdir(exist_ok=True)
                at.save(trunk_path(trunks, folder.spec.trunk, at.done))
            at.save(folder.checkpoint)

        status = advance(trainer, habits, record, save)
        return _end(folder, trainer, status, branched)


def _ignore(record: Mapping[str, object]) -> None:
    """What processes but the first do with a record."""


def _begin(folder: RunFolder, trainer: Trainer, trunks: Path | None) -> int:
    """Go on from the run's own checkpoint, or from a trunk; the step at which it left the trunk, 0 for none."""
    spec = folder.spec
    if folder.checkpoint.exists():
        trainer.load(folder.checkpoint)
        starts = [int(str(one["branched_at"])) for one in folder.log.read() if "branched_at" in one]
        return starts[0] if starts else 0
    if trunks is None or spec.schedule.kind not in SHARED:
        return 0
    leaves = spec.schedule.decline_from(spec.steps)
    path = trunk_path(trunks, spec.trunk, leaves)
    if path.exists():
        trainer.load(path)
        return trainer.done
    return 0


def trunk_path(trunks: Path, trunk: str, step: int) -> Path:
    """Where the state of a trunk at a step lies."""
    return trunks / f"{trunk}-{step}.safetensors"


def _end(folder: RunFolder, trainer: Trainer, status: str, branched: int) -> Result:
    """Validate, write the model, keep the result."""
    result = result_of(
        folder, trainer.corpus, Ended(status=status, steps=trainer.done, loss=trainer.validate()), branched
    )
    plain = trainer.plain()
    if trainer.world.rank == 0:
        keep(folder, result, plain, trainer.corpus)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: done | diverged, after how many steps, at which loss on held-out text."""

    status: str
    steps: int
    loss: float


def result_of(folder: RunFolder, corpus: Corpus, ended: Ended, branched: int) -> Result:
    """The result of a run that has ended so, with what its log holds."""
    spec = folder.spec
    losses = [one for step, one in sorted(folder.losses().items()) if step < ended.steps]
    tail = [one for one in losses[-max(1, len(losses) // 20) :] if one is not None]
    tokens = ended.steps * spec.batch * spec.sequence
    there = corpus.train_tokens(spec.sequence)
    return Result(
        hash=spec.hash,
        status=ended.status,
        loss=ended.loss if isfinite(ended.loss) else None,
        train_loss=sum(tail) / len(tail) if tail else None,
        steps=ended.steps,
        tokens=tokens,
        flops=spec.flops * ended.steps / spec.steps,
        seconds=folder.seconds(),
        processor=folder.seconds("processor"),
        epochs=tokens / there,
        unique_tokens=min(tokens, there),
        peak_memory=peak_bytes(),
        threads=torch.get_num_threads(),
        branched_at=branched,
    )


def keep(folder: RunFolder, result: Result, model: Decoder, corpus: Corpus) -> None:
    """Write the model of a run that is done, then its result."""
    if result.status == "done":
        export_model(model, folder.spec, folder.path / "model", corpus.folder / "tokenizer.json")
    folder.end(result)
