"""The parts a model is made of. Each part lists its weights; everything that is counted follows from those lists.

A part knows the width of the residual stream it sits in, is otherwise self-contained, and never guesses: a field that
changes a count has no default unless the default is "absent".

A new kind of part (another mixer, another feed-forward) is one frozen class with `weights(width)`; a mixer adds
`mixing_flops`, `decode_flops` and `state_elements` (see `Mixer`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, Protocol

from isoflop.errors import BadInput

Runs = Literal["token", "input", "sequence", "never"]
"""How often a matrix is multiplied: once a token of its stack, once a token of the encoder's output (keys and values of
cross-attention), once a sequence (a pooler), or never (look-up tables, vectors)."""

Activation = Literal["gelu", "gelu-tanh", "relu", "squared-relu", "silu"]
Positions = Literal["absolute", "rope", "alibi", "relative", "transformer-xl", "none"]
"""How a layer learns the order of its tokens. "absolute": from the embedding, nothing here. "relative": a table of
buckets by heads (T5). "transformer-xl": a projection of relative encodings and two vectors (Gopher, Chinchilla)."""

MOST = 2**31
"""No width, depth or count in a model reaches this; larger is a slip, and would make the arithmetic meaningless."""


class Weight(NamedTuple):
    """A parameter tensor of `rows` x `columns`, held `copies` times, of which each token meets `active`.

    `part` groups weights in tables ("attention", "mlp", "experts"); `name` is the tensor's own ("q", "down").
    """

    part: str
    name: str
    rows: int
    columns: int = 1
    runs: Runs = "never"
    copies: int = 1
    active: int = 1

    @property
    def params(self) -> int:
        """Parameters held."""
        return self.rows * self.columns * self.copies

    @property
    def active_params(self) -> int:
        """Parameters a token meets: all but experts it is not routed to."""
        return self.rows * self.columns * self.active

    @property
    def flops(self) -> int:
        """Matmul FLOP each time it runs: a multiplication and an addition per weight; 0 for tables and vectors."""
        return 0 if self.runs == "never" else 2 * self.active_params


class Mixer(Protocol):
    """What every part that mixes tokens can say; sequence lengths in tokens, all counts for one layer."""

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Its parameter tensors."""

    def mixing_flops(self, sequence: float, *, full: bool) -> float:
        """Matmul FLOP per token beyond its weights, averaged over a whole sequence; `full` ignores every mask."""

    def decode_flops(self, context: float) -> float:
        """Matmul FLOP beyond its weights of one new token that sees `context` tokens."""

    def state_elements(self, context: float) -> float:
        """Elements kept for one sequence after `context` tokens (the KV cache)."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Softmax attention: multi-head, grouped-query (`kv_heads` < `heads`) or multi-query (`kv_heads` = 1).

    `bias` names the projections that have one, a subset of "qkvo". `window`: a token sees at most this many tokens,
    itself included. `causal` false: every token sees every token, and nothing is cached. `qk_norm`: "head" normalises
    each head (2 x head_width weights), "full" the whole projection. `sinks`: one learned logit a head.
    """

    heads: int
    kv_heads: int
    head_width: int
    bias: str = ""
    causal: bool = True
    positions: Positions = "rope"
    relative_buckets: int = 0
    window: int | None = None
    qk_norm: Literal["none", "head", "full"] = "none"
    sinks: bool = False

    def __post_init__(self) -> None:
        _check_counts(self, "heads", "kv_heads", "head_width")
        _check_counts(self, "relative_buckets", least=0)
        if self.window is not None:
            _check_counts(self, "window")
        if self.heads % self.kv_heads:
            raise BadInput(
                f"{self.heads} heads do not divide into {self.kv_heads} key-value heads; give a multiple of kv_heads"
            )
        if any(self.bias.count(letter) != 1 for letter in self.bias) or not set(self.bias) <= set("qkvo"):
            raise BadInput(
                f"bias = '{self.bias}' names no set of projections; give some of the letters of 'qkvo', each once"
            )

    def weights(self, width: int) -> tuple[Weight, ...]:
        """q, k, v, o and what stands beside them, for self-attention."""
        return self._weights(width, "attention", "token")

    def cross_weights(self, width: int) -> tuple[Weight, ...]:
        """The same for cross-attention: keys and values run over the encoder's output, once an input token."""
        return self._weights(width, "cross-attention", "input")

    def _weights(self, width: int, part: str, kv_runs: Runs) -> tuple[Weight, ...]:
        inner, kv = self.heads * self.head_width, self.kv_heads * self.head_width
        found = [
            Weight(part, "q", width, inner, "token"),
            Weight(part, "k", width, kv, kv_runs),
            Weight(part, "v", width, kv, kv_runs),
            Weight(part, "o", inner, width, "token"),
        ]
        sizes = {"q": inner, "k": kv, "v": kv, "o": width}
        found += [Weight(part, f"{letter} bias", sizes[letter]) for letter in self.bias]
        if self.qk_norm != "none":
            of_query, of_key = (self.head_width,) * 2 if self.qk_norm == "head" else (inner, kv)
            found += [Weight(part, "q norm", of_query), Weight(part, "k norm", of_key)]
        if self.sinks:
            found.append(Weight(part, "sinks", self.heads))
        if self.relative_buckets:
            found.append(Weight(part, "relative bias", self.relative_buckets, self.heads))
        if self.positions == "transformer-xl":
            # Runs over the offsets once a batch, not over its tokens: no FLOP per token.
            found += [Weight(part, "relative", width, inner), Weight(part, "relative bias", inner, 2)]
        return tuple(found)

    @property
    def pair_flops(self) -> int:
        """FLOP of one query meeting one key: a dot product and a weighted sum in every head."""
        return 4 * self.heads * self.head_width

    def mixing_flops(self, sequence: float, *, full: bool) -> float:
        """Scores and weighted sums per token. Causal attention sees half of the square, a window its band."""
        if full or (not self.causal and self.window is None):
            return self.pair_flops * sequence
        reach = sequence if self.window is None else min(self.window, sequence)
        behind = reach * (1 - reach / (2 * sequence))
        return self.pair_flops * (behind if self.causal else min(2 * behind, sequence))

    def cross_flops(self, inputs: float) -> float:
        """Scores and weighted sums per token where the keys are `inputs` tokens of an encoder."""
        return self.pair_flops * inputs

    def decode_flops(self, context: float) -> float:
        """Scores and weighted sums of one new token over `context` tokens."""
        return self.pair_flops * (context if self.window is None else min(self.window, context))

    @property
    def kv_elements(self) -> int:
        """Elements of one key and one value."""
        return 2 * self.kv_heads * self.head_width

    def state_elements(self, context: float) -> float:
        """The KV cache; a window keeps no more than itself, attention without a mask keeps nothing."""
        if not self.causal:
            return 0
        return self.kv_elements * (context if self.window is None else min(self.window, context))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mlp:
    """A feed-forward part: up, activation, down; `gated` adds a third matrix. `bias` holds for all of them."""

    width: int
    gated: bool
    activation: Activation
    bias: bool = False

    def __post_init__(self) -> None:
        _check_counts(self, "width")

    def weights(self, width: int, part: str = "mlp", copies: int = 1, active: int = 1) -> tuple[Weight, ...]:
        """Two or three matrices with their biases, `copies` times."""
        inward = ("gate", "up") if self.gated else ("up",)
        found = [Weight(part, name, width, self.width, "token", copies, active) for name in inward]
        found.append(Weight(part, "down", self.width, width, "token", copies, active))
        if self.bias:
            found += [Weight(part, f"{name} bias", self.width, 1, "never", copies, active) for name in inward]
            found.append(Weight(part, "down bias", width, 1, "never", copies, active))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moe:
    """A mixture of experts: a router sends each token to `active` of `experts`; `shared` meets every token.

    `router_bias`: one value an expert, as a bias or a score correction. `shared_gate`: the shared expert is weighed by
    a learned gate (one vector).
    """

    experts: int
    active: int
    expert: Mlp
    shared: Mlp | None = None
    router_bias: bool = False
    shared_gate: bool = False

    def __post_init__(self) -> None:
        _check_counts(self, "experts", "active")
        if self.active > self.experts:
            raise BadInput(f"{self.active} active experts of {self.experts}; at most all of them can be active")

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Router, routed experts, shared expert."""
        found = [Weight("router", "router", width, self.experts, "token")]
        if self.router_bias:
            found.append(Weight("router", "router bias", self.experts))
        found += self.expert.weights(width, "experts", self.experts, self.active)
        if self.shared is not None:
            found += self.shared.weights(width, "shared expert")
            if self.shared_gate:
                found.append(Weight("shared expert", "shared gate", width, 1, "token"))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A matrix of its own: a pooler, a projection between two widths."""

    name: str
    inputs: int
    outputs: int
    bias: bool
    runs: Runs

    def __post_init__(self) -> None:
        _check_counts(self, "inputs", "outputs")

    def weights(self) -> tuple[Weight, ...]:
        """The matrix, and its bias where it has one."""
        matrix = Weight(self.name, self.name, self.inputs, self.outputs, self.runs)
        return (matrix, Weight(self.name, f"{self.name} bias", self.outputs)) if self.bias else (matrix,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Tables that turn tokens into vectors: words, learned `positions`, `token_types`, and a norm over their sum.

    `width` is given only where it differs from the stack's (a `Linear` then joins the two).
    """

    vocabulary: int
    positions: int = 0
    token_types: int = 0
    norm: Norm | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        _check_counts(self, "vocabulary")
        _check_counts(self, "positions", "token_types", least=0)
        if self.width is not None:
            _check_counts(self, "width")

    def weights(self, width: int) -> tuple[Weight, ...]:
        """The tables; looking up costs no FLOP."""
        wide = self.width or width
        tables = (
            ("token embedding", self.vocabulary),
            ("position embedding", self.positions),
            ("token-type embedding", self.token_types),
        )
        found = [Weight(part, part, rows, wide) for part, rows in tables if rows]
        return (*found, *(self.norm.weights(wide, "embedding norm") if self.norm else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The output layer: vectors to scores over the vocabulary. `tied`: it shares the matrix of the embedding."""

    tied: bool
    bias: bool = False


def _check_counts(part: object, *names: str, least: int = 1) -> None:
    """Refuse what is no whole number from `least` up to `MOST`, naming the field."""
    known = {field.name for field in fields(part)}  # type: ignore[arg-type]
    for name in names:
        assert name in known
        value = getattr(part, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < MOST:
            kind = type(part).__name__.lower()
            raise BadInput(f"{kind}.{name} = {value!r}: give a whole number from {least} to {MOST - 1:,}")
