"""`isoflop quantize` refuses before the conversion what would fail after it; reading back has a name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.quantize.checkpoints import read, weights, write

from isoflop.cli import isoflop as command
from isoflop.errors import BadFile, BadInput, IsoflopError
from isoflop.quantize import dequantize, quantize, store


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source", weights())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "int8", "--on", "nodevice"], "no device"),
        (["--to", "int8", "--on", "h100-sxm", "--format", "md"], "text and in JSON"),
        (["--to", "int8", "--calibrate", "x"], "--method"),
        (["--to", "int8", "--format", "png", "--out", "y.svg"], "disagree"),
        (["--to", "gguf-q8_0", "--quality", "x"], "GGUF"),
        (["--to", "int4-g128", "--method", "gptq", "--calibrate", "x", "--scales", "mse"], "without --scales"),
    ],
)
def test_it_is_refused_before_anything_is_written(words: list[str], message: str, source: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["quantize", str(source), str(tmp_path / "out.gguf"), *words])
    assert isinstance(done.exception, IsoflopError)
    assert message in str(done.exception)
    assert [file.name for file in tmp_path.iterdir()] == ["source"]


@pytest.mark.oracle
def test_quality_of_no_text_is_refused_before_anything_is_written(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    words = ["quantize", str(source), str(tmp_path / "out"), "--to", "int8", "--quality", str(tmp_path / "none.txt")]
    assert isinstance(CliRunner().invoke(command, words).exception, BadFile)
    assert [file.name for file in tmp_path.iterdir()] == ["source"]


def test_what_it_takes_to_serve_is_in_the_json(source: Path, tmp_path: Path) -> None:
    words = ["quantize", str(source), str(tmp_path / "out"), "--to", "int8", "--on", "h100-sxm", "--json"]
    found = json.loads(CliRunner().invoke(command, words).stdout)
    served = found["to_serve"]
    assert served["device"] == "h100-sxm"
    assert served["weight_bytes"] == pytest.approx(found["bytes_after"], rel=0.02)
    assert 0 < served["least_tokens"] <= served["tokens"] <= served["most_tokens"]


@pytest.mark.parametrize("inside", [False, True])
def test_dequantize_reads_back(source: Path, tmp_path: Path, *, inside: bool) -> None:
    quantize(source, tmp_path / "out", "int8")
    if inside:  # where some models with vision keep it
        file = tmp_path / "out" / "config.json"
        config = json.loads(file.read_text())
        config["text_config"] = {"quantization_config": config.pop("quantization_config")}
        file.write_text(json.dumps(config))
    dequantize(tmp_path / "out", tmp_path / "back")
    found = read(tmp_path / "back")
    assert found.keys() == weights().keys()
    assert "quantization_config" not in (tmp_path / "back" / "config.json").read_text()
    name = "model.layers.0.mlp.up_proj.weight"
    before, after = weights()[name].astype(np.float32), found[name].astype(np.float32)
    assert np.linalg.norm(before - after) < 0.02 * np.linalg.norm(before)
    with pytest.raises(BadFile, match="does not say"):
        dequantize(source, tmp_path / "again")
    with pytest.raises(BadInput, match="read back as"):
        dequantize(tmp_path / "out", tmp_path / "again", "int8")


@pytest.mark.parametrize("value", [5e-324, -5e-324, 1e-310, 1.7e308])
def test_the_ends_of_fp64_have_a_scale(value: float) -> None:
    assert store(value, "fp8-e4m3", absmax=abs(value)).read == pytest.approx(value, rel=1e-3)
