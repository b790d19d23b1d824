"""Random formulas for property tests: functions of x, y and z that run on trees, floats and arrays alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

NAMES = ("x", "y", "z")
Values = Mapping[str, Any]
Body = Callable[[Values], Any]


def _leaf(name: str) -> Body:
    return lambda at: at[name]


def _scaled(factor: float, inner: Body) -> Body:
    return lambda at: factor * inner(at)


def _of_one(function: Callable[[Any], Any], inner: Body) -> Body:
    return lambda at: function(inner(at))


def _of_two(function: Callable[[Any, Any], Any], left: Body, right: Body) -> Body:
    return lambda at: function(left(at), right(at))


ONE: tuple[Callable[[Any], Any], ...] = (
    lambda a: -a,
    np.square,
    np.ceil,
    np.floor,
    lambda a: np.sqrt(np.square(a)),
    lambda a: np.exp(-np.square(a)),
    lambda a: np.log(1 + np.square(a)),
    lambda a: np.log2(2.5 + np.square(a)) - np.log10(1 + np.square(a)),
    lambda a: (1 + np.square(a)) ** 0.3,
    lambda a: 2 ** -np.square(a),
    lambda a: 1 - a,
    lambda a: 3 / (1 + np.square(a)),
)
TWO: tuple[Callable[[Any, Any], Any], ...] = (
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (1 + np.square(b)),
    lambda a, b: a - (b - a),
    lambda a, b: a / (2 / (1 + np.square(b))),
    np.minimum,
    np.maximum,
    lambda a, b: np.where(a < b, a, b * 2),
    lambda a, b: np.where(a >= b, 1.5, a),
    lambda a, b: np.where((a - b) <= 0, -b, a) + np.where(a > 2, a, b),
)

# Every name stands in every body, so that arrays of different shapes show whether they broadcast.
_leaves = st.sampled_from(NAMES).map(_leaf)
_sums: Body = _of_two(TWO[0], _leaf("x"), _of_two(TWO[0], _leaf("y"), _leaf("z")))
bodies: st.SearchStrategy[Body] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(_scaled, st.sampled_from([0.5, 3.0, -2.0, 1e-7, 2.5e8]), inner),
        st.builds(_of_one, st.sampled_from(ONE), inner),
        st.builds(_of_two, st.sampled_from(TWO), inner, inner),
    ),
    max_leaves=6,
).map(lambda body: _of_two(TWO[0], _sums, body))
numbers = st.floats(0.01, 20.0)
