"""Units, monomial form and inverse are read from the body itself."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.relation import small

from isoflop.errors import UnitError
from isoflop.quantity import Real
from isoflop.relation import Relation, relation
from isoflop.relation.expr import Expr, evaluate, name
from isoflop.relation.notation import text
from isoflop.relation.readings import (
    Monomial,
    check_units,
    inverse,
    isolate,
    monomial,
    monomial_of,
    power_product,
    unit_of,
)

N, D, C = name("params"), name("tokens"), name("train_flops")


def formula(gives: str, body: Callable[..., Any], *inputs: str) -> Relation[...]:
    """A relation called `wrong`, for what is refused."""
    return Relation(name="wrong", gives=gives, inputs=inputs, body=body)


# ---- units


@pytest.mark.parametrize("one", small.BASE.relations, ids=lambda one: one.name)
def test_right_bodies_pass(one: Relation[...]) -> None:
    check_units(one)


def test_a_forgotten_factor_is_refused_with_both_units() -> None:
    with pytest.raises(UnitError) as error:
        check_units(formula("train_flops", lambda params, tokens: 6 * params * tokens, "params", "tokens"))
    assert str(error.value) == "wrong: the formula has unit param token, train_flops is in FLOP"


def test_nouns_that_do_not_cancel_are_refused() -> None:
    """The slip of the fifth seed: a price of a slice and a rate of a chip."""
    with pytest.raises(UnitError, match=r"^wrong: the formula has unit .*slice"):
        check_units(
            formula(
                "flops_per_usd",
                lambda peak_rate, price, chips_per_slice: peak_rate / (price * chips_per_slice),
                *("peak_rate", "price", "chips_per_slice"),
            )
        )


@pytest.mark.parametrize(
    ("body", "inputs", "message"),
    [
        (lambda params, tokens: params + tokens, ("params", "tokens"), r"param and token stand .* sides of '\+'"),
        (lambda params, tokens: params - tokens, ("params", "tokens"), "param and token stand on the two sides of '-'"),
        (lambda params, tokens: np.minimum(params, tokens) + params, ("params", "tokens"), "two sides of 'min'"),
        (lambda params, tokens: np.where(params > tokens, params, params), ("params", "tokens"), "sides of '>'"),
        (
            lambda params, tokens: np.where(params > 2 * params, params, tokens),
            ("params", "tokens"),
            "sides of 'where'",
        ),
        (lambda params: np.log(2 * params), ("params",), "log of something in param"),
        (lambda params: np.exp(-params), ("params",), "exp of something in param"),
        (lambda params, layers: params**layers, ("params", "layers"), "power of param needs a plain number"),
        (lambda params, tokens: 2**params * tokens, ("params", "tokens"), "a power of .* needs a plain number"),
    ],
)
def test_unlike_units_are_refused_where_they_meet(
    body: Callable[..., Any], inputs: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UnitError, match=f"^wrong: .*{message}"):
        check_units(formula("params", body, *inputs))


def test_units_of_every_operation() -> None:
    shares, width = name("mfu"), name("width")
    for tree, due in (
        (np.sqrt(N * N) + np.square(N) / N, "param"),
        (np.ceil(N) - np.floor(-N), "param"),
        (np.where(N > 2 * N, N, 3 * N), "param"),
        (np.log(shares) + np.log2(width) * np.exp(width), "1"),
        (width**shares, "1"),
        (N**1.5 / N**0.5, "param"),
        (N > D * (N / D), "1"),
    ):
        assert unit_of(tree, "test").text == due


def test_a_number_where_a_unit_is_due_is_refused() -> None:
    with pytest.raises(UnitError, match="on the two sides of '-'"):
        check_units(formula("tokens", lambda tokens: tokens - 1, "tokens"))


def test_empirical_and_opaque_bodies_are_not_read() -> None:
    check_units(small.law())
    check_units(small.OPTIMAL_SPLIT)


# ---- monomials


@pytest.mark.parametrize(
    ("tree", "coefficient", "exponents"),
    [
        (6 * N * D, 6.0, {"params": 1, "tokens": 1}),
        (N / (2 * D), 0.5, {"params": 1, "tokens": -1}),
        (np.sqrt(4 * N) * np.square(D), 2.0, {"params": Fraction(1, 2), "tokens": 2}),
        (3 * N + 2 * N, 5.0, {"params": 1}),
        (3 * N * D - D * N, 2.0, {"params": 1, "tokens": 1}),
        (N * D / N, 1.0, {"tokens": 1}),
        (2 * (3 * N**0.34) ** 2, 18.0, {"params": Fraction(17, 25)}),
        (5 / N, 5.0, {"params": -1}),
        (-1 * (-3 * N), 3.0, {"params": 1}),
    ],
)
def test_power_laws_are_recognised(tree: Expr, coefficient: float, exponents: dict[str, Fraction]) -> None:
    form = monomial_of(tree)
    assert form is not None
    assert form.coefficient == pytest.approx(coefficient, rel=1e-15)
    assert form.exponents == exponents


@pytest.mark.parametrize(
    "tree",
    [
        N + D,
        N + N**2,
        np.exp(N),
        np.minimum(N, D),
        np.ceil(N),
        np.where(N > D, N, D),
        2**N,
        N**D,
        -N,
        (-2 * N) ** 0.5,
    ],
)
def test_what_is_no_power_law_is_not_taken_for_one(tree: Expr) -> None:
    assert monomial_of(tree) is None


@pytest.mark.parametrize(
    "body", [lambda params: params - params, lambda params: params - 3 * params, lambda params: -2 * params]
)
def test_a_form_without_a_logarithm_is_no_monomial_relation(body: Callable[[Any], Any]) -> None:
    assert monomial(formula("tokens", body, "params")) is None


def test_opaque_relations_have_no_form_and_no_inverse() -> None:
    assert monomial(small.law()) is None
    assert inverse(small.law(), "params") is None


# ---- inverses


@relation
def _everything(  # noqa: PLR0917 (one argument for each way to stand in a formula)
    loss: Real, irreducible_loss: Real, width: Real, heads: Real, mfu: Real, layers: Real, kv_heads: Real
) -> Real:
    """Every operation that can be undone, each over another argument."""
    inner = np.log(1 + np.square(heads) / width) + np.sqrt(layers) * 2 ** (mfu - 3)
    return irreducible_loss - 1 / (np.exp(-inner) + np.log2(kv_heads)) ** 0.7 + (loss - 2.0) / np.log10(width + 9)


ONCE = ("loss", "irreducible_loss", "heads", "mfu", "layers", "kv_heads")


@given(st.sampled_from(ONCE), st.lists(st.floats(2.0, 4.0), min_size=7, max_size=7))
def test_the_inverse_undoes_the_body_for_every_argument(unknown: str, numbers: list[float]) -> None:
    values: dict[str, Any] = dict(zip(_everything.inputs, numbers, strict=True))
    stated = _everything(**values)
    back = inverse(_everything, unknown)
    assert back is not None
    found = evaluate(back, {**values, "_everything": stated, unknown: float("nan")})
    # The chain is not everywhere steep: what counts is that the body gives the stated value again.
    assert _everything(**{**values, unknown: found}) == pytest.approx(stated, rel=1e-12)
    assert found == pytest.approx(values[unknown], rel=1e-9)


@given(
    st.sampled_from(small.BASE.relations),
    st.data(),
)
def test_monomials_come_back_to_the_last_digits(one: Relation[...], data: st.DataObject) -> None:
    unknown = data.draw(st.sampled_from(one.inputs))
    values = {key: data.draw(st.floats(1e-6, 1e15)) for key in one.inputs}
    back = inverse(one, unknown)
    assert back is not None
    rest = {key: value for key, value in values.items() if key != unknown}
    assert evaluate(back, {**rest, one.gives: one(**values)}) == pytest.approx(values[unknown], rel=1e-12)


@given(st.lists(st.tuples(st.fractions(-3, 3, max_denominator=7), st.floats(0.1, 10)), min_size=3, max_size=3))
def test_any_monomial_is_inverted_exactly(parts: list[tuple[Fraction, float]]) -> None:
    keys = ("params", "tokens", "chips")
    powers = {key: power for key, (power, _) in zip(keys, parts, strict=True)}
    assume(all(powers.values()))

    def body(**at: Real) -> Real:
        return (
            2.5
            * at["params"] ** float(powers["params"])
            * (at["tokens"] ** float(powers["tokens"]) * at["chips"] ** float(powers["chips"]))
        )

    values = {key: value for key, (_, value) in zip(keys, parts, strict=True)}
    one = Relation(name="power_law", gives="loss", inputs=keys, body=body)
    for unknown in keys:
        back = inverse(one, unknown)
        assert back is not None
        found = evaluate(back, {**values, "loss": body(**values)})
        assert found == pytest.approx(values[unknown], rel=1e-12)


def test_an_unknown_that_stands_twice_is_inverted_where_like_terms_add_up() -> None:
    like = formula("tokens", lambda params: 2 * params + params * 3, "params")
    shown = inverse(like, "params")
    assert shown is not None
    assert evaluate(shown, {"tokens": 10.0}) == 2.0
    assert inverse(formula("tokens", lambda params: params + params**2, "params"), "params") is None


@pytest.mark.parametrize(
    "body",
    [lambda params: np.ceil(params) + 1, lambda params: np.minimum(params, 2) + 1, lambda params: np.floor(2 * params)],
)
def test_what_cannot_be_undone_has_no_inverse(body: Callable[[Any], Any]) -> None:
    assert inverse(formula("tokens", body, "params"), "params") is None


def test_the_inverse_for_what_a_relation_gives_is_its_body() -> None:
    body = inverse(small.train_cost, "train_cost")
    assert body is not None
    assert text(body) == "chip_time · price"


def test_isolate_says_nothing_where_the_unknown_does_not_stand() -> None:
    assert isolate(N * D, "chips", C) is None


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (Monomial(1.0, {"train_cost": Fraction(1), "price": Fraction(-1)}), "train_cost / price"),
        (Monomial(0.5, {"params": Fraction(2)}), "0.5 · params^2"),
        (Monomial(1.0, {"params": Fraction(-1, 2), "tokens": Fraction(-1)}), "1 / (params^0.5 · tokens)"),
        (Monomial(2.0, {}), "2"),
        (Monomial(1.0, {}), "1"),
    ],
)
def test_power_products_are_written_positive_over_negative(form: Monomial, shown: str) -> None:
    assert text(power_product(form)) == shown


@given(st.floats(1e-3, 1e3), st.lists(st.fractions(-2, 2, max_denominator=5), min_size=2, max_size=2))
def test_a_power_product_is_the_monomial_it_shows(coefficient: float, powers: list[Fraction]) -> None:
    form = Monomial(coefficient, {key: power for key, power in zip(("params", "tokens"), powers, strict=True) if power})
    back = monomial_of(power_product(form))
    assert back is not None
    assert back.coefficient == pytest.approx(coefficient, rel=1e-15)
    assert back.exponents == form.exponents
