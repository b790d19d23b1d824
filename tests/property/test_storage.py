"""Whatever a quantization_config holds: bytes come out, or an error that says what is wrong; never more than FP32."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.model.small_mixture import MIXTURE

from isoflop.errors import BadInput, MissingData
from isoflop.model.config import reading_of
from isoflop.model.weight_bytes import storage_of, weight_bytes

METHODS = (
    "fp8", "fbgemm_fp8", "compressed-tensors", "modelopt", "mxfp4", "gptq", "awq", "auto-round", "bitsandbytes", "hqq",
)  # fmt: skip
NAMES = ("lm_head", "re:.*mlp.*", "model.layers.1", "*gate*", "Linear", "re:(", "experts.2", "x")
FIELDS = (
    "quant_algo", "bits", "group_size", "weight_block_size", "activation_scheme", "modules_to_not_convert", "ignore",
    "config_groups", "format", "kv_cache_scheme", "load_in_4bit", "load_in_8bit", "bnb_4bit_use_double_quant",
    "lm_head", "dynamic", "version", "zero_point", "quantized_layers", "exclude_modules", "targets", "weights",
    "num_bits", "type", "strategy", "symmetric", "input_activations", "scale_fmt", "expert_dtype", "block_structure",
    "actorder", "scale_dtype", "quantization", "sparsity_config", "kv_cache_quant_algo", "bnb_4bit_quant_type",
)  # fmt: skip

leaves = (
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 2, 3, 4, 8, 16, 32, 128, 2**40, 0.5])
    | st.sampled_from(
        [
            "NVFP4",
            "FP8",
            "MIXED_PRECISION",
            "float",
            "int",
            "group",
            "channel",
            "block",
            "tensor",
            "pack-quantized",
            "4x4",
        ]
    )
    | st.lists(st.sampled_from(NAMES), max_size=3)
    | st.lists(st.integers(-1, 300), max_size=2)
)
values = st.recursive(
    leaves, lambda inner: st.dictionaries(st.sampled_from((*FIELDS, "model.layers.0")), inner, max_size=5), max_leaves=8
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(METHODS), st.dictionaries(st.sampled_from(FIELDS), values, max_size=6))
def test_any_quantisation(method: str, fields: dict[str, object]) -> None:
    reading = reading_of({**MIXTURE, "quantization_config": {"quant_method": method, **fields}}, "config.json", "model")
    try:
        found = storage_of(reading)
    except (BadInput, MissingData):
        return
    everything = weight_bytes(reading.spec, "fp64").total
    assert 0 < found.ledger.total < 2 * everything
    assert all(term.value >= 0 and term.note for term in found.ledger.terms)
    assert found.bits_per_weight > 0
