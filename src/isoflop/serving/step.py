"""How long one pass through a model takes on one instance: a step of decoding, or the reading of a prompt.

A pass is a sum of terms: matrices that every token passes, experts, the output layer, attention over the state,
communication, what each layer waits whatever its work, and what the host does once a pass. A matrix takes as long as
its bytes or its FLOP, whichever is more, rounded off where they are near (`blend`). Everything is numbers or arrays of
one shape: one implementation for one deployment, for a million of them, and for rows of many models at once.

Neglected: that tiles round small batches up (in the shares of the peak), power limits that move with the load, and
traffic between servers beyond what links carry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from isoflop.quantity.types import Real

ACTIVATION = 2.0
"""Bytes an element of what is sent between chips."""

HEAD_SHARE = 0.6
"""Share of the 16-bit peak that the output layer reaches."""

LEAST_ATTENTION = 0.3
"""Share of the 16-bit peak that attention over a long state reaches in decoding, where FLOP decide (latents)."""

DISPATCHED = 0.75
"""Share of the experts' vectors that leave their chip."""

SOFT = 4.0
"""How sharply runtimes change from sums in which each rank reads all others at once to sums in parts."""

UBATCH = 512.0
"""Tokens of a prompt that llama.cpp works on at once."""


class Case(NamedTuple):
    """One instance of a deployment and its traffic, in numbers a rank of tensor parallelism; all layers together.

    Elements: `dense` of matrices every token passes, `experts` of routed ones, `head`. The same in bytes. `active`: the
    share of the experts that a token passes, `targets` their number. `state` bytes a sequence halfway through its
    output, `state_flops` and `prompt_flops` FLOP of attention a token. `rate`, `expert_rate`, `wide_rate` (16 bit),
    `vector_rate` (fp32) are peaks; `power` in watts. `room`: sequences of mean length whose state an instance holds,
    `whole_room` of full length. `local` 1: llama.cpp. `quantized` 1: weights are unpacked by vector units;
    `low_experts` 1: experts in fewer than 16 bits. `host_bytes` are read by the host at `host_bandwidth`, a token.
    """

    dense: Real
    dense_bytes: Real
    experts: Real
    expert_bytes: Real
    active: Real
    targets: Real
    head: Real
    head_bytes: Real
    vocabulary: Real
    width: Real
    layers: Real
    expert_layers: Real
    latent_layers: Real
    score_heads: Real
    state: Real
    state_flops: Real
    prompt_flops: Real
    tp: Real
    pp: Real
    dp: Real
    ep: Real
    replicas: Real
    rate: Real
    expert_rate: Real
    wide_rate: Real
    vector_rate: Real
    bandwidth: Real
    link: Real
    power: Real
    input: Real
    output: Real
    room: Real
    whole_room: Real
    local: Real
    quantized: Real
    low_experts: Real
    host_bytes: Real
    host_bandwidth: Real


class Rates(NamedTuple):
    """Constants by device, software and number format; what each means stands at the head of `pace.toml`."""

    read: Real
    read_experts: Real
    read_state: Real
    multiply: Real
    multiply_experts: Real
    tile: Real
    uneven: Real
    attend: Real
    unpack: Real
    logit: Real
    layer: Real
    expert_layer: Real
    latent_layer: Real
    step: Real
    sequence: Real
    stage: Real
    prompt_token: Real
    prompt_layer: Real
    prompt_expert_layer: Real
    reduce: Real
    reduce_parts: Real
    reduce_share: Real
    blend: Real
    blend_experts: Real
    blend_unpack: Real
    start: Real
    late: Real
    burst: Real
    queue: Real
    stall: Real
    load: Real
    prompt_limit: Real
    token_limit: Real
    local_multiply: Real
    local_scores: Real
    power_idle: Real
    power_experts: Real
    power_multiply: Real
    power_read: Real


class Pass(NamedTuple):
    """Seconds of a pass by term; `moved` bytes a rank, `busy` seconds that its FLOP take at the peak."""

    dense: Real
    experts: Real
    head: Real
    attention: Real
    communication: Real
    layers: Real
    host: Real
    moved: Real
    busy: Real

    @property
    def total(self) -> Real:
        """All terms together [s]."""
        return self.dense + self.experts + self.head + self.attention + self.communication + self.layers + self.host


TERMS = Pass._fields[:7]


def either(one: Real, other: Real, power: Real) -> Real:
    """The longer of two times that overlap, rounded off where they are near."""
    found: Real = (one**power + other**power) ** (1 / power)
    return found


def covered(active: Real, tokens: Real) -> Real:
    """Share of the experts that so many tokens meet at least once: 1 - (1 - active)^tokens."""
    found: Real = 1 - (1 - active) ** np.maximum(tokens, 1.0)
    return found


def uneven(case: Case, rates: Rates, share: Real) -> Real:
    """Work of the rank with most of the experts that a batch meets, over the mean of ranks.

    Of the experts of each of `ep` ranks a batch meets `share`, give or take what chance does; the largest of so many
    draws decides. `uneven` of the constants is how much of that is seen.
    """
    each = np.maximum(case.targets / np.maximum(case.active, 1e-12) / case.ep, 1.0)
    spread = np.sqrt(np.maximum(1 - share, 0.0) / np.maximum(share * each, 1e-12))
    found: Real = 1 + rates.uneven * spread * np.sqrt(2 * np.log(case.ep))
    return found


