"""Sparse indexes, compressed attention, shared latents and what else mixtures of experts needed, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isoflop.errors import BadInput
from isoflop.model import Attention, Mlp, Moe, Weight
from isoflop.model.parts import CompressedAttention, Convolution, Index, LatentAttention, Linear, Recurrent

INDEX = Index(heads=4, head_width=16, top=256, inputs=64)
LATENT = LatentAttention(
    heads=8, q_rank=64, kv_rank=32, nope_width=16, rope_width=8, value_width=16, index=INDEX, window=None
)
COMPRESSED = CompressedAttention(
    heads=8, head_width=32, q_rank=64, out_groups=2, out_rank=16, window=128, rate=4, overlap=True,
    index=replace(INDEX, pool=4, top=64),
)  # fmt: skip


def size(weights: tuple[Weight, ...]) -> int:
    return sum(weight.params for weight in weights)


def elements(part: LatentAttention | CompressedAttention | Attention | Recurrent, context: float) -> dict[str, float]:
    return {state.kind: state.elements for state in part.state(context)}


def test_an_index_scores_every_token_and_lets_the_best_through() -> None:
    assert INDEX.pair_flops == 2 * 4 * (16 + 1)
    assert replace(INDEX, weighted=False).pair_flops == 2 * 4 * 16
    assert replace(INDEX, pool=4).pair_flops == INDEX.pair_flops / 4
    pair = 2 * 8 * (2 * 32 + 8)
    assert LATENT.decode_flops(1000) == pair * 256 + INDEX.pair_flops * 1000
    assert LATENT.decode_flops(100) == (pair + INDEX.pair_flops) * 100


def test_a_shared_choice_costs_and_keeps_nothing() -> None:
    shared = replace(LATENT, index=replace(INDEX, shared=True))
    assert size(LATENT.weights(128)) - size(shared.weights(128)) == 64 * 64 + 128 * 16 + 128 * 4
    assert elements(LATENT, 100) == {"kv": 40 * 100, "index": 16 * 100}
    assert elements(shared, 100) == {"kv": 40 * 100}
    assert LATENT.decode_flops(1000) - shared.decode_flops(1000) == INDEX.pair_flops * 1000


def test_an_earlier_latent_leaves_no_matrix_into_it_and_no_state() -> None:
    earlier = replace(LATENT, kv="earlier", index=None)
    own = replace(LATENT, index=None)
    assert size(own.weights(128)) - size(earlier.weights(128)) == 128 * 40 + 32
    assert earlier.state(100) == ()
    assert earlier.kv_elements == 0
    assert earlier.mixing_flops(64, full=True) == own.mixing_flops(64, full=True)


def test_compressed_attention_keeps_a_window_and_an_entry_for_every_few_tokens() -> None:
    assert elements(replace(COMPRESSED, rate=None, index=None), 1000) == {"kv": 32 * 128}
    assert elements(replace(COMPRESSED, overlap=False, index=None), 1000) == {
        "kv": 32 * (128 + 250), "conv": 4 * 2 * 32,
    }  # fmt: skip
    assert elements(COMPRESSED, 1000) == {"kv": 32 * (128 + 250), "index": 16 * 250, "conv": 4 * 6 * (32 + 16)}


def test_compressed_attention_reads_the_window_and_the_best_entries() -> None:
    pair = 4 * 8 * 32
    assert COMPRESSED.index is not None
    assert COMPRESSED.decode_flops(1000) == pair * (128 + 64) + COMPRESSED.index.pair_flops * 1000
    assert replace(COMPRESSED, index=None).decode_flops(1000) == pair * (128 + 250)
    # As many entries as are read at most: every token sees half of them on average.
    assert COMPRESSED.mixing_flops(256, full=False) == pair * (96 + 32) + COMPRESSED.index.pair_flops * 128


def test_compressed_attention_names_what_does_not_fit() -> None:
    with pytest.raises(BadInput, match="3 output groups"):
        replace(COMPRESSED, out_groups=3)
    with pytest.raises(BadInput, match="pools 1 tokens"):
        replace(COMPRESSED, index=INDEX)


def test_a_matrix_that_every_head_multiplies_by_is_held_once() -> None:
    (table,) = Linear(name="table", inputs=16, outputs=64, times=8).weights()
    assert (table.params, table.active_params, table.flops) == (1024, 1024, 2 * 8 * 1024)
    (unmet,) = Linear(name="others", inputs=16, outputs=64, copies=6, active=0).weights()
    assert (unmet.params, unmet.active_params, unmet.flops) == (6 * 1024, 0, 0)


def test_a_router_may_work_in_a_width_of_its_own() -> None:
    mixture = Moe(experts=4, active=1, expert=Mlp(width=8, gated=True, activation="silu"), idle=1)
    narrow = replace(mixture, router_width=16)
    assert size(mixture.weights(64)) - size(narrow.weights(64)) == (64 - 16) * 5


def test_a_convolution_may_mix_groups_of_channels() -> None:
    mixer = Recurrent(part="convolutions", projections=(), convolutions=(Convolution(channels=32, kernel=3, group=8),))
    assert size(mixer.weights(64)) == 32 * 3 * 8
    assert mixer.mixing_flops(64, full=False) == 2 * 32 * 3 * 8
    assert elements(mixer, 64) == {"conv": 64}
