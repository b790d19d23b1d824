"""Slips planted in clean chains: a changed claim, carried on or not; a noun dropped; another constant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, log10
from typing import TYPE_CHECKING

from isoflop.audit.engine import recalculate
from isoflop.audit.measure import number, replaced, sites
from isoflop.quantity import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Document, Step
    from isoflop.audit.engine import Recalculated
    from isoflop.quantity import Value

SMALLEST = 0.045
"""|ln| of the smallest slip that is planted: two written digits leave open as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A document with one slip: where, by what factor (says / right), and what it is called."""

    document: Document
    step: str
    factor: float
    kinds: frozenset[Class]
    name: str


def plant(document: Document) -> Iterator[Planted]:
    """Every slip of the list at every implication, with the later lines left alone and with them carried on."""
    steps = {found.step.number: found for found, _ in recalculate(document)}
    for found in steps.values():
        if found.is_root or found.said is None:
            continue
        for factor, kinds, name in slips(found, document):
            if abs(log10(factor)) < log10(1 + SMALLEST):
                continue
            changed = {found.step.number: scaled(found.step, factor)}
            yield planted(document, changed, found.step.number, (factor, kinds, name))
            carried = carry_on(steps, changed)
            if len(carried) > 1:
                yield planted(document, carried, found.step.number, (factor, kinds, f"{name}, carried on"))
        yield from constants(document, found)


def planted(
    document: Document, changed: dict[str, Step], step: str, slip: tuple[float, frozenset[Class], str]
) -> Planted:
    """The document with some steps changed."""
    steps = tuple(changed.get(one.number, one) for one in document.steps)
    factor, kinds, name = slip
    return Planted(document=replace(document, steps=steps), step=step, factor=factor, kinds=kinds, name=name)


Slip = tuple[float, frozenset["Class"], str]


def slips(found: Recalculated, document: Document) -> Iterator[Slip]:
    """The slips that a claim of this step can have, with the classes that name them rightly."""
    for tens in (1, 2, 3, -1, -2, -3):
        kinds: tuple[Class, ...] = ("decimal_slip", "prefix") if tens % 3 == 0 else ("decimal_slip",)
        yield 10.0**tens, frozenset(kinds), f"10^{tens}"
    yield from _of_units(found, document)
    for key, value in found.values.items():
        power, plain = found.powers[key], value / found.scales[key]
        if power and plain > 0 and abs(log10(plain)) > 0.05:
            yield plain**-power, frozenset({"input_missing", "utilisation_missing"}), f"{key} missing"
            yield plain**power, frozenset({"input_doubled"}), f"{key} doubled"
            yield plain ** (-2 * power), frozenset({"input_inverted"}), f"{key} inverted"


IN_UNITS: dict[str, tuple[tuple[tuple[float, ...], tuple[Class, ...]], ...]] = {
    "byte": (((8.0, 1 / 8), ("bits_for_bytes",)), ((1.024**3, 1.024**-3), ("gb_for_gib",))),
    "s": (((24.0, 1 / 24, 60.0, 1 / 60, 3600.0, 1 / 3600, 365.25, 30.4), ("time_unit",)),),
    "FLOP": (((3.0, 1 / 3), ("forward_for_training",)), ((2.0, 0.5), ("mac_for_flop", "sparse_for_dense"))),
}


def _of_units(found: Recalculated, document: Document) -> Iterator[Slip]:
    units = [found.said_unit, *found.input_units.values()]
    dims = {name for unit in units if unit is not None for name, _ in unit.dims}
    for noun, unit in document.nouns.items():
        if noun in dims:
            for factor in (unit.scale, 1 / unit.scale):
                yield factor, frozenset({"noun_left_out"}), f"noun {noun}"
    for name in dims & IN_UNITS.keys():
        for factors, kinds in IN_UNITS[name]:
            for factor in factors:
                yield factor, frozenset(kinds), f"{kinds[0]} {factor:.4g}"


def scaled(step: Step, factor: float) -> Step:
    """The step saying something else, with as many digits."""
    assert step.says is not None
    return replace(step, says=with_median(step.says, step.says.spread.median * factor))


def with_median(value: Value, median: float) -> Value:
    """The value written with as many digits, or as wide a spread, around another number."""
    if not value.spread.is_point:
        return replace(value, spread=value.spread.scaled(median / value.spread.median), text=f"around {median:g}")
    digits = value.sigfigs or 3
    shown = median / value.unit.scale
    rounded = float(f"{shown:.{digits - 1}e}")
    whole = rounded / 10.0 ** (floor(log10(abs(rounded))) - digits + 1)
    slack = min(0.5 / abs(whole), 0.125)
    return replace(
        value,
        spread=Point(rounded * value.unit.scale),
        text=f"{rounded:g} {value.unit.text}",
        sigfigs=digits,
        slack=slack,
    )


def carry_on(steps: dict[str, Recalculated], changed: dict[str, Step]) -> dict[str, Step]:
    """The changed step, and every later one computed from what the page then says."""
    carried = dict(changed)
    for number_, found in steps.items():
        step = found.step
        if number_ in changed or found.tree is None or step.says is None or found.said is None or not found.own:
            continue
        if not any(given.step in carried for given in step.inputs.values()):
            continue
        values = {
            key: _says(carried[given.step]) * _base(steps[given.step]) if given.step in carried else found.values[key]
            for key, given in step.inputs.items()
        }
        own = number(found.tree, values)
        if own is not None and own > 0 < found.own:
            carried[number_] = replace(step, says=with_median(step.says, own / _base(found)))
    return carried


def _says(step: Step) -> float:
    assert step.says is not None
    return step.says.spread.median


def _base(found: Recalculated) -> float:
    """What a claim is multiplied by to be in base units, nouns tied, in the unit that it was taken to have."""
    assert found.said is not None
    return found.said / _says(found.step)


def constants(document: Document, found: Recalculated) -> Iterator[Planted]:
    """Another number in the expression of a step, while it says what it said."""
    assert found.step.expr is not None
    for site in sites(found.step.expr):
        value = number(site, {})
        for other in {2.0: (6.0, 1.0), 6.0: (2.0, 8.0)}.get(value or 0.0, ()):
            tree = replaced(found.step.expr, {id(site): other})
            own = number(tree, found.values)
            if own and found.own:
                kinds: frozenset[Class] = frozenset(
                    {"constant", "forward_for_training", "mac_for_flop", "input_missing"}
                )
                step = replace(found.step, expr=tree)
                slip = (found.own / own, kinds, f"{other:g} for {value:g}")
                yield planted(document, {step.number: step}, step.number, slip)
