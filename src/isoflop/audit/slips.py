"""Likely reasons for a factor: only slips that occur in the step's own units, inputs and numbers, shortest first.

With thirty factors in pairs any ratio finds an explanation. So a candidate needs its place: 8 only where bits or bytes
are, 24 only where there is time, an input only if the step has it. A pair is tried only where no single slip fits.
"""

from __future__ import annotations

import re
from itertools import combinations
from math import log
from typing import TYPE_CHECKING, NamedTuple

from isoflop.audit.amounts import tie_factor
from isoflop.audit.measure import number, replaced, sites

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from isoflop.audit.amounts import Nouns
    from isoflop.audit.document import Class
    from isoflop.audit.engine import Recalculated
    from isoflop.quantity import Unit, Value
    from isoflop.relation.expr import Expr

MOST = 2
"""Reasons that are given at most."""

_NEAR = 0.006
_PAIR = 1.0
_DECADES = frozenset({"decimal_slip", "prefix"})
_SMALL = 7.5
_LEAST_PAIR = log(10)  # a smaller factor is too easily a ratio of two
_DECIMALS = (1, 2, 3, 4, 5, 6, 9, 12)
_TIMES = (
    (24.0, "days taken for hours, or hours for days"),
    (60.0, "minutes taken for seconds or hours"),
    (3600.0, "hours taken for seconds, or seconds for hours"),
    (86400.0, "days taken for seconds, or seconds for days"),
    (7.0, "weeks taken for days, or days for weeks"),
    (30.4375, "months taken for days, or days for months"),
    (730.5, "months taken for hours, or hours for months"),
    (2629800.0, "months taken for seconds, or seconds for months"),
    (12.0, "years taken for months, or months for years"),
    (365.25, "years taken for days, or days for years"),
    (8766.0, "years taken for hours, or hours for years"),
    (31557600.0, "years taken for seconds, or seconds for years"),
)
_UTILISATION = re.compile(r"\b(mfu|hfu|utili[sz]ation|efficiency)\b", re.IGNORECASE)


class Slip(NamedTuple):
    """A candidate: with it, what is said is `makes` times the right value. `cost`: how far-fetched it is."""

    makes: float
    kind: Class
    words: str
    cost: float


class Explanation(NamedTuple):
    """One slip, or two together, that make the factor seen."""

    kind: Class
    words: str


def explain(found: Recalculated, rows: Mapping[str, Sequence[Value]], nouns: Nouns) -> tuple[Explanation, ...]:
    """What may have gone wrong where a step says something other than what its expression gives, best first.

    `rows[key]` are other values, of the same kind, in what input `key` cites: another row of a price table.
    """
    if found.said is None or not found.own or not 0 < found.said / found.own < float("inf"):
        return ()
    due, allowed = log(found.said / found.own), max(_NEAR, found.tolerance) + found.rounding
    slips = [slip for slip in candidates(found, rows, nouns) if _is_slip(slip)]
    singles = [
        (slip.cost + abs(log(slip.makes) - due) / allowed, Explanation(slip.kind, slip.words))
        for slip in slips
        if abs(log(slip.makes) - due) <= allowed
    ]
    ranked = singles or (list(_pairs(slips, due, allowed)) if abs(due) > _LEAST_PAIR else [])
    ranked.sort(key=lambda pair: pair[0])
    return tuple(dict.fromkeys(one for _, one in ranked))[:MOST]


def _is_slip(slip: Slip) -> bool:
    return 0 < slip.makes < float("inf") and abs(log(slip.makes)) > _NEAR


def _raised(base: float, power: float) -> float:
    """The power, infinite where that is beyond floats."""
    try:
        return float(base**power)
    except (OverflowError, ZeroDivisionError):
        return float("inf")


def _pairs(slips: Sequence[Slip], due: float, allowed: float) -> Iterator[tuple[float, Explanation]]:
    kept = sorted((slip for slip in slips if slip.cost < 2), key=lambda slip: slip.cost)[:60]
    for one, other in combinations(kept, 2):
        if {one.kind, other.kind} & _DECADES and min(_size(one), _size(other)) < _SMALL:
            continue  # any number is a power of ten and something small
        off = abs(log(one.makes) + log(other.makes) - due)
        if off <= min(allowed, 2 * _NEAR) and one.words != other.words:
            words = f"{one.words}, and {other.words}"
            yield one.cost + other.cost + _PAIR + off / allowed, Explanation(one.kind, words)


