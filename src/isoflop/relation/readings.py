"""Readings of a formula's tree: its units, its monomial form, its inverse."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, reduce
from operator import mul
from typing import TYPE_CHECKING

from isoflop.errors import UnitError
from isoflop.quantity import quantity, unit
from isoflop.relation.expr import Expr, call, const, name, names
from isoflop.relation.relation import Relation, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.quantity import Unit

_FINEST = 10**9  # denominators of exponents: law exponents are floats, everything else is a small rational


@dataclass(frozen=True, slots=True)
class Monomial:
    """coefficient * product of name ** exponent; a straight line in logarithms."""

    coefficient: float
    exponents: Mapping[str, Fraction]


@cache
def monomial(relation: Relation[...]) -> Monomial | None:
    """The relation's body as a monomial of its inputs; None where it is not one, or not positive (no logarithm)."""
    body = tree(relation)
    form = None if body is None else monomial_of(body)
    return form if form is not None and form.coefficient > 0 else None


def monomial_of(body: Expr) -> Monomial | None:
    """`body` as a monomial, or None. Sums of like terms count; a function of a constant does too."""
    if body.op == "name":
        return Monomial(1.0, {body.name: Fraction(1)})
    if body.op == "const":
        return Monomial(body.value, {})
    parts = [monomial_of(arg) for arg in body.args]
    if any(part is None for part in parts):
        return None
    left, *rest = (part for part in parts if part is not None)
    match body.op:
        case "*" | "/":
            return _product(left, rest[0], 1 if body.op == "*" else -1)
        case "^" if not rest[0].exponents:
            return _power(left, rest[0].coefficient)
        case "sqrt":
            return _power(left, 0.5)
        case "square":
            return _power(left, 2.0)
        case "+" | "-" if left.exponents == rest[0].exponents:
            sign = 1 if body.op == "+" else -1
            return Monomial(left.coefficient + sign * rest[0].coefficient, left.exponents)
        case _:
            return None


def _product(left: Monomial, right: Monomial, sign: int) -> Monomial:
    exponents = dict(left.exponents)
    for key, power in right.exponents.items():
        exponents[key] = exponents.get(key, Fraction(0)) + sign * power
    coefficient = left.coefficient * right.coefficient**sign
    return Monomial(coefficient, {key: power for key, power in exponents.items() if power})


def _power(base: Monomial, exponent: float) -> Monomial | None:
    if base.coefficient <= 0:
        return None
    power = Fraction(exponent).limit_denominator(_FINEST)
    return Monomial(base.coefficient**exponent, {key: value * power for key, value in base.exponents.items()})


def check_units(relation: Relation[...]) -> None:
    """Refuse a relation whose body does not have the unit of the quantity it gives, nouns included.

    Opaque and empirical bodies are not read: their inputs are divided by one base unit at the door.
    Raises: UnitError, naming the relation and what is left over.
    """
    body = tree(relation)
    if body is None or relation.kind == "empirical":
        return
    found, due = unit_of(body, relation.name), quantity(relation.gives).unit
    if not found.same_kind(due):
        msg = f"{relation.name}: the formula has unit {found.text}, {relation.gives} is in {due.text}"
        raise UnitError(msg)


def unit_of(body: Expr, where: str, units: Callable[[str], Unit] = lambda key: quantity(key).unit) -> Unit:
    """The unit a tree computes. Raises UnitError where unlike things are added or an exponent is not a number."""
    if body.op == "name":
        return units(body.name)
    if body.op == "const":
        return unit("1")
    parts = [unit_of(arg, where, units) for arg in body.args]
    match body.op:
        case "*":
            return parts[0] * parts[1]
        case "/":
            return parts[0] / parts[1]
        case "^":
            return _unit_power(parts, body, where)
        case "sqrt":
            return parts[0] ** Fraction(1, 2)
        case "square":
            return parts[0] ** 2
        case "exp" | "log" | "log2" | "log10":
            if not parts[0].is_number:
                msg = f"{where}: {body.op} of something in {parts[0].text}"
                raise UnitError(msg)
            return parts[0]
        case "neg" | "ceil" | "floor":
            return parts[0]
        case _:
            return _like(parts, body, where)


