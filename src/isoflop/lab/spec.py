"""What one training run is: everything that decides its numbers, and a hash of it. A spec is never changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from isoflop.errors import BadFile, BadInput
from isoflop.model import counts, train_flops_per_token
from isoflop.torchmodel.shape import Shape, spec_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model import ModelSpec

Decline = Literal["cosine", "linear", "wsd", "constant"]
DECLINES: tuple[Decline, ...] = get_args(Decline)
Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The learning rate over a run: `warmup` steps up, then down to `final` of the peak.

    "cosine" and "linear" decline from the warm-up to the end; "wsd" stays at the peak and declines linearly over the
    last `decay` share of the steps, so that runs of several lengths share a trunk; "constant" stays.

    Source: [hu2024] wsd, [hagele2024] several lengths from one trunk
    """

    kind: Decline = "wsd"
    warmup: int = 20
    decay: float = 0.3
    final: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in DECLINES:
            raise BadInput(f"schedule.kind = '{self.kind}'; give one of: {', '.join(DECLINES)}")
        if self.warmup < 0 or not 0 < self.decay <= 1 or not 0 <= self.final <= 1:
            raise BadInput("schedule: warmup is a number of steps, decay a share above 0, final a share from 0 to 1")

    def decline_from(self, steps: int) -> int:
        """The step at which the decline begins."""
        if self.kind == "constant":
            return steps
        return max(self.warmup, round(steps * (1 - self.decay))) if self.kind == "wsd" else self.warmup

    def factor(self, step: int, steps: int) -> float:
        """The share of the peak learning rate at step number `step` (from 0) of `steps`.

        >>> [round(Schedule(warmup=2, decay=0.5).factor(step, 8), 3) for step in range(8)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
        """
        from math import cos, pi

        if step < self.warmup:
            return (step + 1) / self.warmup
        start = self.decline_from(steps)
        if step < start or self.kind == "constant":
            return 1.0
        gone = (step - start) / max(steps - start, 1)
        left = (1 + cos(pi * gone)) / 2 if self.kind == "cosine" else 1 - gone
        return self.final + (1 - self.final) * left


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """AdamW: the peak `learning_rate` is that of width `base_width`, and of others by muP's rule.

    Source: [loshchilov2019] [yang2022]
    """

    learning_rate: float = 0.01
    base_width: int = 32
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < 10 or self.base_width < 1 or self.clip <= 0 or self.weight_decay < 0:
            raise BadInput(
                "optimizer: learning_rate is from 0 to 10, base_width at least 1, clip above 0, decay from 0"
            )
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise BadInput("optimizer: beta1 and beta2 are shares from 0 to below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run. `batch` sequences of `sequence` tokens a step, in `pieces` before the optimizer; `data` is the corpus.

    `validation`: held-out sequences that its loss is measured on. `bits`: weights of inner matrices are quantized to so
    many with learned step sizes while training (QAT), 0 for not at all. `recompute`: activations are made again in the
    backward pass. `compiled`: layers go through torch.compile, which takes a C++ compiler on a CPU.
    """

    shape: Shape
    data: str
    steps: int
    sequence: int
    batch: int
    seed: int
    pieces: int = 1
    epochs: float = 1.0
    schedule: Schedule = field(default_factory=Schedule)
    optimizer: Optimizer = field(default_factory=Optimizer)
    precision: Precision = "fp32"
    validation: int = 512
    bits: int = 0
    recompute: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "sequence", "batch", "pieces", "validation"):
            if not 1 <= getattr(self, name) < 2**40:
                raise BadInput(f"run.{name} = {getattr(self, name)}: give a whole number from 1 up")
        if self.batch % self.pieces:
            raise BadInput(
                f"{self.batch} sequences do not divide into {self.pieces} pieces; give a divisor of the batch"
            )
        if self.precision not in PRECISIONS:
            raise BadInput(f"precision = '{self.precision}'; training takes one of: {', '.join(PRECISIONS)}")
        if self.bits not in {0, 2, 3, 4, 5, 6, 7, 8}:
            raise BadInput(f"bits = {self.bits}: quantization-aware training takes 2 to 8, 0 for none")
        if self.schedule.kind != "constant" and self.schedule.warmup > self.steps // 2:
            raise BadInput(
                f"a warm-up of {self.schedule.warmup} steps is more than half of a run of {self.steps}: give a shorter"
                " one, smaller batches, or larger budgets."
            )

    @property
    def tokens(self) -> int:
        """Tokens trained on."""
        return self.steps * self.batch * self.sequence

    @property
    def model(self) -> ModelSpec:
        """The shape as every other room counts it."""
        return spec_of(self.shape, f"lab-{self.shape.width}x{self.shape.layers}", context=self.sequence)

    @property
    def flops(self) -> float:
        """Training work, convention "model" (causal attention halved)."""
        return train_flops_per_token(self.model, self.sequence).total * self.tokens

    @property
    def params(self) -> int:
        """Parameters, all."""
        return counts(self.model).params

    @property
    def hash(self) -> str:
        """Twelve hex digits of everything above: the run's name."""
        return _digest(asdict(self))

    @property
    def trunk(self) -> str:
        """The same of everything but the length: runs that share it are one run until the first decline."""
        return _digest(asdict(replace(self, steps=1, schedule=replace(self.schedule, warmup=0))) | {"w": self.warmup})

    @property
    def warmup(self) -> int:
        """Steps of the warm-up."""
        return self.schedule.warmup

    def as_json(self) -> dict[str, object]:
        """The spec for a file, with its hash."""
        return {"hash": self.hash, **asdict(self)}


LATER = {"compiled": False}
"""Fields that came after runs had been named: a run that has them at these values keeps the name it had."""


def _digest(held: Mapping[str, object]) -> str:
    counted = {name: value for name, value in held.items() if name not in LATER or value != LATER[name]}
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run_spec(held: Mapping[str, object], said: str) -> RunSpec:
    """A spec from the object in a file; `said` is what errors call it.

    Raises: BadFile where a field is missing, of a wrong type or unknown, or where the hash is of another spec.
    """
    rest = {name: value for name, value in held.items() if name != "hash"}
    unknown = set(rest) - {one.name for one in fields(RunSpec)}
    if unknown:
        raise BadFile(f"{said}: no field '{min(unknown)}' of a run; it was written by another version.")
    try:
        spec: RunSpec = msgspec.convert(rest, RunSpec)
    except msgspec.ValidationError as error:
        raise BadFile(f"{said}: {error}.") from error
    if "hash" in held and held["hash"] != spec.hash:
        raise BadFile(f"{said}: hash {held['hash']} is not that of its fields ({spec.hash}): the file was changed.")
    return spec
