"""Training and serving paid from one account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, Infeasible
from isoflop.laws import allocate_lifetime, published


@given(st.floats(1e19, 1e26), st.floats(1e6, 1e13), st.sampled_from([0.9, 0.99, 1.01, 1.1]))
def test_it_spends_all_and_is_the_minimum(flops: float, served: float, nudge: float) -> None:
    law = published("besiroglu2024").law
    try:
        best = allocate_lifetime(law, flops, served)
    except Infeasible:
        return
    assert 6 * best.params * best.tokens + 2 * best.params * served == pytest.approx(flops, rel=1e-9)
    tokens = (flops / (best.params * nudge) - 2 * served) / 6
    if tokens > 0:
        assert law.loss(best.params * nudge, tokens) >= best.loss * (1 - 1e-12)


def test_what_is_hardly_served_changes_nothing() -> None:
    law = published("besiroglu2024").law
    best, same = law.allocate(1e23), allocate_lifetime(law, 1e23, 1.0)
    assert same.params == pytest.approx(best.params, rel=1e-6)
    assert same.loss == pytest.approx(best.loss, rel=1e-12)


def test_the_more_is_served_the_smaller_the_model() -> None:
    law = published("besiroglu2024").law
    sizes = [allocate_lifetime(law, 1e23, served).params for served in (1e10, 1e11, 1e12, 1e13)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 2 * sizes[-1]


def test_wrong_questions_are_refused() -> None:
    law = published("besiroglu2024").law
    with pytest.raises(BadInput, match="serve_tokens must be positive"):
        allocate_lifetime(law, 1e23, -1.0)
    with pytest.raises(Infeasible, match="leaves nothing"):
        allocate_lifetime(law, 1e12, 1e13)
