"""The figures of an answer that was saved as JSON, by the words that lead to each."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.quantity import quantities, unit, write, write_centred
from isoflop.report.lines import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from isoflop.quantity import Quantity, Unit

MOST = 300
"""Figures that are taken of one answer."""

LONGEST_TEXT = 60

_LEFT_OUT = frozenset({
    "schema_version", "interval", "steps", "assumptions", "assumed", "sources", "warnings", "checks", "alternatives",
    "elasticities", "shares", "layouts", "pareto", "tried", "fitting", "most", "scales", "changes", "why", "notes",
    "profile", "low", "high", "hard", "quantity", "title", "note", "text", "number", "activations", "limit",
})  # fmt: skip
"""Keys that hold no figure of the answer: how it was reached, and what else was looked at."""

_UNSAID = frozenset({"answers", "chosen", "plan", "value", "total", "params"})
"""Keys that a title leaves out where others lead to the figure too."""


def lines_of(objects: Sequence[Mapping[str, object]]) -> list[Line]:
    """Every figure that any of the saved answers has, in the order of the first that has it."""
    found = [dict(list(_figures(one, ()))[:MOST]) for one in objects]
    paths = list(dict.fromkeys(path for one in found for path in one))
    return [_line(path, [one.get(path) for one in found]) for path in paths]


Figure = tuple[float | str, str, float | None, float | None]
"""(value, unit, low, high); the unit is "" for texts and counts."""


def _figures(found: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Figure]]:
    """Every figure below `found` with the keys that lead to it."""
    if isinstance(found, dict):
        held = found.get("value", found.get("total") if "terms" in found else None)
        written = found.get("unit")
        if isinstance(written, str) and _is_number(held):
            yield path or (str(found.get("quantity", "value")),), (float(held), written, *_ends(found))  # type: ignore[arg-type]
        terms = found.get("terms")
        if isinstance(terms, list) and isinstance(written, str):
            yield from _terms(terms, written, path)
        for key, value in found.items():
            if key not in _LEFT_OUT and key not in {"value", "total", "unit", "terms"}:
                yield from _figures(value, (*path, str(key)))
        return
    if isinstance(found, bool):
        yield path, ("yes" if found else "no", "", None, None)
    elif _is_number(found):
        yield path, (float(found), "", None, None)  # type: ignore[arg-type]  # a number
    elif isinstance(found, str) and 0 < len(found) <= LONGEST_TEXT and found.isprintable():
        yield path, (found, "", None, None)
    elif isinstance(found, list) and found and all(isinstance(one, str) for one in found):
        text = ", ".join(found)
        if len(text) <= LONGEST_TEXT:
            yield path, (text, "", None, None)


def _terms(terms: Sequence[object], written: str, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Figure]]:
    for term in terms:
        if isinstance(term, dict) and _is_number(term.get("value")):
            yield (*path, str(term.get("name", ""))), (float(term["value"]), written, None, None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _ends(found: Mapping[str, object]) -> tuple[float | None, float | None]:
    low, high = found.get("low"), found.get("high")
    if _is_number(low) and _is_number(high):
        return float(low), float(high)  # type: ignore[arg-type]  # numbers
    return None, None


def _line(path: tuple[str, ...], figures: Sequence[Figure | None]) -> Line:
    written = next((one[1] for one in figures if one is not None and one[1]), "")
    of = _unit_of(path[-1] if path else "", written)
    said = [key for key in path if key not in _UNSAID] or [path[-1] if path else "value"]
    return Line(
        name=".".join(path),
        title=" ".join(dict.fromkeys(said)).replace("_", " "),
        unit=written,
        cells=tuple(None if one is None else one[0] for one in figures),
        texts=tuple("" if one is None else _text(one, of) for one in figures),
    )


def _unit_of(name: str, written: str) -> Quantity | Unit | None:
    """The quantity of a figure's name where its unit is that one, else its unit alone."""
    known = quantities().get(name)
    if known is not None and (not written or known.unit_text == written):
        return known
    if written in {"", "1"}:
        return None
    alike = (entry for entry in quantities().values() if entry.unit_text == written)
    try:
        return next(alike, None) or unit(written)
    except BadInput:
        return None


def _text(figure: Figure, of: Quantity | Unit | None) -> str:
    value, written, low, high = figure
    if isinstance(value, str):
        return value
    if of is None:
        return f"{value:,.6g}{f' {written}' if written else ''}"
    if low is None or high is None or not low <= value <= high or low == high:
        return write(value, of)
    return write_centred(value, low, high, of)
