"""Verdicts on runs, and what they cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput
from isoflop.laws import excess, published, verdict


@given(st.floats(1e18, 1e27), st.floats(1e-3, 1e3))
def test_factor_is_measured_from_the_law_s_own_optimum(flops: float, factor: float) -> None:
    law = published("besiroglu2024").law
    best = law.allocate(flops)
    found = verdict(published("besiroglu2024").allocator, best.params / factor**0.5, best.tokens * factor**0.5)
    assert found.factor == pytest.approx(factor, rel=1e-9)
    assert found.flops == pytest.approx(flops)
    expected = "under-trained" if factor < 1 / 1.5 else "over-trained" if factor > 1.5 else "near the optimum"
    assert found.kind == expected


@given(st.floats(1e18, 1e26), st.floats(1e-2, 1e2))
def test_excess_is_what_better_spending_would_save(flops: float, factor: float) -> None:
    law = published("besiroglu2024").law
    best = law.allocate(flops)
    found = excess(law, best.params * factor, best.tokens / factor)
    assert found.best_loss == pytest.approx(best.loss)
    assert found.relative >= -1e-15
    assert found.overspent >= 1 - 1e-9
    assert law.minimum_loss(found.flops_to_match) == pytest.approx(found.loss, rel=1e-12)


def test_gpt3_under_the_refit() -> None:
    found = verdict(published("besiroglu2024").allocator, 174.6e9, 300e9)
    assert found.kind == "under-trained"
    text = str(found)
    assert text.startswith("under-trained: 1.72 tokens per parameter, 0.092 times the optimum of 18.7; ")
    assert text.endswith("3.14e23 FLOP are best spent on 53B parameters and 989B tokens")
    cost = excess(published("besiroglu2024").law, 174.6e9, 300e9)
    assert cost.relative == pytest.approx(0.008, abs=0.0005)
    assert cost.flops_to_match < 3.14e23


def test_wrong_runs_are_refused() -> None:
    with pytest.raises(BadInput, match="params must be positive"):
        verdict(published("ratio20").allocator, 0.0, 1e9)
    with pytest.raises(BadInput, match="tokens must be positive"):
        excess(published("besiroglu2024").law, 1e9, float("nan"))
