"""Tracing a body leaves a tree that computes the same; what a tree cannot hold is refused when the body is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests.relation.bodies import NAMES, Body, bodies, numbers

from isoflop.quantity import Real
from isoflop.relation import Relation, relation, tree
from isoflop.relation.expr import FUNCTIONS, Expr, call, const, evaluate, name, names

TREES = {key: name(key) for key in NAMES}


@given(bodies, numbers, numbers, numbers)
def test_a_tree_computes_what_its_body_computes(body: Body, x: float, y: float, z: float) -> None:
    tree_of_body = body(TREES)
    column, row = np.array([[x], [y], [z]]), np.array([y, z, x, 1.0])
    for values in ({"x": x, "y": y, "z": z}, {"x": column, "y": row, "z": z}):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(evaluate(tree_of_body, values), body(values))


@given(bodies)
def test_names_are_the_leaves_of_the_tree(body: Body) -> None:
    found = names(body(TREES))
    assert set(found) == set(NAMES)
    assert len(found) == repr(body(TREES)).count("op='name'")


@pytest.mark.parametrize("op", sorted(set(FUNCTIONS) - {"neg", "+", "-", "*", "/", "^", "<", "<=", ">", ">="}))
def test_every_function_is_traced_under_its_name(op: str) -> None:
    arguments = {"where": 3, "min": 2, "max": 2}.get(op, 1)
    traced = FUNCTIONS[op](*[name("params")] * arguments)
    assert (traced.op, len(traced.args)) == (op, arguments)


def test_numbers_of_numpy_are_numbers() -> None:
    for number in (2, 2.0, np.float64(2), np.float32(2), np.int64(2)):
        for traced in (number * name("params"), name("params") * number, np.multiply(number, name("params"))):
            assert traced.op == "*"
            assert 2.0 in {arg.value for arg in traced.args}
            assert evaluate(traced, {"params": 3.0}) == 6.0


def _branch_on_order(params: Real) -> Real:
    return params if params > 1e9 else 2 * params


def _branch_on_equality(params: Real) -> Real:
    return 0.0 if params == 1e9 else params


def _branch_on_difference(params: Real) -> Real:
    return params if params != 1e9 else 2 * params


def _branch_on_membership(params: Real) -> Real:
    return params if params in (1e9, 2e9) else 2 * params


def _built_in_minimum(params: Real) -> Real:
    return min(params, 1e9)


def _both(params: Real) -> Real:
    return np.where((params > 1) and (params < 2), 1.0, params)


def _chained(params: Real) -> Real:
    return np.where(1 < params < 2, 1.0, params)


@pytest.mark.parametrize("body", [_branch_on_order, _built_in_minimum, _both, _chained], ids=lambda body: body.__name__)
def test_a_branch_on_a_value_is_refused(body: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"^a formula may not branch on a value: use np\.where$"):
        tree(_relation(body))


@pytest.mark.parametrize(
    "body", [_branch_on_equality, _branch_on_difference, _branch_on_membership], ids=lambda body: body.__name__
)
def test_a_test_for_equality_is_refused_and_not_taken_as_false(body: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="may not test for equality"):
        tree(_relation(body))


@pytest.mark.parametrize(
    "function",
    [np.sin, np.cumsum, np.sum, np.maximum.reduce, lambda x: np.add(x, x, where=True), np.where],
    ids=["sin", "cumsum", "sum", "reduce", "options", "where of one"],
)
def test_unknown_functions_are_refused_with_those_that_are_allowed(function: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"a formula may not use \w+; it may use: \+, -, \*, /, \^, neg, exp, log"):
        function(name("params"))


@pytest.mark.parametrize(
    "function",
    [math.sqrt, abs, round, int, float, lambda x: x // 2, lambda x: x % 2, lambda x: x + "1", lambda x: x + None],
)
def test_what_is_no_arithmetic_on_trees_is_refused(function: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        function(name("params"))


def test_constants_that_are_arrays_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^a formula may only hold numbers and quantities, not ndarray$"):
        name("params") * np.array([1.0, 2.0])


def test_a_body_that_ignores_its_inputs_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^chips: the body must compute from its inputs$"):
        tree(_relation(lambda params: 8.0, "chips"))


def test_a_relation_is_still_an_ordinary_function() -> None:
    @relation
    def train_flops(params: Real, tokens: Real, flops_per_param_token: Real = 6.0) -> Real:
        return flops_per_param_token * params * tokens

    assert train_flops(2.0, 3.0) == 36.0
    assert train_flops(2.0, 3.0, flops_per_param_token=2.0) == 12.0
    np.testing.assert_array_equal(train_flops(np.array([1.0, 2.0]), 3.0), [18.0, 36.0])


def test_nodes_are_frozen_and_hash_by_identity() -> None:
    node = call("+", name("params"), const(1))
    assert len({node, name("params"), name("params")}) == 3
    with pytest.raises(AttributeError):
        node.op = "-"  # type: ignore[misc]
    assert isinstance(node, Expr)


def _relation(body: Callable[..., Any], name_: str = "formula") -> Relation[...]:
    return Relation(name=name_, gives="params", inputs=("params",), body=body)
