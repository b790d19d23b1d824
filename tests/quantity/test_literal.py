from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput
from isoflop.quantity.literal import split


@pytest.mark.parametrize(
    ("text", "form", "numbers"),
    [
        ("7B", "point", [("7", 0, "B")]),
        ("-$4.5k", "point", [("-4.5", 0, "$k")]),
        ("$33,849/month", "point", [("33849", 0, "$/month")]),
        ("2.15 × 10^25 FLOP", "point", [("2.15", 25, "FLOP")]),
        ("10⁻⁵", "point", [("1", -5, "")]),
        ("1_000e3", "point", [("1000", 3, "")]),
        ("3700 PF-days", "point", [("3700", 0, "PF-days")]),
        ("5 s^-1", "point", [("5", 0, "s^-1")]),
        ("2 1/s", "point", [("2", 0, "1/s")]),
        ("~ 1e25", "about", [("1", 25, "")]),
        ("90-100 days", "range", [("90", 0, ""), ("100", 0, "days")]),
        ("1e-5 - 3e-5", "range", [("1", -5, ""), ("3", -5, "")]),
        ("10-20 PF-days", "range", [("10", 0, ""), ("20", 0, "PF-days")]),
        ("$2-3/h", "range", [("2", 0, "$"), ("3", 0, "$/h")]),
        ("[1, 2] days", "range", [("1", 0, ""), ("2", 0, "days")]),
        ("[$1,$2]/h", "range", [("1", 0, "$"), ("2", 0, "$ /h")]),
        ("0.3 to 0.5", "interval", [("0.3", 0, ""), ("0.5", 0, "")]),
        ("40% +/- 5%", "plus_minus", [("40", 0, "%"), ("5", 0, "%")]),
        ("2 (1 to 3) days", "centred", [("2", 0, ""), ("1", 0, ""), ("3", 0, "days")]),
    ],
)
def test_text_falls_into_form_numbers_and_units(text: str, form: str, numbers: list[tuple[str, int, str]]) -> None:
    written = split(text)
    assert written.form == form
    assert [(one.digits, one.exponent, one.unit) for one in written.numbers] == numbers


@pytest.mark.parametrize(
    ("text", "digits", "whole"),
    [
        ("3700", 2, 37),
        ("100", 2, 10),
        ("4", 1, 4),
        ("0.40", 2, 40),
        ("1024", 4, 1024),
        ("0.05", 1, 5),
        ("0", 0, 0),
        ("20", 2, 20),
    ],
)
def test_digits_that_are_meant(text: str, digits: int, whole: int) -> None:
    assert split(text).numbers[0].significant == (digits, whole)


@given(value=st.floats(allow_nan=False, allow_infinity=False), power=st.integers(-5, 5))
def test_powers_of_ten_are_rounded_once(value: float, power: int) -> None:
    number = split(repr(value)).numbers[0]
    assert number.times_ten_to(0) == value
    try:
        shifted = number.times_ten_to(power)
    except BadInput:
        assert not 1e-300 < abs(value) < 1e300
        return
    mantissa, _, exponent = repr(value).partition("e")
    assert shifted == float(f"{mantissa}e{int(exponent or 0) + power}")
