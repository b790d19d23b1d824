"""Several runs of one shape in one process: weights stacked, every operation done once for all of them.

Where steps are small the time goes to starting operations, not to arithmetic, and runs share that. The numbers are
those of the runs alone up to rounding: sums are taken in another order. `benchmarks/lab.py` says when it pays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.func import stack_module_state

from isoflop.errors import BadInput
from isoflop.torchmodel.decoder import Decoder, turns_of
from isoflop.torchmodel.stacked import stacked_losses
from isoflop.torchmodel.start import paces, start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import RunSpec


class Fleet:
    """Runs that differ in seed alone, trained side by side.

    Raises: BadInput where they differ in more, are quantized while training, or work in bf16.
    """

    def __init__(self, specs: Sequence[RunSpec], corpus: Corpus) -> None:
        self.specs, self.corpus = tuple(specs), corpus
        self.spec = spec = self.specs[0]
        if any(replace(one, seed=spec.seed) != spec for one in specs) or spec.bits or spec.precision != "fp32":
            raise BadInput("runs are trained together where only their seeds differ, in fp32, without quantization")
        corpus.check(spec.tokens, length=spec.sequence, epochs=spec.epochs, vocabulary=spec.shape.vocabulary)
        models = [Decoder(spec.shape) for _ in specs]
        for model, one in zip(models, specs, strict=True):
            start(model, one.seed)
        self._model = models[0]
        stacked = stack_module_state(models)[0]
        self.named = {name: one.detach().clone().requires_grad_() for name, one in stacked.items()}
        self.optimizer = self._optimizer()
        self.turns = turns_of(spec.shape, spec.sequence, like=torch.empty(0))
        self.done = 0

    def _optimizer(self) -> torch.optim.Optimizer:
        given = self.spec.optimizer
        groups = [
            {
                "params": [self.named[name]],
                "lr": given.learning_rate * factor,
                "peak": given.learning_rate * factor,
                "weight_decay": given.weight_decay / factor if decays else 0.0,
            }
            for name, _, factor, decays in paces(self._model, given.base_width)
        ]
        return torch.optim.AdamW(groups, betas=(given.beta1, given.beta2), eps=1e-8, fused=True)

    def _losses(self, batch: Tensor) -> Tensor:
        return stacked_losses(self.spec.shape, self.named, batch[..., :-1], batch[..., 1:], self.turns)

    def step(self) -> list[float]:
        """One step of every run: the loss of each before its update."""
        spec = self.spec
        batch = torch.stack(
            [
                torch.from_numpy(
                    self.corpus.batch(self.done, sequences=spec.batch, length=spec.sequence, seed=one.seed)
                )
                for one in self.specs
            ]
        )
        total = torch.zeros(len(self.specs))
        for piece in batch.chunk(spec.pieces, dim=1):
            losses = self._losses(piece) / spec.pieces
            losses.sum().backward()
            total += losses.detach()
        self._clip()
        factor = spec.schedule.factor(self.done, spec.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return [float(one) for one in total]

    def _clip(self) -> None:
        """Each run's gradient to its own norm, as `clip_grad_norm_` does it."""
        squares = sum(one.grad.flatten(1).square().sum(1) for one in self.named.values())
        ratio = (self.spec.optimizer.clip / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for one in self.named.values():
            one.grad.mul_(ratio.view(-1, *[1] * (one.ndim - 1)))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def validate(self) -> list[float]:
        """Loss of each run on held-out text."""
        held = torch.from_numpy(self.corpus.validation(sequences=self.spec.validation, length=self.spec.sequence))
        total = torch.zeros(len(self.specs))
        for piece in held.split(64):
            total += self._losses(piece.expand(len(self.specs), *piece.shape)) * len(piece)
        return [float(one) for one in total / len(held)]
