"""What a shape alone says, under the names of the glossary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.count import counts
from isoflop.model.flops import forward_flops, train_flops_per_token
from isoflop.model.state import kv_bytes_per_token, kv_elements_per_token

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec


def known_quantities(model: ModelSpec, sequence: float | None = None) -> dict[str, float]:
    """What the shape alone says, under the names of the glossary and in base units.

    Fields that differ between layers (heads of a mixed model) are left out. With a `sequence` length the FLOP per token
    under the convention "model" are there too.

    >>> from isoflop.model import model
    >>> known_quantities(model("llama-3.1-8b"))["kv_bytes_per_token"]
    131072.0
    """
    counted = counts(model)
    found: dict[str, float] = {
        "params": counted.params,
        "active_params": counted.active_params,
        "non_embedding_params": counted.non_embedding_params,
        "embedding_params": counted.embedding_params,
        "layers": model.layers,
        "width": model.width,
        "vocabulary": model.vocabulary,
    }
    stacks = [stack for stack in (model.encoder, model.stack) if stack is not None]
    attention = {(m.heads, m.kv_heads, m.head_width) for stack in stacks for _, m in stack.attentions()}
    if len(attention) == 1:
        found |= zip(("heads", "kv_heads", "head_width"), attention.pop(), strict=True)
    if kv_elements_per_token(model):
        found["kv_bytes_per_token"] = kv_bytes_per_token(model)
    if sequence is not None:
        forward, training = forward_flops(model, sequence), train_flops_per_token(model, sequence)
        scores = sum(term.value for term in training.terms if "scores" in term.name)
        found |= {"forward_flops_per_token": forward.total, "flops_per_token": training.total}
        found |= {"attention_flops_per_token": scores, "sequence_length": sequence}
    return {name: float(value) for name, value in found.items()}