def _size(slip: Slip) -> float:
    return max(slip.makes, 1 / slip.makes)


def candidates(found: Recalculated, rows: Mapping[str, Sequence[Value]], nouns: Nouns) -> Iterator[Slip]:
    """Every slip that has its place in the step."""
    dims = _dimensions(found)
    yield from _of_nouns(dims, nouns)
    yield from _of_inputs(found)
    yield from _of_rows(found, rows, nouns)
    yield from _of_constants(found, dims)
    yield from _of_units(dims)
    for power in _DECIMALS:
        for makes in (10.0**power, 10.0**-power):
            if power % 3:
                yield Slip(makes, "decimal_slip", f"a decimal slip of 10^{power}", 1.0)
            else:
                yield Slip(makes, "prefix", f"a slip of {10**power:,} between prefixes or words", 1.0)


def _dimensions(found: Recalculated) -> dict[str, list[str]]:
    """Every dimension in the step, with the texts of the units that it stands in."""
    units: list[Unit | None] = [found.said_unit, found.unit]
    units += [given.written.unit for given in found.step.inputs.values() if given.written is not None]
    units += found.input_units.values()
    dims: dict[str, list[str]] = {}
    for unit in units:
        if unit is not None:
            for name, _ in unit.dims:
                dims.setdefault(name, []).append(unit.text)
    return dims


def _both(makes: float, kind: Class, words: str, cost: float) -> Iterator[Slip]:
    yield Slip(makes, kind, words, cost)
    yield Slip(1 / makes, kind, words, cost)


def _of_nouns(dims: Mapping[str, object], nouns: Nouns) -> Iterator[Slip]:
    for noun, unit in nouns.items():
        if noun in dims or any(name in dims for name, _ in unit.dims):
            yield from _both(unit.scale, "noun_left_out", f"a {noun} is {unit.text}, which was left out", 0.5)
    if {"chip", "node"} & dims.keys() and not nouns:
        yield from _both(8.0, "noun_left_out", "8 chips of a machine, counted once or twice", 1.8)


def _of_inputs(found: Recalculated) -> Iterator[Slip]:
    for key, value in found.values.items():
        power, scale = found.powers.get(key, 0.0), found.scales.get(key, 1.0)
        words = found.step.inputs[key].words or key
        if not power or value <= 0:
            continue
        share = bool(_UTILISATION.search(words)) or found.input_quantities.get(key) in {"mfu", "hfu", "utilisation"}
        for plain in dict.fromkeys((value / scale, value)):
            shown = f"{words} ({plain:.4g})"
            if not share:
                yield Slip(_raised(plain, -power), "input_missing", f"{shown} was left out", 1.4)
            else:
                yield Slip(_raised(plain, -power), "utilisation_missing", f"{shown} was left out", 0.8)
            yield Slip(_raised(plain, power), "input_doubled", f"{shown} was used twice", 1.9)
            done = "divided by" if power > 0 else "multiplied with"
            yield Slip(_raised(plain, -2 * power), "input_inverted", f"{shown} was {done}", 1.7)


def _of_rows(found: Recalculated, rows: Mapping[str, Sequence[Value]], nouns: Nouns) -> Iterator[Slip]:
    for key, others in rows.items():
        value, power = found.values.get(key), found.powers.get(key, 0.0)
        for other in others:
            row = other.spread.median * tie_factor(other.unit, nouns)
            if value and power and row > 0:
                words = f"{other.text} was used, another row of what {found.step.inputs[key].words or key} cites"
                yield Slip(_raised(row / value, power), "wrong_row", words, 1.1)


_INSTEAD: dict[float, tuple[float, ...]] = {
    6.0: (2.0, 8.0, 4.0, 3.0),
    2.0: (6.0, 1.0, 4.0, 3.0),
    3.0: (1.0, 2.0, 6.0),
    4.0: (2.0, 1.0, 8.0),
    8.0: (4.0, 16.0, 6.0),
    16.0: (12.0, 18.0, 20.0, 8.0, 2.0),
    12.0: (6.0, 16.0, 24.0),
    20.0: (16.0, 18.0, 12.0),
    18.0: (16.0, 20.0),
}


