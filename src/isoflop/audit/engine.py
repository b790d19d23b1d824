"""Recomputes every step twice, from its own inputs and forward from the roots, and says which differ.

A step is computed with its nouns tied ("slice" is 32 chips). Where a claim only comes out with its nouns left alone, it
forgot them. Inputs are taken as printed and as unrounded; what comes out either way is right. A bare number that only
converts units (24 from days to hours) counts once, whether the units or the number do it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from math import exp, log
from typing import TYPE_CHECKING

from isoflop.audit.amounts import calendar_slack, digit_slack, tie, tie_factor, written_number
from isoflop.audit.document import Recomputed
from isoflop.audit.measure import input_units, left_between, number, sites, unit_of_tree
from isoflop.audit.order import in_order
from isoflop.audit.reading import apart_by, is_bare, per_period, read_bare, read_converted
from isoflop.errors import UnitError
from isoflop.quantity import NUMBER
from isoflop.relation.expr import call, const

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.amounts import Nouns
    from isoflop.audit.document import Document, Input, Step
    from isoflop.quantity import Unit, Value
    from isoflop.relation.expr import Expr

FLOOR = 0.005
"""Relative difference below which nobody is accused, however many digits are written."""

MOST_READINGS = 64
"""Combinations of printed and unrounded inputs that are tried for one step."""

_MOST_ROUNDING = 0.06
_MOST_OPEN = 0.25
_MOST_CONSTANTS = 200
_NUDGE = 1e-5


@dataclass(slots=True, kw_only=True)
class Recalculated:
    """What the engine knows of one step. Values are in base units with nouns tied, `raw` ones with nouns untied.

    `unit` and `said_unit` are untied. `tree` is the expression in the reading taken (conversions counted once),
    `values` its inputs as used, `powers` the elasticity of the result to each input, `scales` the base units of the
    unit that each is written in, `input_units` those units, `input_quantities` what each is. `tolerance` is the largest
    |ln(said/own)| that the digits, the calendar and the inputs' spreads leave open; `rounding` is what the digits of
    printed steps add to it where reasons are sought, `drift` what all digits on the way leave open. `wrong_below` says
    that a step it builds on is wrong, `wrong_unit` that its unit is not that of its expression. `trouble` says why
    there is no value, `clash` why there is no unit, and `clash_left` what is left over there. `stands_in` says that a
    bare number among the factors can stand for a unit; `others` are further values that a claim without one can mean;
    `constants` the bare numbers on the way.
    """

    step: Step
    said: float | None = None
    said_raw: float | None = None
    said_unit: Unit | None = None
    own: float | None = None
    own_raw: float | None = None
    roots: float | None = None
    unit: Unit | None = None
    tree: Expr | None = None
    values: dict[str, float] = field(default_factory=dict)
    powers: dict[str, float] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    input_units: dict[str, Unit] = field(default_factory=dict)
    input_quantities: dict[str, str] = field(default_factory=dict)
    tolerance: float = 0.0
    rounding: float = 0.0
    drift: float = 0.0
    wrong: bool = False
    wrong_below: bool = False
    wrong_unit: bool = False
    trouble: str = ""
    clash: str = ""
    clash_left: Unit | None = None
    others: tuple[float, ...] = ()
    constants: frozenset[float] = frozenset()
    stands_in: bool = False

    def left_over(self, nouns: Nouns) -> Unit | None:
        """What is left when the unit computed is divided by the one claimed; None where they agree or are not known."""
        if self.unit is None or self.said_unit is None:
            return None
        found = (tie(self.unit, nouns) / tie(self.said_unit, nouns)).base
        return None if found.is_number else found

    @property
    def is_root(self) -> bool:
        """Whether nothing is computed here."""
        return self.step.expr is None

    @property
    def value(self) -> float | None:
        """What later steps find on the page: what is said, else what is computed."""
        return self.said if self.said is not None else self.own

    def outcome(self) -> Recomputed:
        """What checks against the world are told."""
        return Recomputed(said=self.said, own=self.own, roots=self.roots, unit=self.unit or self.said_unit)


def recalculate(document: Document) -> Iterator[tuple[Recalculated, dict[str, Recalculated]]]:
    """Every step, recomputed, each after those it refers to; with all steps before it, by number.

    Whoever consumes this marks a step as `wrong` before taking the next: later steps then inherit.
    """
    done: dict[str, Recalculated] = {}
    constants: frozenset[float] = frozenset()
    for step in in_order(document):
        found = _said(step, document.nouns)
        if step.expr is not None:
            found.constants = constants = _constants(step.expr, constants)
            _compute(found, step.expr, done, document.nouns)
        elif found.said is not None:
            found.roots = found.said
        done[step.number] = found
        yield found, done


def _said(step: Step, nouns: Nouns) -> Recalculated:
    found = Recalculated(step=step)
    if step.says is not None:
        found.said_unit = step.says.unit
        found.said_raw = step.says.spread.median
        found.said = found.said_raw * tie_factor(step.says.unit, nouns)
        found.tolerance = own_slack(step.says)
    return found


def own_slack(value: Value) -> float:
    """The |ln| that the writing of a value leaves open: its digits, its calendar, or the width of its spread."""
    spread = value.spread
    if spread.is_point or spread.low <= 0:
        return value.slack
    return max(log(spread.high / spread.low) / 2, value.slack)


def _compute(found: Recalculated, tree: Expr, done: Mapping[str, Recalculated], nouns: Nouns) -> None:
    before = {key: done[given.step] for key, given in found.step.inputs.items() if given.step}
    carried = {key: _carrying(given, before.get(key), nouns) for key, given in found.step.inputs.items()}
    step = found.step = replace(found.step, inputs=carried)
    found.wrong_below = any(one.wrong or one.wrong_below for one in before.values())
    _measure(found, tree, before)
    candidates = {key: _candidates(given, before.get(key), nouns) for key, given in step.inputs.items()}
    lacking = [key for key, values in candidates.items() if not values]
    if lacking:
        found.trouble = f"{', '.join(lacking)} has no value"
        return
    printed = {key: values[0] for key, values in candidates.items()}
    found.scales = {key: _scale(found, key, before, nouns) for key in printed}
    found.input_quantities = {key: one.step.quantity for key, one in before.items()}
    mended = {key: one.roots for key, one in before.items() if one.wrong and one.roots is not None}
    read = read_bare if is_bare(found, nouns) else read_converted
    found.tree = read(found, per_period(found, tree, printed, nouns), printed | mended, nouns)
    found.values = _inputs_used(found, candidates, before)
    found.own = number(found.tree, found.values)
    if found.own is None:
        found.trouble = found.trouble or "it has no finite value: a division by zero, or a number beyond floats"
        return
    found.powers = elasticities(found.tree, found.values, found.own)
    found.own_raw = number(found.tree, {key: found.values[key] / _untie(found, key, before, nouns) for key in printed})
    found.tolerance = max(FLOOR, found.tolerance + _spreads(found, before))
    _count_once(found, nouns)
    found.rounding = min(_MOST_ROUNDING, _roundings(found, before))
    found.drift = sum(abs(found.powers.get(key, 0.0)) * _printed(one) for key, one in before.items())
    found.roots = _from_roots(found, before)


def _carrying(given: Input, before: Recalculated | None, nouns: Nouns) -> Input:
    """A number beside a reference, with the unit of what it refers to: "$1.50 (5)" of $1.50 per GPU-hour."""
    written = given.written
    if written is None or before is None:
        return given
    values = (*((before.step.says,) if before.step.says is not None else ()), *before.step.also)
    if any(tie(one.unit, nouns).same_kind(tie(written.unit, nouns)) for one in values):
        return given
    for one in values:
        if apart_by(written_number(one), written_number(written)) <= FLOOR:
            return replace(given, written=one)
    return given


def _measure(found: Recalculated, tree: Expr, before: Mapping[str, Recalculated]) -> None:
    known = {one.step.number: unit for one in before.values() if (unit := one.said_unit or one.unit) is not None}
    units = input_units(found.step.inputs, known)
    if units is None:
        return
    found.input_units = units
    try:
        found.stands_in = any(number(site, {}) not in {1.0, -1.0} for site in sites(tree)) or any(
            _counts(given, before.get(key)) for key, given in found.step.inputs.items()
        )
        found.unit = unit_of_tree(tree, units)
    except UnitError as error:
        found.clash = str(error).partition(": ")[2] or str(error)
        found.clash_left = left_between(tree, units)


def _counts(given: Input, before: Recalculated | None) -> bool:
    """Whether an input is a bare number above 1 of nothing known: "25,000", which may be chips."""
    value = given.written or (before.step.says if before is not None else None)
    known = before is not None and before.step.quantity
    return value is not None and not known and value.unit.text == "1" and value.spread.median > 1


def _candidates(given: Input, before: Recalculated | None, nouns: Nouns) -> list[float]:
    """What an input can have been: as written in its place, as the step referred to says, as that is unrounded."""
    if given.written is not None:
        return [given.written.spread.median * tie_factor(given.written.unit, nouns)]
    if before is None:
        return []
    found = [one for one in (before.value, before.own, before.roots, *before.others) if one is not None]
    return list(dict.fromkeys(found))


def _untie(found: Recalculated, key: str, before: Mapping[str, Recalculated], nouns: Nouns) -> float:
    given = found.step.inputs[key]
    unit = given.written.unit if given.written is not None else (before[key].said_unit or before[key].unit or NUMBER)
    return tie_factor(unit, nouns)


def _scale(found: Recalculated, key: str, before: Mapping[str, Recalculated], nouns: Nouns) -> float:
    """Base units of the unit that an input is written in, nouns tied."""
    given = found.step.inputs[key]
    unit = given.written.unit if given.written is not None else before[key].said_unit
    return 1.0 if unit is None else unit.scale * tie_factor(unit, nouns)


def _inputs_used(
    found: Recalculated, candidates: Mapping[str, list[float]], before: Mapping[str, Recalculated]
) -> dict[str, float]:
    """The inputs on which the claim comes out, printed or unrounded; those printed where it does not.

    An input that is wrong on the page may have been used as it should be: then what that leaves open counts too.
    """
    assert found.tree is not None
    printed = {key: values[0] for key, values in candidates.items()}
    first = number(found.tree, printed)
    if found.said is None or not first:
        return printed
    powers = elasticities(found.tree, printed, first)
    extra = sum(abs(powers[key]) * min(_MOST_OPEN, one.tolerance) for key, one in before.items() if one.wrong)
    best, nearest = printed, max(FLOOR, found.tolerance) + FLOOR
    for count, chosen in enumerate(product(*candidates.values())):
        values = dict(zip(candidates, chosen, strict=True))
        own = number(found.tree, values)
        if own is None or count >= MOST_READINGS:
            break
        apart = apart_by(found.said, own)
        if apart < nearest or (count and best is printed and apart < nearest + extra):
            best, nearest = values, apart
            found.tolerance = max(found.tolerance, apart if count else 0.0)
    return best


def elasticities(tree: Expr, values: Mapping[str, float], own: float) -> dict[str, float]:
    """D ln(result) / d ln(input), by a small step up; 0 where that says nothing."""
    powers = {}
    for key, value in values.items():
        moved = number(tree, {**values, key: value * exp(_NUDGE)})
        ratio = moved / own if moved is not None and own else 0.0
        powers[key] = round(log(ratio) / _NUDGE, 4) if ratio > 0 else 0.0
    return powers


def _spreads(found: Recalculated, before: Mapping[str, Recalculated]) -> float:
    """What the inputs leave open: spreads of roots, months and years; their digits only where a step was printed."""
    total = 0.0
    for key, power in found.powers.items():
        given = found.step.inputs[key]
        value = given.written or (before[key].step.says if key in before else None)
        if value is None:
            continue
        spread = value.spread
        width = 0.0 if spread.is_point or spread.low <= 0 else log(spread.high / spread.low) / 2
        digits = digit_slack(value) if given.written is not None and given.step else 0.0
        total += abs(power) * (width + calendar_slack(value) + digits)
    return total


def _roundings(found: Recalculated, before: Mapping[str, Recalculated]) -> float:
    """What the digits of printed steps leave open, where the claim was computed on unrounded ones."""
    printed = {key: one.step.says for key, one in before.items() if not one.is_root}
    return sum(abs(found.powers.get(key, 0.0)) * digit_slack(says) for key, says in printed.items() if says is not None)


def _constants(tree: Expr, earlier: frozenset[float]) -> frozenset[float]:
    """The bare numbers of this step and of those before it, as far as they are few."""
    own = {value for site in sites(tree) if (value := number(site, {})) is not None}
    return earlier if len(earlier) > _MOST_CONSTANTS else earlier.union(own)


def _count_once(found: Recalculated, nouns: Nouns) -> None:
    """A noun is not counted again where a bare number on the way has counted it: 8 x 4.8 TB/s beside $ per 8 chips."""
    if found.tree is None or found.own is None or found.own_raw is None or found.said is None:
        return
    used = {name for unit in found.input_units.values() for name, _ in unit.dims if name in nouns}
    counted = any(nouns[name].scale in found.constants for name in used)
    if not counted or found.said != found.said_raw or apart_by(found.said, found.own) <= found.tolerance:
        return
    if apart_by(found.said, found.own_raw) <= found.tolerance:
        found.tree = call("*", found.tree, const(found.own_raw / found.own))
        found.own, found.unit = found.own_raw, found.said_unit


def _printed(before: Recalculated) -> float:
    """What the digits of a step and of all behind it leave open."""
    says = before.step.says
    own = digit_slack(says) if says is not None and not before.is_root else 0.0
    return before.drift + own


def _from_roots(found: Recalculated, before: Mapping[str, Recalculated]) -> float | None:
    assert found.tree is not None
    values = dict(found.values)
    for key, one in before.items():
        if one.roots is not None:
            values[key] = one.roots
        elif found.step.inputs[key].written is None:
            return None
    return number(found.tree, values)
