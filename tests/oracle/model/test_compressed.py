"""Every preset of compressed-tensors: one matrix packed by the library itself, and by our arithmetic."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("compressed_tensors")
torch = pytest.importorskip("torch")

from compressed_tensors.compressors.base import BaseCompressor  # noqa: E402
from compressed_tensors.compressors.format import infer_module_format  # noqa: E402
from compressed_tensors.quantization import preset_name_to_scheme  # noqa: E402
from compressed_tensors.quantization.lifecycle.initialize import (  # noqa: E402
    initialize_module_for_quantization,
)
from compressed_tensors.quantization.quant_scheme import PRESET_SCHEMES  # noqa: E402

from isoflop.model.storage.methods import scheme_of  # noqa: E402

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("shape", [(512, 384), (256, 320)])
@pytest.mark.parametrize("name", sorted(PRESET_SCHEMES))
def test_bytes_of_a_matrix(name: str, shape: tuple[int, int]) -> None:
    scheme = preset_name_to_scheme(name, ["Linear"])
    if scheme.weights is None:
        pytest.skip("nothing of the weights is quantised")
    module = torch.nn.Linear(*shape, bias=False, dtype=torch.bfloat16)
    initialize_module_for_quantization(module, scheme, force_zero_point=False)
    with torch.no_grad():
        for called, one in module.named_parameters():
            if called != "weight":
                one.fill_(1)
    kind = infer_module_format(torch.nn.Linear, scheme).value
    packed = BaseCompressor.get_value_from_registry(kind).compress(dict(module.state_dict()), scheme)
    group = json.loads(scheme.model_dump_json())
    ours = scheme_of({"quant_method": "compressed-tensors", "format": kind, "config_groups": {"g": group}}, "bf16")
    assert ours.rules[0].form.size(*shape) == sum(one.numel() * one.element_size() for one in packed.values())
    assert ours.doubts == ()
