"""Turns what was recomputed into findings: units, arithmetic, roots, and what later steps inherit."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.amounts import digit_slack, tie, tie_factor
from isoflop.audit.document import Finding
from isoflop.audit.engine import FLOOR, own_slack
from isoflop.audit.measure import number, sites
from isoflop.audit.slips import explain
from isoflop.audit.words import said, times
from isoflop.quantity import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from isoflop.audit.amounts import Nouns
    from isoflop.audit.document import Class, Document, Input, Level
    from isoflop.audit.engine import Recalculated
    from isoflop.quantity import Value

_LENIENT = frozenset({"chip", "param", "token", "sequence", "request", "word", "node"})
"""Nouns that people leave out of a claim ("FLOP/s" of so many chips), or add to it ("1.75 GPUs", a ratio)."""

_ROUNDED_DOWN = 2.0
_DRIFT = 0.05


def judge(found: Recalculated, done: Mapping[str, Recalculated], document: Document) -> Iterator[Finding]:
    """The findings of one step; `done` are the steps before it. At most one of them says that the step is wrong."""
    nouns = document.nouns
    yield from _copies(found, done, nouns)
    yield from _also(found, nouns)
    if found.is_root or found.step.says is None:
        if found.trouble and not found.is_root and not found.wrong_below:
            yield _finding(found, "arithmetic", "domain", f"It cannot be computed: {found.trouble}.", nouns)
        return
    if found.clash:
        left = {name for name, _ in found.clash_left.dims} if found.clash_left is not None else _MEASURES
        kind: Class = "unit_mismatch" if left & _MEASURES else "noun_left_out"
        yield _finding(found, "units", kind, f"Unlike things are added or compared: {found.clash}.", nouns)
        return
    if found.own is None or found.said is None:
        if found.trouble:
            yield _finding(found, "arithmetic", "domain", f"It cannot be computed: {found.trouble}.", nouns)
        return
    yield from _numbers(found, done, nouns)


def _numbers(found: Recalculated, done: Mapping[str, Recalculated], nouns: Nouns) -> Iterator[Finding]:
    left = _mismatch(found, nouns)
    apart = _apart(found.said, found.own)
    if left is not None and apart > found.tolerance and _untied_fits(found):
        yield _noun(found, nouns)
    elif left is not None:
        found.wrong_unit = True
        yield _units(found, left, nouns)
    elif apart <= found.tolerance:
        yield from _from_roots(found, nouns)
    elif _untied_fits(found):
        yield _noun(found, nouns)
    elif _cut_off(found, apart):
        reason = f"Its last digit is cut off or rounded twice: {_value(found.own, found, nouns)} is more exact."
        yield _finding(found, "note", "rounding", reason, nouns, found.own)
    else:
        yield _arithmetic(found, done, nouns)


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return float("inf")
    if one == other:
        return 0.0
    ratio = one / other if other else 0.0
    return abs(log(ratio)) if ratio > 0 and ratio < float("inf") else float("inf")


def _untied_fits(found: Recalculated) -> bool:
    """Whether the claim comes out on the numbers as they stand, with no noun tied: the author forgot one."""
    if found.own_raw is None or found.said_raw is None or found.own is None:
        return False
    forgot = _apart(found.own_raw, found.own) > max(FLOOR, found.tolerance)
    return forgot and _apart(found.said_raw, found.own_raw) <= found.tolerance


def _cut_off(found: Recalculated, apart: float) -> bool:
    """Whether the claim is within one unit of its last digit, not only half of one."""
    says = found.step.says
    return says is not None and apart <= found.tolerance + (_ROUNDED_DOWN - 1) * digit_slack(says)


def _mismatch(found: Recalculated, nouns: Nouns) -> Unit | None:
    """What does not cancel and cannot be excused: by a bare number that stands for it, or by a noun left unsaid."""
    left = found.left_over(nouns)
    if left is None:
        return None
    dims = dict(left.dims)
    if found.stands_in:
        dims = {name: power for name, power in dims.items() if not _absorbed(name, found)}
    given = {name for name, _ in found.unit.dims} if found.unit is not None else set()
    dims = {name: power for name, power in dims.items() if not (name in _LENIENT - given and power == -1)}
    counted = {name for unit in nouns.values() for name, _ in unit.dims}
    dims = {name: power for name, power in dims.items() if not (name in _LENIENT - counted and power > 0)}
    return Unit(dims=tuple(sorted(dims.items()))).base if dims else None


def _absorbed(name: str, found: Recalculated) -> bool:
    """Whether a bare number can stand for the dimension: for seconds only one that looks like a time can."""
    if name != "s":
        return True
    assert found.step.expr is not None
    bare = [number(site, {}) for site in sites(found.step.expr)]
    return any(value in _TIMES for value in bare) or not found.input_units


_TIMES = frozenset({60.0, 3600.0, 24.0, 86400.0, 7.0, 30.0, 30.4, 30.44, 31.0, 365.0, 365.25, 720.0, 730.0, 8760.0})


def _noun(found: Recalculated, nouns: Nouns) -> Finding:
    """A claim that comes out only if a noun is not counted."""
    involved = [
        f"1 {noun} = {unit.text}"
        for noun, unit in nouns.items()
        if any(noun in dict(one.dims) for one in found.input_units.values())
    ]
    raw = f": {found.unit.text}" if found.unit is not None else ""
    reason = (
        f"A noun does not cancel{raw} with {', '.join(involved) or 'its nouns'} left out; "
        f"counted, it is {_value(found.own, found, nouns)}: {_times(found)}."
    )
    return _finding(found, "units", "noun_left_out", reason, nouns, found.own)


def _times(found: Recalculated) -> str:
    return times(found.said / found.own) if found.said is not None and found.own else "another number"


def _units(found: Recalculated, left: Unit, nouns: Nouns) -> Finding:
    assert found.unit is not None
    assert found.said_unit is not None
    kind = _unit_class(found, left)
    gives, claimed = tie(found.unit, nouns).base.text, tie(found.said_unit, nouns).base.text
    reason = f"The expression gives {gives}, the claim is in {claimed}: {left.text} is left over."
    same = found.own is not None and _apart(found.said, found.own) <= found.tolerance
    recomputed = None if same or kind == "unit_mismatch" else found.own
    if kind == "noun_left_out" and same and (size := _forgotten(left, nouns)) is not None and found.own:
        recomputed = found.own / size
        reason += f" Likely {_which(left, nouns)}, so that it is {_value(recomputed, found, nouns)}."
    return _finding(found, "units", kind, reason, nouns, recomputed)


def _forgotten(left: Unit, nouns: Nouns) -> float | None:
    """By what a result changes if what is left over was counted by the declared noun that is made of it."""
    made = [
        unit for unit in nouns.values() if unit.dims and {name for name, _ in unit.dims} == {n for n, _ in left.dims}
    ]
    if len(made) != 1 or len(left.dims) != 1:
        return None
    return float(made[0].scale ** float(left.dims[0][1]))


def _which(left: Unit, nouns: Nouns) -> str:
    name = left.dims[0][0]
    return next(f"a {noun} of {unit.text} is meant" for noun, unit in nouns.items() if name in dict(unit.dims))


def _unit_class(found: Recalculated, left: Unit) -> Class:
    names = {name for name, _ in left.dims}
    works = {name for unit in (found.unit, found.said_unit) if unit is not None for name, _ in unit.dims}
    if names == {"s"} and works & {"FLOP", "J", "byte", "token"}:
        return "rate_for_amount"
    if not names & _MEASURES:
        return "noun_left_out"
    return "unit_mismatch"


_MEASURES = frozenset({"s", "byte", "USD", "J", "kgCO2e", "FLOP", "nat", "kg"})


def _arithmetic(found: Recalculated, done: Mapping[str, Recalculated], nouns: Nouns) -> Finding:
    reasons = explain(found, _rows(found, done, nouns), nouns)
    kind: Class = reasons[0].kind if reasons else "arithmetic"
    level: Level = "units" if kind == "noun_left_out" and found.input_units else "arithmetic"
    words = f"Its own inputs give {_value(found.own, found, nouns)}"
    words += f", not {_value(found.said, found, nouns)} ({_times(found)})"
    likely = f"; likely {reasons[0].words}." if reasons else "."
    others = tuple(f"likely {one.words}" for one in reasons[1:])
    return replace(_finding(found, level, kind, words + likely, nouns, found.own), others=others)


def _rows(found: Recalculated, done: Mapping[str, Recalculated], nouns: Nouns) -> dict[str, Sequence[Value]]:
    """For each input that cites a step with several values: those of the input's kind."""
    rows: dict[str, Sequence[Value]] = {}
    for key, given in found.step.inputs.items():
        used = done.get(given.step)
        if used is None or used.said_unit is None:
            continue
        due = tie(used.said_unit, nouns)
        cited = [done[number].step for number in used.step.cites if number in done]
        others = [
            value
            for step in cited
            for value in (*((step.says,) if step.says else ()), *step.also)
            if tie(value.unit, nouns).same_kind(due)
        ]
        if others:
            rows[key] = others
    return rows


