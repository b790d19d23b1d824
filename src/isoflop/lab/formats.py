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

from isoflop.lab.quantized import Rounded, rounded_to_nearest, settled
from isoflop.lab.train import Trainer
from isoflop.torchmodel.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import RunSpec

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


def compare_formats(
    run: RunSpec, corpus: Corpus, *, bits: Sequence[int] = (8, 4, 3), model: Decoder | None = None
) -> tuple[Format, ...]:
    """Measure a run's model in fp32, fp16, bf16, and in few bits, rounded after and trained so; on a processor.

    `model` is what the run ended with; without it the run is trained first.
    """
    trainer = Trainer(run, corpus, device="cpu")
    for _ in range(0 if model else run.steps):
        trainer.step()
    base = deepcopy(model or trainer.model)
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
    spec = replace(run, steps=more, optimizer=slower, schedule=schedule, seed=run.seed + 1, bits=bits)
    trainer = Trainer(spec, corpus, device="cpu")
    with torch.no_grad():
        for (_, one), (_, value) in zip(_weights(trainer.model), base.named_parameters(), strict=True):
            one.copy_(value)
    _restart_steps(trainer.model)
    for _ in range(more):
        trainer.step()
    settled(trainer.model)
    name = f"int{bits}" if bits else "fp32"
    method: Method = "trained rounded" if bits else "trained"
    return replace(_format(name, method, trainer.model, trainer, bits or 32), steps=run.steps + more)


def _weights(model: Decoder) -> list[tuple[str, Tensor]]:
    """Parameters but for the steps of rounding, in the order of a plain decoder's."""
    order = {name: place for place, name in enumerate(dict(Decoder(model.shape).named_parameters()))}
    named = {
        name.replace("parametrizations.weight.original", "weight"): one
        for name, one in model.named_parameters()
        if not name.endswith("log_step")
    }
    return sorted(named.items(), key=lambda held: order[held[0]])


def _restart_steps(model: Decoder) -> None:
    """Have the steps of rounding start from the weights there are now."""
    for one in model.modules():
        if isinstance(one, torch.nn.Linear) and parametrize.is_parametrized(one):
            held = one.parametrizations.weight
            bits = int(held[0].high + 1).bit_length()
            with torch.no_grad():
                held[0].log_step.copy_(Rounded(held.original, bits).log_step)


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
