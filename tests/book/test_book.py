"""What holds for every formula, whoever adds it: units, names, sources, arrays, inverses, prose."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop import book
from isoflop.book import BOOK, sources
from isoflop.quantity import quantities, quantity
from isoflop.relation import Relation, System, tree
from isoflop.relation.expr import evaluate, names
from isoflop.relation.readings import check_units, inverse, monomial

EVERY = pytest.mark.parametrize("relation", BOOK, ids=lambda relation: relation.name)
CITATION = re.compile(r"\[([a-z][a-z0-9-]*)(?: [^\]]*)?\]")


def test_the_book_holds_what_its_modules_hold() -> None:
    modules = (book.work, book.rate, book.money, book.energy, book.memory, book.serving, book.scaling, book.running)
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Relation)]
    assert list(BOOK) == found
    assert len(BOOK) >= 45


def test_names_are_unique() -> None:
    assert len({relation.name for relation in BOOK}) == len(BOOK)


def test_defaults_agree_across_the_book() -> None:
    System(BOOK)


@EVERY
def test_units_cancel(relation: Relation[...]) -> None:
    check_units(relation)


@EVERY
def test_every_name_is_a_quantity_and_no_alias(relation: Relation[...]) -> None:
    assert not set(relation.quantities) - set(quantities())


@EVERY
def test_the_function_is_named_for_what_it_gives(relation: Relation[...]) -> None:
    assert relation.name == relation.gives or re.match(rf"{relation.gives}_(by|of)_|[a-z]+_of_", relation.name)


@EVERY
def test_what_is_neglected_is_said(relation: Relation[...]) -> None:
    assert "Neglects: " in " ".join(relation.doc.split())


@EVERY
def test_every_citation_exists(relation: Relation[...]) -> None:
    assert relation.sources
    assert not set(CITATION.findall(relation.doc)) - set(sources())


@EVERY
def test_defaults_are_plausible(relation: Relation[...]) -> None:
    for key, value in relation.defaults.items():
        low, high = quantity(key).plausible
        assert low <= value <= high, key


@EVERY
def test_every_input_is_used(relation: Relation[...]) -> None:
    body = tree(relation)
    assert body is not None
    assert set(names(body)) == set(relation.inputs)


@EVERY
def test_few_parameters_and_annotations(relation: Relation[...]) -> None:
    parameters = inspect.signature(relation.body).parameters.values()
    assert len(parameters) <= 6
    assert all(parameter.annotation == "Real" for parameter in parameters)


def middle(key: str) -> float:
    """A value well inside what is plausible."""
    low, high = quantity(key).plausible
    return float(np.sqrt(low * high))


@EVERY
def test_arrays_and_floats_agree(relation: Relation[...]) -> None:
    factors = np.linspace(0.9, 1.1, 5)
    columns = {key: middle(key) * factors for key in relation.inputs}
    together = np.broadcast_to(relation(**columns), factors.shape)
    for index in range(len(factors)):
        alone = relation(**{key: float(column[index]) for key, column in columns.items()})
        assert together[index] == pytest.approx(alone, rel=1e-12)


@EVERY
def test_every_input_can_be_asked_for(relation: Relation[...]) -> None:
    """Write a body so that no input stands in it twice: 2 m - 1, not m + (m - 1)."""
    assert not [key for key in relation.inputs if inverse(relation, key) is None]


@given(st.data())
def test_solving_undoes_computing(data: st.DataObject) -> None:
    """For every relation and input: the inverse gives back what went in."""
    relation = data.draw(st.sampled_from(BOOK))
    at = {key: middle(key) * data.draw(st.floats(0.5, 2.0)) for key in relation.inputs}
    total = float(relation(**at))
    for key in relation.inputs:
        found = inverse(relation, key)
        assert found is not None
        back = float(evaluate(found, {**at, relation.gives: total}))
        # A small part of a sum is known to the digits that the sum leaves of it.
        lost = (
            1e-15 * abs(total) / max(abs(total - float(relation(**{**at, key: at[key] * (1 + 1e-3)}))), 1e-300) * 1e-3
        )
        if lost < 1e-9:
            assert back == pytest.approx(at[key], rel=1e-9 + 10 * lost), (relation.name, key)


@EVERY
def test_the_monomial_form_is_the_body(relation: Relation[...]) -> None:
    form = monomial(relation)
    if form is None:
        return
    at = {key: middle(key) for key in relation.inputs}
    value = form.coefficient * np.prod([at[key] ** float(power) for key, power in form.exponents.items()])
    assert relation(**at) == pytest.approx(value, rel=1e-12)


def test_few_formulas_need_more_than_logarithms() -> None:
    """Monomials solve in closed form together; every sum costs a search. Know which they are."""
    assert {relation.name for relation in BOOK if monomial(relation) is None} == {
        "break_even",
        "decode_step_bytes",
        "failure_goodput",
        "layer_additions",
        "lifetime_flops",
        "neuron_flops_exact",
        "non_embedding_params",
        "owned_price",
        "perplexity",
        "reducible_loss",
        "rule_of_thumb_bytes",
        "serve_tokens_of_requests",
        "train_state_bytes",
        "uniform_loss",
    }
