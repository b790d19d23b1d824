"""Bytes of checkpoints: golden cases to the byte, what lists of modules do, what is said where nothing is known."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.model.small_mixture import MIXTURE

from isoflop.errors import BadFile, BadInput, MissingData, UnknownName
from isoflop.model import Embedding, Group, Layer, ModelSpec, Stack, model
from isoflop.model.config import Reading, reading_of
from isoflop.model.storage.methods import scheme_of
from isoflop.model.weight_bytes import Storage, storage_of, weight_bytes

GOLDEN = Path(__file__).parents[1] / "golden" / "model_storage.toml"
CASES = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))["case"]


def reading(case: dict[str, Any]) -> Reading:
    quantization = case.get("quantization")
    if "config" in case:
        return reading_of({**case["config"], "quantization_config": quantization}, "config.json", "model")
    dtype = "bfloat16"
    return Reading(spec=model(case["model"]), model_type="llama", verified=True, dtype=dtype, quantization=quantization)


def stored(quantization: dict[str, Any], **changes: object) -> Storage:
    return storage_of(reading_of({**MIXTURE, **changes, "quantization_config": quantization}, "config.json", "model"))


def by_part(storage: Storage) -> dict[str, set[str]]:
    """Part -> short names of the formats it is stored in."""
    found: dict[str, set[str]] = {}
    for term in storage.ledger.terms:
        found.setdefault(term.name, set()).add(term.note.split(",")[0].split(" ")[0])
    return found


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    if "dtype" in case:
        assert weight_bytes(model(case["model"]), case["dtype"]).total == case["bytes"]
        return
    found = storage_of(reading(case))
    assert found.ledger.total == case["bytes"]
    assert found.ledger.quantity == "weight_bytes"
    assert bool(found.doubts) == case.get("doubtful", False), found.doubts
    assert sum(term.value for term in found.apart) == case.get("apart", 0)
    for part, size in case.get("parts", {}).items():
        assert sum(term.value for term in found.ledger.terms if term.name == part) == size
    assert found.kv_dtype == case.get("kv_dtype", "bf16")


def test_the_table_of_the_seed_for_a_billion_parameters() -> None:
    billion = ModelSpec(
        name="1B",
        stack=Stack(width=1000, groups=(Group(1, Layer()),)),
        embedding=Embedding(vocabulary=1_000_000),
        head=None,
    )
    sizes = {dtype: weight_bytes(billion, dtype).total for dtype in ("fp32", "fp16", "bf16", "int8")}
    assert sizes == {"fp32": 4e9, "fp16": 2e9, "bf16": 2e9, "int8": 1e9}
    assert 6 * sizes["fp32"] == 24e9  # training in FP32: six times the weights


@pytest.mark.parametrize("written", ["bfloat16", "torch.bfloat16", "BF16", " bf16 "])
def test_spellings_of_a_number_format(written: str) -> None:
    assert weight_bytes(model("gpt2"), written).total == 2 * 124_439_808


def test_an_unknown_number_format_brings_close_ones() -> None:
    with pytest.raises(UnknownName, match=r"no number format 'bf17'\. Give one of: .*bf16"):
        weight_bytes(model("gpt2"), "bf17")


def test_every_term_says_its_format() -> None:
    found = stored({"quant_method": "fp8", "weight_block_size": [128, 128]})
    assert by_part(found)["attention"] == {"FP8", "BF16"}
    assert by_part(found)["experts"] == {"FP8"}
    assert by_part(found)["router"] == {"BF16"}
    assert by_part(found)["head"] == {"BF16"}
    assert "FP32" in found.scheme
    assert found.doubts == ()


def test_bits_per_weight_counts_scales() -> None:
    found = storage_of(reading(next(case for case in CASES if "AWQ" in case["name"])))
    assert found.bits_per_weight == pytest.approx(8 * 5_727_854_592 / 8_030_261_248)


FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
LAYER = 256 * (256 + 128 + 128 + 256) + 4 * 3 * 256 * 128
"""Matrices of one layer of the mixture, without the router."""


def saved(patterns: list[str], **more: object) -> float:
    """Bytes that leaving out the modules adds, scales apart."""
    scales = {"weight_block_size": [4096, 4096]}
    base = stored({**FP8, **scales, **more}).ledger.total
    kept = stored({**FP8, **scales, **more, "modules_to_not_convert": patterns}).ledger.total
    return kept - base


@pytest.mark.parametrize(
    ("patterns", "matrices", "number"),
    [
        (["model.layers.1.self_attn.q_proj"], 256 * 256, 1),
        (["q_proj"], 3 * 256 * 256, 3),
        (["model.layers.*.self_attn.q_proj"], 3 * 256 * 256, 3),
        (["self_attn"], 3 * 256 * (256 + 128 + 128 + 256), 12),
        (["model.layers.2"], LAYER, 4 + 12),
        (["re:.*mlp.experts.*"], 3 * 4 * 3 * 256 * 128, 36),
        ([r"re:model\.layers\.\d+\.mlp\.experts\.\d+\.(gate|up)_proj"], 3 * 4 * 2 * 256 * 128, 24),
        (["model.layers.0.mlp.experts.3.down_proj"], 256 * 128, 1),
        (["model.layers.0.mlp.experts.3.down_proj", "model.layers.0.mlp.experts.2"], 4 * 256 * 128, 4),
        ([r"model\.layers\.(0|1)\.self_attn\.o_proj"], 2 * 256 * 256, 2),
        (["lm_head", "model.layers.0.mlp.gate"], 0, 0),
    ],
)
def test_modules_that_stay(patterns: list[str], matrices: int, number: int) -> None:
    # A weight that stays takes one byte more (BF16 for FP8), and its one block loses its four bytes of scale.
    assert saved(patterns) == matrices - 4 * number


def test_a_mixture_of_formats_goes_by_name_first() -> None:
    groups = {
        "a": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 64}},
        "b": {"targets": ["re:.*self_attn.*"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}},
    }
    found = stored(
        {"quant_method": "compressed-tensors", "config_groups": groups, "ignore": ["lm_head", "re:.*mlp.gate$"]}
    )
    assert by_part(found)["attention"] == {"FP8", "BF16"}
    assert by_part(found)["experts"] == {"INT4"}
    assert by_part(found)["router"] == {"BF16"}
    assert found.doubts == ()


def test_the_head_is_a_linear_layer_where_no_list_names_it() -> None:
    group = {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "int", "strategy": "channel"}}
    one = {"quant_method": "compressed-tensors", "config_groups": {"g": group}, "ignore": ["re:.*mlp.gate$"]}
    assert by_part(stored(one))["head"] == {"INT8"}
    assert "head" not in by_part(stored(one, tie_word_embeddings=True))


def test_routers_that_no_list_names_are_a_doubt() -> None:
    group = {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "int", "strategy": "channel"}}
    found = stored({"quant_method": "compressed-tensors", "config_groups": {"g": group}, "ignore": ["lm_head"]})
    assert found.doubts == ("no list says whether routers are quantised; they are counted in BF16",)


def test_a_list_of_layers_takes_only_what_it_names() -> None:
    layers = {
        "model.layers.0.self_attn.q_proj": {"quant_algo": "FP8"},
        "model.layers.1.mlp.experts": {"quant_algo": "NVFP4", "group_size": 16},
    }
    found = stored({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers})
    sizes = {term.note.split(":")[0].split(",")[0]: 0.0 for term in found.ledger.terms}
    for term in found.ledger.terms:
        sizes[term.note.split(":")[0].split(",")[0]] += term.value
    assert sizes["FP8"] == 256 * 256 + 8
    assert sizes["NVFP4"] == 12 * (256 * 128 / 2 + 256 * 128 / 16 + 8)


@pytest.mark.parametrize(
    ("quantization", "dtype"),
    [
        ({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "NVFP4"}, "fp4"),
        ({"quant_method": "modelopt", "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}, "fp8"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {},
                "kv_cache_scheme": {"num_bits": 8, "type": "int"},
            },
            "int8",
        ),
        ({"quant_method": "fp8"}, "bf16"),
    ],
)
def test_the_number_format_of_the_cache(quantization: dict[str, Any], dtype: str) -> None:
    assert stored(quantization).kv_dtype == dtype


def test_what_matches_nothing_is_a_doubt() -> None:
    found = stored({**FP8, "modules_to_not_convert": ["lm_head", "model.layers.0.mlp.gatee", "visual", "re:(?i)x"]})
    assert found.doubts == (
        "1 of its names of modules match nothing that is known here: 'model.layers.0.mlp.gatee'",
        "1 of its patterns are not understood and were left out: 're:(?i)x'",
    )


def test_a_field_that_nobody_knows_is_a_doubt() -> None:
    assert stored({**FP8, "rotated": True}).doubts == (
        "not understood in the quantisation: quantization_config.rotated",
    )


def test_no_number_format_is_a_doubt() -> None:
    bare = {key: value for key, value in MIXTURE.items() if key != "torch_dtype"}
    found = storage_of(reading_of(bare, "config.json", "model"))
    assert found.doubts == ("the config names no number format: BF16 is assumed",)
    assert found.scheme == "BF16"


@pytest.mark.parametrize("method", ["quanto", "torchao", "hqq", "eetq", "aqlm", "vptq", "bitnet", "quark", "higgs"])
def test_methods_that_are_not_counted_say_so(method: str) -> None:
    with pytest.raises(
        MissingData, match=f"'{method}' is not counted from a config; counted are .*headers say every byte"
    ):
        stored({"quant_method": method})


@pytest.mark.parametrize(
    "quantization",
    [
        {"quant_method": "modelopt", "quant_algo": "W3A3"},
        {
            "quant_method": "compressed-tensors",
            "config_groups": {},
            "sparsity_config": {"format": "sparse-24-bitmask"},
        },
        {"quant_method": "compressed-tensors", "format": "marlin-24", "config_groups": {"g": {"weights": {}}}},
    ],
)
def test_variants_that_are_not_counted_say_so(quantization: dict[str, Any]) -> None:
    with pytest.raises(MissingData, match="is not counted from a config"):
        stored(quantization)


@pytest.mark.parametrize(
    ("quantization", "said"),
    [
        ({}, "names no quant_method"),
        ({"quant_method": 4}, "quant_method = 4; give a text"),
        ({"quant_method": "fp8", "weight_block_size": [128]}, "has 1 entries"),
        ({"quant_method": "fp8", "weight_block_size": [0, 128]}, "give a whole number from 1"),
        (
            {"quant_method": "fp8", "modules_to_not_convert": "lm_head"},
            "give a list of at most 200,000 names of modules",
        ),
        ({"quant_method": "gptq", "bits": 5}, "one of 2, 3, 4, 8"),
        ({"quant_method": "gptq", "group_size": []}, "give a whole number"),
        ({"quant_method": "awq", "bits": 4, "group_size": -2}, "give a whole number"),
        ({"quant_method": "compressed-tensors"}, "no field 'quantization_config.config_groups'"),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": []}}, "give an object"),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"strategy": "tile"}}}},
            "give one of tensor, channel",
        ),
        ({"quant_method": "bitsandbytes"}, "true for one of load_in_4bit and load_in_8bit"),
        (
            {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
            "no field 'quantization_config.quantized_layers'",
        ),
    ],
)
def test_broken_quantisation_is_refused(quantization: dict[str, Any], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        stored(quantization)


def test_hostile_lists_of_patterns_end() -> None:
    many = [f"re:(.*a?){{1,999}}{number}$" for number in range(4_000)]
    with pytest.raises(BadInput, match="patterns for names of modules are too many"):
        stored({**FP8, "modules_to_not_convert": [*many, "model.layers.0"]}, num_hidden_layers=100)


def test_schemes_can_be_made_for_a_preset() -> None:
    scheme = scheme_of({"quant_method": "awq", "bits": 4, "group_size": 128}, "fp16")
    assert weight_bytes(model("llama-3-70b"), scheme).total / 2**30 == pytest.approx(37.09, rel=0.005)
