"""How far a question lies outside the runs behind a law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.laws import FittedOn, published

RUNS = FittedOn(of="some runs", ranges={"params": (1e8, 1e10), "tokens": (1e9, 1e11)})


@given(st.floats(-5, 5))
def test_decades(decades: float) -> None:
    distance = RUNS.decades_outside("params", 1e9 * 10**decades)
    assert distance == pytest.approx(np.sign(decades) * max(abs(decades) - 1, 0), abs=1e-9)
    array = RUNS.decades_outside("params", np.array([1e9 * 10**decades, 1e12]))
    np.testing.assert_allclose(array, [distance, 2.0], atol=1e-12)


def test_inside_there_is_nothing_to_say() -> None:
    assert RUNS.warnings("this law", params=1e9, tokens=2e10, train_flops=1e40) == ()


def test_a_warning_says_how_far_and_from_what() -> None:
    (text,) = published("besiroglu2024").warnings(params=7.2e10, tokens=1e11)
    assert text == "params 72B lies 0.6 decades above the runs behind besiroglu2024 (57.3M to 16.2B)"
    (below,) = published("besiroglu2024").warnings(tokens=1e7)
    assert "2.1 decades below" in below


def test_the_rounding_of_a_range_is_no_reason_to_warn() -> None:
    assert RUNS.warnings("this law", params=1.1e10) == ()


def test_unknown_ranges_are_said_not_hidden() -> None:
    (text,) = published("deepseek2024").warnings(train_flops=1e25)
    assert "not known" in text
    assert "deepseek2024" in text
