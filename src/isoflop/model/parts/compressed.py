"""Attention over a short window and, beyond it, over entries that each stand for many tokens (DeepSeek-V4)."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.errors import BadInput
from isoflop.model.parts.attention import Index, Reach
from isoflop.model.parts.weight import Linear, Saved, State, Weight, check_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedAttention:
    """All heads share one key of `head_width` that serves as value too; a token sees `window` tokens and the entries.

    Queries pass a latent of `q_rank`; the output passes `out_groups` narrow matrices side by side, each from its share
    of the heads to `out_rank`. One entry is made of every `rate` tokens by a learned weighting of every channel; None:
    there are no entries. `overlap`: it is made of its own and the `rate` tokens before, which takes matrices twice as
    wide. `index`: a token reads only the best `top` entries; its keys are entries of their own, one in `index.pool` =
    `rate` tokens.
    """

    heads: int
    head_width: int
    q_rank: int
    out_groups: int
    out_rank: int
    window: int
    rate: int | None = None
    overlap: bool = False
    index: Index | None = None
    extras: tuple[Linear, ...] = ()
    causal: bool = True

    def __post_init__(self) -> None:
        check_counts(self, "heads", "head_width", "q_rank", "out_groups", "out_rank", "window")
        if self.rate is not None:
            check_counts(self, "rate")
        if self.heads * self.head_width % self.out_groups:
            raise BadInput(
                f"{self.heads} heads do not divide into {self.out_groups} output groups; give a divisor of the heads"
            )
        if self.index is not None and self.index.pool != self.rate:
            raise BadInput(f"the index pools {self.index.pool} tokens, entries stand for {self.rate}; give the same")

    @property
    def reach(self) -> Reach:
        """How far back a token sees tokens themselves."""
        return Reach(window=self.window)

    def weights(self, width: int) -> tuple[Weight, ...]:
        """Queries through their latent, the one key, the grouped output, and what makes the entries."""
        part, inner = "attention", self.heads * self.head_width
        found = [
            Weight(part, "q down", width, self.q_rank, "token"),
            Weight(part, "q up", self.q_rank, inner, "token"),
            Weight(part, "kv", width, self.head_width, "token"),
            Weight(part, "o down", inner // self.out_groups, self.out_groups * self.out_rank, "token"),
            Weight(part, "o up", self.out_groups * self.out_rank, width, "token"),
            Weight(part, "q norm", self.q_rank),
            Weight(part, "kv norm", self.head_width),
        ]
        if self.rate is not None:
            found += compressor(width, self.head_width, self.rate, overlap=self.overlap)
        if self.index is not None:
            found += self.index.weights(width)
        return (*found, *(weight for extra in self.extras for weight in extra.weights(part)))

    @property
    def pair_flops(self) -> int:
        """FLOP of one query meeting one key: a dot product and a weighted sum in every head."""
        return 4 * self.heads * self.head_width

    def mixing_flops(self, sequence: float, *, full: bool) -> float:
        """Scores and weighted sums per token over the window and the entries, and the index's scores."""
        entries = sequence / self.rate if self.rate else 0
        if full:
            chosen = self.index.pair_flops * sequence if self.index else 0
            return self.pair_flops * (sequence + entries) + chosen
        seen = self.reach.seen(sequence, causal=self.causal)
        if self.index is None:
            return self.pair_flops * (seen + entries / 2)
        read = self.index.seen(entries) if entries else 0
        return self.pair_flops * (seen + read) + self.index.pair_flops * sequence / 2

    def decode_flops(self, context: float) -> float:
        """The same for one new token that may look back over `context` tokens."""
        entries = context / self.rate if self.rate else 0
        if self.index is None:
            return self.pair_flops * (self.reach.most(context) + entries)
        read = min(entries, self.index.top)
        return self.pair_flops * (self.reach.most(context) + read) + self.index.pair_flops * context

    @property
    def kv_elements(self) -> int:
        """Key of a token, and its share of an entry and of the index's key, rounded up."""
        share = -(-self.head_width // self.rate) if self.rate else 0
        return self.head_width + share + (self.index.kept if self.index else 0)

    def state(self, context: float) -> tuple[State, ...]:
        """Keys of the window, the entries, the index's keys, and of the tokens that make the next entries both halves.

        The last: channels and weightings of an open entry, and with `overlap` those of the entry before.
        """
        entries = context // self.rate if self.rate else 0
        open_tokens = min(context, self.rate or 0)
        widths = self.head_width + (self.index.head_width if self.index else 0)
        found = (
            State("kv", self.head_width * (self.reach.most(context) + entries)),
            State("index", self.index.head_width * entries if self.index else 0),
            State("conv", open_tokens * 2 * widths * (3 if self.overlap else 1)),
        )
        return tuple(state for state in found if state.elements)

    def saved(self, width: int) -> tuple[Saved, ...]:
        """Input, query latent, queries, keys, entries before they are made, output in both widths, statistics."""
        inner = self.heads * self.head_width
        halves = 2 * self.head_width * (2 if self.overlap else 1) if self.rate else 0
        return (
            Saved("attention", "input", width),
            Saved("attention", "latents", 2 * self.q_rank),
            Saved("attention", "q", 2 * inner, split="inner"),
            Saved("attention", "kv", 2 * self.head_width + halves),
            Saved("attention", "output", inner, split="inner"),
            Saved("attention", "narrow output", self.out_groups * self.out_rank, split="inner"),
            Saved("attention", "statistics", self.heads, "fp32", "inner"),
        )


def compressor(width: int, head_width: int, rate: int, *, overlap: bool, part: str = "attention") -> tuple[Weight, ...]:
    """What makes one entry of `rate` tokens: channels, their weighting, a bias for every place, a norm."""
    wide = head_width * (2 if overlap else 1)
    return (
        Weight(part, "entry", width, wide, "token"),
        Weight(part, "entry weighting", width, wide, "token"),
        Weight(part, "entry places", rate, wide),
        Weight(part, "entry norm", head_width),
    )
