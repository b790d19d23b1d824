"""Several runs of one shape in one process: weights stacked, every operation done once for all of them.

Where steps are small the time goes to starting operations, not to arithmetic, and runs share that. The numbers are
those of the runs alone up to rounding (losses within 2e-4 of each other over short runs): sums are taken in another
order. `benchmarks/lab.py` says when it pays.
"""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from isoflop.errors import BadInput
from isoflop.lab.checkpoint import load_state, read_checkpoint, state_of, write_checkpoint
from isoflop.lab.tasks import alone, kin
from isoflop.lab.train import device_of, diverged
from isoflop.torchmodel.decoder import Decoder, turns_of
from isoflop.torchmodel.stacked import learns, stack, stacked_gradients, stacked_losses, unstack
from isoflop.torchmodel.start import start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import RunSpec


class Fleet:
    """Runs that differ in seed and learning rate alone, trained side by side; `specs` in the order they lie in.

    Raises: BadInput where they differ in more, or `alone` says that they are to be trained alone.
    """

    def __init__(self, specs: Sequence[RunSpec], corpus: Corpus, device: str = "auto") -> None:
        self.corpus, self.device = corpus, device_of(device)
        self.specs = tuple(sorted(specs, key=lambda one: (one.optimizer.learning_rate, one.seed)))
        self.spec = spec = self.specs[0]
        if len({kin(one) for one in specs}) > 1:
            raise BadInput("runs are trained together where only their seeds and learning rates differ")
        if alone(spec):
            raise BadInput(f"runs are not trained together where {alone(spec)}")
        corpus.check(spec.tokens, length=spec.sequence, epochs=spec.epochs, vocabulary=spec.shape.vocabulary)
        models = [Decoder(spec.shape) for _ in specs]
        for model, one in zip(models, self.specs, strict=True):
            start(model, one.seed)
        stacked = stack(spec.shape, [dict(model.named_parameters()) for model in models])
        self.weights = {name: one.to(self.device) for name, one in stacked.items()}
        self.named, self.optimizer = self._optimizer()
        self.turns = turns_of(spec.shape, spec.sequence, like=torch.empty(0, device=self.device))
        self.done = 0

    @property
    def trunk(self) -> str:
        """What its checkpoints are of: these runs in this order, whatever their length."""
        return sha256(" ".join(one.trunk for one in self.specs).encode()).hexdigest()[:12]

    def _optimizer(self) -> tuple[dict[str, Tensor], torch.optim.Optimizer]:
        """AdamW over the rows of each rate: runs of one rate lie side by side, so these are views without a copy."""
        rates = [one.optimizer.learning_rate for one in self.specs]
        bounds = [place for place in range(len(rates)) if place == 0 or rates[place] != rates[place - 1]]
        given, named = self.spec.optimizer, {}
        groups = []
        for first, last in pairwise([*bounds, len(rates)]):
            members: dict[tuple[float, bool], list[Tensor]] = defaultdict(list)
            for name, every in self.weights.items():
                named[f"{name}:{first}"] = every[first:last]
                members[learns(name, self.spec.shape.width, given.base_width)].append(named[f"{name}:{first}"])
            groups += [
                {
                    "params": held,
                    "lr": rates[first] * factor,
                    "peak": rates[first] * factor,
                    "weight_decay": given.weight_decay / factor if decays else 0.0,
                }
                for (factor, decays), held in members.items()
            ]
        return named, torch.optim.AdamW(groups, betas=(given.beta1, given.beta2), eps=1e-8, fused=True)

    def step(self) -> list[tuple[float, float]]:
        """One step of every run: the loss of each before its update, and the norm of its gradient before clipping."""
        spec = self.spec
        batch = self._batch()
        total = torch.zeros(len(self.specs), device=self.device)
        every: dict[str, Tensor] = {}
        for number, piece in enumerate(batch.chunk(spec.pieces, dim=1)):
            losses, found = stacked_gradients(spec.shape, self.weights, piece[..., :-1], piece[..., 1:], self.turns)
            total += losses
            every = found if number == 0 else {name: one.add_(found[name]) for name, one in every.items()}
        if spec.pieces > 1:
            total /= spec.pieces
            torch._foreach_div_(list(every.values()), spec.pieces)
        norms = self._clip(every)
        for name, one in self.named.items():
            place, first = name.rsplit(":", 1)
            one.grad = every[place][int(first) : int(first) + len(one)]
        factor = spec.schedule.factor(self.done, spec.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        self.optimizer.step()
        self.done += 1
        return list(zip(total.tolist(), norms.tolist(), strict=True))

    def _batch(self) -> Tensor:
        """What each run reads in this step; runs of one seed read the same."""
        spec = self.spec
        seeds = {
            seed: torch.from_numpy(self.corpus.batch(self.done, sequences=spec.batch, length=spec.sequence, seed=seed))
            for seed in {one.seed for one in self.specs}
        }
        return torch.stack([seeds[one.seed] for one in self.specs]).to(self.device)

    def _clip(self, gradients: dict[str, Tensor]) -> Tensor:
        """Each run's gradient to its own norm, as `clip_grad_norm_` does it."""
        parts = [torch.linalg.vector_norm(one.flatten(1), dim=1) for one in gradients.values()]
        norms = torch.linalg.vector_norm(torch.stack(parts), dim=0)
        ratio = (self.spec.optimizer.clip / (norms + 1e-6)).clamp_(max=1.0)
        if bool((ratio != 1.0).any()):  # what has diverged is not a number, and is left so
            for one in gradients.values():
                one.mul_(ratio.view(-1, *[1] * (one.ndim - 1)))
        return norms

    def validate(self, sequences: int = 0) -> list[float]:
        """Loss of each run on held-out text."""
        spec = self.spec
        held = self.corpus.validation(sequences=sequences or spec.validation, length=spec.sequence)
        total = torch.zeros(len(self.specs), device=self.device)
        for piece in torch.from_numpy(held).to(self.device).split(64):
            many = piece.expand(len(self.specs), *piece.shape)
            losses = stacked_losses(spec.shape, self.weights, many[..., :-1], many[..., 1:], self.turns)
            total += losses * len(piece)
        return [float(one) for one in total / len(held)]

    def save(self, path: Path) -> None:
        """Everything the next step of all depends on, atomically."""
        about = {"step": str(self.done), "trunk": self.trunk, "runs": " ".join(one.hash for one in self.specs)}
        write_checkpoint(path, state_of(self.named, self.optimizer), about)

    def load(self, path: Path) -> None:
        """Go on from there."""
        state, about = read_checkpoint(path)
        if about.get("trunk") != self.trunk:
            raise BadInput(f"{path} is a checkpoint of other runs ({about.get('trunk')}, not {self.trunk})")
        load_state(state, self.named, self.optimizer)
        self.done = int(about["step"])

    def plain(self, number: int) -> Decoder:
        """The model of one run."""
        found = Decoder(self.spec.shape)
        found.load_state_dict(unstack(self.spec.shape, self.weights, number), strict=not self.spec.shape.tied)
        return found

    def lost(self, loss: float, norm: float) -> bool:
        """Whether a run has diverged."""
        return diverged(self.spec, loss, norm)
