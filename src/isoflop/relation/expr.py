"""The tree of a formula: what is left when a body is run on names instead of numbers.

A relation's body is ordinary arithmetic. Run on `Expr` leaves it leaves behind an immutable tree of one node type;
every other reading of the body (its text, its units, its monomial form, its inverse) is a fold over that tree. Bodies
may use + - * / **, comparisons and the NumPy functions in `FUNCTIONS`; anything else is refused when the relation is
first read, not when it is used.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.quantity import Real

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "square": np.square,
    "min": np.minimum,
    "max": np.maximum,
    "ceil": np.ceil,
    "floor": np.floor,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "where": np.where,
}
"""Every operation a body may use, by the name its node carries."""

_PLAIN: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "neg": operator.neg,
}
"""The same for floats as for arrays, and a good deal faster on floats."""

_NAMES = {function: name for name, function in FUNCTIONS.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """One node: `op` is "const" (then `value` counts), "name" (then `name` counts) or a key of FUNCTIONS.

    Nodes cannot be compared with `==`: inside a body that would be a branch, and it would be taken without a word.
    """

    op: str
    args: tuple[Expr, ...] = ()
    name: str = ""
    value: float = 0.0

    def __array_ufunc__(self, ufunc: Callable[..., Any], method: str, *args: object, **options: object) -> Expr:
        if method != "__call__" or options or ufunc not in _NAMES:
            msg = f"a formula may not use {getattr(ufunc, '__name__', ufunc)}; it may use: {', '.join(FUNCTIONS)}"
            raise TypeError(msg)
        return call(_NAMES[ufunc], *args)

    def __array_function__(
        self, func: Callable[..., Any], types: object, args: tuple[object, ...], options: object
    ) -> Expr:
        del types
        if func is not np.where or options or len(args) != 3:
            msg = f"a formula may not use {func.__name__}; it may use: {', '.join(FUNCTIONS)}"
            raise TypeError(msg)
        return call("where", *args)

    def __add__(self, other: object) -> Expr:
        return call("+", self, other)

    def __radd__(self, other: object) -> Expr:
        return call("+", other, self)

    def __sub__(self, other: object) -> Expr:
        return call("-", self, other)

    def __rsub__(self, other: object) -> Expr:
        return call("-", other, self)

    def __mul__(self, other: object) -> Expr:
        return call("*", self, other)

    def __rmul__(self, other: object) -> Expr:
        return call("*", other, self)

    def __truediv__(self, other: object) -> Expr:
        return call("/", self, other)

    def __rtruediv__(self, other: object) -> Expr:
        return call("/", other, self)

    def __pow__(self, other: object) -> Expr:
        return call("^", self, other)

    def __rpow__(self, other: object) -> Expr:
        return call("^", other, self)

    def __neg__(self) -> Expr:
        return call("neg", self)

    def __lt__(self, other: object) -> Expr:
        return call("<", self, other)

    def __le__(self, other: object) -> Expr:
        return call("<=", self, other)

    def __gt__(self, other: object) -> Expr:
        return call(">", self, other)

    def __ge__(self, other: object) -> Expr:
        return call(">=", self, other)

    def __eq__(self, other: object) -> NoReturn:
        msg = "a formula may not test for equality: use np.where with <= or >="
        raise TypeError(msg)

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        msg = "a formula may not branch on a value: use np.where"
        raise TypeError(msg)


def name(text: str) -> Expr:
    """The leaf that stands for a quantity."""
    return Expr("name", name=text)


def const(value: float) -> Expr:
    """The leaf that stands for a number."""
    return Expr("const", value=float(value))


def call(op: str, *args: object) -> Expr:
    """A node over `args`, numbers among them turned into leaves."""
    return Expr(op, tuple(arg if isinstance(arg, Expr) else const(_number(arg)) for arg in args))


def _number(arg: object) -> float:
    if isinstance(arg, (int, float, np.floating, np.integer)):
        return float(arg)
    msg = f"a formula may only hold numbers and quantities, not {type(arg).__name__}"
    raise TypeError(msg)


def evaluate(tree: Expr, values: Mapping[str, Real]) -> Real:
    """The tree's value where every name has one; floats and arrays broadcast as in NumPy."""
    if tree.op == "name":
        return values[tree.name]
    if tree.op == "const":
        return tree.value
    function = _PLAIN.get(tree.op) or FUNCTIONS[tree.op]
    result: Real = function(*(evaluate(arg, values) for arg in tree.args))
    return result


def names(tree: Expr) -> tuple[str, ...]:
    """Every quantity in the tree, once for each time it stands there."""
    if tree.op == "name":
        return (tree.name,)
    return tuple(found for arg in tree.args for found in names(arg))
