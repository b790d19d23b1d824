"""Conclusions that are the product of what leads to them: "6.2M A100 hours at $1.1 per hour, that is $6.8M".

Units decide what can be multiplied and divided to give what is claimed. Only where no such product comes out, and the
one of nearly all the figures misses by a factor that people slip by, is it a finding; sentences with bare numbers or
units that are not known are left alone.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from math import isfinite, log
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import PERCENT
from isoflop.audit.world.found import finding, middle, near, slip_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

MOST = 4
"""Figures that may lead to a conclusion; more are several sums."""
ALIKE = 0.16
"""How far in logs a conclusion may be rounded."""
EXACT = 0.05
"""How near the miss must be to a known slip."""

_SO = re.compile(
    r"(?:\bthat(?:['’]s| is| makes| comes to| would be)|\bso|\btotal(?:s|ing| of)?|\bi\.e\.,?|\bcomes to|\bmakes|"
    r"\bgiv(?:es|ing)|=|→|≈)\s*(?:about|roughly|around|approximately|some|nearly|almost|a total of|~|≈|only|just)?\s*$",
    re.IGNORECASE,
)
_THAT = re.compile(r"(?:so\s+)?(?:that|this|it)(?:['’]s|\s+(?:is|makes|comes to))\b", re.IGNORECASE)
_OPEN = re.compile(
    r"\b(?:sav\w+|less|fewer|instead|than|versus|vs|if|unless|discount\w*|each|every|share|half|third|quarter|overhead|"
    r"faster|slower|only part|remaining|not)\b",
    re.IGNORECASE,
)
_COUNTS = frozenset({"#steps", "#layers", "#things", "#epochs"})
_SLIPS: tuple[tuple[float, Class, str], ...] = (
    (24.0, "time_unit", "hours and days mixed up"),
    (60.0, "time_unit", "minutes mixed up with hours or seconds"),
    (3600.0, "time_unit", "seconds and hours mixed up"),
    (86400.0, "time_unit", "seconds and days mixed up"),
    (7.0, "time_unit", "days and weeks mixed up"),
    (365.25, "time_unit", "days and years mixed up"),
)


def products(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Conclusions that are not the product of the figures before them."""
    before: Told | None = None
    for told in text:
        amounts = list(told.read.amounts)
        for place, said in enumerate(amounts):
            if not _SO.search(told.sentence.text[: said.start]) or said.number.bound:
                continue
            inputs, words = amounts[:place], told.sentence.text
            if not inputs and before is not None and before.scope == told.scope and _THAT.match(words):
                inputs, words = list(before.read.amounts), f"{before.sentence.text} {words}"
            if not _OPEN.search(words):
                yield from _product(told, inputs, said)
        before = told


def _product(told: Told, inputs: list[Amount], said: Amount) -> Iterator[Finding]:
    if not 2 <= len(inputs) <= MOST:
        return
    wanted, given = _dims(said), [_dims(one) for one in inputs]
    if not wanted or any(one is None for one in given):
        return
    counted = any(one.kind in _COUNTS for one in inputs)
    if any((one.kind == said.kind and not counted) or one.number.bound for one in inputs):
        return
    options = list(_options(inputs, [one or {} for one in given], wanted))
    if not options or any(abs(log(said.off(value))) <= ALIKE for value, _ in options):
        return
    due, used = max(options, key=lambda one: one[1])
    if used < max(2, len(inputs) - 1) or len({value for value, count in options if count == used}) > 1:
        return
    ratio = middle(said) / due
    slip = _slip(ratio)
    if slip is None:
        return
    reason = f"{' and '.join(one.text for one in inputs)} come to {_in_its_unit(due, said)}; {slip[1]}"
    yield finding(told.sentence, said, slip[0], reason, says=middle(said), recomputed=due, level="arithmetic")


def _options(
    inputs: list[Amount], given: list[Mapping[str, int]], wanted: Mapping[str, int]
) -> Iterator[tuple[float, int]]:
    """Every product of the inputs that has the unit wanted, and of how many it is."""
    for powers in product((1, 0, -1), repeat=len(inputs)):
        used = sum(power != 0 for power in powers)
        if used < 2 or any(one.kind in _COUNTS and power < 0 for one, power in zip(inputs, powers, strict=True)):
            continue
        found: Counter[str] = Counter()
        for dims, power in zip(given, powers, strict=True):
            for name, exponent in dims.items():
                found[name] += power * exponent
        if {name: exponent for name, exponent in found.items() if exponent} != dict(wanted):
            continue
        value = 1.0
        for one, power in zip(inputs, powers, strict=True):
            value *= middle(one) ** power
        if isfinite(value) and value > 0:
            yield value, used


def _dims(amount: Amount) -> dict[str, int] | None:
    """The dimensions of an amount's unit, chips left out, for prices and powers leave them out; None for none known."""
    if amount.kind == PERCENT or amount.kind in _COUNTS:
        return {}
    if (amount.parsed is None and amount.kind != "$") or amount.kind.startswith("#") or "?" in amount.kind:
        return None
    upper, *lower = amount.kind.split("/")
    found: Counter[str] = Counter(upper.split())
    for part in lower:
        found.subtract(part.split())
    del found["chip"]
    return {name: power for name, power in found.items() if power}


def _slip(ratio: float) -> tuple[Class, str] | None:
    for value, kind, words in _SLIPS:
        if near(ratio, value, EXACT) or near(ratio, 1 / value, EXACT):
            return kind, f"likely {words}"
    found = slip_of(ratio)
    power = round(log(ratio) / log(10))
    return found if found and abs(log(ratio) - power * log(10)) <= EXACT else None


def _in_its_unit(value: float, said: Amount) -> str:
    """A value in the unit that the text has it in."""
    scale = middle(said) / said.number.middle * said.number.scaled if said.number.middle else 1.0
    number = float(f"{value / scale:.4g}")
    letter = said.text[said.text.find(said.number.letter) :] if said.number.letter else ""
    shown = f"{number:,.12g}" if 1e-3 <= number < 1e7 else f"{number:.3g}".replace("e+", "e")
    if said.number.money:
        return f"${shown}{letter}"
    return f"{shown} {letter or said.text.lstrip('0123456789.,eE+~≈ ')}"
