"""One small model in many formats of its weights: loss, bytes and speed side by side.

Post-training formats keep the model as trained and round its weights; QAT trains on with rounded weights. The yardstick
of QAT is the same model trained as much longer in fp32: else more training would pass for better rounding. fp16 and
bf16 work in that format throughout; few bits are dequantized first, so that they are smaller here, not faster: no
kernel of torch on a CPU multiplies them as they are.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from time import process_time
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn.utils import parametrize

from isoflop.lab.quantized import Rounded, quantize_aware, rounded_to_nearest, settled
from isoflop.lab.train import Trainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import RunSpec
    from isoflop.torchmodel.decoder import Decoder

SHARE = 4
"""QAT goes on for a quarter of the steps of the run before it, at a fifth of its learning rate, declining to zero."""

Method = Literal["trained", "cast", "rounded after", "trained rounded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format: how its weights came to be in it, held-out loss, bytes of all weights, tokens a processor second."""

    name: str
    method: Method
    steps: int
    loss: float
    bytes: float
    tokens_per_second: float


def compare_formats(run: RunSpec, corpus: Corpus, *, bits: Sequence[int] = (8, 4, 3)) -> tuple[Format, ...]:
    """Train the run in fp32, then measure it in fp32, fp16, bf16, and in few bits, rounded after and trained so."""
    trainer = Trainer(run, corpus)
    for _ in range(run.steps):
        trainer.step()
    base = deepcopy(trainer.model)
    found = [_format("fp32", "trained", base, trainer, 32)]
    for name, form in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
        found.append(_format(name, "cast", deepcopy(base).to(form), trainer, 16))
    found.append(_trained_on(run, corpus, base, 0))
    for few in bits:
        after = deepcopy(base)
        rounded_to_nearest(after, few)
        found.append(_format(f"int{few}", "rounded after", after, trainer, few))
    found += [_trained_on(run, corpus, base, few) for few in bits]
    return tuple(found)


def _trained_on(run: RunSpec, corpus: Corpus, base: Decoder, bits: int) -> Format:
    """The model trained for some steps more, its weights rounded in every step where `bits` says so."""
    more = max(run.steps // SHARE, 2)
    slower = replace(run.optimizer, learning_rate=run.optimizer.learning_rate / 5)
    schedule = replace(run.schedule, kind="linear", warmup=0)
    # Text that the run before has not seen: the order of another seed would repeat some of it, which is no harm here.
    spec = replace(run, steps=more, optimizer=slower, schedule=schedule, seed=run.seed + 1, bits=0)
    trainer = Trainer(spec, corpus)
    trainer.model.load_state_dict(base.state_dict())
    if bits:
        trainer = _quantized(trainer, bits)
    for _ in range(more):
        trainer.step()
    settled(trainer.model)
    name = f"int{bits}" if bits else "fp32"
    method: Method = "trained rounded" if bits else "trained"
    return replace(_format(name, method, trainer.model, trainer, bits or 32), steps=run.steps + more)


def _quantized(trainer: Trainer, bits: int) -> Trainer:
    """The same trainer with rounded weights; steps start where the largest weight of a channel is just inside."""
    spec = replace(trainer.spec, bits=bits)
    found = Trainer(spec, trainer.corpus)
    quantize_aware(trainer.model, bits)
    with torch.no_grad():
        for one in trainer.model.modules():
            if isinstance(one, Rounded):
                continue
            if parametrize.is_parametrized(one):
                rounded = one.parametrizations.weight[0]
                weight = one.parametrizations.weight.original
                # LSQ's start suits 2 and 3 bits; from 4 up the range of the weights is the better one.
                if bits > 3:
                    rounded.step_size.copy_(weight.abs().amax(dim=1, keepdim=True) / rounded.high)
    found.model.load_state_dict(trainer.model.state_dict())
    return found


def _format(name: str, method: Method, model: Decoder, trainer: Trainer, bits: int) -> Format:
    held = torch.from_numpy(trainer.corpus.validation(sequences=trainer.spec.validation, length=trainer.spec.sequence))
    began = process_time()
    loss = _loss(model, held, trainer.turns.to(model.norm.weight.dtype))
    seconds = process_time() - began
    return Format(
        name=name,
        method=method,
        steps=trainer.spec.steps,
        loss=loss,
        bytes=weight_bytes(model, bits),
        tokens_per_second=held[:, 1:].numel() / seconds,
    )


@torch.no_grad()  # type: ignore[untyped-decorator]
def _loss(model: Decoder, held: Tensor, turns: Tensor) -> float:
    total = 0.0
    for piece in held.split(64):
        total += float(model(piece[:, :-1], turns, piece[:, 1:])) * len(piece)
    return total / len(held)


def weight_bytes(model: Decoder, bits: int) -> float:
    """Bytes of all weights: inner matrices in `bits` with a 2-byte scale a row, the rest in at most 16 and at least it.

    At 16 and 32 bits everything is in them; below, embedding, head and norms stay in 16.
    """
    inner = [one for name, one in model.named_parameters() if name.startswith("layers") and one.ndim > 1]
    every = sum(int(one.numel()) for one in model.parameters())
    many = sum(int(one.numel()) for one in inner)
    if bits >= 16:
        return every * bits / 8
    return many * bits / 8 + 2 * sum(int(one.shape[0]) for one in inner) + 2 * (every - many)


def print_lines(found: Sequence[Format]) -> list[str]:
    """The comparison as lines of text."""
    lines = [f"{'weights':<8}{'how':<18}{'steps':>7}{'loss':>9}{'kB':>9}{'tokens/s':>11}"]
    for one in found:
        figures = f"{one.steps:>7}{one.loss:>9.4f}{one.bytes / 1e3:>9.1f}{one.tokens_per_second:>11,.0f}"
        lines.append(f"{one.name:<8}{one.method:<18}{figures}")
    return lines
