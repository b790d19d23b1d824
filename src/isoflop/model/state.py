"""What a model keeps of a sequence while it writes: keys and values, latents, memories of recurrences.

This is the ideal: a window keeps no more than itself, an expert or a rank holds nothing twice. What a named runtime
allocates may be more.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from isoflop.model.flops import check_tokens
from isoflop.relation.answer import Ledger, Term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.parts import StateKind
    from isoflop.model.spec import ModelSpec

BYTES: Mapping[StateKind, float] = {"kv": 2, "index": 2, "conv": 2, "recurrent": 4}
"""Bytes an element where nothing else is said: 16 bits, and FP32 for memories that are added to at every token."""

_TITLES: Mapping[StateKind, str] = {
    "kv": "keys and values",
    "index": "keys of the sparse index",
    "conv": "last inputs of convolutions",
    "recurrent": "memories of recurrences",
}


def state_elements(model: ModelSpec, context: float, *, inputs: float = 0.0) -> dict[StateKind, float]:
    """Elements kept for one sequence after `context` tokens, by kind; `inputs` tokens of an encoder add theirs."""
    check_tokens(context, "context")
    found: dict[StateKind, float] = defaultdict(float)
    for times, mixer in model.stack.mixers():
        for kind, elements in mixer.state(context):
            found[kind] += times * elements
    crossed = sum(times * layer.cross.cross_elements for times, layer in model.stack.groups if layer.cross is not None)
    if inputs * crossed:
        found["kv"] += inputs * crossed
    return dict(found)


def state_bytes(
    model: ModelSpec, context: float, *, inputs: float = 0.0, bytes_per_element: Mapping[StateKind, float] = BYTES
) -> Ledger:
    """Bytes kept for one sequence after `context` tokens, by kind."""
    kept = state_elements(model, context, inputs=inputs)
    terms = tuple(Term(name=_TITLES[kind], value=count * bytes_per_element[kind]) for kind, count in kept.items())
    return Ledger(quantity="state_bytes", title=f"State of {model.name} after {context:,.0f} tokens", terms=terms)


def kv_elements_per_token(model: ModelSpec) -> int:
    """Elements that each further token adds to the cache while no window is full; 0 for a model that keeps no cache."""
    return sum(times * mixer.kv_elements for times, mixer in model.stack.mixers())


def kv_bytes_per_token(model: ModelSpec, kv_bytes_per_element: float = 2) -> float:
    """Bytes that each further token adds to the cache, in all layers; 2 bytes an element is 16-bit."""
    return kv_elements_per_token(model) * kv_bytes_per_element
