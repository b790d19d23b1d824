"""Training in plain PyTorch: steps, validation, checkpoints, divergence. A step follows from its spec alone."""

from __future__ import annotations

import os
import resource
from contextlib import nullcontext
from dataclasses import dataclass
from math import isfinite, log
from shutil import which
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Literal

import torch

from isoflop.errors import BadInput, MissingData, shorten
from isoflop.lab.checkpoint import load_state, read_checkpoint, state_of, whole, write_checkpoint
from isoflop.lab.quantized import quantize_aware
from isoflop.lab.world import World
from isoflop.torchmodel.decoder import Decoder, compiled, turns_of
from isoflop.torchmodel.start import paces, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import RunSpec

Status = Literal["done", "diverged", "stopped"]

LOST = 2.0
"""Times the loss of knowing nothing (ln vocabulary) above which a run has diverged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What does not change a run's numbers: steps between records, between checkpoints, and where branches leave."""

    log_every: int = 20
    checkpoint_every: int = 200
    branch_at: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.log_every < 1 or self.checkpoint_every < 1:
            raise BadInput("steps between records and between checkpoints are whole numbers from 1 up")


class Trainer:
    """A run as far as it has come: model, optimizer, and the number of steps done."""

    def __init__(self, spec: RunSpec, corpus: Corpus, world: World | None = None, device: str = "auto") -> None:
        self.spec, self.corpus, self.world = spec, corpus, world or World()
        self.device = device_of(device)
        corpus.check(spec.tokens, length=spec.sequence, epochs=spec.epochs, vocabulary=spec.shape.vocabulary)
        if spec.batch // spec.pieces % self.world.size:
            raise BadInput(f"pieces of {spec.batch // spec.pieces} sequences do not divide over {self.world.size}")
        torch.manual_seed(spec.seed)
        self.model = Decoder(spec.shape, recompute=spec.recompute)
        start(self.model, spec.seed)
        if spec.bits:
            quantize_aware(self.model, spec.bits)
        self.model.to(self.device)
        if spec.compiled:
            need_compiler(self.device)
            compiled(self.model.layers)
        self.called = self.world.wrapped(self.model)
        self.named = dict(self.model.named_parameters())  # after sharding, which replaces them
        self.optimizer = _optimizer(self.model, spec)
        work = torch.bfloat16 if spec.precision == "bf16" else torch.float32
        self.turns = turns_of(spec.shape, spec.sequence, like=torch.empty(0, dtype=work, device=self.device))
        self.done = 0

    def step(self) -> tuple[float, float]:
        """One step: its loss before the update, in nats per token, and the norm of the gradient before clipping."""
        spec = self.spec
        batch = torch.from_numpy(
            self.corpus.batch(self.done, sequences=spec.batch, length=spec.sequence, seed=spec.seed)
        ).to(self.device)
        total = torch.zeros((), device=self.device)
        for piece in batch.chunk(spec.pieces):
            loss = self._loss(self.called, piece[self.world.rank :: self.world.size]) / spec.pieces
            loss.backward()
            total += loss.detach()
        norm = whole(torch.nn.utils.clip_grad_norm_(list(self.named.values()), spec.optimizer.clip))
        factor = spec.schedule.factor(self.done, spec.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return float(self.world.mean(total)), float(norm)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def validate(self, sequences: int = 0) -> float:
        """Loss on held-out text, in nats per token."""
        held = self.corpus.validation(sequences=sequences or self.spec.validation, length=self.spec.sequence)
        total = 0.0
        # What was compiled is for a training step; asking for that loads the compiler, which takes seconds.
        with torch.compiler.set_stance("force_eager") if self.spec.compiled else nullcontext():
            for piece in torch.from_numpy(held).to(self.device).split(64):
                total += float(self._loss(self.called, piece)) * len(piece)
        return total / len(held)

    def _loss(self, model: Decoder, batch: Tensor) -> Tensor:
        with self._autocast():
            out: Tensor = model(batch[:, :-1], self.turns, batch[:, 1:])
        return out

    def _autocast(self) -> AbstractContextManager[object]:
        if self.spec.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)  # type: ignore[no-any-return]

    def save(self, path: Path) -> None:
        """Everything the next step depends on, atomically; the first process writes."""
        state = state_of(self.named, self.optimizer)
        if self.world.rank == 0:
            write_checkpoint(path, state, {"step": str(self.done), "trunk": self.spec.trunk})

    def load(self, path: Path) -> None:
        """Go on from there."""
        state, about = read_checkpoint(path)
        if about.get("trunk") != self.spec.trunk:
            raise BadInput(f"{path} is a checkpoint of another run ({about.get('trunk')}, not {self.spec.trunk})")
        load_state(state, self.named, self.optimizer)
        self.done = int(about["step"])

    def plain(self) -> Decoder:
        """The model of one process, with whole weights, whatever the processes share."""
        if self.world.sharing != "fsdp":
            return self.model
        found = Decoder(self.spec.shape)
        if self.spec.bits:
            quantize_aware(found, self.spec.bits)
        with torch.no_grad():
            for name, one in found.named_parameters():
                one.copy_(whole(self.named[name]))
        return found

    def lost(self, loss: float, norm: float) -> bool:
        """Whether the run has diverged."""
        return diverged(self.spec, loss, norm)


