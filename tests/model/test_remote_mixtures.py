"""Mixtures that no version of transformers holds, against the sizes that were published for them."""

from __future__ import annotations

import pytest

from isoflop.model import counts
from isoflop.model.config import reading_of

LING = {
    "model_type": "bailing_moe", "attention_dropout": 0.0, "embedding_dropout": 0.0, "hidden_act": "silu",
    "hidden_size": 2048, "head_dim": 128, "norm_topk_prob": True, "num_attention_heads": 16, "num_key_value_heads": 4,
    "output_router_logits": False, "rms_norm_eps": 1e-6, "rope_scaling": None, "rope_theta": 600000,
    "tie_word_embeddings": False, "use_bias": False, "use_cache": True, "use_qkv_bias": False,
}  # fmt: skip
LING_LITE = {
    **LING, "first_k_dense_replace": 0, "intermediate_size": 5632, "max_position_embeddings": 16384,
    "moe_intermediate_size": 1408, "norm_head": True, "norm_softmax": False, "num_experts": 64,
    "num_experts_per_tok": 6, "num_hidden_layers": 28, "num_shared_experts": 2, "vocab_size": 126464,
}  # fmt: skip
LING_MINI = {
    **LING, "first_k_dense_replace": 1, "intermediate_size": 5120, "max_position_embeddings": 32768,
    "max_window_layers": 20, "moe_intermediate_size": 512, "moe_router_enable_expert_bias": True,
    "moe_shared_expert_intermediate_size": 512, "n_group": 8, "num_experts": 256, "num_experts_per_tok": 8,
    "num_hidden_layers": 20, "num_nextn_predict_layers": 0, "num_shared_experts": 1, "partial_rotary_factor": 0.5,
    "score_function": "sigmoid", "topk_group": 4, "use_qk_norm": True, "use_rmsnorm": True, "vocab_size": 157184,
}  # fmt: skip
GROK = {
    "model_type": "grok-1", "attn_output_multiplier": 0.08838834764831845, "hidden_size": 6144,
    "intermediate_size": 32768, "max_attn_value": 30.0, "max_position_embeddings": 8192, "num_attention_heads": 48,
    "num_experts": 8, "num_experts_per_tok": 2, "num_hidden_layers": 64, "num_key_value_heads": 8,
    "tie_word_embeddings": True, "vocab_size": 131072,
}  # fmt: skip
ARCTIC = {
    "model_type": "arctic", "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 4864,
    "max_position_embeddings": 4096, "moe_layer_frequency": 1, "num_attention_heads": 56, "num_experts_per_tok": 2,
    "num_hidden_layers": 35, "num_key_value_heads": 8, "num_local_experts": 128, "parallel_attn_mlp_res": True,
    "sliding_window": None, "tie_word_embeddings": False, "use_residual": True, "vocab_size": 32000,
}  # fmt: skip
DEEPSEEK = {
    "model_type": "deepseek", "attention_bias": False, "first_k_dense_replace": 1, "hidden_act": "silu",
    "hidden_size": 2048, "intermediate_size": 10944, "moe_intermediate_size": 1408, "moe_layer_freq": 1,
    "n_routed_experts": 64, "n_shared_experts": 2, "num_attention_heads": 16, "num_experts_per_tok": 6,
    "num_hidden_layers": 28, "num_key_value_heads": 16, "tie_word_embeddings": False, "vocab_size": 102400,
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "published", "active"),
    [
        (LING_LITE, 16.8e9, 2.75e9),
        (LING_MINI, 16.26e9, 1.43e9),
        (GROK, 316e9, None),
        (ARCTIC, 479e9, 17e9),
        (DEEPSEEK, 16.4e9, 2.8e9),
    ],
)
def test_published_sizes_are_met(config: dict[str, object], published: float, active: float | None) -> None:
    reading = reading_of(config, "config.json", "sample")
    assert reading.verified, (reading.not_understood, reading.doubts)
    found = counts(reading.spec)
    assert found.params == pytest.approx(published, rel=3e-3)
    if active is not None:
        assert found.active_params == pytest.approx(active, rel=0.02)


def test_a_ling_that_does_not_say_which_biases_it_has_is_doubted() -> None:
    silent = {name: value for name, value in LING_LITE.items() if name != "use_bias"}
    assert not reading_of(silent, "config.json", "sample").verified
