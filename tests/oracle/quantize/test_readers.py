"""What is written, read by those it is written for: transformers, compressed-tensors, gguf."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.quantize.checkpoints import read, weights, write

from isoflop.quantize import quantize

torch = pytest.importorskip("torch")
pytest.importorskip("compressed_tensors")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.oracle

SYMMETRIC = (
    "int8", "int4-g128", "int4-g32", "int3-g64", "int8-w8a8", "fp8", "fp8-tensor", "fp8-block", "mxfp8", "mxfp4",
    "nvfp4",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("oracle") / "source", weights())


def load(folder: Path, dtype: object) -> tuple[object, dict[str, object]]:
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, output_loading_info=True, local_files_only=True
    )
    return model.eval(), info


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SYMMETRIC)
def test_transformers_loads_all_and_gives_the_dequantized_models_logits(
    name: str, source: Path, tmp_path: Path
) -> None:
    quantize(source, tmp_path / "out", name)
    quantize(tmp_path / "out", tmp_path / "back", "fp32")
    config_file = tmp_path / "out" / "config.json"
    config = json.loads(config_file.read_text())
    for group in config["quantization_config"]["config_groups"].values():
        group["input_activations"] = None  # the weights alone: activations are rounded by the runtime
    config_file.write_text(json.dumps(config))
    in_bf16 = name in {"mxfp8", "mxfp4", "nvfp4"}  # what transformers makes of these formats is BF16
    dtype = torch.bfloat16 if in_bf16 else torch.float32
    quantized, info = load(tmp_path / "out", dtype)
    assert {key: len(found) for key, found in info.items() if key != "error_msgs"} == {  # type: ignore[arg-type]
        "missing_keys": 0, "unexpected_keys": 0, "mismatched_keys": 0,
    }  # fmt: skip
    plain, _ = load(tmp_path / "back", dtype)
    tokens = torch.arange(24)[None] * 3 % 96
    with torch.no_grad():
        one, other = quantized(tokens).logits.float(), plain(tokens).logits.float()  # type: ignore[operator]
    assert float((one - other).norm() / other.norm()) < (3e-2 if in_bf16 else 1e-2)


@pytest.mark.parametrize("name", [*SYMMETRIC, "int4-g32-affine", "int8-affine", "int5-g32"])
def test_compressed_tensors_decodes_the_same_values(name: str, source: Path, tmp_path: Path) -> None:
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationScheme
    from safetensors.torch import load_file

    quantize(source, tmp_path / "out", name)
    quantize(tmp_path / "out", tmp_path / "back", "fp32")
    config = json.loads((tmp_path / "out" / "config.json").read_text())["quantization_config"]
    scheme = QuantizationScheme(**config["config_groups"]["group_0"])
    decoder = BaseCompressor.get_value_from_registry(config["format"])
    stored: dict[str, object] = {}
    for file in (tmp_path / "out").glob("*.safetensors"):
        stored |= load_file(file)
    checked = 0
    for weight, ours in read(tmp_path / "back").items():
        base = weight.removesuffix("weight")
        if base + "weight_scale" not in stored:
            continue
        parts = {key.removeprefix(base): value for key, value in stored.items() if key.startswith(base)}
        if parts["weight_scale"].dtype == torch.bfloat16:  # type: ignore[attr-defined]
            parts["weight_scale"] = parts["weight_scale"].float()  # type: ignore[attr-defined]
        theirs = decoder.decompress(parts, scheme)["weight"].float().numpy()
        tolerance = 2.0**-7 * np.abs(ours).max() if name in {"nvfp4", "mxfp4"} else 0  # they multiply in bf16
        assert np.abs(theirs - ours).max() <= tolerance
        checked += 1
    assert checked == 14


@pytest.mark.parametrize("name", ["int8", "int4-g128"])
def test_the_error_is_not_above_that_of_their_own_rounding(name: str, source: Path, tmp_path: Path) -> None:
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize
    from compressed_tensors.quantization.lifecycle.forward import quantize as rounded
    from compressed_tensors.quantization.utils import calculate_qparams

    report = quantize(source, tmp_path / "out", name)
    group = {"strategy": "channel"} if name == "int8" else {"strategy": "group", "group_size": 128}
    args = QuantizationArgs(num_bits=int(name[3]), type="int", symmetric=True, **group)
    before, squares, wrong = weights(), 0.0, 0.0
    for one in report.quantized:
        x = torch.from_numpy(before[one.name].astype(np.float32)).bfloat16()
        cut = x.reshape(x.shape[0], -1, 128) if name != "int8" else x[:, None]
        scale, zero = calculate_qparams(cut.amin(-1), cut.amax(-1), args)
        back = dequantize(rounded(x, scale, zero, args, dtype=torch.int8), scale, zero, args)
        squares += float((x.double() ** 2).sum())
        wrong += float(((back.double() - x.double()) ** 2).sum())
    assert report.relative_error <= (wrong / squares) ** 0.5 * 1.001


@pytest.mark.parametrize("kind", ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "f16", "bf16", "f32"])
def test_gguf_reads_the_values_back(kind: str, source: Path, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")

    report = quantize(source, tmp_path / "out.gguf", f"gguf-{kind}")
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    before = {name: values.astype(np.float32) for name, values in weights().items()}
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert len(found) == len(before)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for one in report.tensors:
        tensor = found[one.name]
        back = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64).reshape(one.shape)
        original = next(
            values for name, values in before.items() if names.get_name(name, try_suffixes=(".weight",)) == one.name
        )
        if one.name.endswith(("attn_q.weight", "attn_k.weight")):  # halves of a head to pairs
            heads = original.reshape(-1, 2, 16, original.shape[1])
            original = heads.swapaxes(1, 2).reshape(original.shape)
        error = np.linalg.norm(back - original) / np.linalg.norm(original)
        assert error == pytest.approx(one.relative_error or 0.0, abs=1e-6)
        assert error < {"q8_0": 0.01, "q4_0": 0.16, "q4_1": 0.16, "q5_0": 0.08, "q5_1": 0.08}.get(kind, 4e-3)


def test_the_model_room_reads_what_was_written(source: Path, tmp_path: Path) -> None:
    from isoflop.model import describe

    for name, folder in (("int4-g128", "a"), ("fp8-block", "b"), ("gguf-q8_0", "c.gguf")):
        report = quantize(source, tmp_path / folder, name)
        found = describe(str(tmp_path / folder))
        assert found.verified, (name, found.doubts)
        if found.storage is not None:
            assert found.storage.ledger.total == pytest.approx(report.bytes_after, rel=5e-3)
