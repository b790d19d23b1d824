"""Real training steps of a small decoder: their time, their joules, and the peak of memory."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from isoflop.measure.clock import Measured, attempt, timed
from isoflop.measure.memory import peak_of
from isoflop.torchmodel.decoder import Decoder, built, compiled, turns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.torchmodel.shape import Shape

FORMS = ("bf16", "mixed", "fp32", "tf32")
"""bf16: everything in it. mixed: fp32 weights, products in bf16 (autocast). fp32, and with products in tf32."""

BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
"""Kernels of torch's scaled dot-product attention by name; "" lets torch choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A training step: a shape, `batch` sequences of `sequence` tokens at once, `pieces` before the optimizer."""

    name: str
    shape: Shape
    sequence: int
    batch: int
    pieces: int = 1
    recompute: bool = False
    compile: bool = False
    form: str = "bf16"
    attention: str = ""

    @property
    def tokens(self) -> int:
        """Tokens of a step."""
        return self.sequence * self.batch * self.pieces

    def settings(self) -> dict[str, str | float]:
        """What is set, flat."""
        found: dict[str, str | float] = {f"shape.{key}": value for key, value in asdict(self.shape).items()}
        rest = ("name", "sequence", "batch", "pieces", "recompute", "compile", "form", "attention")
        return found | {key: getattr(self, key) for key in rest}


class Trainer:
    """A model, its optimizer and a batch, ready to step."""

    def __init__(self, step: Step, device: torch.device) -> None:
        self.step, self.device = step, device
        form = torch.bfloat16 if step.form == "bf16" else torch.float32
        self.model: Decoder = built(step.shape, device, form, recompute=step.recompute)
        if step.compile:
            compiled(self.model.layers)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=device.type in {"cuda", "cpu"})
        size = (step.batch, step.sequence)
        self.tokens = torch.randint(step.shape.vocabulary, size, device=device)
        work = torch.bfloat16 if step.form in {"bf16", "mixed"} else torch.float32
        self.turns = turns_of(step.shape, step.sequence, like=torch.empty(0, dtype=work, device=device))

    def once(self) -> None:
        """One step."""
        for _ in range(self.step.pieces):
            with _autocast(self.step.form, self.device):
                loss = self.model.loss(self.tokens, self.turns)
            (loss / self.step.pieces).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def held(self) -> Iterator[torch.Tensor]:
        """All tensors that live from step to step."""
        yield from self.model.parameters()
        yield from (self.tokens, self.turns)
        for state in self.optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def _autocast(form: str, device: torch.device) -> AbstractContextManager[object]:
    if form != "mixed":
        return nullcontext()
    found: AbstractContextManager[object] = torch.autocast(device.type, dtype=torch.bfloat16)
    return found


def kernels_of(attention: str) -> AbstractContextManager[object]:
    """Only these kernels of attention, all where none is named."""
    found: AbstractContextManager[object] = sdpa_kernel(BACKENDS[attention]) if attention else nullcontext()
    return found


def measure_step(step: Step, device: torch.device, *, seconds: float = 2.0, least: int = 5) -> Measured:
    """Time a training step for about so many seconds; its memory is that of a step after the first."""
    torch.backends.cuda.matmul.allow_tf32 = step.form == "tf32"
    if device.type == "cuda":
        torch.cuda.empty_cache()
    with kernels_of(step.attention):
        found = attempt("step", _settings(step, device), lambda: _measured(step, device, seconds, least))
    torch.backends.cuda.matmul.allow_tf32 = False
    return found


def _settings(step: Step, device: torch.device) -> dict[str, str | float]:
    return step.settings() | {"device": device.type}


def _measured(step: Step, device: torch.device, seconds: float, least: int) -> Measured:
    trainer = Trainer(step, device)
    trainer.once()  # states of the optimizer are made in the first step
    peak = peak_of(trainer.once, device, list(trainer.held()))
    timing = timed(trainer.once, device, seconds=seconds, least=least)
    figures = {f"peak.{kind}": value for kind, value in peak.items()} | {"params": float(step.shape.params)}
    return Measured(what="step", settings=_settings(step, device), timing=timing, figures=figures)


def measure_memory(step: Step, device: torch.device) -> Measured:
    """The peak of memory of a training step, without timing it."""

    def work() -> Measured:
        trainer = Trainer(step, device)
        trainer.once()
        peak = peak_of(trainer.once, device, list(trainer.held()))
        figures = {f"peak.{kind}": value for kind, value in peak.items()} | {"params": float(step.shape.params)}
        return Measured(what="step memory", settings=_settings(step, device), figures=figures)

    with kernels_of(step.attention):
        return attempt("step memory", _settings(step, device), work)