class Load(NamedTuple):
    """What one pass works on: `tokens` a group of attention, `shared` tokens of all groups, which experts see.

    `outputs` tokens are predicted; `state` bytes are read, and attention takes `flops` at a share `attend` of the peak.
    """

    tokens: Real
    shared: Real
    outputs: Real
    state: Real
    flops: Real
    attend: Real


def one_pass(case: Case, rates: Rates, load: Load) -> Pass:
    """The pass of one micro-batch through all layers, one pipeline stage after the other."""
    dense_busy = 2 * case.dense * load.tokens / case.rate
    dense = either(case.dense_bytes / (case.bandwidth * rates.read), dense_busy / rates.multiply, rates.blend)
    unpacked = case.quantized * case.dense * rates.unpack / case.vector_rate * np.maximum(load.tokens / 8, 1.0)
    dense = either(dense, unpacked, rates.blend_unpack)
    share = covered(case.active, load.shared)
    met = case.expert_bytes * share
    expert_busy = 2 * case.experts * case.active * load.shared / case.expert_rate
    padding = 2 * case.experts * share * rates.tile / 2 / case.expert_rate
    experts = uneven(case, rates, share) * either(
        met / (case.bandwidth * rates.read_experts),
        (expert_busy + padding) / rates.multiply_experts,
        rates.blend_experts,
    )
    experts = either(
        experts, case.quantized * case.experts * share * rates.unpack / case.vector_rate, rates.blend_unpack
    )
    head = either(
        case.head_bytes / (case.bandwidth * rates.read),
        2 * case.head * load.outputs / (case.wide_rate * HEAD_SHARE),
        rates.blend,
    )
    head = head + load.outputs * case.vocabulary * rates.logit / case.bandwidth
    attention = either(
        load.state / (case.bandwidth * rates.read_state), load.flops / (case.wide_rate * load.attend), 4.0
    )
    layers = case.layers * rates.layer + case.expert_layers * rates.expert_layer
    host = rates.step + case.host_bytes / case.host_bandwidth
    return Pass(
        dense=dense,
        experts=experts,
        head=head,
        attention=attention,
        communication=_communication(case, rates, load),
        layers=layers + case.latent_layers * rates.latent_layer,
        host=host,
        moved=case.dense_bytes + case.head_bytes + met + load.state,
        busy=dense_busy + expert_busy,
    )


def _communication(case: Case, rates: Rates, load: Load) -> Real:
    """Sums over tensor parallelism, the way to experts and back, and from stage to stage."""
    size = load.tokens * case.width * ACTIVATION
    link = case.link * rates.reduce_share
    at_once = (case.tp - 1) * size / link
    in_parts = rates.reduce_parts + 2 * (case.tp - 1) / case.tp * size / link
    reduced = (case.tp > 1) * 2 * case.layers * (rates.reduce + at_once * in_parts / either(at_once, in_parts, SOFT))
    sent = size * np.minimum(case.targets, case.dp) * DISPATCHED / link
    apart = (case.dp > 1) * 2 * case.expert_layers * (rates.reduce + sent)
    passed = (case.pp - 1) * size / (case.link * HEAD_SHARE)
    found: Real = reduced + apart + passed
    return found


def decode_pass(case: Case, rates: Rates, batch: Real, checked: Real = 1.0) -> Pass:
    """A step that writes a token for each of `batch` sequences of an instance, or checks `checked` tokens of each."""
    least = np.minimum(batch, 1.0)
    sequences = np.maximum(batch / (case.dp * case.pp), least)
    shared = np.maximum(batch / case.pp, least)
    load = Load(
        tokens=sequences * checked,
        shared=shared * checked,
        outputs=sequences * checked,
        state=sequences * case.state,
        flops=sequences * checked * case.state_flops,
        attend=LEAST_ATTENTION,
    )
    found = one_pass(case, rates, load)
    stages = (case.pp - 1) * (rates.stage + rates.sequence * sequences)
    return found._replace(host=found.host + rates.sequence * sequences + stages)


def prompt_pass(case: Case, rates: Rates, tokens: Real, prompts: Real = 1.0) -> Pass:
    """The reading of `tokens` prompt tokens a group of attention, of `prompts` prompts."""
    load = Load(
        tokens=tokens,
        shared=tokens * case.dp,
        outputs=prompts,
        state=0.0 * tokens + 1.0,
        flops=tokens * case.prompt_flops,
        attend=rates.attend,
    )
    found = one_pass(case, rates, load)
    launched = case.layers * rates.prompt_layer + case.expert_layers * rates.prompt_expert_layer
    return found._replace(host=found.host + rates.prompt_token * tokens + launched)


def local_prompt_time(case: Case, rates: Rates) -> Real:
    """Seconds in which llama.cpp reads a prompt, in pieces that go through the stages one behind the other.

    Products go with the root of vector rate and power limit, which decide together how fast a card multiplies for long;
    without fused attention scores go through memory.
    """
    tokens = np.maximum(case.input, 1.0)
    pieces = np.maximum(tokens / UBATCH, 1.0)
    weights = case.dense + case.experts * case.active
    speed = np.sqrt(case.vector_rate * case.power * 1e12) * rates.local_multiply
    products = 2 * weights * tokens / speed + pieces * case.layers * rates.layer
    stages = (pieces + case.pp - 1) / (pieces * case.pp)
    scores = case.score_heads * tokens * tokens / 2 * rates.local_scores / case.bandwidth
    offloaded = pieces * case.host_bytes / case.link
    found: Real = products * stages + scores * stages + rates.step + offloaded
    return found
