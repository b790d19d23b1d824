"""Counting: identities that hold for every model, conventions, and what they are worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput
from isoflop.model import (
    CONVENTIONS,
    Convention,
    ModelSpec,
    counts,
    decode_flops,
    forward_flops,
    known_quantities,
    kv_bytes_per_token,
    kv_elements_per_token,
    model,
    model_names,
    params,
    shape_for,
    state_elements,
    train_flops_per_token,
)

NAMES = model_names()
models = st.one_of(st.sampled_from(NAMES).map(model), st.floats(2e6, 1e13).map(shape_for))


@given(spec=models)
def test_the_three_counts_are_in_order_and_the_parts_add_up(spec: ModelSpec) -> None:
    counted = counts(spec)
    assert 0 < counted.non_embedding_params < counted.params
    assert 0 < counted.active_params <= counted.params
    assert sum(size for _, size in counted.parts) == counted.params
    assert counted.embedding_params == counted.params - counted.non_embedding_params
    ledger = params(spec)
    assert ledger.quantity == "params"
    assert ledger.total == counted.params


@given(spec=models, sequence=st.integers(1, 200_000))
def test_training_is_three_forward_passes_and_a_mask_saves_at_most_half(spec: ModelSpec, sequence: int) -> None:
    for convention in CONVENTIONS:
        forward = forward_flops(spec, sequence, convention=convention)
        training = train_flops_per_token(spec, sequence, convention=convention)
        assert forward.quantity == "forward_flops_per_token"
        assert training.quantity == "flops_per_token"
        assert training.total == pytest.approx(3 * forward.total, rel=1e-12)
        assert all(term.value > 0 for term in forward.terms)
    masked, full = (forward_flops(spec, sequence, convention=c).total for c in ("model", "full-attention"))
    limits = ("window", "chunk", "index")
    limited = any(getattr(mixer, limit, None) for _, mixer in spec.stack.mixers() for limit in limits)
    assert (0 if limited else full / 2) <= masked <= full


@given(spec=models, sequence=st.integers(1, 100_000), more=st.integers(1, 100_000))
def test_longer_is_never_cheaper_per_token(spec: ModelSpec, sequence: int, more: int) -> None:
    # A pooler runs once a sequence: its share per token falls. Everything else grows.
    pooled = sum(weight.flops for extra in spec.extras for weight in extra.weights() if weight.runs == "sequence")
    short, long = forward_flops(spec, sequence).total, forward_flops(spec, sequence + more).total
    assert long >= short * (1 - 1e-12) - pooled / sequence


@pytest.mark.parametrize("name", ["gpt2", "gpt3-13b", "llama-2-70b", "llama-3.1-405b", "mixtral-8x7b"])
def test_a_decode_step_at_every_context_adds_up_to_the_causal_pass(name: str) -> None:
    spec, sequence = model(name), 64
    steps = sum(decode_flops(spec, i - 0.5) for i in range(1, sequence + 1))
    assert steps == pytest.approx(sequence * forward_flops(spec, sequence).total, rel=1e-12)


def test_6nd_leaves_out_little_for_gpt3_and_says_how_much() -> None:
    spec = model("gpt3-175b")
    by_name = {convention: train_flops_per_token(spec, 2048, convention=convention).total for convention in CONVENTIONS}
    assert by_name["6nd"] == 6 * counts(spec).params
    # 12 layers x width x sequence: 2.77 % in full, half of it with the mask; less 0.4 % for biases and positions.
    attention = 12 * 96 * 12288 * 2048
    assert by_name["full-attention"] - by_name["model"] == pytest.approx(attention / 2)
    assert by_name["full-attention"] / by_name["6nd"] == pytest.approx(1.0275, abs=5e-4)
    assert by_name["model"] / by_name["6nd"] == pytest.approx(1.0137, abs=5e-4)


def test_a_mixture_pays_for_what_it_meets() -> None:
    spec = model("mixtral-8x7b")
    assert forward_flops(spec, 1, convention="6nd").total == 2 * counts(spec).active_params
    parts = {term.name: term.value for term in forward_flops(spec, 4096).terms}
    assert parts["experts"] == 2 * 2 * 3 * 4096 * 14336 * 32
    assert parts["router"] == 2 * 8 * 4096 * 32


@pytest.mark.parametrize("name", ["t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b"])
def test_a_token_of_t5_meets_half_of_the_model(name: str) -> None:
    """Why table D.1 counts 3 N D for T5: the exact model FLOP per token and parameter are near 3, not 6."""
    spec = model(name)
    matmul = sum(
        term.value
        for term in train_flops_per_token(spec, 512).terms
        if "scores" not in term.name and term.name != "head"
    )
    without_tables = counts(spec).non_embedding_params
    assert matmul / without_tables == pytest.approx(3.0, rel=0.005)


def test_what_is_kept_while_generating() -> None:
    spec = model("llama-3.1-8b")
    assert state_elements(spec, 1000)["kv"] == 1000 * kv_elements_per_token(spec)
    assert kv_bytes_per_token(spec, 1) * 2 == kv_bytes_per_token(spec) == 131072
    windowed = model("mistral-7b")
    assert state_elements(windowed, 10_000)["kv"] == 4096 * kv_elements_per_token(windowed)
    crossed = model("t5-base")
    assert state_elements(crossed, 10, inputs=100)["kv"] == (10 + 100) * 12 * 2 * 768


def test_an_encoder_decoder_takes_both_lengths() -> None:
    spec = model("t5-base")
    assert forward_flops(spec, 100).total == forward_flops(spec, 100, inputs=100).total
    reading = {term.name for term in forward_flops(spec, 1, inputs=511).terms}
    assert "cross-attention scores" in reading
    assert decode_flops(spec, 10, inputs=100) > decode_flops(spec, 10)


def test_what_is_refused() -> None:
    spec = model("gpt2")
    for sequence in (0, -1, float("nan"), float("inf"), 1e13):
        with pytest.raises(BadInput, match="sequence"):
            forward_flops(spec, sequence)
    with pytest.raises(BadInput, match="no FLOP convention '6ND'; give one of: model, full-attention, 6nd"):
        forward_flops(spec, 10, convention="6ND")  # type: ignore[arg-type]
    convention: Convention = "model"
    with pytest.raises(BadInput, match="inputs"):
        forward_flops(model("t5-small"), 10, inputs=0, convention=convention)
    with pytest.raises(BadInput, match="context"):
        decode_flops(spec, 0)


def test_what_is_known_of_a_shape_stands_in_the_glossary() -> None:
    from isoflop.quantity import quantities

    known = known_quantities(model("gpt3-175b"), sequence=2048)
    assert set(known) <= set(quantities())
    assert known["layers"] == known["heads"] == 96
    assert known["width"] == 12288
    assert known["kv_heads"] * known["head_width"] == 12288
    assert known["flops_per_token"] == 3 * known["forward_flops_per_token"]
    assert known["attention_flops_per_token"] == 3 * 2 * 12288 * 2048 * 96
    assert known["params"] == known["embedding_params"] + known["non_embedding_params"]
    assert "kv_bytes_per_token" not in known_quantities(model("bert-base"))
    assert "flops_per_token" not in known_quantities(model("gpt2"))
