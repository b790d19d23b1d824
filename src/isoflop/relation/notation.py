"""A formula's tree as people write it: plain text with quantity names, LaTeX with symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.relation.expr import Expr

_STRENGTH = {"<": 0, "<=": 0, ">": 0, ">=": 0, "+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "^": 4}
_SIGNS = {"*": " · ", "/": " / ", "+": " + ", "-": " - ", "^": "^"}
_LATEX_FUNCTIONS = {
    "log2": r"\log_2",
    "log10": r"\log_{10}",
    "log": r"\ln",
    "exp": r"\exp",
    "min": r"\min",
    "max": r"\max",
}
_ATOM = 9


def text(tree: Expr) -> str:
    """`flops_per_param_token · params · tokens`: brackets only where they are needed."""
    return _text(tree)[0]


def _text(tree: Expr) -> tuple[str, int]:
    """The text and how strongly it binds."""
    if tree.op == "name":
        return tree.name, _ATOM
    if tree.op == "const":
        return number(tree.value), _ATOM if tree.value >= 0 else _STRENGTH["neg"]
    if tree.op == "neg":
        return f"-{_inside(tree.args[0], _STRENGTH['neg'], _text)}", _STRENGTH["neg"]
    if tree.op not in _STRENGTH:
        return f"{tree.op}({', '.join(text(arg) for arg in tree.args)})", _ATOM
    strength = _STRENGTH[tree.op]
    left = _inside(tree.args[0], strength + (tree.op == "^"), _text)
    right = _inside(tree.args[1], strength + (tree.op in {"-", "/", "^"}), _text)
    return f"{left}{_SIGNS.get(tree.op, f' {tree.op} ')}{right}", strength


def latex(tree: Expr) -> str:
    r"""`k N D` with the glossary's symbols; divisions as fractions."""
    return _latex(tree)[0]


def _latex(tree: Expr) -> tuple[str, int]:
    if tree.op == "name":
        return quantity(tree.name).latex, _ATOM
    if tree.op == "const":
        shown = _latex_number(tree.value)
        return shown, _STRENGTH["*"] if "times" in shown else _ATOM if tree.value >= 0 else _STRENGTH["neg"]
    if tree.op == "/":
        return rf"\frac{{{latex(tree.args[0])}}}{{{latex(tree.args[1])}}}", _STRENGTH["^"]
    if tree.op == "^":
        base = _inside(tree.args[0], _ATOM, _latex)
        base = rf"{{{base}}}" if "^" in base else base  # N^\ast: TeX takes no second superscript
        return rf"{base}^{{{latex(tree.args[1])}}}", _STRENGTH["^"]
    if tree.op == "sqrt":
        return rf"\sqrt{{{latex(tree.args[0])}}}", _ATOM
    if tree.op == "neg":
        return f"-{_inside(tree.args[0], _STRENGTH['neg'], _latex)}", _STRENGTH["neg"]
    if tree.op not in _STRENGTH:
        function = _LATEX_FUNCTIONS.get(tree.op, rf"\operatorname{{{tree.op}}}")
        return rf"{function}\left({', '.join(latex(arg) for arg in tree.args)}\right)", _ATOM
    strength = _STRENGTH[tree.op]
    sign = {"*": r" \, ", "<=": r" \le ", ">=": r" \ge "}.get(tree.op, f" {tree.op} ")
    left = _inside(tree.args[0], strength, _latex)
    right = _inside(tree.args[1], strength + (tree.op == "-"), _latex)
    return f"{left}{sign}{right}", strength


def _inside(tree: Expr, strength: int, render: Callable[[Expr], tuple[str, int]]) -> str:
    shown, own = render(tree)
    return shown if own >= strength else f"({shown})"


def number(value: float) -> str:
    """A constant as short as it can be without a loss a reader would notice: six digits."""
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    return f"{value:.6g}"


def _latex_number(value: float) -> str:
    mantissa, _, exponent = number(value).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa
