"""Roots against known ones and against scipy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from isoflop.quantity import FloatArray
from isoflop.relation.roots import Nearest, distinct, newton, scan


def along(function: Callable[[FloatArray], FloatArray]) -> Callable[[FloatArray], FloatArray]:
    """A function of one variable in the shape that the search asks for."""

    def residual(z: FloatArray) -> FloatArray:
        assert z.ndim == 2
        return function(z[0])[None, :]

    return residual


separated = st.lists(st.integers(-400, 400), min_size=1, max_size=6, unique=True).map(
    lambda places: sorted(place / 40 for place in places)
)


@given(separated)
def test_all_roots_of_a_polynomial_are_found(places: list[float]) -> None:
    found, nearest = scan(along(lambda z: np.prod([z - place for place in places], axis=0)), -11.0, 12.0)
    assert nearest is None
    np.testing.assert_allclose(found, places, atol=1e-9)


def test_a_sum_of_powers_agrees_with_brent() -> None:
    def residual(z: FloatArray) -> FloatArray:
        return np.log(1.69 + 406.4 * np.exp(-0.34 * z) + 410.7 * np.exp(-0.28 * (50.6 - z))) - np.log(2.2)

    found, _ = scan(along(residual), 5.0, 50.0)
    oracle = [optimize.brentq(residual, 15.0, 22.0, xtol=1e-14), optimize.brentq(residual, 22.0, 30.0, xtol=1e-14)]
    np.testing.assert_allclose(found, oracle, rtol=1e-12)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
def test_a_pair_closer_than_the_grid_is_found(gap: float) -> None:
    found, _ = scan(along(lambda z: (z - 1.23456789) * (z - 1.23456789 - gap)), -7.0, 9.0)
    np.testing.assert_allclose(found, [1.23456789, 1.23456789 + gap], atol=1e-11 / gap)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("place", [0.0, 0.7654321, 3.0])
def test_a_double_root_is_one_root(place: float, sign: int) -> None:
    found, nearest = scan(along(lambda z: sign * (z - place) ** 2), -7.0, 9.0)
    assert nearest is None
    np.testing.assert_allclose(found, [place], atol=1e-6)


def test_a_root_on_a_grid_point_is_counted_once() -> None:
    found, _ = scan(along(lambda z: z * (z - 2.0)), 0.0, 2047.0)
    np.testing.assert_array_equal(found, [0.0, 2.0])


def test_without_a_root_the_nearest_place_and_the_miss() -> None:
    found, nearest = scan(along(lambda z: (z - 0.7654321) ** 2 + 0.25), -7.0, 9.0)
    assert found.size == 0
    assert nearest is not None
    assert nearest.position == pytest.approx(0.7654321, abs=1e-6)
    assert nearest.residual == pytest.approx(0.25, abs=1e-12)
    _, below = scan(along(lambda z: -((z + 2) ** 2) - 3.0), -7.0, 9.0)
    assert below is not None
    assert below.residual == pytest.approx(-3.0)


def test_a_jump_is_no_root() -> None:
    found, nearest = scan(along(lambda z: np.ceil(z) - 1.5), -7.0, 9.0)
    assert found.size == 0
    assert isinstance(nearest, Nearest)
    assert abs(nearest.residual) == 0.5
    found, _ = scan(along(lambda z: np.where(z < 0, z + 2, z - 3)), -7.0, 9.0)
    np.testing.assert_allclose(found, [-2.0, 3.0], atol=1e-9)


def test_where_nothing_can_be_computed_there_is_nothing() -> None:
    found, nearest = scan(along(lambda z: np.full_like(z, np.nan)), -7.0, 9.0)
    assert found.size == 0
    assert nearest is None


def test_regions_that_cannot_be_computed_are_stepped_over() -> None:
    def residual(z: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.log(z) - 1.0

    found, nearest = scan(along(residual), -7.0, 9.0)
    assert nearest is None
    np.testing.assert_allclose(found, [np.e], rtol=1e-12)


def _two(z: FloatArray) -> FloatArray:
    """Logs of x + y^2 = 3 and sqrt(x) * y + x = 2.5."""
    x, y = np.exp(z)
    return np.stack([np.log(x + y**2) - np.log(3.0), np.log(np.sqrt(x) * y + x) - np.log(2.5)])


def test_newton_agrees_with_scipy() -> None:
    start = np.array([[0.1, -0.4, 0.5], [0.2, 0.3, -0.5]])
    found = newton(_two, start)
    for column in range(start.shape[1]):
        oracle = optimize.root(lambda z: _two(z[:, None])[:, 0], start[:, column], tol=1e-13)
        assert oracle.success
        np.testing.assert_allclose(found[:, column], oracle.x, rtol=1e-8)


@given(st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_newton_and_scipy_agree_on_any_mild_system(a: float, b: float, u: float, v: float) -> None:
    def residual(z: FloatArray) -> FloatArray:
        x, y = np.exp(z)
        stated = np.log([a * np.exp(u) + np.exp(-v), b * np.exp(v) + 0.1 * np.exp(u)])
        return np.stack([np.log(a * x + 1 / y) - stated[0], np.log(b * y + 0.1 * x) - stated[1]])

    start = np.array([[u + 0.05], [v - 0.05]])
    found = newton(residual, start)
    oracle = optimize.root(lambda z: residual(z[:, None])[:, 0], start[:, 0], tol=1e-13)
    if oracle.success and np.all(np.isfinite(found)):
        assert np.max(np.abs(residual(found))) < 1e-9
        if np.max(np.abs(oracle.x - found[:, 0])) < 0.05:  # both on the same root
            np.testing.assert_allclose(found[:, 0], oracle.x, atol=1e-8)


def test_newton_takes_every_column_on_its_own() -> None:
    stated = np.array([0.5, 1.0, 4.0, -1.0])
    found = newton(lambda z: np.square(z) - stated, np.full((1, 4), 1.0))
    np.testing.assert_allclose(found[0, :3], np.sqrt(stated[:3]), rtol=1e-10)
    assert np.isnan(found[0, 3])


def test_newton_leaves_columns_that_cannot_be_computed_as_nan() -> None:
    with np.errstate(all="ignore"):
        found = newton(lambda z: np.log(z) - 1.0, np.array([[-1.0, 2.0]]))
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(np.e)


def test_a_flat_residual_does_not_stop_the_others() -> None:
    found = newton(lambda z: np.where(z > 5, 1.0, z - 2.0), np.array([[9.0, 1.0]]))
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(2.0)


def test_distinct_drops_copies_and_failures_and_sorts() -> None:
    columns = np.array([[3.0, 1.0, np.nan, 1.0 + 1e-9, 3.0], [0.0, 2.0, 1.0, 2.0, 0.5]])
    np.testing.assert_allclose(distinct(columns), [[1.0, 3.0, 3.0], [2.0, 0.0, 0.5]], atol=1e-8)
    assert distinct(np.full((2, 3), np.nan)).shape == (2, 0)
