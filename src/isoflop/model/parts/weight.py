"""What every part lists: its weights, what it keeps of a sequence, and what it saves for the backward pass.

Everything that is counted, parameters, FLOP, bytes, follows from these lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from isoflop.errors import BadInput

Runs = Literal["token", "input", "sequence", "never"]
"""How often a matrix is multiplied: once a token of its stack, once a token of the encoder's output (keys and values of
cross-attention), once a sequence (a pooler), or never (look-up tables, vectors)."""

StateKind = Literal["kv", "index", "conv", "recurrent"]
"""What is kept of a sequence: keys and values (or their latent), keys of a sparse index, the last inputs of a
convolution, the matrix of a recurrence. Runtimes keep them in different number formats."""

MOST = 2**31
"""No width, depth or count in a model reaches this; larger is a slip, and would make the arithmetic meaningless."""


class Weight(NamedTuple):
    """A parameter tensor of `rows` x `columns`, held `copies` times, of which each token meets `active`, `times` over.

    `part` groups weights in tables ("attention", "mlp", "experts"); `name` is the tensor's own ("q", "down").
    `trained` is false for what a checkpoint stores but no optimizer updates (the correction of a router's scores):
    it counts as stored, not as a parameter.
    """

    part: str
    name: str
    rows: int
    columns: int = 1
    runs: Runs = "never"
    copies: int = 1
    active: int = 1
    trained: bool = True
    times: int = 1

    @property
    def params(self) -> int:
        """Numbers held."""
        return self.rows * self.columns * self.copies

    @property
    def active_params(self) -> int:
        """Numbers a token meets: all but experts it is not routed to."""
        return self.rows * self.columns * self.active

    @property
    def flops(self) -> int:
        """Matmul FLOP each time it runs: a multiplication and an addition per weight; 0 for tables and vectors."""
        return 0 if self.runs == "never" else 2 * self.active_params * self.times


class State(NamedTuple):
    """Numbers kept for one sequence in one layer: `elements` of one kind."""

    kind: StateKind
    elements: float


class Saved(NamedTuple):
    """A tensor that the backward pass needs: `elements` a token, of one layer.

    `form` is "compute" for the data type that work is done in, "fp32" for what is kept in full precision whatever that
    is (statistics of a softmax or a norm). `split` says what tensor parallelism does: "inner" tensors lie between a
    column-split and a row-split matrix and are divided by its degree, "outer" ones have the width of the residual
    stream and are divided only where the sequence is.
    """

    part: str
    name: str
    elements: float
    form: Literal["compute", "fp32"] = "compute"
    split: Literal["inner", "outer"] = "outer"


class Mixer(Protocol):
    """What every part that mixes tokens can say; sequence lengths in tokens, all counts for one layer."""

    @property
    def causal(self) -> bool:
        """Whether a token sees only what stands before it."""

    @property
    def kv_elements(self) -> int:
        """Elements that each further token adds to the state while no window is full."""

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Its parameter tensors."""

    def mixing_flops(self, sequence: float, *, full: bool) -> float:
        """FLOP per token beyond its weights, averaged over a whole sequence; `full` ignores every mask."""

    def decode_flops(self, context: float) -> float:
        """FLOP beyond its weights of one new token that sees `context` tokens."""

    def state(self, context: float) -> tuple[State, ...]:
        """What is kept for one sequence after `context` tokens, at least what has to be."""

    def saved(self, width: int) -> tuple[Saved, ...]:
        """What training keeps for the backward pass, beside the layer's input (fused attention: no scores)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """A normalisation over the width: a scale (unless `scale` is false), and a shift where `bias` is true."""

    kind: Literal["layer", "rms"]
    bias: bool = False
    scale: bool = True

    def weights(self, width: int, part: str = "norms") -> tuple[Weight, ...]:
        """One vector for the scale, one for the shift."""
        there = (("scale", self.scale), ("bias", self.bias))
        return tuple(Weight(part, name, width) for name, present in there if present)

    def saved(self, width: int) -> tuple[Saved, ...]:
        """Its input, and what was measured of it: one number a token for RMS, two for layer norm."""
        measured = 1 if self.kind == "rms" else 2
        return Saved("norms", "input", width), Saved("norms", "statistics", measured, "fp32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A matrix of its own: a pooler, a projection between two widths; `runs` "never" makes it a table or a vector.

    `part` is the heading it is counted under, its own name where none is given. `trained`, `copies`, `active` and
    `times` as in `Weight`: a matrix that every head multiplies by has its heads for `times`.
    """

    name: str
    inputs: int
    outputs: int = 1
    bias: bool = False
    runs: Runs = "token"
    part: str = ""
    trained: bool = True
    copies: int = 1
    active: int = 1
    times: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "inputs", "outputs", "copies", "times")
        check_counts(self, "active", least=0)

    def weights(self, part: str = "") -> tuple[Weight, ...]:
        """The matrix, and its bias where it has one; `part` is the heading of a part that has none of its own."""
        under = self.part or part or self.name
        many = (self.copies, self.active, self.trained, self.times)
        matrix = Weight(under, self.name, self.inputs, self.outputs, self.runs, *many)
        return (matrix, Weight(under, f"{self.name} bias", self.outputs)) if self.bias else (matrix,)


def vector(name: str, size: int, *, part: str = "", trained: bool = True) -> Linear:
    """A learned vector (a scale, a decay, a bias) as an extra of a part."""
    return Linear(name=name, inputs=size, runs="never", part=part, trained=trained)


def check_counts(part: object, *names: str, least: int = 1) -> None:
    """Refuse what is no whole number from `least` up to `MOST`, naming the field."""
    for name in names:
        value = getattr(part, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < MOST:
            kind = type(part).__name__.lower()
            raise BadInput(f"{kind}.{name} = {value!r}: give a whole number from {least} to {MOST - 1:,}")
