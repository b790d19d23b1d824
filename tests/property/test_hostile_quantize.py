"""Hostile checkpoints: a clear error or a right answer, the source untouched, nothing half-made left as if whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.quantize.checkpoints import weights, write

from isoflop.errors import IsoflopError
from isoflop.quantize import quantize

FUZZ = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = write(tmp_path_factory.mktemp("good") / "source", weights(), files=1)
    return (folder / "model.safetensors").read_bytes()


def attempt(data: bytes, folder: Path, to: str = "int4-g128", config: str = "{}") -> None:
    """Convert what these bytes are; whatever happens, nothing may be left that looks whole after an error."""
    source, target = folder / "source", folder / "out"
    source.mkdir(exist_ok=True)
    (source / "model.safetensors").write_bytes(data)
    (source / "config.json").write_text(config)
    try:
        quantize(source, target, to)
    except IsoflopError as error:
        said = str(error)
        assert len(said) < 1500
        assert not target.exists()
    else:
        for file in target.iterdir():
            file.unlink()
        target.rmdir()
    assert (source / "model.safetensors").read_bytes() == data


def with_header(good: bytes, change: object) -> bytes:
    length = int.from_bytes(good[:8], "little")
    table = json.loads(good[8 : 8 + length])
    change(table)  # type: ignore[operator]
    header = json.dumps(table).encode()
    return len(header).to_bytes(8, "little") + header + good[8 + length :]


@FUZZ
@given(st.integers(0, 3000), st.integers(0, 255))
def test_flipped_bytes(good: bytes, tmp_path: Path, place: int, value: int) -> None:
    data = bytearray(good)
    data[place % len(data)] = value
    attempt(bytes(data), tmp_path)


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes(tmp_path: Path, data: bytes) -> None:
    attempt(data, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["lm_head.weight"].update(data_offsets=[0, 24576]),
        lambda table: table["lm_head.weight"].update(data_offsets=[-1, 24575]),
        lambda table: table["lm_head.weight"].update(shape=[2**40, 2**40]),
        lambda table: table["lm_head.weight"].update(dtype="F7"),
        lambda table: table["lm_head.weight"].update(shape=[96.5, 128]),
        lambda table: table.update({"../../etc/passwd": table.pop("lm_head.weight")}),
        lambda table: table.pop("lm_head.weight"),
        lambda table: table.update(__metadata__={"a": {}}),
    ],
)
def test_lying_headers(good: bytes, tmp_path: Path, change: object) -> None:
    attempt(with_header(good, change), tmp_path)


@pytest.mark.parametrize("length", [2**60, 2**63, 2**64 - 1, 100_000_001, 10**8])
def test_headers_of_absurd_length(good: bytes, tmp_path: Path, length: int) -> None:
    attempt(length.to_bytes(8, "little") + good[8:], tmp_path)


@pytest.mark.parametrize("name", ["../source/model.safetensors", "/etc/passwd", "a/b.safetensors", "x.bin", "..", ""])
def test_an_index_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "source", weights())
    index = source / "model.safetensors.index.json"
    table = json.loads(index.read_text())
    table["weight_map"]["lm_head.weight"] = name
    index.write_text(json.dumps(table))
    with pytest.raises(IsoflopError):
        quantize(source, tmp_path / "out", "int8")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "config",
    ["[]", "{", '{"quantization_config": 3}', '{"quantization_config": {"quant_method": "gptq"}}', "{}", "nul"],
)
@pytest.mark.parametrize("to", ["int8", "fp32", "gguf-q8_0"])
def test_configs_that_say_nothing_sensible(good: bytes, tmp_path: Path, config: str, to: str) -> None:
    attempt(good, tmp_path, to, config)


@FUZZ
@given(
    st.dictionaries(
        st.sampled_from(["config_groups", "format", "quant_method", "ignore"]),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.dictionaries(st.sampled_from(
            ["group_0", "weights", "num_bits", "type", "strategy", "format"]), inner, max_size=3), max_leaves=6),
        max_size=4,
    )
)  # fmt: skip
def test_quantized_checkpoints_whose_config_lies(good: bytes, tmp_path: Path, table: dict[str, object]) -> None:
    config = {"quantization_config": {"quant_method": "compressed-tensors", **table}}
    attempt(good, tmp_path, "bf16", json.dumps(config))


def test_parts_that_do_not_fit_their_codes(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    quantize(write(tmp_path / "source", weights(), files=1), tmp_path / "coded", "int4-g32-affine")
    import ml_dtypes  # noqa: F401 - for the reader
    from safetensors.numpy import load_file

    whole = load_file(tmp_path / "coded" / "model.safetensors")
    base = "model.layers.0.mlp.up_proj.weight_"
    wrong = {
        "scale": np.ones((3, 3), np.float32),
        "shape": np.array([256, 2**62]),
        "packed": np.zeros((256, 3), np.int32),
        "zero_point": np.zeros((1, 1), np.int32),
    }
    for part, value in wrong.items():
        save_file({**whole, base + part: value}, tmp_path / "coded" / "model.safetensors")
        with pytest.raises(IsoflopError, match="up_proj"):
            quantize(tmp_path / "coded", tmp_path / "back", "bf16")
        assert not (tmp_path / "back").exists()


def test_killed_at_any_moment_it_ends_the_same(tmp_path: Path) -> None:
    """SIGKILL after random times, again and again, until a call gets through."""
    source = write(
        tmp_path / "source",
        {name: np.tile(value, (8, *[1] * (value.ndim - 1))) for name, value in weights().items()},
        files=9,
    )
    quantize(source, tmp_path / "whole", "int4-g128")
    words = "import sys; from isoflop.quantize import quantize; print('.', flush=True); quantize(*sys.argv[1:])"
    rng = np.random.default_rng(0)
    for _ in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", words, str(source), str(tmp_path / "out"), "int4-g128"], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(float(rng.uniform(0, 0.25)))
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.close()
        if child.wait() == 0:
            break
        if (tmp_path / "out").exists():
            break
    else:
        quantize(source, tmp_path / "out", "int4-g128")
    for file in (tmp_path / "whole").glob("*.safetensors"):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()
    assert not (tmp_path / "out.unfinished").exists()
