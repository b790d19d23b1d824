"""Properties of the forms: gradients, optimality, scaling, arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, MissingData
from isoflop.laws import Chinchilla, Convention, Kaplan, Ratio, TiedChinchilla, published

sizes = st.floats(1e6, 1e13)
amounts = st.floats(1e8, 1e15)
works = st.floats(1e17, 1e28)
exponents = st.floats(0.1, 0.9)


@st.composite
def laws(draw: st.DrawFn) -> Chinchilla:
    """Any law of the form whose optimum lies where floats are exact enough to be checked."""
    floor, lack, unlearnt = draw(st.floats(0.5, 3.0)), draw(st.floats(10.0, 1e4)), draw(st.floats(10.0, 1e4))
    return Chinchilla(E=floor, A=lack, B=unlearnt, alpha=draw(exponents), beta=draw(exponents))


@given(laws(), sizes, amounts)
def test_gradient_is_the_slope_of_the_loss(law: Chinchilla, params: float, tokens: float) -> None:
    step = 1e-4
    floored = Chinchilla(E=0.0, A=law.A, B=law.B, alpha=law.alpha, beta=law.beta)  # a floor would eat the digits
    by_params, by_tokens = law.gradient(params, tokens)
    lacks = [floored.A * (params * np.exp(s)) ** -floored.alpha for s in (step, -step)]
    unlearnt = [floored.B * (tokens * np.exp(s)) ** -floored.beta for s in (step, -step)]
    assert by_params * params == pytest.approx((lacks[0] - lacks[1]) / (2 * step), rel=1e-6)
    assert by_tokens * tokens == pytest.approx((unlearnt[0] - unlearnt[1]) / (2 * step), rel=1e-6)


@given(laws(), st.floats(1e7, 1e10), st.floats(1e9, 1e12))
def test_gradient_by_finite_differences_of_the_whole_loss(law: Chinchilla, params: float, tokens: float) -> None:
    step = 1e-5
    by_params, by_tokens = law.gradient(params, tokens)
    slope_params = (law.loss(params * np.exp(step), tokens) - law.loss(params * np.exp(-step), tokens)) / (2 * step)
    slope_tokens = (law.loss(params, tokens * np.exp(step)) - law.loss(params, tokens * np.exp(-step))) / (2 * step)
    lost = 1e-9 + 1e-10 * law.loss(params, tokens)  # what the difference of two losses this large cannot tell
    assert by_params * params == pytest.approx(slope_params, rel=1e-5, abs=lost)
    assert by_tokens * tokens == pytest.approx(slope_tokens, rel=1e-5, abs=lost)


@pytest.mark.parametrize("name", ["besiroglu2024", "muennighoff2023-c4"])
def test_coordinate_gradient_by_finite_differences(name: str) -> None:
    form = published(name).form
    assert isinstance(form, Chinchilla | TiedChinchilla)
    logs = [np.log(getattr(form, key[3:])) if key.startswith("ln_") else getattr(form, key) for key in form.coordinates]
    at = np.array(logs)
    params, tokens = np.array([1e8, 3e9, 2e11]), np.array([5e9, 6e10, 1e13])
    found = form.coordinate_gradient(params, tokens)
    assert found.shape == (len(at), 3)
    for place in range(len(at)):
        step = np.zeros_like(at)
        step[place] = 1e-6
        up, down = (type(form).from_coordinates(at + sign * step).loss(params, tokens) for sign in (1, -1))
        np.testing.assert_allclose(found[place], (up - down) / 2e-6, rtol=1e-6)


@given(laws(), works, st.floats(0.3, 3.0).filter(lambda factor: abs(factor - 1) > 0.01))
def test_allocation_is_the_minimum(law: Chinchilla, flops: float, factor: float) -> None:
    best = law.allocate(flops)
    assert 6 * best.params * best.tokens == pytest.approx(flops, rel=1e-12)
    assert law.loss(best.params * factor, best.tokens / factor) >= best.loss * (1 - 1e-15)
    by_params, by_tokens = law.gradient(best.params, best.tokens)
    assert by_params * best.params == pytest.approx(by_tokens * best.tokens, rel=1e-9)


@given(laws(), works)
def test_allocation_lies_on_the_expansion_path(law: Chinchilla, flops: float) -> None:
    best, path = law.allocate(flops), law.expansion_path()
    assert best.tokens == pytest.approx(path.coefficient * best.params**path.exponent, rel=1e-9)


@given(laws(), works, st.floats(1.1, 1e4))
def test_optimum_scales_as_powers_of_compute(law: Chinchilla, flops: float, factor: float) -> None:
    small, large = law.allocate(flops), law.allocate(flops * factor)
    share = law.beta / (law.alpha + law.beta)
    assert large.params / small.params == pytest.approx(factor**share, rel=1e-9)
    assert large.tokens / small.tokens == pytest.approx(factor ** (1 - share), rel=1e-9)


@given(laws(), st.floats(1e18, 1e24))
def test_minimum_flops_undoes_minimum_loss(law: Chinchilla, flops: float) -> None:
    loss = law.minimum_loss(flops)
    slope = law.compute_exponent * (loss - law.E) / loss  # how many digits of compute the loss still holds
    assert law.minimum_flops(loss) == pytest.approx(flops, rel=1e-14 / slope + 1e-9)


def test_no_compute_reaches_the_floor() -> None:
    law = published("besiroglu2024").law
    assert law.minimum_flops(law.irreducible_loss) == np.inf
    assert law.minimum_flops(1.0) == np.inf
    found = law.minimum_flops(np.array([1.0, 2.0]))
    assert np.isinf(found[0])
    assert np.isfinite(found[1])


@given(st.lists(works, min_size=1, max_size=5), st.sampled_from([6.0, 6.6, 8.0]))
def test_arrays_equal_scalars(flops: list[float], cost: float) -> None:
    for name in ("hoffmann2022-tex", "besiroglu2024", "muennighoff2023-c4", "ratio20"):
        law = published(name).allocator
        many = law.allocate(np.array(flops), cost)
        one = [law.allocate(value, cost) for value in flops]
        assert all(isinstance(split.params, float) for split in one)
        np.testing.assert_allclose(many.params, [split.params for split in one], rtol=1e-12)
        np.testing.assert_allclose(many.tokens, [split.tokens for split in one], rtol=1e-12)


def test_integers_do_not_wrap() -> None:
    law = published("besiroglu2024").law
    assert law.allocate(10**24).params == law.allocate(1e24).params
    assert law.loss(np.array([70 * 10**9]), np.array([1400 * 10**9]))[0] == pytest.approx(law.loss(70e9, 1.4e12))


def test_a_dearer_token_leaves_less_to_buy() -> None:
    law = published("besiroglu2024").law
    dear = law.allocate(1e21, 8.0)
    assert 8.0 * dear.params * dear.tokens == pytest.approx(1e21)
    assert dear.loss > law.allocate(1e21).loss


def test_tied_is_chinchilla_with_equal_exponents() -> None:
    tied = TiedChinchilla(E=1.87, A=521.0, B=1488.0, alpha=0.353)
    free = Chinchilla(E=1.87, A=521.0, B=1488.0, alpha=0.353, beta=0.353)
    assert tied.untied == free
    assert tied.loss(1e9, 2e10) == pytest.approx(free.loss(1e9, 2e10))
    assert tied.gradient(1e9, 2e10) == free.gradient(1e9, 2e10)
    assert tied.allocate(1e21) == free.allocate(1e21)
    assert tied.minimum_loss(1e21) == free.minimum_loss(1e21)
    assert tied.minimum_flops(2.5) == free.minimum_flops(2.5)
    assert tied.expansion_path().exponent == 1.0
    assert tied.irreducible_loss == 1.87


@pytest.mark.parametrize("wrong", [0.0, -1e20, float("nan"), float("inf")])
def test_wrong_compute_is_refused(wrong: float) -> None:
    for name in ("besiroglu2024", "ratio20"):
        with pytest.raises(BadInput, match="flops must be positive and finite"):
            published(name).allocator.allocate(wrong)
    with pytest.raises(BadInput, match="flops must be positive"):
        published("ratio20").allocator.allocate(np.array([1e20, wrong]))


@pytest.mark.parametrize("wrong", [0.0, -0.3, float("nan"), float("inf")])
def test_wrong_coefficients_are_refused(wrong: float) -> None:
    with pytest.raises(BadInput, match="chinchilla: alpha must be finite and positive"):
        Chinchilla(E=1.7, A=400.0, B=400.0, alpha=wrong, beta=0.3)
    with pytest.raises(BadInput, match="chinchilla-tied: A must be"):
        TiedChinchilla(E=1.7, A=wrong, B=400.0, alpha=0.3)
    with pytest.raises(BadInput, match="ratio: tokens_per_param"):
        Ratio(tokens_per_param=wrong)


def test_a_law_without_floor_is_one() -> None:
    assert Chinchilla(E=0.0, A=400.0, B=400.0, alpha=0.3, beta=0.3).irreducible_loss == 0.0
    with pytest.raises(BadInput, match="E must be"):
        Chinchilla(E=-0.1, A=400.0, B=400.0, alpha=0.3, beta=0.3)


def test_kaplan_has_no_allocation_and_says_so() -> None:
    law = published("kaplan2020").form
    assert isinstance(law, Kaplan)
    assert law.convention == Convention(params="non_embedding")
    with pytest.raises(MissingData, match=r"compute\^0.73, but no coefficient was verified"):
        law.allocate(1e21)


@given(sizes, st.floats(1.1, 100.0))
def test_kaplan_falls_as_a_power(params: float, factor: float) -> None:
    law = published("kaplan2020").form
    assert isinstance(law, Kaplan)
    assert law.loss_from_params(params) / law.loss_from_params(params * factor) == pytest.approx(factor**0.076)
    assert law.loss_from_tokens(params) / law.loss_from_tokens(params * factor) == pytest.approx(factor**0.095)
    assert law.loss_from_flops(params) / law.loss_from_flops(params * factor) == pytest.approx(factor**0.05)
