"""Units of a step's expression, and its value on floats; bare constants may stand for a unit, amounts never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UnitError
from isoflop.relation.expr import Expr, const, evaluate
from isoflop.relation.readings import unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.audit.document import Input
    from isoflop.quantity import Unit

_ALIKE = frozenset({"+", "-", "min", "max"})


def input_units(inputs: Mapping[str, Input], known: Mapping[str, Unit]) -> dict[str, Unit] | None:
    """The unit of each input, nouns untied, where `known` are those of steps; None where one has none."""
    units: dict[str, Unit] = {}
    for key, given in inputs.items():
        unit = given.written.unit if given.written is not None else known.get(given.step)
        if unit is None:
            return None
        units[key] = unit.base
    return units


def unit_of_tree(tree: Expr, units: Mapping[str, Unit]) -> Unit:
    """The unit of an expression, nouns untied. Raises: UnitError where unlike things are added."""
    return unit_of(_without_constants(tree), "the expression", units.__getitem__)


def left_between(tree: Expr, units: Mapping[str, Unit]) -> Unit | None:
    """What the first unlike things that are added or compared differ by; None where all are alike."""
    for arg in tree.args:
        if (found := left_between(arg, units)) is not None:
            return found
    if tree.op not in _ALIKE or any(folded(arg) is not None for arg in tree.args):
        return None
    try:
        left, right = (unit_of_tree(arg, units) for arg in tree.args)
    except UnitError:
        return None
    return None if left.same_kind(right) else (left / right).base


def _without_constants(tree: Expr) -> Expr:
    """The tree without bare numbers that are added: they stand in whatever unit is due."""
    if tree.op in _ALIKE:
        left, right = tree.args
        if folded(left) is not None:
            return _without_constants(right)
        if folded(right) is not None:
            return _without_constants(left)
    if not tree.args or folded(tree) is not None:
        return tree
    return Expr(tree.op, tuple(_without_constants(arg) for arg in tree.args))


def sites(tree: Expr) -> list[Expr]:
    """The parts without inputs that multiply or divide, single factors of a product each; exponents are left out."""
    if tree.op == "name":
        return []
    if folded(tree) is not None and tree.op not in {"*", "/"}:
        return [tree]
    args = tree.args[:1] if tree.op == "^" else tree.args
    return [one for arg in args for one in sites(arg)]


def replaced(tree: Expr, changes: Mapping[int, float]) -> Expr:
    """The expression with some of its `sites` (by `id`) given other values."""
    if id(tree) in changes:
        return const(changes[id(tree)])
    if not tree.args:
        return tree
    return Expr(tree.op, tuple(replaced(arg, changes) for arg in tree.args))


def folded(tree: Expr) -> float | None:
    """The value of a part without inputs; None where there is an input, or no finite value."""
    if tree.op == "const":
        return tree.value
    if tree.op == "name" or not tree.args:
        return None
    parts = [folded(arg) for arg in tree.args]
    if any(part is None for part in parts):
        return None
    return number(tree, {})


def number(tree: Expr, values: Mapping[str, float]) -> float | None:
    """The value on floats; None where it is not a finite number (division by zero, beyond floats)."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is told by its value
            found = evaluate(tree, values)
        value = float(found) if not isinstance(found, complex) else float("nan")
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return value if value - value == 0 else None
