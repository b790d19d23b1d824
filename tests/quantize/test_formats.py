"""Number formats against ml_dtypes and IEEE 754, and the fourth seed's table."""

from __future__ import annotations

import math

import pytest

from isoflop.errors import BadInput, UnknownName
from isoflop.quantize import FORMATS, number_format, store
from isoflop.quantize.formats import values_of

PI = math.pi


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("fp32", 3.1415927410125732), ("fp16", 3.140625), ("bf16", 3.140625), ("tf32", 3.140625), ("fp8-e4m3", 3.25),
        ("fp8-e5m2", 3.0), ("fp4-e2m1", 3.0), ("int8", 3.0), ("fp64", PI),
    ],
)  # fmt: skip
def test_pi_in_every_format(name: str, read: float) -> None:
    assert store(PI, name).read == read


def test_pi_in_int8_is_three_only_at_scale_one() -> None:
    assert store(PI, "int8").read == 3
    assert store(PI, "int8", absmax=4).read == pytest.approx(3.149606, abs=1e-6)
    assert store(PI, "int8", absmax=10).read == pytest.approx(3.1496, abs=1e-4)
    assert store(PI, "int8", absmax=PI).read == pytest.approx(PI, rel=1e-15)


@pytest.mark.parametrize(
    ("name", "layout", "largest", "smallest"),
    [
        ("fp32", "1/8/23", 3.4028234663852886e38, 2.0**-149),
        ("fp16", "1/5/10", 65504, 2.0**-24),
        ("bf16", "1/8/7", 3.3895313892515355e38, 2.0**-133),
        ("tf32", "1/8/10", 3.4011621342146535e38, 2.0**-136),
        ("fp8-e4m3", "1/4/3", 448, 2.0**-9),
        ("fp8-e5m2", "1/5/2", 57344, 2.0**-16),
        ("fp6-e2m3", "1/2/3", 7.5, 0.125),
        ("fp6-e3m2", "1/3/2", 28, 0.0625),
        ("fp4-e2m1", "1/2/1", 6, 0.5),
    ],
)
def test_range_follows_from_the_bits(name: str, layout: str, largest: float, smallest: float) -> None:
    form = number_format(name)
    assert (form.layout, form.largest, form.smallest) == (layout, largest, smallest)


def test_bits_are_those_that_are_stored() -> None:
    assert store(PI, "fp32").code.replace(" ", "") == f"{0x40490FDB:032b}"
    assert store(-1.5, "bf16").code == "1 01111111 1000000"
    assert store(-3, "int4").code == "1101"


def test_values_beyond_the_range_become_its_end_and_say_so() -> None:
    for name, value, end in (("fp16", 1e6, 65504), ("int8", -1000, -128), ("fp8-e4m3", 500, 448)):
        found = store(value, name)
        assert found.clipped
        assert found.read == end


@pytest.mark.parametrize("form", [form for form in FORMATS if form.bits <= 8 and form.name != "e8m0"], ids=str)
def test_every_value_of_a_small_format_is_exact_in_it(form: object) -> None:
    for value in values_of(form):  # type: ignore[arg-type]
        if form.name != "nf4" or value:  # type: ignore[attr-defined]
            assert store(float(value), form).read == value  # type: ignore[arg-type]


def test_bad_values_are_refused() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(BadInput, match="finite"):
            store(value, "fp8")
    with pytest.raises(BadInput, match="at least"):
        store(3.0, "int8", absmax=2.0)
    with pytest.raises(UnknownName, match="fp8-e4m3"):
        number_format("fp8-e4m4")


def test_blocks_share_a_power_of_two_or_an_fp8_scale() -> None:
    for name, absmax, scale in (
        ("mxfp4", 6, 1),
        ("mxfp4", 6.9, 1),
        ("mxfp4", 7, 2),
        ("mxfp4", 4, 1),
        ("mxfp8", 4, 2.0**-6),
    ):
        assert store(1.0, name, absmax=absmax).scale == scale
    assert store(PI, "nvfp4", absmax=6).read == 3
    assert number_format("mxfp4").bits_with_scale == 4.25
    assert number_format("nvfp4").bits_with_scale == 4.5
