"""In which reading a step is computed: which bare numbers convert units, and what a claim without a unit means."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import combinations
from math import log, log10
from typing import TYPE_CHECKING

from isoflop.audit.amounts import tie, tie_factor
from isoflop.audit.measure import number, replaced, sites
from isoflop.quantity import Unit
from isoflop.relation.expr import call, const

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.amounts import Nouns
    from isoflop.audit.engine import Recalculated
    from isoflop.relation.expr import Expr

CONVERSIONS = (
    *(60.0, 3600.0, 24.0, 86400.0, 7.0, 168.0, 12.0, 1440.0),
    *(365.0, 365.25, 365.24, 30.0, 30.4, 30.42, 30.44, 30.5, 31.0, 52.0, 720.0, 730.0, 730.5, 8760.0, 8766.0),
    *(8.0, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18, 3.6e6),
    *(2.0**10, 2.0**20, 2.0**30, 2.0**40),
)
"""Bare numbers that people write to get from one unit to another."""


_CONVERTS = 0.025
_MOST_SITES = 6
_MOST_OTHERS = 4
_NATURAL = frozenset({60.0, 3600.0, 86400.0, 604800.0, 1e9, 1e12, 2.0**30, 3.6e6})
"""Base units of what people have in mind when they leave a unit out: minutes, hours, days, GB, GiB, kWh."""


def apart_by(one: float, other: float) -> float:
    """|ln| of a ratio; infinite where the signs differ, one is zero, or it is beyond floats."""
    ratio = one / other if other else 0.0
    return abs(log(ratio)) if 0 < ratio < float("inf") else float("inf")


_PERIODS = (
    (re.compile(r"(?:/|per )\s*(?:min|minute)\b"), 60.0),
    (re.compile(r"(?:/|per )\s*(?:h|hr|hour)\b"), 3600.0),
    (re.compile(r"(?:/|per )\s*(?:d|day)\b"), 86400.0),
    (re.compile(r"(?:/|per )\s*(?:wk|week)\b"), 604800.0),
    (re.compile(r"(?:/|per )\s*(?:mo|month)\b"), 730.5 * 3600),
    (re.compile(r"(?:/|per )\s*(?:y|yr|year|annum)\b"), 8766.0 * 3600),
)
_SAME_PERIOD = 0.04  # 30 days are a month, 52 weeks a year


def per_period(found: Recalculated, tree: Expr, printed: Mapping[str, float], nouns: Nouns) -> Expr:
    """The tree divided by the period that it sums over, where the claim is per that period: 24 hours, $ per day."""
    says, left = found.step.says, found.left_over(nouns)
    if says is None or found.unit is None or left is None or dict(left.dims).get("s") != 1:
        return tree
    period = next((length for words, length in _PERIODS if words.search(says.unit.text)), None)
    spans = [printed[key] for key, unit in found.input_units.items() if [name for name, _ in unit.dims] == ["s"]]
    if period is None or not any(apart_by(span, period) <= _SAME_PERIOD for span in spans):
        return tree
    found.unit = found.unit / Unit(dims=(("s", Fraction(1)),), text="s")
    return call("*", tree, const(1 / period))  # no bare number that converts


def read_converted(found: Recalculated, tree: Expr, printed: Mapping[str, float], nouns: Nouns) -> Expr:
    """The tree with those bare numbers set to 1 that only convert units which the amounts carry already.

    Numbers that convert make the result on the numbers as written, in the unit as claimed, what it is in base units;
    prefixes may be left out of account. Of several readings the one nearest to what is said is taken. Where bare
    numbers stand for units, the numbers as written are a reading too.
    """
    says = found.step.says
    if says is None or found.said is None:
        return tree
    result = says.unit.scale * tie_factor(says.unit, nouns)
    written = number(tree, {key: printed[key] / found.scales[key] for key in printed})
    readings = list(_readings(tree)) if any(scale != 1 for scale in (*found.scales.values(), result)) else [tree]
    values = [number(one, printed) or 0.0 for one in readings]
    if written:
        apart = [_decades(written * result, value) for value in values]
        if 0 in apart:
            return readings[apart.index(0)]
        kept = [place for place, tens in enumerate(apart) if tens is not None]
        readings, values = (
            ([readings[place] for place in kept], [values[place] for place in kept]) if kept else (readings, values)
        )
    if found.left_over(nouns) and found.stands_in and values[0] and written:
        readings.append(call("*", tree, const(written * result / values[0])))
        values.append(written * result)
    nearest = [apart_by(found.said, value) if value else float("inf") for value in values]
    return readings[nearest.index(min(nearest))]


def _decades(one: float, other: float) -> int | None:
    """By how many powers of ten two numbers differ, where they differ by nothing else: prefixes and percent."""
    ratio = one / other if other else 0.0
    if not 0 < ratio < float("inf"):
        return None
    tens = log10(ratio)
    return round(tens) if abs(tens - round(tens)) < _CONVERTS / 2 else None


def read_bare(found: Recalculated, tree: Expr, printed: Mapping[str, float], nouns: Nouns) -> Expr:
    """The tree in the reading in which a claim without a unit comes out; the claim gets the unit that makes it so.

    The claim may be in base units, or what the numbers as written give; then a bare number that converts says in what
    unit (3600: hours).
    """
    assert found.unit is not None
    assert found.step.says is not None
    claim = found.step.says.spread.median
    written = number(tree, {key: printed[key] / found.scales[key] for key in printed})
    readings = list(_readings(tree))
    values = [number(one, printed) or 0.0 for one in readings]
    scales = [value / written if written else 0.0 for value in values]
    chosen, scale = readings[0], 1.0
    if written and values[0] and apart_by(claim, written) <= apart_by(claim, values[0]):
        place = next((place for place in reversed(range(len(scales))) if round(scales[place], 6) in _NATURAL), 0)
        chosen, scale = readings[place], scales[place]
    found.said_unit, found.said, found.said_raw = tie(found.unit, nouns).base * scale, claim * scale, claim * scale
    others = dict.fromkeys(claim * other for other in (1.0, *scales) if other and other != scale)
    found.others = tuple(others)[:_MOST_OTHERS]
    return chosen


def is_bare(found: Recalculated, nouns: Nouns) -> bool:
    """Whether a claim has no unit where its expression has one, and is of nothing that the library knows."""
    says = found.step.says
    if says is None or found.unit is None or found.step.quantity:
        return False
    bare = says.unit.is_number and says.unit.scale == 1
    return bare and not tie(found.unit, nouns).is_number


def _readings(tree: Expr) -> Iterator[Expr]:
    """The tree, and the tree without each set of bare numbers that can be conversions."""
    bare = [site for site in sites(tree) if number(site, {}) in CONVERSIONS][:_MOST_SITES]
    for size in range(len(bare) + 1):
        for chosen in combinations(bare, size):
            yield replaced(tree, {id(site): 1.0 for site in chosen}) if chosen else tree