def device_of(choice: str) -> torch.device:
    """Where to train: "auto" is the GPU that this process was given, where torch sees one, else the processor.

    Raises: BadInput for a device that is not there.
    """
    gpu = torch.cuda.is_available()
    if choice == "auto":
        choice = "cuda" if gpu else "cpu"
    if choice not in {"cpu", "cuda"} or (choice == "cuda" and not gpu):
        raise BadInput(f"device = '{shorten(choice)}': give cpu, cuda (torch sees {'one' if gpu else 'none'}), or auto")
    return torch.device("cpu") if choice == "cpu" else torch.device("cuda", torch.cuda.current_device())


def need_compiler(device: torch.device) -> None:
    """Refuse torch.compile where it would find no compiler, which it says in a hundred lines.

    Raises: MissingData.
    """
    if device.type == "cpu" and not any(map(which, (os.environ.get("CXX", "g++"), "g++", "clang++"))):
        raise MissingData(
            "compiled = true needs a C++ compiler and none was found (g++, clang++, or $CXX): install one, such as with"
            " apt-get install g++, or leave compiled out."
        )


def diverged(spec: RunSpec, loss: float, norm: float) -> bool:
    """Whether a run with this loss and norm of the gradient has diverged."""
    return not isfinite(loss) or not isfinite(norm) or loss > LOST * log(spec.shape.vocabulary)


def _optimizer(model: Decoder, spec: RunSpec) -> torch.optim.Optimizer:
    """AdamW with one group for each pace of learning."""
    given = spec.optimizer
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for _, one, factor, decays in paces(model, given.base_width):
        groups.setdefault((factor, decays), []).append(one)
    held = [
        {
            "params": members,
            "lr": given.learning_rate * factor,
            "peak": given.learning_rate * factor,
            # Decay is a share of the peak rate of the base width, whatever the width: AdamW multiplies by its own.
            "weight_decay": given.weight_decay / factor if decays else 0.0,
        }
        for (factor, decays), members in groups.items()
    ]
    return torch.optim.AdamW(held, betas=(given.beta1, given.beta2), eps=1e-8, fused=True)


def advance(
    trainer: Trainer, habits: Habits, record: Callable[[dict[str, object]], None], save: Callable[[Trainer], None]
) -> Status:
    """Train to the end, or to where the run diverges. `record` gets what happened, `save` is called at checkpoints."""
    losses: list[float | None] = []
    norm, began, own = 0.0, perf_counter(), process_time()
    while trainer.done < trainer.spec.steps:
        loss, norm = trainer.step()
        losses.append(loss if isfinite(loss) else None)
        lost, last = trainer.lost(loss, norm), trainer.done == trainer.spec.steps
        kept = trainer.done % habits.checkpoint_every == 0 or trainer.done in habits.branch_at
        if lost or last or kept or trainer.done % habits.log_every == 0:
            seconds = perf_counter() - began
            record(
                {
                    "step": trainer.done,
                    "losses": losses,
                    "grad_norm": norm if isfinite(norm) else None,
                    "seconds": seconds,
                    "processor": process_time() - own,
                }
            )
            losses, began, own = [], perf_counter(), process_time()
        if lost:
            return "diverged"
        if kept and not last:
            save(trainer)
            began, own = perf_counter(), process_time()
    return "done"


def peak_bytes() -> int:
    """The most memory this process has held, all its runs together."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
