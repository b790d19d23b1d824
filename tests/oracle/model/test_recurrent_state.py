"""What recurrent layers keep, held against the caches that transformers fills; and matrices against torch's counter."""

from __future__ import annotations

from typing import Any

import pytest

from isoflop.model import forward_flops
from isoflop.model.state import state_elements

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.oracle.model.zoo import SMALL, build, library, make_config, read  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402 - needs torch

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

TOKENS = 40
ALONE = ("falcon_mamba", "mamba", "mamba2", "rwkv", "xlstm")
HYBRID = (
    "bailing_hybrid", "bamba", "falcon_h1", "jamba", "kimi_linear", "lfm2", "lfm2_moe", "lfm3", "minimax",
    "nemotron_h", "olmo_hybrid", "qwen3_5_text", "qwen3_next", "zamba", "zamba2",
)  # fmt: skip
MATRICES = (
    "bamba", "falcon_h1", "lfm2", "lfm3", "mamba2", "olmo_hybrid", "qwen3_5_text", "rwkv", "xlstm", "zamba2",
)  # fmt: skip
"""Without experts or matrices a head, which the counter takes for products of activations."""


def run(kind: str) -> tuple[Any, Any, dict[str, int]]:
    """(our reading, what the small model gives, FLOP by operation)."""
    config = make_config(kind, **SMALL[kind].get("small", {}))
    library().masking_utils.find_packed_sequence_indices = lambda *_: None
    module = build(config).eval()
    if hasattr(module, "set_experts_implementation"):
        module.set_experts_implementation("batched_mm")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        given = module(input_ids=torch.zeros(1, TOKENS, dtype=torch.long, device="meta"), use_cache=True)
    return read(config), given, {str(name): found for name, found in counter.get_flop_counts()["Global"].items()}


def kept(given: Any) -> tuple[int, int]:  # noqa: ANN401 - outputs of many classes
    """(numbers in memories, inputs of convolutions: their caches hold one more than the next step needs)."""
    state = next(
        found for name in ("past_key_values", "cache_params", "state") if (found := getattr(given, name, None))
    )
    if isinstance(state, list):  # RWKV: last inputs of both halves, then numerator, denominator, exponent
        return sum(one.numel() for one in state[2:]), state[0].numel() + state[1].numel()
    if hasattr(state, "rnn_state"):
        return sum(one.numel() for layer in state.rnn_state.values() for one in layer), 0
    held = {
        name: [one for layer in state.layers for one in getattr(layer, name, {}).values() if one is not None]
        for name in ("recurrent_states", "conv_states")
    }
    lightning = [one for one in getattr(state, "linear_cache", []) if hasattr(one, "numel")]
    memories = sum(one.numel() for one in held["recurrent_states"] + lightning)
    return memories, sum(one.numel() // one.shape[-1] * (one.shape[-1] - 1) for one in held["conv_states"])


@pytest.mark.parametrize("kind", ALONE + HYBRID)
def test_memories_and_inputs_of_convolutions_are_those_of_the_cache(kind: str) -> None:
    reading, given, _ = run(kind)
    ours = state_elements(reading.spec, TOKENS)
    assert kept(given) == (ours.get("recurrent", 0), ours.get("conv", 0))


@pytest.mark.parametrize("kind", MATRICES)
def test_matrices_multiply_as_often_as_torch_counts(kind: str) -> None:
    reading, _, flops = run(kind)
    found = forward_flops(reading.spec, TOKENS, convention="full-attention")
    ours = sum(term.value for term in found.terms if term.name not in {"recurrence", "attention scores"}) * TOKENS
    assert ours == flops.get("aten.mm", 0) + flops.get("aten.addmm", 0)
