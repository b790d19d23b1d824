"""Counting a model: parameters, matmul FLOP, KV cache. One implementation for every model; it only adds up parts.

Conventions, always by name:

- parameters: `params` is the total, tied matrices once; `active_params` is the total less the experts a token is not
  routed to; `non_embedding_params` is the total less input embedding, positions, token types and untied head.
- FLOP: "model" counts causal attention as half of the square (Megatron, PaLM's MFU with a causal mask),
  "full-attention" counts every query against every key whatever the mask (nanoGPT, older tables), "6nd" is 2 FLOP
  per active parameter forward and ignores attention.

Neglected in every convention: norms, biases, activations, softmax, residual additions, rotary positions. They come to
about 0.5 % of what is counted for GPT-2 small at 1,024 tokens, 0.1 % for a 7B model at 4,096 (about 100 x width a layer
and token, against 24 x width^2), and are bound by memory rather than by arithmetic.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadInput
from isoflop.model.components import Weight
from isoflop.relation.answer import Ledger, Term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.model.spec import ModelSpec, Stack

Convention = Literal["model", "full-attention", "6nd"]
CONVENTIONS: tuple[Convention, ...] = ("model", "full-attention", "6nd")

TABLES = frozenset({"token embedding", "position embedding", "token-type embedding", "head"})
"""Parts that `non_embedding_params` leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Exact parameter counts: three totals that are never mixed up, and the parts that add up to the first."""

    params: int
    active_params: int
    non_embedding_params: int
    parts: tuple[tuple[str, int], ...]

    @property
    def embedding_params(self) -> int:
        """What `non_embedding_params` leaves out."""
        return self.params - self.non_embedding_params


def weights(model: ModelSpec) -> list[tuple[int, Weight]]:
    """Every parameter tensor of the model with how many layers hold one like it; tied matrices appear once."""
    found = [(1, weight) for weight in model.embedding.weights(model.width)]
    for stack in (model.encoder, model.stack):
        if stack is not None:
            for times, layer in stack.groups:
                found += [(times, weight) for weight in layer.weights(stack.width)]
            if stack.norm is not None:
                found += [(1, weight) for weight in stack.norm.weights(stack.width)]
    for extra in model.extras:
        found += [(1, weight) for weight in extra.weights()]
    if model.head is not None:
        if not model.head.tied:
            found.append((1, _head(model)))
        if model.head.bias:
            found.append((1, Weight("head", "head bias", model.vocabulary)))
    return found


def _head(model: ModelSpec) -> Weight:
    return Weight("head", "head", model.vocabulary, model.embedding.width or model.width, "token")


def counts(model: ModelSpec) -> Counts:
    """Parameters of `model`: total, active, non-embedding, and by part in the order they stand in it."""
    parts: dict[str, int] = defaultdict(int)
    active = 0
    for times, (part, _, rows, columns, _, copies, met) in weights(model):
        size = times * rows * columns
        parts[part] += size * copies
        active += size * met
    total = sum(parts.values())
    embedding = sum(size for part, size in parts.items() if part in TABLES)
    return Counts(
        params=total, active_params=active, non_embedding_params=total - embedding, parts=tuple(parts.items())
    )


def params(model: ModelSpec) -> Ledger:
    """Parameters by part, with their share of the total."""
    counted = counts(model)
    terms = tuple(
        Term(name=part, value=float(size), note=f"{100 * size / counted.params:.2g} %") for part, size in counted.parts
    )
    return Ledger(quantity="params", title=f"Parameters of {model.name}", terms=terms)


def forward_flops(
    model: ModelSpec, sequence: float, *, inputs: float | None = None, convention: Convention = "model"
) -> Ledger:
    """Matmul FLOP of a forward pass, per token, averaged over a sequence of `sequence` tokens.

    An encoder-decoder reads `inputs` tokens (as many as `sequence` where not given) and writes `sequence`; the average
    is then over both, and no token meets both stacks: that is why GPT-3's table D.1 counts 3 N D for T5 where it counts
    6 N D elsewhere. The head runs on every token of the main stack.
    """
    _check(sequence, "sequence")
    if convention not in CONVENTIONS:
        raise BadInput(f"no FLOP convention '{convention}'; give one of: {', '.join(CONVENTIONS)}")
    read = 0.0 if model.encoder is None else float(sequence if inputs is None else inputs)
    if model.encoder is not None:
        _check(read, "inputs")
    title = f"Forward FLOP per token of {model.name} at {sequence:,.0f} tokens, convention '{convention}'"
    if convention == "6nd":
        term = Term(name="2 x active parameters", value=2.0 * counts(model).active_params)
        return Ledger(quantity="forward_flops_per_token", title=title, terms=(term,))
    found: dict[str, float] = defaultdict(float)
    for part, flops in _pass(model, float(sequence), read, full=convention == "full-attention"):
        found[part] += flops
    tokens = sequence + read
    terms = tuple(Term(name=part, value=flops / tokens) for part, flops in found.items() if flops)
    return Ledger(quantity="forward_flops_per_token", title=title, terms=terms)


def train_flops_per_token(
    model: ModelSpec, sequence: float, *, inputs: float | None = None, convention: Convention = "model"
) -> Ledger:
    """Matmul FLOP of one training step, per token: three times the forward pass.

    The backward pass multiplies twice where the forward pass multiplies once: for the gradient of the inputs and of the
    weights. Recomputed activations are the recipe's doing, not the model's, and are left out. The embedding's gradient
    is a scatter without matmul; the first layer's input gradient is not needed (under 1 / layers / 3 of the whole).
    """
    forward = forward_flops(model, sequence, inputs=inputs, convention=convention)
    terms = tuple(Term(name=term.name, value=3 * term.value, note=term.note) for term in forward.terms)
    return Ledger(quantity="flops_per_token", title=forward.title.replace("Forward", "Training"), terms=terms)


def _pass(model: ModelSpec, sequence: float, inputs: float, *, full: bool) -> Iterator[tuple[str, float]]:
    """(part, FLOP) of one sequence through the whole model."""
    if model.encoder is not None:
        yield from _through(model.encoder, inputs, 0.0, full=full)
    yield from _through(model.stack, sequence, inputs, full=full)
    often = {"token": sequence, "input": inputs, "sequence": 1.0, "never": 0.0}
    for extra in model.extras:
        for weight in extra.weights():
            yield weight.part, often[weight.runs] * weight.flops
    if model.head is not None:
        yield "head", sequence * _head(model).flops


def _through(stack: Stack, sequence: float, inputs: float, *, full: bool) -> Iterator[tuple[str, float]]:
    """(part, FLOP) of one sequence through one stack that may read `inputs` tokens of an encoder."""
    often = {"token": sequence, "input": inputs, "sequence": 1.0, "never": 0.0}
    for times, layer in stack.groups:
        for weight in layer.weights(stack.width):
            yield weight.part, times * often[weight.runs] * weight.flops
        if layer.mixer is not None:
            yield "attention scores", times * sequence * layer.mixer.mixing_flops(sequence, full=full)
        if layer.cross is not None:
            yield "cross-attention scores", times * sequence * layer.cross.cross_flops(inputs)


def decode_flops(model: ModelSpec, context: float, *, inputs: float = 0.0) -> float:
    """Matmul FLOP of one new token that sees `context` tokens and, in an encoder-decoder, `inputs` cached ones."""
    _check(context, "context")
    found = 0.0
    for times, layer in model.stack.groups:
        found += times * sum(weight.flops for weight in layer.weights(model.width) if weight.runs == "token")
        if layer.mixer is not None:
            found += times * layer.mixer.decode_flops(context)
        if layer.cross is not None:
            found += times * layer.cross.cross_flops(inputs)
    per_token = (weight.flops for extra in model.extras for weight in extra.weights() if weight.runs == "token")
    return found + sum(per_token) + (_head(model).flops if model.head is not None else 0)


def state_elements(model: ModelSpec, context: float, *, inputs: float = 0.0) -> float:
    """Elements cached for one sequence after `context` tokens; `inputs` tokens of an encoder add keys and values too.

    Windows keep no more than themselves: this is the ideal, what a serving runtime allocates may be more.
    """
    own = sum(times * mixer.state_elements(context) for times, mixer in model.stack.mixers())
    crossed = sum(times * layer.cross.kv_elements for times, layer in model.stack.groups if layer.cross is not None)
    return own + inputs * crossed


def kv_elements_per_token(model: ModelSpec) -> int:
    """Elements that each further token adds to the cache while no window is full; 0 for a model that keeps no cache."""
    return sum(times * mixer.kv_elements for times, mixer in model.stack.mixers() if mixer.causal)


def kv_bytes_per_token(model: ModelSpec, kv_bytes_per_element: float = 2) -> float:
    """Bytes that each further token adds to the cache, in all layers; 2 bytes an element is 16-bit."""
    return kv_elements_per_token(model) * kv_bytes_per_element


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
    attention = {(m.heads, m.kv_heads, m.head_width) for stack in stacks for _, m in stack.mixers()}
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


def _check(tokens: float, name: str) -> None:
    if not 0 < tokens < 1e12:
        raise BadInput(f"{name} = {tokens}: give a number of tokens above 0 and below 1e12")
