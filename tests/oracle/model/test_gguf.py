"""GGUF files made of real modules: names by the gguf library's own table, metadata as its converter writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

gguf = pytest.importorskip("gguf")
numpy = pytest.importorskip("numpy")
zoo = pytest.importorskip("tests.oracle.model.zoo")

from isoflop.model import counts  # noqa: E402
from isoflop.model.config import reading_of  # noqa: E402
from isoflop.model.headers import model_of  # noqa: E402

pytestmark = pytest.mark.oracle

# architecture -> (model_type, changes to its small config, metadata beyond the usual: name -> field of the config)
CASES: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "llama": ("llama", {}, {}),
    "llama:biased": ("llama", {"attention_bias": True, "mlp_bias": True}, {}),
    "llama:tied": ("llama", {"tie_word_embeddings": True}, {}),
    "llama:experts": ("mixtral", {}, {"expert_count": "num_local_experts", "expert_used_count": "num_experts_per_tok"}),
    "qwen2": ("qwen2", {}, {}),
    "qwen2moe": (
        "qwen2_moe",
        {},
        {
            "expert_count": "num_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_feed_forward_length": "moe_intermediate_size",
            "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
        },
    ),
    "qwen3": ("qwen3", {}, {}),
    "qwen3moe": (
        "qwen3_moe",
        {},
        {
            "expert_count": "num_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_feed_forward_length": "moe_intermediate_size",
        },
    ),
    "gemma": ("gemma", {}, {}),
    "gemma2": ("gemma2", {}, {"attention.sliding_window": "sliding_window"}),
    "gemma3": ("gemma3_text", {}, {"attention.sliding_window": "sliding_window"}),
    "phi3": ("phi3", {}, {"attention.sliding_window": "sliding_window"}),
    "gpt-oss": (
        "gpt_oss",
        {},
        {
            "attention.sliding_window": "sliding_window",
            "expert_count": "num_local_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_feed_forward_length": "intermediate_size",
        },
    ),
    "olmo2": ("olmo2", {}, {}),
    "granite": ("granite", {}, {}),
    "starcoder2": ("starcoder2", {}, {"attention.sliding_window": "sliding_window"}),
    "command-r": ("cohere", {}, {}),
    "smollm3": ("smollm3", {}, {}),
    "olmoe": ("olmoe", {}, {"expert_count": "num_experts", "expert_used_count": "num_experts_per_tok"}),
    "deepseek2": (
        "deepseek_v3",
        {},
        {
            "attention.q_lora_rank": "q_lora_rank",
            "attention.kv_lora_rank": "kv_lora_rank",
            "attention.key_length_mla": "qk_head_dim",
            "attention.value_length_mla": "v_head_dim",
            "rope.dimension_count": "qk_rope_head_dim",
            "expert_count": "n_routed_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_shared_count": "n_shared_experts",
            "expert_feed_forward_length": "moe_intermediate_size",
            "leading_dense_block_count": "first_k_dense_replace",
        },
    ),
    "glm4moe": (
        "glm4_moe",
        {},
        {
            "expert_count": "n_routed_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_shared_count": "n_shared_experts",
            "expert_feed_forward_length": "moe_intermediate_size",
            "leading_dense_block_count": "first_k_dense_replace",
        },
    ),
}


def usual(config: Any) -> dict[str, int]:  # noqa: ANN401
    """What the converter writes for every model."""
    heads = config.num_attention_heads
    found = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": heads,
        "attention.head_count_kv": getattr(config, "num_key_value_heads", None) or heads,
    }
    if getattr(config, "head_dim", None):
        found["attention.key_length"] = found["attention.value_length"] = config.head_dim
    return found


def write(
    path: Path,
    architecture: str,
    config: Any,  # noqa: ANN401
    more: dict[str, str],
    tensors: dict[str, tuple[int, ...]],
) -> None:
    """A GGUF file of these tensors, filled with zeros."""
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in {**usual(config), **{key: getattr(config, field) for key, field in more.items()}}.items():
        if value is not None:
            writer.add_uint32(f"{architecture}.{key}", value)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-6)
    for name, shape in tensors.items():
        plain = name.removeprefix("buffer:").replace("e_score_correction_bias", "e_score_correction.bias")
        called = names.get_name(plain, try_suffixes=(".weight", ".bias")) or plain
        writer.add_tensor(called, numpy.zeros(shape, numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("label", CASES)
def test_a_gguf_reads_like_the_config_it_was_made_from(label: str, tmp_path: Path) -> None:
    kind, changes, more = CASES[label]
    architecture = label.partition(":")[0]
    config = zoo.make_config(kind, **{**zoo.SMALL[kind]["small"], **changes})
    tensors = zoo.tensors(zoo.build(config))
    path = tmp_path / "model.gguf"
    write(path, architecture, config, more, tensors)
    reading, listed = model_of(path)
    meant = reading_of(json.loads(config.to_json_string(use_diff=False)), "config.json", "sample")
    assert not reading.doubts, (reading.doubts, reading.not_understood)
    assert not reading.not_understood
    assert counts(reading.spec).params == counts(meant.spec).params
    assert reading.spec.stack == meant.spec.stack
    assert listed.numbers == sum(tensor.bytes for tensor in listed.tensors) / 2
