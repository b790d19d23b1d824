"""Counting parameters. One implementation for every model; it only adds up what the parts list.

`params` is the total, tied matrices once; `active_params` is the total less the experts a token is not routed to;
`non_embedding_params` is the total less input embedding, positions, token types, per-layer inputs and untied head.
Beside the total, and never in it: `stored_params` adds what the checkpoint holds without training it (router
corrections), and `apart` lists layers that predict further tokens.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.model.parts import Weight
from isoflop.model.spec import merged
from isoflop.relation.answer import Ledger, Term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.model.spec import Apart, Group, ModelSpec

TABLES = frozenset({"token embedding", "position embedding", "token-type embedding", "per-layer embedding", "head"})
"""Parts that `non_embedding_params` leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Exact parameter counts: totals that are never mixed up, and the parts that add up to the first.

    `apart` is (name, parameters) of what comes with the model and is in none of the totals.
    """

    params: int
    active_params: int
    non_embedding_params: int
    stored_params: int
    parts: tuple[tuple[str, int], ...]
    apart: tuple[tuple[str, int], ...] = ()

    @property
    def embedding_params(self) -> int:
        """What `non_embedding_params` leaves out."""
        return self.params - self.non_embedding_params


def weights(model: ModelSpec) -> list[tuple[int, Weight]]:
    """Every tensor of the model with how many layers hold one like it; tied and shared matrices appear once."""
    found = [(1, weight) for weight in model.embedding.weights(model.width)]
    for stack in (model.encoder, model.stack):
        if stack is not None:
            found += _held(stack.groups, stack.width)
            if stack.norm is not None:
                found += [(1, weight) for weight in stack.norm.weights(stack.width)]
    for extra in model.extras:
        found += [(1, weight) for weight in extra.weights()]
    if model.head is not None:
        matrix = head_weight(model)
        if not model.head.tied:
            found.append((1, matrix))
        if model.head.bias:
            found.append((1, Weight("head", "head bias", matrix.rows)))
    return found


def weights_apart(model: ModelSpec, apart: Apart) -> list[tuple[int, Weight]]:
    """The same for what stands beside the model."""
    extras = [(1, weight) for extra in apart.extras for weight in extra.weights(apart.name)]
    return [*_held(apart.groups, model.width), *extras]


def _held(groups: Iterable[Group], width: int) -> list[tuple[int, Weight]]:
    return [(times, weight) for times, layer in merged(groups) if layer.held for weight in layer.weights(width)]


def head_weight(model: ModelSpec) -> Weight:
    """The matrix of the output layer, shared with the embedding or not."""
    assert model.head is not None
    columns = model.head.width or model.embedding.width or model.width
    return Weight("head", "head", model.head.vocabulary or model.vocabulary, columns, "token")


def counts(model: ModelSpec) -> Counts:
    """Parameters of `model`: total, active, non-embedding, stored, and by part in the order they stand in it."""
    parts: dict[str, int] = defaultdict(int)
    active = stored = 0
    for times, (part, _, rows, columns, _, copies, met, trained, _) in weights(model):
        size = times * rows * columns
        stored += size * copies
        if trained:
            parts[part] += size * copies
            active += size * met
    total = sum(parts.values())
    embedding = sum(size for part, size in parts.items() if part in TABLES)
    return Counts(
        params=total,
        active_params=active,
        non_embedding_params=total - embedding,
        stored_params=stored,
        parts=tuple(parts.items()),
        apart=tuple((apart.name, _size(weights_apart(model, apart))) for apart in model.apart),
    )


def _size(listed: Iterable[tuple[int, Weight]]) -> int:
    return sum(times * weight.params for times, weight in listed if weight.trained)


def params(model: ModelSpec) -> Ledger:
    """Parameters by part, with their share of the total."""
    counted = counts(model)
    terms = tuple(
        Term(name=part, value=float(size), note=f"{100 * size / counted.params:.2g} %") for part, size in counted.parts
    )
    return Ledger(quantity="params", title=f"Parameters of {model.name}", terms=terms)
