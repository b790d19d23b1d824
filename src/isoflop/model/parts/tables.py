"""What stands before the first layer and after the last: the embedding and the head."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.model.parts.weight import Norm, Weight, check_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Tables that turn tokens into vectors: words, learned `positions`, `token_types`, and a norm over their sum.

    `width` is given only where it differs from the stack's (a `Linear` then joins the two). `per_layer` rows of
    `per_layer_width` (all layers together) are looked up beside the word's own (Gemma's per-layer inputs).
    """

    vocabulary: int
    positions: int = 0
    token_types: int = 0
    norm: Norm | None = None
    width: int | None = None
    per_layer: int = 0
    per_layer_width: int = 0

    def __post_init__(self) -> None:
        check_counts(self, "vocabulary")
        check_counts(self, "positions", "token_types", "per_layer", "per_layer_width", least=0)
        if self.width is not None:
            check_counts(self, "width")

    def weights(self, width: int) -> tuple[Weight, ...]:
        """The tables; looking up costs no FLOP."""
        wide = self.width or width
        tables = (
            ("token embedding", self.vocabulary, wide),
            ("position embedding", self.positions, wide),
            ("token-type embedding", self.token_types, wide),
            ("per-layer embedding", self.per_layer, self.per_layer_width),
        )
        found = [Weight(part, part, rows, columns) for part, rows, columns in tables if rows]
        return (*found, *(self.norm.weights(wide, "embedding norm") if self.norm else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The output layer: vectors to scores over the vocabulary. `tied`: it shares the matrix of the embedding.

    `vocabulary` and `width` are given where they are not the embedding's.
    """

    tied: bool
    bias: bool = False
    vocabulary: int | None = None
    width: int | None = None
