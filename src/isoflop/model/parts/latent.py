"""Multi-head latent attention (MLA): keys and values of all heads are rebuilt from one short vector a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoflop.model.parts.attention import Index, Reach, decoding, mixing
from isoflop.model.parts.weight import Linear, Saved, State, Weight, check_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """MLA. A token leaves `kv_rank` + `rope_width` numbers in the cache, whatever the number of heads.

    Queries and keys have `nope_width` without and `rope_width` with rotary positions, values `value_width`. Queries
    pass a latent of `q_rank` of their own where it is given. `norms`: the latents are normalised (kv_rank, and q_rank
    where there is one). `bias` is on the projections into the latents and out. `kv` "earlier": it rebuilds keys and
    values from the latent of an earlier layer, and keeps none. Prefill counts the rebuilt keys and values; decoding
    works in the latent itself (the rebuilding matrices are applied to the query and to the result instead), as every
    serving runtime does.
    """

    heads: int
    q_rank: int | None
    kv_rank: int
    nope_width: int
    rope_width: int
    value_width: int
    norms: bool = True
    bias: bool = False
    window: int | None = None
    kv: Literal["own", "earlier"] = "own"
    index: Index | None = None
    extras: tuple[Linear, ...] = ()
    causal: bool = True

    def __post_init__(self) -> None:
        check_counts(self, "heads", "kv_rank", "nope_width", "value_width")
        check_counts(self, "rope_width", least=0)
        if self.q_rank is not None:
            check_counts(self, "q_rank")
        Reach(window=self.window)

    @property
    def reach(self) -> Reach:
        """How far back a token sees."""
        return Reach(window=self.window)

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Down to the latents and up again, the output, the norms of the latents."""
        query = self.heads * (self.nope_width + self.rope_width)
        into = self._latent
        found = []
        if self.q_rank is None:
            found.append(Weight("attention", "q", width, query, "token"))
        else:
            found.append(Weight("attention", "q down", width, self.q_rank, "token"))
            found.append(Weight("attention", "q up", self.q_rank, query, "token"))
        found += [Weight("attention", "kv down", width, into, "token")] if into else []
        found += [
            Weight("attention", "kv up", self.kv_rank, self.heads * (self.nope_width + self.value_width), "token"),
            Weight("attention", "o", self.heads * self.value_width, width, "token"),
        ]
        if self.norms:
            found += [Weight("attention", "q norm", self.q_rank)] if self.q_rank else []
            found += [Weight("attention", "kv norm", self.kv_rank)] if into else []
        if self.bias:
            found += [Weight("attention", "q down bias", self.q_rank)] if self.q_rank else []
            found += [Weight("attention", "kv down bias", into)] if into else []
            found.append(Weight("attention", "o bias", width))
        if self.index is not None:
            found += self.index.weights(width)
        return (*found, *(weight for extra in self.extras for weight in extra.weights("attention")))

    def mixing_flops(self, sequence: float, *, full: bool) -> float:
        """Scores and weighted sums per token with keys and values rebuilt."""
        pair = 2 * self.heads * (self.nope_width + self.rope_width + self.value_width)
        return mixing(pair, self.reach, self.index, sequence, causal=self.causal, full=full)

    def decode_flops(self, context: float) -> float:
        """Scores and sums of one new token in the latent: wider vectors, but nothing is rebuilt."""
        return decoding(2 * self.heads * (2 * self.kv_rank + self.rope_width), self.reach, self.index, context)

    @property
    def kv_elements(self) -> int:
        """The latent, the shared rotary key, and the key of the index."""
        return self._latent + (self.index.kept if self.index else 0)

    @property
    def _latent(self) -> int:
        return self.kv_rank + self.rope_width if self.kv == "own" else 0

    def state(self, context: float) -> tuple[State, ...]:
        """One latent a token."""
        keys = self.index.kept if self.index else 0
        found = (State("kv", self._latent * self.reach.most(context)), State("index", keys * context))
        return tuple(state for state in found if state.elements)

    def saved(self, width: int) -> tuple[Saved, ...]:
        """Input, both latents before and after their norms, rebuilt queries, keys and values, output, statistics."""
        query = self.heads * (self.nope_width + self.rope_width)
        latents = (self.q_rank or 0) + self.kv_rank
        return (
            Saved("attention", "input", width),
            Saved("attention", "latents", (2 if self.norms else 1) * latents + self.rope_width),
            Saved("attention", "q", query, split="inner"),
            Saved("attention", "kv", query + self.heads * self.value_width, split="inner"),
            Saved("attention", "output", self.heads * self.value_width, split="inner"),
            Saved("attention", "statistics", self.heads, "fp32", "inner"),
        )
