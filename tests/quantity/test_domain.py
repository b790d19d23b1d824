from __future__ import annotations

import numpy as np
import pytest

from isoflop.errors import AmbiguousInput, BadInput
from isoflop.quantity import Centred, Interval, Point, Range, Samples, Spread, quantity, unit
from isoflop.quantity.domain import check_domain, check_plausible_unit, shape_of, spread_of


@pytest.mark.parametrize(
    "spread", [Point(0.0), Point(1.01), Range(0.0, 0.5), Range(0.5, 1.5), Samples(np.array([0.5, 2.0]))]
)
def test_shares_lie_above_0_and_reach_1_at_most(spread: Spread) -> None:
    with pytest.raises(BadInput, match="mfu is a share"):
        check_domain(spread, quantity("mfu"), "")
    check_domain(spread, unit("1"), "")
    check_domain(spread, None, "")


def test_what_the_domain_allows_passes() -> None:
    check_domain(Point(1.0), quantity("goodput"), "")
    check_domain(Range(0.1, 1.0), quantity("goodput"), "")
    check_domain(Point(1e-300), quantity("loss"), "")


def test_the_hint_shows_the_share_that_was_meant() -> None:
    with pytest.raises(BadInput, match=r"Write 40% or 0\.4\."):
        check_domain(Point(40.0), quantity("mfu"), "40")
    with pytest.raises(BadInput) as caught:
        check_domain(Point(4.0), quantity("mfu"), "400%")
    assert "Write" not in str(caught.value)


def test_bare_numbers_that_fit_a_shown_unit_only_are_refused() -> None:
    check_plausible_unit(5e-4, quantity("price"), "5e-4")
    check_plausible_unit(1e300, quantity("price"), "1e300")
    check_plausible_unit(300.0, quantity("params"), "300")
    with pytest.raises(AmbiguousInput, match=r"'\$2/chip/h' or '\$2/chip/s'"):
        check_plausible_unit(2.0, quantity("price"), "2")
    with pytest.raises(AmbiguousInput, match="'80 GiB'"):
        check_plausible_unit(80.0, quantity("memory"), "80")


def test_the_domain_decides_the_shape() -> None:
    assert shape_of(quantity("mfu"), 0.1) == "logit"
    assert shape_of(quantity("loss"), 0.1) == "lognormal"
    assert shape_of(None, -0.1) == "normal"
    assert spread_of(1.0, None, 2.0, None, "") == Interval(1.0, 2.0, "lognormal")
    assert spread_of(-1.0, 0.0, 2.0, unit("s"), "") == Centred(0.0, -1.0, 2.0, "normal")
    assert spread_of(0.2, 0.4, 0.5, quantity("mfu"), "") == Centred(0.4, 0.2, 0.5, "logit")
    with pytest.raises(BadInput, match="above 0"):
        spread_of(-1.0, 1.0, 3.0, quantity("loss"), "1 ± 2")