def _unit_power(parts: list[Unit], body: Expr, where: str) -> Unit:
    base, exponent = parts
    if body.args[1].op == "const":
        return base ** Fraction(body.args[1].value).limit_denominator(_FINEST)
    if not (base.is_number and exponent.is_number):
        msg = f"{where}: a power of {base.text} needs a plain number as exponent"
        raise UnitError(msg)
    return base


def _like(parts: list[Unit], body: Expr, where: str) -> Unit:
    """Sums, minima, comparisons and branches: all sides must be of one kind."""
    if body.op == "where":
        parts = parts[1:]
    if not parts[0].same_kind(parts[1]):
        msg = f"{where}: {parts[0].text} and {parts[1].text} stand on the two sides of '{body.op}'"
        raise UnitError(msg)
    return unit("1") if body.op in {"<", "<=", ">", ">="} else parts[0]


@cache
def inverse(relation: Relation[...], unknown: str) -> Expr | None:
    """The tree that gives `unknown` from the other quantities; None where `unknown` stands in the body more than once.

    Valid for the domains of the glossary (positive quantities): even powers have one inverse there.
    """
    body = tree(relation)
    if body is None:
        return None
    if unknown == relation.gives:
        return body
    form = monomial(relation)
    if form is not None and form.exponents.get(unknown):
        return power_product(_solved(form, unknown, relation.gives))
    return isolate(body, unknown, name(relation.gives))


def _solved(form: Monomial, unknown: str, gives: str) -> Monomial:
    """Solve gives = form for `unknown`: exact, whatever stands around it."""
    power = form.exponents[unknown]
    exponents = {gives: 1 / power} | {key: -value / power for key, value in form.exponents.items() if key != unknown}
    return Monomial(float(form.coefficient ** float(-1 / power)), exponents)


def power_product(form: Monomial) -> Expr:
    """A monomial as a tree the way people write it: positive powers over negative ones."""
    above: list[Expr] = [] if form.coefficient == 1 else [const(form.coefficient)]
    below: list[Expr] = []
    for key, power in form.exponents.items():
        side = above if power > 0 else below
        side.append(name(key) if abs(power) == 1 else call("^", name(key), float(abs(power))))
    top = reduce(mul, above) if above else const(1)
    return top / reduce(mul, below) if below else top


def isolate(body: Expr, unknown: str, value: Expr) -> Expr | None:
    """Solve `body == value` for `unknown` by undoing one operation after the other; None where that cannot be done."""
    if body.op == "name" and body.name == unknown:
        return value
    inside = [index for index, arg in enumerate(body.args) if unknown in names(arg)]
    if len(inside) != 1 or body.op not in _UNDO:
        return None
    index = inside[0]
    others = [arg for position, arg in enumerate(body.args) if position != index]
    undone = _UNDO[body.op](value, others, index)
    return isolate(body.args[index], unknown, undone)


_UNDO: Mapping[str, Callable[[Expr, list[Expr], int], Expr]] = {
    "+": lambda value, others, _: value - others[0],
    "-": lambda value, others, index: value + others[0] if index == 0 else others[0] - value,
    "*": lambda value, others, _: value / others[0],
    "/": lambda value, others, index: value * others[0] if index == 0 else others[0] / value,
    "^": lambda value, others, index: (
        value ** (const(1) / others[0]) if index == 0 else call("log", value) / call("log", others[0])
    ),
    "neg": lambda value, _, __: -value,
    "exp": lambda value, _, __: call("log", value),
    "log": lambda value, _, __: call("exp", value),
    "log2": lambda value, _, __: const(2) ** value,
    "log10": lambda value, _, __: const(10) ** value,
    "sqrt": lambda value, _, __: value**2,
    "square": lambda value, _, __: call("sqrt", value),
}
