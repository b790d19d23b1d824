"""Models that transformers itself saved, by family: what is written loads whole and answers like what reads back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isoflop.quantize import Options, quantize

torch = pytest.importorskip("torch")
pytest.importorskip("compressed_tensors")
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

SIZES = {
    "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 96, "max_position_embeddings": 64,
}  # fmt: skip
SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2}
LANGUAGE = {
    "llama with biases in FP16": ("LlamaConfig", {"attention_bias": True, "mlp_bias": True}, "float16", {}),
    "llama in FP32": ("LlamaConfig", {}, "float32", {}),
    "llama with its head": ("LlamaConfig", {}, "bfloat16", {"include": ("lm_head",)}),
    "qwen2, tied": ("Qwen2Config", {"tie_word_embeddings": True}, "bfloat16", {}),
    "mixtral": ("MixtralConfig", {"num_local_experts": 4}, "bfloat16", {}),
    "gpt-neox": ("GPTNeoXConfig", {}, "float16", {}),
}


def saved(model: object, folder: Path, dtype: str) -> Path:
    model.to(getattr(torch, dtype)).save_pretrained(folder)  # type: ignore[attr-defined]
    return folder


def load(kind: str, folder: Path) -> object:
    model, info = getattr(transformers, kind).from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
    )
    assert {key: sorted(found)[:3] for key, found in info.items() if found} == {}
    return model.eval()


@pytest.mark.parametrize("name", LANGUAGE)
def test_language_models(name: str, tmp_path: Path) -> None:
    config, more, dtype, options = LANGUAGE[name]
    torch.manual_seed(0)
    made = transformers.AutoModelForCausalLM.from_config(getattr(transformers, config)(**SIZES, **more))
    source = saved(made, tmp_path / "source", dtype)
    report = quantize(source, tmp_path / "out", "int8", options=Options(**options))  # type: ignore[arg-type]
    assert ("lm_head.weight" in {one.name for one in report.quantized}) == bool(options)
    quantize(tmp_path / "out", tmp_path / "back", "fp32")
    tokens = torch.arange(24)[None] * 3 % 96
    with torch.no_grad():
        one, other = (load("AutoModelForCausalLM", tmp_path / place)(tokens).logits for place in ("out", "back"))  # type: ignore[operator]
    assert float((one - other).norm() / other.norm()) < 3e-3


@pytest.mark.parametrize("name", ["llava", "qwen2-vl", "gemma3"])
def test_models_with_vision_whose_modules_are_renamed(name: str, tmp_path: Path) -> None:
    if name == "llava":
        vision = transformers.CLIPVisionConfig(**SMALL, image_size=28, patch_size=14, projection_dim=64)
        config = transformers.LlavaConfig(vision_config=vision, text_config=transformers.LlamaConfig(**SIZES))
    elif name == "gemma3":
        config = transformers.Gemma3Config(
            text_config={**SIZES, "head_dim": 32}, mm_tokens_per_image=1,
            vision_config={**SMALL, "image_size": 28, "patch_size": 14},
        )  # fmt: skip
    else:
        rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]}
        config = transformers.Qwen2VLConfig(
            text_config={**SIZES, "rope_parameters": rope},
            vision_config={"depth": 2, "embed_dim": 64, "hidden_size": 128, "num_heads": 2, "mlp_ratio": 2},
        )
    made = transformers.AutoModelForImageTextToText.from_config(config)
    report = quantize(saved(made, tmp_path / "source", "bfloat16"), tmp_path / "out", "int8")
    assert len(report.quantized) == 14
    load("AutoModelForImageTextToText", tmp_path / "out")


def test_a_head_that_is_tied_and_a_linear_layer(tmp_path: Path) -> None:
    config = transformers.BertConfig(**{key: SIZES[key] for key in SIZES if "key_value" not in key})
    made = transformers.AutoModelForMaskedLM.from_config(config)
    quantize(saved(made, tmp_path / "source", "float32"), tmp_path / "out", "int8")
    load("AutoModelForMaskedLM", tmp_path / "out")
    ignored = json.loads((tmp_path / "out" / "config.json").read_text())["quantization_config"]["ignore"]
    assert "cls.predictions.decoder" in ignored


@pytest.mark.parametrize("to", ["nvfp4", "fp8-block", "mxfp8", "int8-w8a8"])
def test_experts_that_transformers_does_not_read_are_told(to: str, tmp_path: Path) -> None:
    """Where this fails because it loads, transformers has learnt it: drop the scheme from `experts_note`."""
    made = transformers.AutoModelForCausalLM.from_config(transformers.MixtralConfig(**SIZES, num_local_experts=4))
    source = saved(made, tmp_path / "source", "bfloat16")
    report = quantize(source, tmp_path / "out", to)
    assert any(f"{to} experts" in said for said in report.warnings)
    assert quantize(source, tmp_path / "kept", to, options=Options(keep=("*.experts.*",))).warnings == ()
    quantize(tmp_path / "out", tmp_path / "back", "fp32")
    name = "model.layers.0.mlp.experts.gate_up_proj"
    right = load("AutoModelForCausalLM", tmp_path / "back").get_parameter(name)  # type: ignore[attr-defined]
    try:
        read = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.bfloat16)
    except RuntimeError:
        return
    assert float((read.get_parameter(name).float() - right).norm() / right.norm()) > 1