def _from_roots(found: Recalculated, nouns: Nouns) -> Iterator[Finding]:
    """A step that is right in itself: what it inherits, or what rounding on the way has made of it."""
    if found.roots is None or not found.roots:
        return
    apart = _apart(found.said, found.roots)
    if apart <= found.tolerance + FLOOR:
        return
    forward = _value(found.roots, found, nouns)
    if found.wrong_below:
        yield _finding(
            found, "inherits", "inherited", f"Right in itself; from the roots it is {forward}.", nouns, found.roots
        )
    elif apart > found.tolerance + found.drift + _DRIFT:
        reason = f"Rounding on the way has added up: from the roots it is {forward}."
        yield _finding(found, "roots", "rounding", reason, nouns, found.roots)


def _copies(found: Recalculated, done: Mapping[str, Recalculated], nouns: Nouns) -> Iterator[Finding]:
    """Values repeated beside a reference that are not those of the step referred to."""
    for given in found.step.inputs.values():
        before = done.get(given.step)
        if given.written is None or before is None or before.value is None:
            continue
        written = given.written.spread.median * tie_factor(given.written.unit, nouns)
        allowed = max(FLOOR, _ROUNDED_DOWN * (own_slack(given.written) + before.tolerance))
        kinds = before.said_unit is None or tie(given.written.unit, nouns).same_kind(tie(before.said_unit, nouns))
        mended = before.wrong and min(_apart(written, before.own), _apart(written, before.roots)) <= allowed
        if kinds and not mended and _apart(written, before.value) > allowed:
            yield _copied(found, given, written, before.value)


