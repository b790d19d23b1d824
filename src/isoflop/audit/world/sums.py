"""Arithmetic in running text ("8 x 80 GB = 640 GB"), and figures said twice ("3,640 PF-days (3.14e23 FLOP)")."""

from __future__ import annotations

import re
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import PERCENT, Amount
from isoflop.audit.prose.kinds import EITHER
from isoflop.audit.prose.roles import TRAIN
from isoflop.audit.world.evaluated import evaluate
from isoflop.audit.world.found import finding, middle, near, slip_of
from isoflop.quantity import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.facts import Told

_SIGN = re.compile(
    r"\s*(?P<sign>[×*÷/+]|(?<=[\s\d])x(?=[\s\d])|(?<=\s)[-–](?=\s)|\btimes\b|\bdivided by\b|"
    r"\bmultiplied by\b|\(|\))\s*"
)
_OPERATORS = {"×": "*", "x": "*", "times": "*", "multiplied by": "*", "÷": "/", "divided by": "/", "–": "-"}
_EQUALS = re.compile(
    r"\s*(?:=|≈|≃|→|=>|⇒|\bequals\b|\bgives\b|\bis about\b|\bcomes to\b|\bmakes\b|"
    r"\byields\b)\s*(?:about|roughly|approximately|around|~|≈|only|just|a total of|us)?\s*",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\s*(?:parameters|tokens|of \w+(?: \w+)?|GPU|compute)?\s*(?:\(|=|≈|,?\s*or\b|,?\s*i\.e\.,?|,"
    r"\s*which is|,?\s*that is,?|,\s*equivalent to|,\s*equal to|\bis (?:the same as|equal to|"
    r"equivalent to|exactly)\b|\bis\b|\bequals\b|\bcorresponds? to\b)\s*"
    r"(?:about|roughly|approximately|approx\.?|around|~|≈|a total of|exactly|just|only|some|"
    r"nearly|over|more than|under)?\s*",
    re.IGNORECASE,
)
_TWICE = frozenset({"FLOP", "FLOP/s", "s", "byte", "J", "J/s", "kgCO2e", "chip s", "byte/s", "$/s/chip", "byte/param"})
_FACTORS: tuple[tuple[float, Class, str], ...] = (
    (8.0, "bits_for_bytes", "bits and bytes"),
    (1 / 8, "bits_for_bytes", "bits and bytes"),
    (24.0, "time_unit", "hours and days"),
    (1 / 24, "time_unit", "hours and days"),
    (60.0, "time_unit", "minutes"),
    (1 / 60, "time_unit", "minutes"),
    (3600.0, "time_unit", "seconds and hours"),
    (1 / 3600, "time_unit", "seconds and hours"),
    (7.0, "time_unit", "days and weeks"),
    (1 / 7, "time_unit", "days and weeks"),
    (365.25, "time_unit", "days and years"),
    (1 / 365.25, "time_unit", "days and years"),
    (86400.0, "time_unit", "seconds and days"),
    (1 / 86400, "time_unit", "seconds and days"),
    (30.44, "time_unit", "days and months"),
    (1 / 30.44, "time_unit", "days and months"),
    (3.0, "forward_for_training", "2 and 6 FLOP for each parameter and token"),
    (1 / 3, "forward_for_training", "2 and 6 FLOP for each parameter and token"),
)


def sums(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Sums that do not come out, and values said twice that differ."""
    before: Told | None = None
    for told in text:
        yield from _equations(told)
        yield from _said_twice(told)
        if before is not None and before.scope == told.scope:
            yield from _said_again(before, told)
        before = told


def _equations(told: Told) -> Iterator[Finding]:
    text = told.sentence.text
    amounts = list(told.read.amounts)
    place = 0
    while place < len(amounts) - 1:
        terms, end = _terms(text, amounts, place)
        if len([one for one in terms if isinstance(one, Amount)]) < 2 or end >= len(amounts):
            place += 1
            continue
        tail = _closing(text, amounts[end - 1])
        equals = _EQUALS.match(text, tail)
        if equals and amounts[end].start <= equals.end() + 1 and equals.end() <= amounts[end].number.point + 1:
            yield from _sum(told, _with_bracket(text, amounts[place], terms), amounts[end])
        place = end


def _closing(text: str, last: Amount) -> int:
    """Where the last term of a sum ends, with the words after it and its closing brackets."""
    match = re.compile(
        r"(?:\s{0,2}(?!for\b)[A-Za-z][\w/-]{0,24}(?![\w/-])){0,3}?\s{0,2}\){0,8}(?=\s{0,2}(?:=|"
        r"≈|→|⇒|≃|equals|gives|is about|comes to|makes|yields))"
    ).match(text, last.end)
    return match.end() if match else last.end


def _terms(text: str, amounts: list[Amount], place: int) -> tuple[list[Amount | str], int]:
    """Amounts joined by signs, from `place` on, and where they end."""
    terms: list[Amount | str] = []
    while place < len(amounts):
        amount = amounts[place]
        terms.append(amount)
        place += 1
        if place >= len(amounts):
            break
        signs = _signs(text[amount.number.end if amount.kind == "#times" else amount.end : amounts[place].start])
        if signs is None:
            break
        terms += signs
    return terms, place


def _signs(between: str) -> list[str] | None:
    """The signs between two amounts; None where there is something else: words of a unit are let pass."""
    bare = re.sub(
        r"(?<![\w])(?:of|the|an?|each|bytes?|bits?|hours?|days?|per|params?|parameters?|tokens?|"
        r"GPUs?|peak|trillion|billion|N|D|FLOPs?|day|hour|month|model|training|steps?|about|"
        r"~)(?![\w])",
        " ",
        between,
    )
    found: list[str] = []
    place = 0
    while place < len(bare):
        match = _SIGN.match(bare, place)
        if match is None:
            return None if bare[place:].strip() else (found or None)
        found.append(_OPERATORS.get(match["sign"].lower(), match["sign"]))
        place = match.end()
    return found if any(sign in "*/+-" for sign in found) else None


def _with_bracket(text: str, first: Amount, terms: list[Amount | str]) -> list[Amount | str]:
    return ["(", *terms] if text[: first.start].rstrip().endswith("(") else terms


def _sum(told: Told, terms: list[Amount | str], says: Amount) -> Iterator[Finding]:
    """A sum on the numbers as written and in base units: where it comes out in neither, it is wrong."""
    if not _is_to_be_checked(told, terms, says):
        return
    if _is_forward(told, terms, says):
        words = "2 N D is a forward pass; training takes 6 FLOP for each parameter and token"
        yield finding(told.sentence, says, "forward_for_training", words, says=says.value, recomputed=3 * says.value)
        return
    written = evaluate(terms, lambda amount: amount.number.middle)
    base = evaluate(terms, lambda amount: amount.value)
    values = [value for value in (written, base) if value and value > 0]
    targets = [
        value for value in (says.value, says.number.middle, says.number.middle / says.number.scaled) if value > 0
    ]
    allowed = 0.02 + says.slack + sum(one.slack for one in terms if isinstance(one, Amount) and one.number.about)
    if not values or not targets or _apart(values, targets)[0] <= allowed + 0.01:
        return
    if _has_units(terms, says) and not _same_units(terms, says) and _is_converted((written, base), says, allowed):
        return  # a conversion that is not written out
    _, due, best = _apart(values, targets)
    ratio = best / due
    slip = _slip(ratio, 0.03)
    reason = f"the numbers as written give {_plain(due)}{f'; {slip[1]}' if slip else ''}"
    kind: Class = slip[0] if slip else "arithmetic"
    yield finding(told.sentence, says, kind, reason, says=best, recomputed=due, level="arithmetic", unit=unit("1"))


def _plain(value: float) -> str:
    """A number as people write it: 439,800 and 1.89e23."""
    return f"{float(f'{value:.4g}'):,.12g}" if 1e-3 <= value < 1e7 else f"{value:.3g}".replace("e+", "e")


def _is_converted(values: tuple[float | None, float | None], says: Amount, allowed: float) -> bool:
    """Whether the numbers as written miss the number written, or those in base units the value, by a conversion."""
    written, base = values
    targets = ([says.number.middle, says.number.middle / says.number.scaled], [says.value])
    return any(
        value is not None
        and value > 0
        and _apart([value * factor for factor in _CONVERSIONS], [one for one in wanted if one > 0])[0] <= allowed
        for value, wanted in zip((written, base), targets, strict=True)
    )


def _is_to_be_checked(told: Told, terms: list[Amount | str], says: Amount) -> bool:
    """Whether it is one sum on one line, its terms exact, and its result no share."""
    if says.kind == PERCENT or says.value <= 0:
        return False
    if any(isinstance(one, Amount) and one.number.bound for one in terms):
        return False
    first = next(one for one in terms if isinstance(one, Amount))
    same_line = told.sentence.line_of(first.start) == told.sentence.line_of(says.start)
    return same_line and not _is_upside_down(terms, says)


def _apart(values: list[float], targets: list[float]) -> tuple[float, float, float]:
    """How near any value comes to any target, in logs; and the two."""
    return min((abs(log(value / target)), value, target) for value in values for target in targets)


def _slip(ratio: float, within: float) -> tuple[Class, str] | None:
    """Units mixed up, a prefix or a decimal place."""
    mixed = ((kind, f"likely {words} mixed up") for factor, kind, words in _FACTORS if near(ratio, factor, within))
    return next(mixed, None) or slip_of(ratio)


_CONVERSIONS = (
    *(24.0, 1 / 24, 3600.0, 1 / 3600, 86400.0, 1 / 86400, 60.0, 1 / 60, 730.5, 730.0, 720.0, 365.25, 7.0, 3.6e6),
    *(1e3, 1e6, 1e9, 1e12, 1e15, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 0.125, 8.0, 0.01),
)
"""What numbers in different units may be multiplied by without anybody saying so."""


def _is_forward(told: Told, terms: list[Amount | str], says: Amount) -> bool:
    """As in "2 x 13e9 x 260e9 = 6.8e21 FLOPs of training compute"."""
    factors = [one for one in terms if isinstance(one, Amount)]
    text = told.sentence.text
    return (
        len(factors) == 3
        and "+" not in terms
        and "/" not in terms
        and factors[0].number.low == 2.0
        and all(one.value > 1e6 for one in factors[1:])
        and says.value > 1e18
        and bool(TRAIN.search(text) or says.is_("FLOP"))
        and not re.search(
            r"\b(?:forward|inference|infer|generat\w+|serv\w+|MACs?|multiply|prefill|decod\w+|"
            r"evaluat\w+|process\w*)\b",
            text,
            re.IGNORECASE,
        )
    )


def _is_upside_down(terms: list[Amount | str], says: Amount) -> bool:
    """Whether it divides by what it claims to give: no sum, but two figures beside each other."""
    return any(
        sign == "/" and isinstance(one, Amount) and one.kind and one.kind == says.kind for sign, one in pairwise(terms)
    )


def _has_units(terms: list[Amount | str], says: Amount) -> bool:
    return bool(says.kind) or any(
        isinstance(one, Amount) and one.kind not in {"", "#times", "#things"} for one in terms
    )


def _same_units(terms: list[Amount | str], says: Amount) -> bool:
    """Whether all units that are written cancel to that of the result, so that nothing can be converted."""
    kinds = [
        one.kind
        for one in terms
        if isinstance(one, Amount) and one.kind not in {"", "#times", "#things", "chip", "param", "token"}
    ]
    return (not kinds and says.kind in {"", "#times", "#things", "chip", "param", "token"}) or kinds == [says.kind]


def _said_twice(told: Told) -> Iterator[Finding]:
    """As in "3,640 PF-days (3.14e23 FLOP)": two amounts of one kind, in different units, side by side."""
    for one, other in pairwise(told.read.amounts):
        if not _is_said_again(told, one, other):
            continue
        ratio = other.off(middle(one)) if one.low == one.high else 1.0
        if abs(log(ratio)) <= 0.03 + one.slack or abs(log(one.off(middle(other)))) < 0.02:
            continue
        if one.kind == "byte" and near(ratio, 1.0, 0.12) and not _is_exact(told, one, other):
            continue
        slip = _slip(ratio, 0.06)
        unit_size = other.low / other.number.low if other.number.low else 1.0
        why = f"; {slip[1]}" if slip else ""
        reason = f"{one.text} is {_plain(middle(one) / unit_size)} in the unit of {other.text}{why}"
        kind: Class = slip[0] if slip else "arithmetic"
        yield finding(
            told.sentence, other, kind, reason, says=middle(other), recomputed=middle(one), level="arithmetic"
        )


def _is_exact(told: Told, one: Amount, other: Amount) -> bool:
    """Whether one of two sizes is binary and the words say that they are the same: "80 GiB equals 80e9 bytes"."""
    binary = ["i" in amount.unit for amount in (one, other)]
    between = told.sentence.text[one.end : other.start]
    return binary == [True, False] and bool(re.search(r"\bequals?\b|\bexactly\b|\bthe same as\b", between))


_THAT_IS = re.compile(
    r"(?:that|this|it)(?:['’]s| is| equals| makes| comes to| amounts to| corresponds to| works out (?:to|at))"
    r"\s+(?:the same as|equivalent to|equal to)?\s*"
    r"(?:about|roughly|approximately|around|~|some|nearly|almost|just)?\s*",
    re.IGNORECASE,
)


def _said_again(before: Told, told: Told) -> Iterator[Finding]:
    """As in "It took 3.8e25 FLOP. That is about 440,000 PF-days": the one amount before of its kind."""
    if not told.read.amounts or not (match := _THAT_IS.match(told.sentence.text)):
        return
    other = told.read.amounts[0]
    alike = [one for one in before.read.amounts if _alike(one, other)]
    if other.number.point > match.end() + 1 or len(alike) != 1 or alike[0].unit == other.unit or other.kind == "s":
        return
    one = alike[0]
    bounded = one.number.bound or other.number.bound or one.device or other.device
    if bounded or one.low != one.high or _ASIDE.match(told.sentence.text, other.end):
        return
    ratio = other.off(middle(one))
    slip = _slip(ratio, 0.06)
    if abs(log(ratio)) <= 0.03 + one.slack or slip is None:
        return
    unit_size = other.low / other.number.low if other.number.low else 1.0
    reason = f"{one.text} is {_plain(middle(one) / unit_size)} in the unit of {other.text}; {slip[1]}"
    yield finding(told.sentence, other, slip[0], reason, says=middle(other), recomputed=middle(one), level="arithmetic")


def _is_said_again(told: Told, one: Amount, other: Amount) -> bool:
    """Whether an amount says the one before it again, in another unit."""
    if not _alike(one, other) or one.unit == other.unit or one.device or other.device:
        return False
    if one.number.bound or other.number.bound or _is_format(told, one) or _is_format(told, other):
        return False
    text = told.sentence.text
    if text[: one.start].rstrip()[-1:] in set("×*÷/+=x"):
        return False  # the last term of a sum
    if _is_of_each(told, one):
        return False
    if len({m[1] for m in (_OF_WHAT.match(text, one.end), _OF_WHAT.match(text, other.end)) if m}) > 1:
        return False  # "500 GB of weights, or 1.5 TB of activations"
    joined = _AGAIN.fullmatch(text[one.end : other.number.point - (1 if other.number.money else 0)])
    if joined is None or _INCREMENT.search(text[: one.start]):
        return False
    if joined.group().strip(" ,") == "or" and one.number.scaled == other.number.scaled == 1.0 and one.kind == "s":
        return False  # "an hour or 90 minutes"
    return not (joined.group().strip() == "(" and _ASIDE.match(text, other.end))


_OF_WHAT = re.compile(r"\s+of (?:the )?(\w+)")
_OF_COUNTED = re.compile(r"\s*(?:at|@|of|with|drawing|using|taking|,|x|×)\s*(?:about\s+|~)?", re.IGNORECASE)
_COUNTED_KINDS = frozenset({"chip", "node", "core", "slice", "#things", "#pods", "#layers", "sequence", "request"})


def _is_of_each(told: Told, amount: Amount) -> bool:
    """As in "72 chips at 1,200 W is 86 kW": what follows is of all of them."""
    before = [one for one in told.read.amounts if one.end <= amount.start and one.kind in _COUNTED_KINDS]
    return bool(before and _OF_COUNTED.fullmatch(told.sentence.text[before[-1].end : amount.start]))


_ASIDE = re.compile(r"\s*(?:more|less|faster|each|per|saved|for|in|with|at|on|using|from|when|if|after)\b")


def _is_format(told: Told, amount: Amount) -> bool:
    """Whether it is the name of a number format: "4-bit"."""
    return any(name.kind == "dtype" and name.start <= amount.start < name.end for name in told.read.names)


_INCREMENT = re.compile(r"\b(?:from|every|each|per|between|either)\s*$", re.IGNORECASE)


def _alike(one: Amount, other: Amount) -> bool:
    if one.kind == other.kind and one.kind in _TWICE:
        return True
    return (
        {one.kind, other.kind} <= {EITHER, "FLOP", "FLOP/s"}
        and one.kind != other.kind
        and EITHER in {one.kind, other.kind}
        and min(one.low, other.low) > 0
    )
