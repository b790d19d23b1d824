"""Softmax attention in all its forms: multi-head, grouped, windowed, chunked, gated, and behind a sparse index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoflop.errors import BadInput
from isoflop.model.parts.weight import Linear, Runs, Saved, State, Weight, check_counts

Positions = Literal["absolute", "rope", "alibi", "relative", "transformer-xl", "none"]
"""How a layer learns the order of its tokens. "absolute": from the embedding, nothing here. "relative": a table of
buckets by heads (T5). "transformer-xl": a projection of relative encodings and two vectors (Gopher, Chinchilla)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far back a token sees: everything, a sliding `window` (itself included), or its own `chunk`."""

    window: int | None = None
    chunk: int | None = None

    def __post_init__(self) -> None:
        check_counts(self, *(name for name in ("window", "chunk") if getattr(self, name) is not None))
        if self.window is not None and self.chunk is not None:
            raise BadInput("attention has both a window and a chunk; give one of them")

    def most(self, context: float) -> float:
        """Tokens that the last of `context` tokens can see at most, and that a cache has to keep."""
        return min(context, self.window or self.chunk or context)

    def seen(self, sequence: float, *, causal: bool) -> float:
        """Tokens seen per token, averaged over a sequence; diagonal counted half (an integral, not a sum)."""
        if self.window is None and self.chunk is None:
            return sequence / 2 if causal else sequence
        reach = self.most(sequence)
        if self.chunk is not None:
            whole, rest = divmod(sequence, reach)
            return (whole * reach * reach + rest * rest) / sequence / (2 if causal else 1)
        behind = reach * (1 - reach / (2 * sequence))
        return behind if causal else min(2 * behind, sequence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A sparse index ("lightning indexer"): cheap heads score every earlier token, attention reads the best `top`.

    `inputs` is the width its queries come from (the query latent of MLA, or the layer's). Keys are shared by its heads.
    `weighted`: a learned weight for every head sums their scores (without it each chooses for its own queries). `pool`:
    one key stands for this many tokens. `shared`: the layer takes over what an earlier layer's index chose, and has
    none. `extras` are norms and biases beside the three matrices.
    """

    heads: int
    head_width: int
    top: int
    inputs: int
    weighted: bool = True
    pool: int = 1
    shared: bool = False
    extras: tuple[Linear, ...] = ()

    def __post_init__(self) -> None:
        check_counts(self, "heads", "head_width", "top", "inputs", "pool")

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Queries, one key, a weight for every head."""
        if self.shared:
            return ()
        summed = (Weight("index", "index weights", width, self.heads, "token"),) if self.weighted else ()
        return (
            Weight("index", "index q", self.inputs, self.heads * self.head_width, "token"),
            Weight("index", "index k", width, self.head_width, "token"),
            *summed,
            *(weight for extra in self.extras for weight in extra.weights("index")),
        )

    @property
    def pair_flops(self) -> float:
        """FLOP of one query scoring one token: a dot product in every head, and the weighted sum over heads."""
        each = 2 * self.heads * (self.head_width + (1 if self.weighted else 0))
        return 0 if self.shared else each / self.pool

    @property
    def kept(self) -> int:
        """Numbers that a token leaves behind, rounded up where keys are pooled."""
        return 0 if self.shared else -(-self.head_width // self.pool)

    def seen(self, sequence: float) -> float:
        """Tokens attended per token, averaged over a causal sequence: all while there are at most `top`."""
        reach = min(self.top, sequence)
        return reach * (1 - reach / (2 * sequence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Softmax attention: multi-head, grouped-query (`kv_heads` < `heads`) or multi-query (`kv_heads` = 1).

    `bias` names the projections that have one, a subset of "qkvo". `window`: a token sees at most this many tokens,
    itself included; `chunk`: it sees those of its own chunk. `causal` false: every token sees every token, and nothing
    is cached. `qk_norm`: "head" normalises each head (2 x head_width weights), "full" the whole projection. `sinks`:
    one learned logit a head. `value_width` where values are not as wide as keys. `gate`: a learned gate on the output,
    one number a head or an element. `values` "keys": keys serve as values too, there is no matrix for them;
    "projection": the same, but values are kept apart, because only keys are rotated (Gemma 4). `kv` "earlier": it reads
    the keys and values of an earlier layer; it has none of its own and keeps no state. `sums`: values that each score
    weighs (two in differential attention). `inputs`: width of what queries, keys and values are made of, where not
    the layer's (Zamba joins the embedding to it). `read_width`: that of the encoder that cross-attention reads, where
    not the layer's. `merged`: cross-attention by the matrices and in the softmax of the layer's own attention: no
    weights, and only keys and values run over the encoder's output (T5Gemma 2). `extras`: further weights.
    """

    heads: int
    kv_heads: int
    head_width: int
    value_width: int | None = None
    bias: str = ""
    causal: bool = True
    positions: Positions = "rope"
    relative_buckets: int = 0
    window: int | None = None
    chunk: int | None = None
    qk_norm: Literal["none", "head", "full"] = "none"
    norm_bias: bool = False
    sinks: bool = False
    gate: Literal["none", "head", "element"] = "none"
    values: Literal["own", "keys", "projection"] = "own"
    kv: Literal["own", "earlier"] = "own"
    sums: int = 1
    inputs: int | None = None
    read_width: int | None = None
    merged: bool = False
    index: Index | None = None
    extras: tuple[Linear, ...] = ()

    def __post_init__(self) -> None:
        check_counts(self, "heads", "kv_heads", "head_width", "sums")
        check_counts(self, "relative_buckets", least=0)
        check_counts(
            self, *(name for name in ("value_width", "inputs", "read_width") if getattr(self, name) is not None)
        )
        Reach(window=self.window, chunk=self.chunk)
        if self.heads % self.kv_heads:
            raise BadInput(
                f"{self.heads} heads do not divide into {self.kv_heads} key-value heads; give a multiple of kv_heads"
            )
        if any(self.bias.count(letter) != 1 for letter in self.bias) or not set(self.bias) <= set("qkvo"):
            raise BadInput(
                f"bias = '{self.bias}' names no set of projections; give some of the letters of 'qkvo', each once"
            )

    @property
    def _value_width(self) -> int:
        return self.value_width or self.head_width

    @property
    def reach(self) -> Reach:
        """How far back a token sees."""
        return Reach(window=self.window, chunk=self.chunk)

    def weights(self, width: int) -> tuple[Weight, ...]:
        """q, k, v, o and what stands beside them, for self-attention."""
        return self._weights(width, "attention", "token")

    def cross_weights(self, width: int) -> tuple[Weight, ...]:
        """The same for cross-attention: keys and values run over the encoder's output, once an input token."""
        if self.merged:
            kv = self.kv_heads * self.head_width, self.kv_heads * self._value_width
            return tuple(
                Weight("cross-attention", letter, width, size, "input", copies=0, trained=False)
                for letter, size in zip("kv", kv, strict=True)
            )
        return self._weights(width, "cross-attention", "input")

    def _weights(self, width: int, part: str, kv_runs: Runs) -> tuple[Weight, ...]:
        inner, kv = self.heads * self.head_width, self.kv_heads * self.head_width
        out, values = self.heads * self._value_width, self.kv_heads * self._value_width
        there = "q" + ("" if self.kv == "earlier" else "kv" if self.values == "own" else "k") + "o"
        into = self.inputs or width
        read = self.read_width or into
        shapes = {"q": (into, inner), "k": (read, kv), "v": (read, values), "o": (out, width)}
        found = [Weight(part, letter, *shapes[letter], kv_runs if letter in "kv" else "token") for letter in there]
        found += [Weight(part, f"{letter} bias", shapes[letter][1]) for letter in self.bias if letter in there]
        found += self._norms(part, inner, kv)
        if self.gate != "none":
            found.append(Weight(part, "gate", width, self.heads if self.gate == "head" else out, "token"))
        if self.sinks:
            found.append(Weight(part, "sinks", self.heads))
        if self.relative_buckets:
            found.append(Weight(part, "relative bias", self.relative_buckets, self.heads))
        if self.positions == "transformer-xl":
            # Runs over the offsets once a batch, not over its tokens: no FLOP per token.
            found += [Weight(part, "relative", width, inner), Weight(part, "relative bias", inner, 2)]
        if self.index is not None:
            found += self.index.weights(width)
        return (*found, *(weight for extra in self.extras for weight in extra.weights(part)))

    def _norms(self, part: str, inner: int, kv: int) -> list[Weight]:
        if self.qk_norm == "none":
            return []
        sizes = {"q": self.head_width if self.qk_norm == "head" else inner}
        if self.kv == "own":
            sizes["k"] = self.head_width if self.qk_norm == "head" else kv
        return [
            Weight(part, f"{letter} norm{of}", size)
            for letter, size in sizes.items()
            for of in (("", " bias") if self.norm_bias else ("",))
        ]

    @property
    def pair_flops(self) -> int:
        """FLOP of one query meeting one key: a dot product and a weighted sum in every head."""
        return 2 * self.heads * (self.head_width + self.sums * self._value_width)

    def mixing_flops(self, sequence: float, *, full: bool) -> float:
        """Scores and weighted sums per token. Causal attention sees half of the square, a window its band."""
        return mixing(self.pair_flops, self.reach, self.index, sequence, causal=self.causal, full=full)

    def cross_flops(self, inputs: float) -> float:
        """Scores and weighted sums per token where the keys are `inputs` tokens of an encoder."""
        return self.pair_flops * inputs

    def decode_flops(self, context: float) -> float:
        """Scores and weighted sums of one new token over `context` tokens."""
        return decoding(self.pair_flops, self.reach, self.index, context)

    @property
    def kv_elements(self) -> int:
        """Elements of one key and one value; 0 where another layer's are read, and without a mask."""
        if self.kv == "earlier" or not self.causal:
            return 0
        kv = self.kv_heads * self.head_width
        both = kv if self.values == "keys" else kv + self.kv_heads * self._value_width
        return both + (self.index.kept if self.index else 0)

    @property
    def cross_elements(self) -> int:
        """Elements that an encoder's token leaves in the cache of cross-attention."""
        return self.kv_heads * (self.head_width + self._value_width)

    def state(self, context: float) -> tuple[State, ...]:
        """The KV cache; a window or a chunk keeps no more than itself, attention without a mask keeps nothing."""
        if not self.kv_elements:
            return ()
        keys = self.index.kept if self.index else 0
        kept = State("kv", (self.kv_elements - keys) * self.reach.most(context))
        return (kept, State("index", keys * context)) if keys else (kept,)

    def saved(self, width: int) -> tuple[Saved, ...]:
        """Input of the projections, queries, keys, values, output, and the softmax's statistics (fused attention)."""
        out, kv = self.heads * self._value_width, self.kv_heads * (self.head_width + self._value_width)
        found = [
            Saved("attention", "input", self.inputs or width),
            Saved("attention", "q", self.heads * self.head_width, split="inner"),
            Saved("attention", "kv", kv, split="inner"),
            Saved("attention", "output", out, split="inner"),
            Saved("attention", "statistics", self.heads, "fp32", "inner"),
        ]
        if self.qk_norm != "none":
            found.append(
                Saved("attention", "norm input", (self.heads + self.kv_heads) * self.head_width, split="inner")
            )
        if self.gate == "element":
            found += [Saved("attention", name, out, split="inner") for name in ("gate", "gated")]
        return tuple(found)


def mixing(pair: float, reach: Reach, index: Index | None, sequence: float, *, causal: bool, full: bool) -> float:
    """FLOP per token of scores and sums at `pair` FLOP a pair, under a reach and a sparse index."""
    if full:
        return (pair + (index.pair_flops if index else 0)) * sequence
    seen = reach.seen(sequence, causal=causal)
    if index is None:
        return pair * seen
    return pair * min(seen, index.seen(sequence)) + index.pair_flops * seen


def decoding(pair: float, reach: Reach, index: Index | None, context: float) -> float:
    """The same for one new token that may look back over `context` tokens."""
    seen = reach.most(context)
    return pair * seen if index is None else pair * min(seen, index.top) + index.pair_flops * seen