def _of_constants(found: Recalculated, dims: Mapping[str, object]) -> Iterator[Slip]:
    """Numbers written in the expression: left out, used twice, turned round, or another in their place."""
    tree, own, values = found.tree, found.own, found.values
    if tree is None or not own:
        return

    def with_(site: Expr, other: float) -> float:
        changed = number(replaced(tree, {id(site): other}), values)
        return changed / own if changed else 0.0

    for site in sites(tree):
        value = number(site, {})
        if not value or value <= 0 or value == 1:
            continue

        yield Slip(with_(site, 1.0), "input_missing", f"the factor {value:g} was left out", 1.3)
        yield Slip(with_(site, value * value), "input_doubled", f"the factor {value:g} was used twice", 1.9)
        yield Slip(with_(site, 1 / value), "input_inverted", f"the factor {value:g} was turned round", 1.7)
        for other in _INSTEAD.get(value, ()):
            yield Slip(with_(site, other), *_instead(value, other, dims))
    for key, value in found.values.items():
        plain = value / found.scales.get(key, 1.0)
        for other in _INSTEAD.get(round(plain, 9), ()):
            yield Slip(_raised(other / plain, found.powers.get(key, 0.0)), *_instead(plain, other, dims))


def _instead(value: float, other: float, dims: Mapping[str, object]) -> tuple[Class, str, float]:
    words = f"{other:g} in the place of {value:g}"
    if {value, other} == {2.0, 6.0} and ({"FLOP", "param", "token"} & dims.keys()):
        return "forward_for_training", f"{words}: a forward pass takes 2 FLOP a parameter and token, training 6", 0.7
    if {value, other} == {1.0, 2.0} and "FLOP" in dims:
        return "mac_for_flop", f"{words}: a multiply-accumulate is 2 FLOP", 0.9
    if {value, other} == {6.0, 8.0} and "FLOP" in dims:
        return "constant", f"{words}: recomputation counted, or not", 1.2
    return "constant", words, 2.1


def _of_units(dims: Mapping[str, Sequence[str]]) -> Iterator[Slip]:
    """Slips between units of the dimensions that the step has."""
    if "byte" in dims:
        yield from _both(8.0, "bits_for_bytes", "bits taken for bytes, or bytes for bits", 0.9)
        for power, names in ((3, "GB and GiB"), (4, "TB and TiB"), (2, "MB and MiB"), (1, "kB and KiB")):
            yield from _both(1.024**power, "gb_for_gib", f"{names} mixed up (1.024^{power})", 0.9 + power % 3 * 0.1)
        yield from _both(1024.0, "prefix", "1024 too often or too seldom", 1.0)
        for factor in (2.0, 4.0):
            yield from _both(factor, "constant", f"{factor:g} times the bytes for each number", 1.5)
    if "s" in dims:
        for factor, words in _TIMES:
            yield from _both(factor, "time_unit", words, 1.1)
    if "FLOP" in dims:
        yield from _of_flop(dims)
    if {"token", "word"} & dims.keys():
        yield from _both(0.75, "words_for_tokens", "words taken for tokens, or tokens for words", 1.4)
    if "J" in dims:
        yield from _both(3.6e6, "prefix", "joules taken for kilowatt-hours", 1.1)
    if "core" in dims or "die" in dims:
        yield from _both(2.0, "noun_left_out", "two cores or dies of a chip, counted once or twice", 1.2)


def _of_flop(dims: Mapping[str, Sequence[str]]) -> Iterator[Slip]:
    rate = any("FLOP/s" in text or text.endswith(("FLOPS", "flops")) for text in dims["FLOP"])
    if rate:
        yield from _both(2.0, "sparse_for_dense", "a peak for sparse matrices, twice the dense one", 1.2)
    else:
        yield from _both(2.0, "mac_for_flop", "multiply-accumulates taken for FLOP (2)", 1.3)
    near = bool({"param", "token"} & dims.keys())
    words = "a forward pass (2 N) taken for training (6 N), or reverse"
    yield from _both(3.0, "forward_for_training", words, 1.0 if near else 1.6)
    yield from _both(4 / 3, "constant", "recomputation counted, or not (8 N for 6 N)", 1.5)
