"""One question at many values, and the ends of an interval from draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.relation import small
from tests.relation.small import fact, facts

from isoflop.relation import solve
from isoflop.relation.sweep import ends, sweep


def test_each_value_of_a_sweep_is_what_solve_gives() -> None:
    budgets = np.geomspace(1e3, 1e8, 9)
    known = [*facts(price=1e-3, peak_rate=3e14), fact("mfu", 0.4, "default")]
    found = sweep(small.WITH_LAW, known, ("params", "loss", "chips"), {"train_cost": budgets})
    assert set(found) == {"params", "loss"}
    for target in found:
        single = [solve(small.WITH_LAW, [*known, fact("train_cost", float(x))], target).value for x in budgets]
        np.testing.assert_allclose(found[target], single, rtol=1e-12)


def test_a_sweep_follows_the_root_it_starts_on() -> None:
    losses = np.linspace(2.4, 2.1, 7)  # the last can no longer be reached
    found = sweep(small.WITH_LAW, facts(train_flops=1e22), ("params",), {"loss": losses})["params"]
    single = [solve(small.WITH_LAW, facts(train_flops=1e22, loss=float(x)), "params").value for x in losses[:-1]]
    np.testing.assert_allclose(found[:-1], single, rtol=1e-8)
    assert np.isnan(found[-1])


def test_what_does_not_depend_on_the_columns_has_their_shape() -> None:
    found = sweep(small.BASE, facts(params=1e9, tokens=2e10), ("train_flops",), {"chips": np.ones(3)})
    assert found["train_flops"] == pytest.approx(np.full(3, 1.2e20))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60))
def test_ends_are_the_percentiles_of_numpy(column: list[float]) -> None:
    array = np.array(column)
    np.testing.assert_allclose(ends(array), np.percentile(array, (5, 95)), rtol=1e-12, atol=1e-6)
