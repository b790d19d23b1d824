"""Matmul FLOP of a model, forward, in training and in decoding, under conventions that are always named.

"model" counts causal attention as half of the square (Megatron, PaLM's MFU with a causal mask) and windows, chunks and
sparse indexes as what they let through; "full-attention" counts every query against every key whatever the mask
(nanoGPT, older tables); "6nd" is 2 FLOP per active parameter forward and ignores attention.

Neglected in every convention: norms, biases, activations, softmax, residual additions, rotary positions. They come to
about 0.5 % of what is counted for GPT-2 small at 1,024 tokens, 0.1 % for a 7B model at 4,096 (about 100 x width a layer
and token, against 24 x width^2), and are bound by memory rather than by arithmetic.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadInput
from isoflop.model.count import counts, head_weight
from isoflop.model.parts import Recurrent
from isoflop.model.spec import merged
from isoflop.relation.answer import Ledger, Term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.model.spec import ModelSpec, Stack

Convention = Literal["model", "full-attention", "6nd"]
CONVENTIONS: tuple[Convention, ...] = ("model", "full-attention", "6nd")


def forward_flops(
    model: ModelSpec, sequence: float, *, inputs: float | None = None, convention: Convention = "model"
) -> Ledger:
    """Matmul FLOP of a forward pass, per token, averaged over a sequence of `sequence` tokens.

    An encoder-decoder reads `inputs` tokens (as many as `sequence` where not given) and writes `sequence`; the average
    is then over both, and no token meets both stacks: that is why GPT-3's table D.1 counts 3 N D for T5 where it counts
    6 N D elsewhere. The head runs on every token of the main stack. Where cross-attention reads what no encoder of the
    model makes (an image), `inputs` are those tokens, none where not given, and the average is over the text alone.
    """
    check_tokens(sequence, "sequence")
    if convention not in CONVENTIONS:
        raise BadInput(f"no FLOP convention '{convention}'; give one of: {', '.join(CONVENTIONS)}")
    read = float(sequence) if inputs is None and model.encoder is not None else float(inputs or 0)
    if model.encoder is not None or read:
        check_tokens(read, "inputs")
    read = 0.0 if model.encoder is None and not model.reads else read
    title = f"Forward FLOP per token of {model.name} at {sequence:,.0f} tokens, convention '{convention}'"
    if convention == "6nd":
        term = Term(name="2 x active parameters", value=2.0 * counts(model).active_params)
        return Ledger(quantity="forward_flops_per_token", title=title, terms=(term,))
    found: dict[str, float] = defaultdict(float)
    for part, flops in _pass(model, float(sequence), read, full=convention == "full-attention"):
        found[part] += flops
    tokens = sequence + (read if model.encoder is not None else 0)
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
        yield "head", sequence * head_weight(model).flops


def _through(stack: Stack, sequence: float, inputs: float, *, full: bool) -> Iterator[tuple[str, float]]:
    """(part, FLOP) of one sequence through one stack that may read `inputs` tokens of an encoder."""
    often = {"token": sequence, "input": inputs, "sequence": 1.0, "never": 0.0}
    for times, layer in merged(stack.groups):
        for weight in layer.weights(stack.width):
            yield weight.part, times * often[weight.runs] * weight.flops
        for mixer in layer.mixers:
            mixed = "recurrence" if isinstance(mixer, Recurrent) else "attention scores"
            yield mixed, times * sequence * mixer.mixing_flops(sequence, full=full)
        yield "products", times * sequence * layer.products
        if layer.cross is not None:
            yield "cross-attention scores", times * sequence * layer.cross.cross_flops(inputs)


def decode_flops(model: ModelSpec, context: float, *, inputs: float = 0.0) -> float:
    """Matmul FLOP of one new token that sees `context` tokens and, in an encoder-decoder, `inputs` cached ones."""
    check_tokens(context, "context")
    found = 0.0
    for times, layer in merged(model.stack.groups):
        found += times * sum(weight.flops for weight in layer.weights(model.width) if weight.runs == "token")
        found += times * (layer.products + sum(mixer.decode_flops(context) for mixer in layer.mixers))
        if layer.cross is not None:
            found += times * layer.cross.cross_flops(inputs)
    per_token = (weight.flops for extra in model.extras for weight in extra.weights() if weight.runs == "token")
    return found + sum(per_token) + (head_weight(model).flops if model.head is not None else 0)


def check_tokens(tokens: float, name: str) -> None:
    """Refuse what is no number of tokens."""
    if not 0 < tokens < 1e12:
        raise BadInput(f"{name} = {tokens}: give a number of tokens above 0 and below 1e12")
