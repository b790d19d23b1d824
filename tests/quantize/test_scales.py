"""Scales that are hard: one for a whole tensor, blocks cut off at the edge, tiny and huge weights, outside columns."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tests.quantize.checkpoints import read, weights, write

from isoflop.errors import BadInput
from isoflop.quantize import Options, kernels, quantize
from isoflop.quantize.pack import pack_words, unpack_words

UP = "model.layers.0.mlp.up_proj.weight"


def error_of_what_reads_back(before: NDArray[np.generic], after: NDArray[np.generic]) -> float:
    x = before.astype(np.float64)
    return float(np.linalg.norm(after.astype(np.float64) - x) / np.linalg.norm(x))


def one_weight(folder: Path, values: NDArray[np.generic]) -> Path:
    folder.mkdir()
    return write(folder / "source", {UP: values, "model.norm.weight": values[0]}, files=1)


@pytest.mark.parametrize("rows", [64, 300, 9000])
def test_one_scale_for_a_tensor_is_one_whatever_chooses_it(rows: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_t(3, (rows, 256)).astype(np.float32)
    values *= np.exp(np.linspace(0, 3, rows, dtype=np.float32))[:, None]  # the first row is not like the others
    source = one_weight(tmp_path / "made", values)
    errors = []
    for choice in ("absmax", "mse"):
        report = quantize(source, tmp_path / choice, "fp8-tensor", options=Options(choice=choice))  # type: ignore[arg-type]
        quantize(tmp_path / choice, tmp_path / f"{choice}-back", "fp32")
        errors.append(error_of_what_reads_back(values, read(tmp_path / f"{choice}-back")[UP]))
        assert report.relative_error == pytest.approx(errors[-1], rel=1e-4)
    assert errors[1] <= errors[0]


@pytest.mark.parametrize("columns", [96, 160, 192, 264, 384])
@pytest.mark.parametrize("rows", [1, 64, 200])
def test_blocks_that_are_cut_off_read_back(rows: int, columns: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    values *= np.exp(np.linspace(0, 9, columns, dtype=np.float32))
    source = one_weight(tmp_path / "made", values)
    report = quantize(source, tmp_path / "out", "fp8-block")
    quantize(tmp_path / "out", tmp_path / "back", "fp32")
    off = error_of_what_reads_back(values, read(tmp_path / "back")[UP])
    assert off < 0.04
    assert report.relative_error == pytest.approx(off, rel=1e-4)


@pytest.mark.parametrize(("to", "most"), [("int8", 0.06), ("int4-g32", 0.2), ("int4-g32-affine", 0.2), ("fp8", 0.06)])
def test_weights_whose_scale_has_no_place_in_fp16_lose_little(to: str, most: float, tmp_path: Path) -> None:
    values = (np.random.default_rng(0).standard_normal((64, 128)) * 1e-6).astype(np.float16)
    report = quantize(one_weight(tmp_path / "made", values), tmp_path / "out", to)
    grid = 2.0**-24 / np.sqrt(12) / 1e-6  # FP16 has no scale below 2^-24, so a step cannot be finer
    assert report.relative_error < max(most, 1.05 * grid)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("to", ["bf16", "fp16"])
def test_casts_of_huge_numbers_end_at_the_end_of_the_range(to: str, tmp_path: Path, *, fast: bool) -> None:
    """Masks are kept as the lowest FP32 in some checkpoints."""
    values = np.random.default_rng(0).standard_normal((64, 128)).astype(np.float32) * np.float32(1e36)
    values[0, :2] = np.finfo(np.float32).max, np.finfo(np.float32).min
    source = one_weight(tmp_path / "made", values)
    report = quantize(source, tmp_path / "out", to, options=Options(fast=fast))
    found = read(tmp_path / "out")[UP].astype(np.float64)
    both = [(values, found), (values[0], read(tmp_path / "out")["model.norm.weight"].astype(np.float64))]
    wrong = sum(float(((back - one.astype(np.float64)) ** 2).sum()) for one, back in both)
    squares = sum(float((one.astype(np.float64) ** 2).sum()) for one, _ in both)
    assert report.relative_error == pytest.approx((wrong / squares) ** 0.5, rel=1e-6)
    assert found[0, 0] == -found[0, 1] == {"bf16": 2.0**128 - 2.0**120, "fp16": 65504}[to]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("to", ["int8", "int4-g32-affine", "fp8", "fp8-tensor", "mxfp4", "nvfp4"])
def test_a_weight_that_no_scale_fits_is_refused(to: str, tmp_path: Path) -> None:
    values = np.ones((64, 128), np.float32)
    values[3, 4] = -1e30
    with pytest.raises(BadInput, match=r"up_proj.weight' holds 1e\+30.*--keep"):
        quantize(one_weight(tmp_path / "made", values), tmp_path / "out", to)


@pytest.mark.parametrize("to", ["int4-g32", "int4-g32-affine"])
def test_columns_that_gptq_has_put_in_groups_read_back(to: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((64, 128)).astype(np.float32)
    values *= np.exp(np.linspace(0, 4, 128, dtype=np.float32))
    order = np.random.default_rng(1).permutation(128)
    quantize(one_weight(tmp_path / "made", values), tmp_path / "plain", to)
    quantize(tmp_path / "plain", tmp_path / "plain-back", "fp32")
    codes, shuffled = read(tmp_path / "plain"), tmp_path / "shuffled"
    shutil.copytree(tmp_path / "plain", shuffled)
    base = UP.removesuffix("weight")
    taken = unpack_words(codes[base + "weight_packed"], 4, 128)[:, order]  # type: ignore[arg-type]
    codes[base + "weight_packed"] = pack_words(np.ascontiguousarray(taken), 4, kernels)
    codes[base + "weight_g_idx"] = (order // 32).astype(np.int32)
    save_file(codes, shuffled / "model.safetensors")
    quantize(shuffled, tmp_path / "back", "fp32")
    found = read(tmp_path / "back")
    assert set(found) == {UP, "model.norm.weight"}
    assert np.array_equal(found[UP], read(tmp_path / "plain-back")[UP][:, order])


@pytest.mark.parametrize("to", ["fp8-tensor", "fp8-block", "int4-g32-affine"])
def test_a_percentile_that_would_not_be_used_is_refused(to: str, tmp_path: Path) -> None:
    source = write(tmp_path / "source", weights())
    with pytest.raises(BadInput, match="percentile"):
        quantize(source, tmp_path / "out", to, options=Options(choice="percentile"))
