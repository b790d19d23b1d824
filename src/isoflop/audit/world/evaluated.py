"""The value of a sum in running text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import Amount

if TYPE_CHECKING:
    from collections.abc import Callable


def evaluate(terms: list[Amount | str], of: Callable[[Amount], float]) -> float | None:
    """The value of terms and signs, products first; None where brackets do not match or a number is too large."""
    tokens: list[float | str] = [of(one) if isinstance(one, Amount) else one for one in terms]
    opened = tokens.count("(") - tokens.count(")")
    tokens = [*("(" for _ in range(-opened)), *tokens, *(")" for _ in range(opened))]
    try:
        value, place = _sum_at(tokens, 0, 0)
    except (ValueError, ZeroDivisionError, OverflowError, IndexError):
        return None
    return value if place == len(tokens) and value - value == 0 else None


def _sum_at(tokens: list[float | str], place: int, depth: int) -> tuple[float, int]:
    value, place = _product_at(tokens, place, depth)
    while place < len(tokens) and tokens[place] in {"+", "-"}:
        other, after = _product_at(tokens, place + 1, depth)
        value, place = (value + other if tokens[place] == "+" else value - other), after
    return value, place


def _product_at(tokens: list[float | str], place: int, depth: int) -> tuple[float, int]:
    value, place = _atom_at(tokens, place, depth)
    while place < len(tokens) and tokens[place] in {"*", "/", "("}:
        step = 0 if tokens[place] == "(" else 1
        other, after = _atom_at(tokens, place + step, depth)
        value, place = (value / other if tokens[place] == "/" else value * other), after
    return value, place


def _atom_at(tokens: list[float | str], place: int, depth: int) -> tuple[float, int]:
    found = tokens[place]
    if found == "(":
        if depth > 20:
            raise ValueError
        value, place = _sum_at(tokens, place + 1, depth + 1)
        if tokens[place] != ")":
            raise ValueError
        return value, place + 1
    if not isinstance(found, float):
        raise ValueError  # noqa: TRY004 (a sum that is none)
    return found, place + 1
