from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput
from isoflop.quantity import Centred, Interval, Point, Range, Samples, Spread

SPREADS: list[Spread] = [
    Point(3.0),
    Range(2.0, 4.0),
    Interval(1.0, 9.0),
    Interval(0.3, 0.5, "logit"),
    Interval(-1.0, 3.0, "normal"),
    Centred(0.318, 0.175, 0.579, "logit"),
    Centred(2.0, 1.0, 9.0),
    Centred(0.0, -1.0, 3.0, "normal"),
    Samples(np.random.default_rng(7).lognormal(0.0, 0.3, 50_001)),
]


@pytest.mark.parametrize("spread", SPREADS, ids=repr)
def test_draws_have_the_quantiles_that_the_spread_states(spread: Spread) -> None:
    draws = spread.sample(np.random.default_rng(1), 200_000)
    low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
    width = max(spread.high - spread.low, 1e-9)
    assert middle == pytest.approx(spread.median, abs=0.02 * width)
    if spread.is_hard:
        assert spread.low <= draws.min()
        assert draws.max() <= spread.high
    else:
        assert [low, high] == pytest.approx([spread.low, spread.high], abs=0.03 * width)


@pytest.mark.parametrize("spread", SPREADS, ids=repr)
def test_scaling_scales_every_quantile(spread: Spread) -> None:
    scaled = spread.scaled(1000.0)
    assert [scaled.low, scaled.median, scaled.high] == pytest.approx(
        [1000 * spread.low, 1000 * spread.median, 1000 * spread.high]
    )
    assert scaled.is_point == spread.is_point
    assert scaled.is_hard == spread.is_hard
    one, other = (each.sample(np.random.default_rng(3), 100) for each in (scaled, spread))
    assert one == pytest.approx(1000 * other)


@pytest.mark.parametrize("spread", SPREADS, ids=repr)
def test_the_same_seed_gives_the_same_draws(spread: Spread) -> None:
    first, second = (spread.sample(np.random.default_rng(5), 10) for _ in range(2))
    assert (first == second).all()
    assert first.shape == (10,)


def test_medians_lie_in_the_middle_of_the_scale_of_the_shape() -> None:
    assert Interval(1.0, 9.0).median == pytest.approx(3.0)
    assert Interval(0.2, 0.8, "logit").median == pytest.approx(0.5)
    assert Interval(0.3, 0.5, "logit").median == pytest.approx(1 / (1 + math.sqrt(0.7 / 0.3)), rel=1e-3)
    assert Interval(1.0, 9.0, "normal").median == 5.0
    assert Range(1.0, 9.0).median == 5.0
    assert Centred(2.0, 1.0, 9.0).median == 2.0


def test_shares_never_leave_their_bounds() -> None:
    draws = Interval(0.02, 0.98, "logit").sample(np.random.default_rng(0), 100_000)
    assert draws.min() > 0
    assert draws.max() < 1


def test_points_and_hard_bounds_say_so() -> None:
    assert Point(1.0).is_point
    assert Range(1.0, 2.0).is_hard
    assert not Range(1.0, 2.0).is_point
    assert not Interval(1.0, 2.0).is_hard
    assert Interval(2.0, 2.0).is_point
    assert Centred(2.0, 2.0, 2.0).is_hard
    assert Samples(np.array([2.0, 2.0])).is_point


def test_samples_stay_as_drawn_where_their_number_is_asked_for() -> None:
    array = np.array([3.0, 1.0, 2.0])
    samples = Samples(array)
    assert (samples.sample(np.random.default_rng(0), 3) == array).all()
    assert set(samples.sample(np.random.default_rng(0), 50)) == {1.0, 2.0, 3.0}
    assert samples == Samples(array.copy())
    assert hash(samples) == hash(Samples(array.copy()))
    assert samples != Samples(array[:2])
    array[0] = 99.0
    assert samples.high < 4
    with pytest.raises(ValueError, match="read-only"):
        samples.array[0] = 1.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Range(2.0, 1.0),
        lambda: Range(0.0, math.inf),
        lambda: Interval(0.0, 1.0),
        lambda: Interval(-1.0, 1.0),
        lambda: Interval(0.5, 1.0, "logit"),
        lambda: Interval(0.0, 0.5, "logit"),
        lambda: Interval(math.nan, 1.0),
        lambda: Centred(3.0, 1.0, 2.0),
        lambda: Centred(0.5, 1.0, 2.0),
        lambda: Samples(np.array([math.nan])),
        lambda: Samples(np.array([])),
    ],
)
def test_impossible_spreads_are_refused(make: object) -> None:
    with pytest.raises(BadInput):
        make()  # type: ignore[operator]


@given(low=st.floats(1e-200, 1e200), ratio=st.floats(1.0, 1e50))
def test_the_median_lies_between_the_ends(low: float, ratio: float) -> None:
    for spread in (Interval(low, low * ratio), Range(low, low * ratio), Interval(low, low * ratio, "normal")):
        assert spread.low * (1 - 1e-9) <= spread.median <= spread.high * (1 + 1e-9)
