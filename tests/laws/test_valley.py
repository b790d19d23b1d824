"""The flat valley and both roots at fixed compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, Infeasible
from isoflop.laws import Chinchilla, published, roots, valley
from isoflop.quantity import quantity, write

NAMES = ("hoffmann2022-rounded", "hoffmann2022-tex", "besiroglu2024", "muennighoff2023-c4")
works = st.floats(1e15, 1e30)


@given(st.sampled_from(NAMES), works, st.floats(1e-6, 2.0))
def test_the_edges_have_the_loss_asked_for(name: str, flops: float, within: float) -> None:
    law = published(name).law
    best, found = law.allocate(flops), valley(law, flops, within)
    assert found.params_low < best.params < found.params_high
    for edge in (found.params_low, found.params_high):
        assert law.loss(edge, flops / 6 / edge) == pytest.approx(best.loss * (1 + within), rel=1e-11)


def test_figures_of_the_plan() -> None:
    found = valley(published("besiroglu2024").law, 1.094e21)
    assert found.params_low == pytest.approx(1.6e9, rel=0.03)
    assert found.params_high == pytest.approx(5.4e9, rel=0.03)


def test_arrays_equal_scalars_and_broadcast() -> None:
    law = published("besiroglu2024").law
    flops, within = np.array([1e18, 1e21, 1e24])[:, None], np.array([1e-3, 5e-3])
    many = valley(law, flops, within)
    assert many.params_low.shape == (3, 2)
    for i, work in enumerate(flops[:, 0]):
        for j, share in enumerate(within):
            one = valley(law, float(work), float(share))
            assert many.params_low[i, j] == pytest.approx(one.params_low, rel=1e-11)
            assert many.params_high[i, j] == pytest.approx(one.params_high, rel=1e-11)


def test_valley_over_draws_of_the_law() -> None:
    drawn = published("besiroglu2024").draws(np.random.default_rng(0), 500)
    found = valley(drawn, 1e21)
    assert found.params_low.shape == (500,)
    assert np.all(found.params_low < found.params_high)


def test_agrees_with_an_independent_solver() -> None:
    from scipy.optimize import brentq

    law = published("hoffmann2022-tex").law
    best = law.allocate(1e22)
    found_edges = valley(law, 1e22)
    for bounds, found in zip(
        ((best.params / 1e3, best.params), (best.params, best.params * 1e3)),
        (found_edges.params_low, found_edges.params_high),
        strict=True,
    ):
        root = brentq(
            lambda params: law.loss(params, 1e22 / 6 / params) - best.loss * 1.005, *bounds, xtol=1e-3, rtol=1e-14
        )
        assert found == pytest.approx(root, rel=1e-10)


@given(st.sampled_from(NAMES), st.floats(1e18, 1e26), st.floats(1e-9, 3.0))
def test_both_roots_reach_the_loss_with_the_compute(name: str, flops: float, above: float) -> None:
    law = published(name).law
    loss = law.minimum_loss(flops) * (1 + above)
    small, large = roots(law, loss, flops)
    assert small.params < law.allocate(flops).params < large.params
    for root in (small, large):
        assert 6 * root.params * root.tokens == pytest.approx(flops, rel=1e-12)
        assert law.loss(root.params, root.tokens) == pytest.approx(loss, rel=1e-11)


def test_the_minimum_itself_is_one_answer() -> None:
    law = published("besiroglu2024").law
    (only,) = roots(law, law.minimum_loss(1e22), 1e22)
    assert only == law.allocate(1e22)


def test_below_the_minimum_the_minimum_is_said() -> None:
    law = published("hoffmann2022-rounded").law
    with pytest.raises(
        Infeasible, match=r"loss 1\.9 is below the minimum that 1e22 FLOP can reach .*: 2\.1\d+"
    ) as caught:
        roots(law, 1.9, 1e22)
    least = law.minimum_flops(1.9)
    assert f"at least {write(least, quantity('train_flops'))}." in str(caught.value)
    assert law.minimum_loss(least) == pytest.approx(1.9, rel=1e-12)
    with pytest.raises(Infeasible, match=r"No compute does: the law's irreducible loss is 1\.69"):
        roots(law, 1.6, 1e22)


def test_wrong_questions_are_refused() -> None:
    law = published("besiroglu2024").law
    with pytest.raises(BadInput, match="within must be positive"):
        valley(law, 1e21, 0.0)
    with pytest.raises(BadInput, match="loss must be positive"):
        roots(law, -1.0, 1e21)
    with pytest.raises(BadInput, match="one loss and one compute"):
        roots(law, np.array([2.0, 2.1]), 1e21)  # type: ignore[arg-type]
    flat = Chinchilla(E=1.0, A=1.0, B=1.0, alpha=1e-4, beta=1e-4)
    with pytest.raises(Infeasible, match="every size of model reaches it"):
        valley(flat, 1e21, 0.5)