def _copied(found: Recalculated, given: Input, written: float, value: float) -> Finding:
    assert given.written is not None
    unit, factor = given.written.unit, written / given.written.spread.median if given.written.spread.median else 1.0
    shown, ratio = said(value / factor, unit), times(written / value) if value else "another number"
    reason = f"{given.written.text} is not what step {given.step} says, {shown} ({ratio})."
    return Finding(
        step=found.step.number,
        span=given.span or found.step.span,
        level="arithmetic",
        kind="copied_wrong",
        reason=reason,
        factor=written / value if value else None,
        says=written,
        recomputed=value,
        unit=unit.base,
    )


def _also(found: Recalculated, nouns: Nouns) -> Iterator[Finding]:
    """The other forms of a result: "2.65e13 parameters = 26T parameters"."""
    if found.is_root or found.said is None or found.said_unit is None:
        return
    for value in found.step.also:
        other = value.spread.median * tie_factor(value.unit, nouns)
        unit = tie(found.said_unit, nouns)
        upside_down = tie(value.unit, nouns).same_kind(unit**-1)
        if upside_down and other:
            other = 1 / other
        elif not tie(value.unit, nouns).same_kind(unit):
            continue
        apart, digits = _apart(other, found.said), digit_slack(value) + found.tolerance
        if apart <= max(FLOOR, digits):
            continue
        level: Level = "note" if apart <= digits + digit_slack(value) + FLOOR else "arithmetic"
        kind: Class = "rounding" if level == "note" else "arithmetic"
        how = "cut off, not rounded" if level == "note" else times(other / found.said)
        reason = f"It is written as {value.text} too: {how}."
        made = _finding(found, level, kind, reason, nouns, found.said)
        yield replace(made, says=other, factor=other / found.said)


def _value(value: float | None, found: Recalculated, nouns: Nouns) -> str:
    """An amount in the unit of the step's claim; in its base unit where that says nothing."""
    assert value is not None
    unit = found.said_unit or found.unit
    return said(value, None) if unit is None else said(value / tie_factor(unit, nouns), unit)


def _finding(
    found: Recalculated, level: Level, kind: Class, reason: str, nouns: Nouns, recomputed: float | None = None
) -> Finding:
    unit = found.said_unit or found.unit
    return Finding(
        step=found.step.number,
        span=found.step.span,
        level=level,
        kind=kind,
        reason=reason,
        factor=found.said / recomputed if found.said is not None and recomputed else None,
        says=found.said,
        recomputed=recomputed,
        unit=None if unit is None else tie(unit, nouns).base,
    )
