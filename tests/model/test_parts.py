"""The parts by hand, and what they refuse."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput
from isoflop.model import Attention, Embedding, Group, Layer, Mlp, ModelSpec, Moe, Norm, Stack, Weight
from isoflop.model.parts import Linear


def size(weights: tuple[Weight, ...]) -> int:
    return sum(weight.params for weight in weights)


def test_a_norm_is_a_scale_and_perhaps_a_shift() -> None:
    assert size(Norm(kind="rms").weights(64)) == 64
    assert size(Norm(kind="layer", bias=True).weights(64)) == 128
    assert size(Norm(kind="layer", scale=False).weights(64)) == 0


def test_grouped_queries_shrink_keys_and_values_only() -> None:
    full = Attention(heads=8, kv_heads=8, head_width=16)
    grouped = Attention(heads=8, kv_heads=2, head_width=16)
    assert size(full.weights(128)) == 4 * 128 * 128
    assert size(grouped.weights(128)) == 2 * 128 * 128 + 2 * 128 * 32
    assert full.pair_flops == grouped.pair_flops == 4 * 128
    assert full.kv_elements == 4 * grouped.kv_elements


@pytest.mark.parametrize(
    ("fields", "extra"),
    [
        ({"bias": "qkvo"}, 3 * 64 + 48),
        ({"bias": "qkv"}, 3 * 64),
        ({"bias": "o"}, 48),
        ({"qk_norm": "head"}, 2 * 16),
        ({"qk_norm": "full"}, 2 * 64),
        ({"sinks": True}, 4),
        ({"relative_buckets": 32, "positions": "relative"}, 32 * 4),
        ({"positions": "transformer-xl"}, 48 * 64 + 2 * 64),
    ],
)
def test_what_stands_beside_the_projections(fields: dict[str, object], extra: int) -> None:
    plain = Attention(heads=4, kv_heads=4, head_width=16)
    more = Attention(heads=4, kv_heads=4, head_width=16, **fields)  # type: ignore[arg-type]
    assert size(more.weights(48)) - size(plain.weights(48)) == extra
    assert sum(weight.flops for weight in more.weights(48)) == sum(weight.flops for weight in plain.weights(48))


def test_a_gate_is_a_third_matrix_and_biases_are_vectors() -> None:
    assert size(Mlp(width=96, gated=False, activation="gelu").weights(32)) == 2 * 32 * 96
    assert size(Mlp(width=96, gated=True, activation="silu").weights(32)) == 3 * 32 * 96
    assert size(Mlp(width=96, gated=True, activation="silu", bias=True).weights(32)) == 3 * 32 * 96 + 2 * 96 + 32


def test_a_mixture_holds_all_experts_and_meets_few() -> None:
    expert = Mlp(width=16, gated=True, activation="silu")
    mixture = Moe(experts=8, active=2, expert=expert, shared=Mlp(width=48, gated=True, activation="silu"))
    weights = mixture.weights(32)
    one = 3 * 32 * 16
    assert size(weights) == 32 * 8 + 8 * one + 3 * one
    assert sum(weight.active_params for weight in weights) == 32 * 8 + 2 * one + 3 * one
    assert sum(weight.flops for weight in weights) == 2 * (32 * 8 + 5 * one)
    gated = Moe(experts=8, active=2, expert=expert, shared=expert, shared_gate=True, router_bias=True)
    assert size(gated.weights(32)) == 32 * 8 + 8 + 9 * one + 32


@given(sequence=st.integers(1, 10_000), window=st.integers(1, 10_000))
def test_a_window_sees_between_nothing_and_the_causal_half(sequence: int, window: int) -> None:
    causal = Attention(heads=2, kv_heads=2, head_width=8)
    windowed = Attention(heads=2, kv_heads=2, head_width=8, window=window)
    seen, half = windowed.mixing_flops(sequence, full=False), causal.mixing_flops(sequence, full=False)
    assert 0 < seen <= half
    assert half == causal.pair_flops * sequence / 2
    exact = sum(min(i, window) for i in range(1, sequence + 1)) / sequence
    assert abs(seen / causal.pair_flops - exact) <= 0.5
    assert windowed.mixing_flops(sequence, full=True) == causal.pair_flops * sequence
    assert sum(kept.elements for kept in windowed.state(sequence)) == 32 * min(window, sequence)
    assert windowed.decode_flops(sequence) == causal.pair_flops * min(window, sequence)


def test_attention_without_a_mask_sees_all_and_keeps_nothing() -> None:
    both = Attention(heads=2, kv_heads=2, head_width=8, causal=False)
    assert both.mixing_flops(100, full=False) == both.mixing_flops(100, full=True) == 64 * 100
    assert both.state(100) == ()
    near = Attention(heads=2, kv_heads=2, head_width=8, causal=False, window=10)
    assert near.mixing_flops(100, full=False) == pytest.approx(64 * 19)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"heads": 0}, "attention.heads = 0: give a whole number from 1"),
        ({"heads": -3}, "attention.heads = -3"),
        ({"heads": 2.5}, "attention.heads = 2.5"),
        ({"heads": True}, "attention.heads = True"),
        ({"heads": 2**40}, "attention.heads"),
        ({"heads": 7}, "7 heads do not divide into 2 key-value heads"),
        ({"bias": "qx"}, "bias = 'qx'"),
        ({"bias": "qq"}, "bias = 'qq'"),
        ({"window": 0}, "window = 0"),
    ],
)
def test_attention_refuses(fields: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)):
        Attention(**{"heads": 4, "kv_heads": 2, "head_width": 16, **fields})  # type: ignore[arg-type]


def test_other_parts_refuse_too() -> None:
    expert = Mlp(width=16, gated=True, activation="silu")
    with pytest.raises(BadInput, match="9 active experts of 8"):
        Moe(experts=8, active=9, expert=expert)
    with pytest.raises(BadInput, match=r"mlp\.width = 0"):
        Mlp(width=0, gated=True, activation="silu")
    with pytest.raises(BadInput, match=r"embedding\.vocabulary"):
        Embedding(vocabulary=-1)
    with pytest.raises(BadInput, match=r"linear\.outputs"):
        Linear(name="pooler", inputs=4, outputs=0, bias=False, runs="token")
    with pytest.raises(BadInput, match="at least one group"):
        Stack(width=8, groups=())
    with pytest.raises(BadInput, match="width = 0"):
        Stack(width=0, groups=(Group(1, Layer(norms=())),))


def test_cross_attention_needs_an_encoder_and_the_other_way_round() -> None:
    attention = Attention(heads=1, kv_heads=1, head_width=8)
    plain = Stack(width=8, groups=(Group(1, Layer(norms=(), mixers=(attention,))),))
    crossed = Stack(width=8, groups=(Group(1, Layer(norms=(), mixers=(attention,), cross=attention)),))
    words = Embedding(vocabulary=10)
    with pytest.raises(BadInput, match="come together"):
        ModelSpec(name="m", stack=crossed, embedding=words, head=None)
    with pytest.raises(BadInput, match="come together"):
        ModelSpec(name="m", stack=plain, encoder=plain, embedding=words, head=None)
    with pytest.raises(BadInput, match="context = 0"):
        ModelSpec(name="m", stack=plain, embedding=words, head=None, context=0)
