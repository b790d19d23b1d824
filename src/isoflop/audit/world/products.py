"""Conclusions that are the product of what leads to them: "6.2M A100 hours at $1.1 per hour, that is $6.8M".

Units decide what can be multiplied and divided to give what is claimed. Only where no such product comes out, and the
one of nearly all the figures misses by a factor that people slip by, is it a finding; so is any other clear miss where
the text says in as many words that the one follows from the other. Sentences with bare numbers or units that are not
known are left alone.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import product
from math import isfinite, log, prod
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import BARE
from isoflop.audit.world.conclusions import ABOUT, conclusion, is_each
from isoflop.audit.world.found import finding, middle, near, slip_of
from isoflop.audit.world.implied import Term, dims_of, found_terms, is_factor, read_again, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

MOST = 5
"""Figures that may lead to a conclusion; more are several sums."""
ALIKE = 0.16
"""How far in logs a conclusion may be rounded."""
EXACT = 0.05
"""How near the miss must be to a known slip."""
NOUNS = frozenset({"chip", "request", "sequence", "thing", "layer"})
"""What units of rates and prices often leave out."""
CLEAR = (0.6, 5.0)
"""Logs between which a miss without a known factor is one too, where every figure before it is used."""

_PAID = re.compile(r"\b(?:costs?|paid|spent|burned|burnt|used|consumed|took|emitted)\b" + ABOUT, re.IGNORECASE)
_FOR = re.compile(r"\s+(?:\w+\s+){0,3}(?:for|on|over|with|by|at)\b[^.;:]*$", re.IGNORECASE)
_OPEN = re.compile(
    r"\b(?:sav\w+|less|fewer|instead|than|versus|vs|unless|discount\w*|share|half|third|quarter|overhead|"
    r"faster|slower|only part|remaining|not)\b",
    re.IGNORECASE,
)
_OPENER = re.compile(rf"{_OPEN.pattern}|\bif\b", re.IGNORECASE)
_HIDDEN = re.compile(r"FLOP|kgCO2e|^J$|/J$")
"""Kinds beside which a factor goes unsaid often: utilisation, cooling, a grid."""
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
    block: list[Told] = []
    for told in text:
        block = [one for one in block[-3:] if one.scope == told.scope]
        words = told.sentence.text
        for place, amount in enumerate(told.read.amounts):
            drawn = conclusion(words, amount)
            if not drawn:
                continue
            for inputs, more in _leads(told, place, block, strict=drawn == "so"):
                if (_OPEN if drawn == "so" else _OPENER).search(f"{more} {words}"):
                    break
                found = _product(inputs, read_again(told, amount), strict=drawn == "so", each=is_each(words, amount))
                if found is not None:
                    yield from (_finding(told, one) for one in found)
                    break
        block.append(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Miss:
    """A conclusion that is not the product of its inputs."""

    said: Amount
    inputs: tuple[Term, ...]
    due: float
    slip: tuple[Class, str]


def _finding(told: Told, miss: _Miss) -> Finding:
    kind, words = miss.slip
    reason = f"{' and '.join(one.text for one in miss.inputs)} come to {_in_its_unit(miss.due, miss.said)}"
    reason += f"; {words}" if words else ""
    return finding(
        told.sentence, miss.said, kind, reason, says=middle(miss.said), recomputed=miss.due, level="arithmetic"
    )


def _leads(told: Told, place: int, block: list[Told], *, strict: bool) -> Iterator[tuple[list[Term | None], str]]:
    """What may lead to an amount: what stands before it, then the sentence or items before too; and their words."""
    own = _inputs(told, place)
    yield own, ""
    if not block or not (strict or told.sentence.kind == "item" or len(own) == 1):
        return
    last = block if told.sentence.kind == "item" else block[-1:]
    given = [one for before in last for one in found_terms(before)]
    if given and len(own) < MOST:
        yield [*given, *own], " ".join(one.sentence.text for one in last)


def _inputs(told: Told, place: int) -> list[Term | None]:
    """What stands before an amount; where nothing does, what follows it: "we paid $48k for 1,000 GPUs"."""
    said, many = told.read.amounts[place], len(told.read.amounts)
    text, start = told.sentence.text, said.start
    numbered = list(enumerate(terms(told)))
    parts = {number for number, one in enumerate(told.read.amounts) if is_factor(text, one)}
    kept = [(number, one) for number, one in numbered if number not in parts and number != place]
    before = [
        one for number, one in kept if (number < place if number < many else one is not None and one.start < start)
    ]
    if before or not (_PAID.search(text[:start]) and _FOR.match(text, said.end)):
        return before
    return [one for _, one in kept]


def _product(given: list[Term | None], said: Amount, *, strict: bool, each: bool) -> list[_Miss] | None:
    """What misses, if anything does; None where nothing comes out in its unit."""
    inputs = [one for one in given if one is not None]
    wanted = dims_of(said)
    required = sum(not one.optional for one in inputs)
    if not 1 <= required <= MOST or len(inputs) < len(given) or wanted is None or said.kind == BARE:
        return None
    if not wanted and said.kind != "#steps":
        return None
    if not _may_be_of_its_kind(inputs, said) or any(one.value <= 0 for one in inputs):
        return None
    options = list(_options(inputs, wanted, each=each) if len(inputs) > 1 else _again(inputs[0], said))
    if not options:
        return None
    if any(abs(log(said.off(one.value))) <= ALIKE for one in options):
        return []
    best = max((one for one in options if one.natural), default=None)
    if best is None or best.used < max(min(2, len(inputs)), required - 1):
        return []
    due, equal = best.value, [one for one in options if (one.used, one.exact) == (best.used, best.exact)]
    if len({one.value for one in equal if one.natural}) > 1:
        return []
    ratio = middle(said) / due
    if (said.number.bound == ">" and ratio < 1) or (said.number.bound == "<" and ratio > 1):
        return []
    slip = _slip(ratio) or _of_inputs(ratio, inputs, said, strict=strict)
    if (
        slip is None
        and best.used >= max(2, required)
        and not said.number.bound
        and _is_clear(inputs, said, due, strict=strict)
    ):
        slip = ("arithmetic", "")
    return [_Miss(said=said, inputs=tuple(inputs), due=due, slip=slip)] if slip else []


def _of_inputs(ratio: float, inputs: list[Term], said: Amount, *, strict: bool) -> tuple[Class, str] | None:
    """Slips that only some inputs allow: bits where there are bytes, 2 N for 6 N, a factor turned round, a count."""
    kinds = {one.kind for one in inputs} | {said.kind}
    joined = " ".join(kinds)
    if "byte" in joined and "chip" not in joined and "node" not in joined and _is_by(ratio, 8.0):
        return "bits_for_bytes", "likely bits taken for bytes, or bytes for bits"
    if "FLOP/param/token" in kinds and _is_by(ratio, 3.0):
        return "forward_for_training", "likely a forward pass (2 N) taken for training (6 N), or reverse"
    for one in inputs:
        turned = one.counts or (strict and one.kind in {"$", "#things"})
        if turned and one.value != 1.0 and _is_by(ratio, one.value**2):
            return "input_inverted", f"likely {one.text} was multiplied with where division is due, or reverse"
        counted = strict and one.kind in {"chip", "chip/node", "node"} and one.value >= 4.0
        if counted and _is_by(ratio, one.value):
            return "noun_left_out", f"likely {one.text} left out or counted twice"
    return None


def _is_by(ratio: float, factor: float) -> bool:
    """Whether it is that factor too much or too little."""
    return near(ratio, factor, EXACT) or near(ratio, 1 / factor, EXACT)


def _may_be_of_its_kind(inputs: list[Term], said: Amount) -> bool:
    """An input of the kind that is claimed is another such figure, unless a count or a factor takes it many times."""
    alike = [one for one in inputs if one.kind == said.kind]
    return not alike or (
        len(alike) == 1
        and all(one.counts or one.share or one.kind in {"chip", "param"} for one in inputs if one not in alike)
    )


def _is_clear(inputs: list[Term], said: Amount, due: float, *, strict: bool) -> bool:
    """Whether it is wrong for any reason: chips of machines are counted exactly, the rest where one says so."""
    if said.kind == "chip" and {one.kind for one in inputs} == {"node", "chip/node"}:
        return True
    if not strict:
        return False
    kinds = [one.kind for one in inputs if one.dims]
    return (
        CLEAR[0] < abs(log(said.off(due))) < CLEAR[1]
        and len(set(kinds)) == len(kinds)
        and not any(_HIDDEN.search(kind) for kind in (said.kind, *(one.kind for one in inputs)))
    )


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Option:
    """A product that has the unit wanted: of how many inputs, whether all nouns cancel, and its value.

    `natural` where nothing is divided by that people only multiply with: counts, chips of a price that is for one.
    """

    used: int
    exact: bool
    value: float
    natural: bool


def _options(inputs: list[Term], wanted: Mapping[str, int], *, each: bool) -> Iterator[_Option]:
    """Every product of the inputs that has the unit wanted.

    `each` where a time is claimed for one of many: "fails every 5 hours". Chips, requests and the like need not cancel,
    for prices and powers leave them out, unless it is they that are asked for.
    """
    loose = not any(noun in one.dims for noun in NOUNS & wanted.keys() for one in inputs)
    asked = _without_nouns(wanted) if loose else dict(wanted)
    many_times = bool(asked) and any(_without_nouns(one.dims) == _without_nouns(wanted) for one in inputs)
    for powers in product((1, 0, -1), repeat=len(inputs)):
        used = sum(power != 0 for power in powers)
        found: Counter[str] = Counter()
        for one, power in zip(inputs, powers, strict=True):
            for name, exponent in one.dims.items():
                found[name] += power * exponent
        left = {name: exponent for name, exponent in found.items() if exponent}
        if used < 2 or (_without_nouns(left) if loose else left) != asked:
            continue
        value = prod(one.value**power for one, power in zip(inputs, powers, strict=True))
        if isfinite(value) and value > 0 and (wanted or value > 1):
            under = [one for one, power in zip(inputs, powers, strict=True) if power < 0]
            odd = [one for one in under if not any(wanted.get(noun, 0) < 0 for noun in one.dims)]
            bare = any(left.get(noun, 0) < 0 for noun in NOUNS - wanted.keys())
            natural = not ((bare and not each) or any(one.counts for one in under) or (many_times and odd))
            yield _Option(value=value, used=used, exact=left == wanted, natural=natural)


def _again(one: Term, said: Amount) -> Iterator[_Option]:
    """A rate in another unit of time: "2,000 tokens per second is 173M tokens per day"."""
    if (
        one.kind == said.kind
        and one.kind in {"token/s", "request/s", "$/s", "$/s/chip"}
        and not one.text.endswith(said.unit)
    ):
        yield _Option(value=one.value, used=1, exact=True, natural=True)


def _without_nouns(dims: Mapping[str, int]) -> dict[str, int]:
    return {name: power for name, power in dims.items() if name not in NOUNS}


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
