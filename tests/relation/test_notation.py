"""Formulas as text and LaTeX: brackets where they are needed and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests.relation.bodies import NAMES, Body, bodies, numbers

from isoflop.quantity import Real
from isoflop.relation.expr import Expr, const, name
from isoflop.relation.notation import latex, number, text

N, D, C = name("params"), name("tokens"), name("train_flops")
FUNCTIONS: dict[str, Any] = {
    "exp": np.exp,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "square": np.square,
    "ceil": np.ceil,
    "floor": np.floor,
    "min": np.minimum,
    "max": np.maximum,
    "where": np.where,
}


def _as_python(shown: str, values: dict[str, Any]) -> Real:
    """The value that Python's own parser reads out of the text."""
    code = shown.replace("·", "*").replace("^", "**")
    return eval(code, {"__builtins__": {}}, FUNCTIONS | values)  # noqa: S307 (our own text: Python is the judge of it)


@given(bodies, numbers, numbers, numbers)
def test_python_reads_the_text_as_the_formula_it_was(body: Body, x: float, y: float, z: float) -> None:
    shown = text(body({key: name(key) for key in NAMES}))
    values = {"x": np.float64(x), "y": np.float64(y), "z": np.float64(z)}
    with np.errstate(all="ignore"):
        expected = body(values)
        # Without needless brackets a * (b / c) reads as (a * b) / c: the same but for rounding, which a floor may show.
        if "ceil" not in shown and "floor" not in shown and "where" not in shown:
            np.testing.assert_allclose(_as_python(shown, values), expected, rtol=1e-9, atol=1e-9 * (1 + abs(expected)))


@pytest.mark.parametrize(
    ("tree", "shown"),
    [
        (6 * N * D, "6 · params · tokens"),
        (C / (6 * D), "train_flops / (6 · tokens)"),
        (C / 6 / D, "train_flops / 6 / tokens"),
        (N * (D / C), "params · tokens / train_flops"),
        (N + (D + C), "params + tokens + train_flops"),
        (N - (D - C), "params - (tokens - train_flops)"),
        (N - D - C, "params - tokens - train_flops"),
        ((N + D) * C, "(params + tokens) · train_flops"),
        ((N * D) ** 2, "(params · tokens)^2"),
        (N * D**2, "params · tokens^2"),
        ((N**2) ** D, "(params^2)^tokens"),
        (N ** (D**2), "params^(tokens^2)"),
        (-(N**2), "-params^2"),
        ((-N) ** 2, "(-params)^2"),
        (-(N * D), "-(params · tokens)"),
        (2**-N, "2^(-params)"),
        (const(-3) ** N, "(-3)^params"),
        (N * -D, "params · -tokens"),
        (np.exp(N + D), "exp(params + tokens)"),
        (np.minimum(N, D) ** 2, "min(params, tokens)^2"),
        (np.where(N <= 2 * D, N, D), "where(params <= 2 · tokens, params, tokens)"),
        (406.4 / N**0.34, "406.4 / params^0.34"),
        (1e21 * N, "1e+21 · params"),
    ],
)
def test_text_has_brackets_only_where_they_are_needed(tree: Expr, shown: str) -> None:
    assert text(tree) == shown


@pytest.mark.parametrize(
    ("tree", "shown"),
    [
        (6 * N * D, r"6 \, N \, D"),
        (C / (6 * D), r"\frac{C}{6 \, D}"),
        ((N + D) * C, r"(N + D) \, C"),
        (N - (D + C), r"N - (D + C)"),
        ((N / D) ** 2, r"(\frac{N}{D})^{2}"),
        (N ** (D + 1), r"N^{D + 1}"),
        ((N * D) ** 0.5, r"(N \, D)^{0.5}"),
        (np.sqrt(N) * D, r"\sqrt{N} \, D"),
        (-(N + D), r"-(N + D)"),
        (np.log(N / D), r"\ln\left(\frac{N}{D}\right)"),
        (np.maximum(N, D), r"\max\left(N, D\right)"),
        (np.ceil(N), r"\operatorname{ceil}\left(N\right)"),
        (np.where(N <= D, N, D), r"\operatorname{where}\left(N \le D, N, D\right)"),
        (1.5e20 * N, r"1.5 \times 10^{20} \, N"),
        (const(1.5e20) ** N, r"{(1.5 \times 10^{20})}^{N}"),
        (name("optimal_params") ** 2, r"{N^\ast}^{2}"),
    ],
)
def test_latex_uses_symbols_fractions_and_brackets_where_tex_needs_them(tree: Expr, shown: str) -> None:
    assert latex(tree) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (6.0, "6"),
        (-3.0, "-3"),
        (0.34, "0.34"),
        (1 / 3, "0.333333"),
        (999_999.0, "999999"),
        (1e6, "1e+06"),
        (1.5e-7, "1.5e-07"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown
