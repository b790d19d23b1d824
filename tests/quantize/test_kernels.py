"""Both sets of kernels give the same bytes, which are those of ml_dtypes and of plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.quantize import kernels as plain
from isoflop.quantize.encode import Scaling, encode, kernels, power_of_two
from isoflop.quantize.pack import pack_words, unpack_words
from isoflop.quantize.scheme import scheme

NAMES = (
    "int8", "int4-g128", "int4-g32-affine", "int3-g64", "int2-g32", "int6-channel", "int8-w8a8", "fp8", "fp8-tensor",
    "fp8-block", "mxfp8", "mxfp4", "nvfp4",
)  # fmt: skip


def rows(seed: int, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = (rng.standard_t(3, (130, 256)) * 0.02 * np.exp(spread * rng.standard_normal((130, 1)))).astype(np.float32)
    x[3], x[4, :128], x[5] = 0, 0, 0.25
    return x


@pytest.mark.parametrize("choice", ["absmax", "mse", "percentile"])
@pytest.mark.parametrize("name", NAMES)
def test_compiled_and_plain_agree_bit_by_bit(name: str, choice: str) -> None:
    pytest.importorskip("numba")
    x = rows(1, 3.0)
    most = float(np.abs(x).max())
    one, other = (
        encode(x.copy(), scheme(name), Scaling(choice=choice), most, kernels(fast=fast))  # type: ignore[arg-type]
        for fast in (True, False)
    )
    assert np.array_equal(one.codes, other.codes)
    assert np.array_equal(one.scale, other.scale)
    assert np.array_equal(one.back, other.back)


@pytest.mark.parametrize("name", NAMES)
def test_least_squared_error_is_never_worse(name: str) -> None:
    x = rows(2)
    most = float(np.abs(x).max())
    use = kernels()
    wrong = {
        choice: use.errors(x, encode(x.copy(), scheme(name), Scaling(choice=choice), most, use).back)[1]  # type: ignore[arg-type]
        for choice in ("absmax", "mse")
    }
    assert wrong["mse"] <= wrong["absmax"] * (1 + 1e-6)
    if name == "int4-g128":
        assert wrong["mse"] < wrong["absmax"] * 0.95**2


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 8), st.integers(1, 70), st.integers(1, 5), st.integers(0, 2**31))
def test_packing_is_undone(bits: int, columns: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (count, columns)).astype(np.int8)
    packed = pack_words(codes, bits, plain)
    assert packed.shape == (count, -(-columns * bits // 32))
    assert np.array_equal(unpack_words(packed, bits, columns), codes)


def test_every_code_reads_back_to_itself() -> None:
    import ml_dtypes

    one = np.ones((1, 1), np.float32)
    for use in (kernels(), plain):
        for kind, function in ((ml_dtypes.float8_e4m3fn, use.to_e4m3), (ml_dtypes.float4_e2m1fn, use.to_e2m1)):
            count = 256 if kind is ml_dtypes.float8_e4m3fn else 16
            values = np.arange(count, dtype=np.uint8).view(kind).astype(np.float32)[None]
            keep = np.isfinite(values)
            codes, back = function(np.where(keep, values, np.float32(0)), one)
            assert np.array_equal(back[keep], values[keep])
            assert np.array_equal(codes[keep], np.arange(count, dtype=np.uint8)[keep[0]])


def test_a_power_of_two_scale_is_the_smallest_that_does_not_clip() -> None:
    form = scheme("mxfp4")
    for most, expected in ((6.0, 1), (6.9, 1), (7.0, 2), (12.0, 2), (3.0, 0.5), (0.0, 1)):
        assert power_of_two(np.float32([[most]]), form)[0, 0] == expected


def test_nan_and_infinity_have_no_scale() -> None:
    from isoflop.errors import BadInput

    for bad in (np.nan, np.inf, -np.inf):
        x = rows(3)
        x[7, 9] = bad
        with pytest.raises(BadInput, match="NaN or infinity"):
            encode(x, scheme("int8"), Scaling(), 1.0, kernels())
