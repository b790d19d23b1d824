"""Number formats: their bits, bytes, ranges and rounding, and what changing them saves."""

from __future__ import annotations

import re
from math import e, log, pi
from typing import TYPE_CHECKING

from isoflop.audit.world.found import finding
from isoflop.audit.world.words import Format, formats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

_PART_AFTER = re.compile(
    r"[\s-]*(?:bits?)?\s*(?:are\s+|is\s+)?(?:used\s+|reserved\s+|kept\s+|left\s+)?(?:for|of|"
    r"in|to|as)?\s*(?:the\s+|its\s+|an?\s+)?(?P<part>sign|exponent|fraction\w*|mantissa|"
    r"significand|precision bits)\b",
    re.IGNORECASE,
)
_PART_BEFORE = re.compile(
    r"\b(?P<part>exponent|fraction\w*|mantissa|significand)\s*(?:bits?)?\s*(?:\(|of|has|have|"
    r"is|are|with|gets?|uses?|takes?|:|=|to)*\s*(?:only|just)?\s*$",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"\b(?:range\w*|max\w*|largest|biggest|up to|represent\w*|overflow\w*|greatest|limit\w*|"
    r"values? (?:from|between|above|beyond)|dynamic)\b",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"[\s-]*(?:distinct|different|unique|possible|discrete|quanti[sz]ation|"
    r"integer)*\s*(?:values|levels|bins|buckets)\b",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"\b(?:optimi[sz]er|gradients?|Adam\w*|training|train|states?|activations?|total|overhead|"
    r"master|moments?|KV|cache|mixed[- ]precision|fine-?tun\w*)\b",
    re.IGNORECASE,
)
_SAVING = re.compile(
    r"\b(?:sav\w+|reduc\w+|cuts?|cutting|shrink\w*|less|smaller|lower\w*|halv\w+|drop\w*|decreas\w*|compress\w*)\b",
    re.IGNORECASE,
)
_MEMORY = re.compile(r"\b(?:memory|size|footprint|storage|VRAM|RAM|bytes|space|disk|weights?)\b", re.IGNORECASE)
_SPEED = re.compile(
    r"\b(?:speed\w*|faster|throughput|latency|accura\w*|perplexity|quality|loss|energy|power|"
    r"cost|time|bandwidth|performance|compute)\b",
    re.IGNORECASE,
)
_REALS = {"pi": pi, "π": pi, "e": e}
_ROUNDED = re.compile(
    r"(?P<real>\bpi\b|π|\bPi\b|\b[0-9]+\.[0-9]+\b|\bEuler's number\b|"
    r"\be\b(?=\s*\([0-9.]+))\s*(?:\((?:[^()]{0,40})\)|≈\s*[0-9.]+)?[,\s]*(?:\w+\s+){0,3}?"
    r"(?:approximated|approximates?|becomes?|is (?:stored|rounded|represented|turned|mapped|"
    r"reduced|kept)|(?:is\s+)?rounded|gets? (?:rounded|stored|mapped)|turns? into|collapses?|"
    r"maps?|stored|represented|would be|ends? up|shrinks?|→|->)"
    r"\s*(?:\w+\s+){0,2}?(?:as|to|into|by|with)?\s*(?:the integer|a|an|just|only|exactly|"
    r"plain)?\s*(?P<whole>[0-9]{1,3}|one|two|three|four)(?![\w.,]*[0-9])",
)
_WORDS = {"one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}
_SCALED = re.compile(
    r"\bscale (?:factor )?(?:of|=|is) (?:1|one)\b|\bwithout (?:a |any )?scal\w+|\bno scal\w+|"
    r"\bunscaled\b|\bscale 1\b|\bnaive(?:ly)?\b|\bcast(?:ing)?\b|\bround(?:ing)? to (?:the "
    r")?nearest (?:whole|integer)",
    re.IGNORECASE,
)


def format_figures(text: tuple[Told, ...]) -> Iterator[Finding]:
    """What is said of number formats that they are not."""
    labels: list[tuple[int, tuple[str, ...]]] = []
    section: list[str] = []
    place = scope = -1
    before: tuple[str, ...] = ()
    for told in text:
        if told.sentence.section != place:
            place, section, labels = told.sentence.section, [], []
        own = tuple(name.key for name in told.read.names if name.kind == "dtype")
        section.extend(own)
        depth = told.sentence.depth if told.sentence.kind == "item" else -1
        labels = [pair for pair in labels if pair[0] < depth]
        around = labels[-1][1] if labels else ()
        candidates = (*around, *own, *(before if told.scope == scope else ()))
        before, scope = own or before, told.scope
        if own and depth >= 0 and (told.sentence.text.rstrip().endswith(":")):
            labels.append((depth, own))
        yield from _parts(told, candidates)
        yield from _storage(told, own, around)
        yield from _ranges(told, candidates)
        yield from _savings(told, own, around)
        yield from _rounding(told, candidates or tuple(section[-3:]))


def _known(keys: tuple[str, ...]) -> list[Format]:
    return [formats()[key] for key in dict.fromkeys(keys) if key in formats()]


def _parts(told: Told, candidates: tuple[str, ...]) -> Iterator[Finding]:
    """As in "8 bits for the exponent": of a format that is named."""
    text = told.sentence.text
    forms = [one for one in _known(candidates) if one.exponent]
    if not forms:
        return
    for amount in told.read.amounts:
        bits = _bits(amount)
        if bits is None:
            continue
        after, before = _PART_AFTER.match(text, amount.end), _PART_BEFORE.search(text[: amount.start])
        part = after or before
        if part is None:
            continue
        kind = part["part"].lower()
        nearest = _nearest(told, amount, forms)
        options = [_of_part(one, kind) for one in nearest]
        if bits not in options and bits not in {
            value + 1 for value in options if kind.startswith(("sig", "prec", "mant"))
        }:
            yield finding(
                told.sentence,
                amount,
                "constant",
                f"the {kind} has {' or '.join(str(value) for value in sorted(set(options)))} bits",
                says=bits,
                recomputed=float(options[0]),
            )


def _nearest(told: Told, amount: Amount, forms: list[Format]) -> list[Format]:
    """The formats that a part may be of: where a sentence compares two, any of them."""
    before = [
        name
        for name in told.read.names
        if name.kind == "dtype"
        and name.end <= amount.start
        and name.key in formats()
        and formats()[name.key].exponent
        and not (_ITS.match(told.sentence.text, name.end) and _PART_AFTER.match(told.sentence.text, amount.end))
    ]
    if len(before) > 1 and not re.search(
        r"\b(?:like|as|of|than|range|same|both|hybrid|unlike)\b", told.sentence.text[before[-2].end : amount.start]
    ):
        return [formats()[before[-1].key]]
    return forms


_ITS = re.compile(r"['’]s\b")
"""As in "bf16 keeps FP32's 8 exponent bits": what is said next is of bf16."""


def _bits(amount: Amount) -> float | None:
    if "bit" in amount.unit and amount.kind == "byte":
        return amount.low * 8 if amount.low == amount.high else None
    return (
        amount.low
        if amount.kind == "" and amount.low == amount.high and amount.low <= 64 and amount.low == int(amount.low)
        else None
    )


def _of_part(form: Format, part: str) -> int:
    return 1 if part == "sign" else form.exponent if part == "exponent" else form.fraction


def _storage(told: Told, own: tuple[str, ...], around: tuple[str, ...]) -> Iterator[Finding]:
    """As in "FP16 takes 4 bytes": bytes of one number."""
    text = told.sentence.text
    if _STATE.search(text):
        return
    for amount in told.read.amounts:
        if not _is_of_one_number(text, amount):
            continue
        allowed = _known(_formats_of(told, amount, own, around))
        if not allowed or any(abs(amount.low - form.bytes) < 0.1 * form.bytes for form in allowed):
            continue
        due = allowed[-1].bytes
        kind: Class = "bits_for_bytes" if abs(log(amount.low / due)) > log(7.9) else "constant"
        reason = f"one number in that format takes {due:g} bytes ({allowed[-1].bits} bits)"
        yield finding(told.sentence, amount, kind, reason, says=amount.low, recomputed=due)


def _is_of_one_number(text: str, amount: Amount) -> bool:
    """Whether it is said in bytes a parameter, or in a few bytes that are no part of a format and no saving."""
    single = amount.kind == "byte" and 0.2 <= amount.low <= 16 and "byte" in amount.unit.lower()
    return (
        (amount.kind == "byte/param" or single)
        and amount.low == amount.high
        and not _PART_AFTER.match(text, amount.end)
        and not _SAVING.search(text[max(0, amount.start - 30) : amount.start])
    )


def _formats_of(told: Told, amount: Amount, own: tuple[str, ...], around: tuple[str, ...]) -> tuple[str, ...]:
    """The formats that bytes can be said of: all where two are compared, else the one after or those before."""
    text = told.sentence.text
    named = [name for name in told.read.names if name.kind == "dtype"]
    if len(named) > 1 and _COMPARED.search(text):
        return own
    before = tuple(name.key for name in named if name.end <= amount.start)
    after = [name for name in named if name.start >= amount.end]
    if after and _AT.fullmatch(text[amount.end : after[0].start]):
        return (after[0].key,)
    return before[-2:] or around


_COMPARED = re.compile(r"\b(?:instead of|than|from|versus|vs|compared|against|rather)\b")
_AT = re.compile(r"\s*(?:per \w+\s*)?(?:\(|in|for|at|with|using|as)\s*")


def _ranges(told: Told, candidates: tuple[str, ...]) -> Iterator[Finding]:
    """Largest values and numbers of values."""
    text = told.sentence.text
    forms = [one for one in _known(candidates) if one.largest]
    if not forms or any(name.kind == "device" for name in told.read.names):
        return
    for amount in told.read.amounts:
        if amount.kind not in {"", "#things"} or amount.number.scaled != 1.0 or amount.number.money:
            continue
        if _VALUES.match(text, amount.number.end):
            yield from _count_of_values(told, amount, forms)
        elif (
            amount.kind == ""
            and amount.low > 100
            and _RANGE.search(text[max(0, amount.start - 60) : amount.end + 30])
            and not re.match(r"\s*(?:x|times|%|bits?)", text[amount.end :])
        ):
            yield from _largest(told, amount, forms)


def _count_of_values(told: Told, amount: Amount, forms: list[Format]) -> Iterator[Finding]:
    options = [2.0**form.bits for form in forms if form.bits <= 16]
    allowed = {value + change for value in options for change in (0, -1)}
    if options and amount.low == amount.high and 3 < amount.low < 1e6 and amount.low not in allowed:
        reason = f"so many bits make {options[-1]:g} values"
        yield finding(told.sentence, amount, "constant", reason, says=amount.low, recomputed=options[-1])


def _largest(told: Told, amount: Amount, forms: list[Format]) -> Iterator[Finding]:
    values = [value for form in forms for value in form.largest]
    wanted = [value for value in values if value > 100]
    near_one = any(abs(log(amount.off(value + change))) < 0.02 for value in values for change in (0, 1))
    if not wanted or near_one:
        return
    best = min(wanted, key=lambda value: abs(log(amount.low / value)))
    if abs(log(amount.low / best)) < log(1e4) or amount.low > 1e30:
        reason = f"the largest value is {best:,.6g}"
        yield finding(told.sentence, amount, "constant", reason, says=amount.low, recomputed=best)


def _savings(told: Told, own: tuple[str, ...], around: tuple[str, ...]) -> Iterator[Finding]:
    """As in "INT8 saves 50 % over FP32": memory of one format against another's."""
    text = told.sentence.text
    forms = _known((*own, *around[:1]))
    if not forms or not _SAVING.search(text) or not _MEMORY.search(text) or _STATE.search(text):
        return
    shares = [
        amount
        for amount in told.read.amounts
        if amount.kind == "%" and not _SPEED.search(text[max(0, amount.start - 30) : amount.end + 25])
    ]
    named = len({form.bytes for form in forms}) > 1
    if len(shares) != 1 or shares[0].number.bound:
        return
    widths = sorted({form.bytes for form in forms}) if named else [forms[0].bytes, 2.0, 4.0]
    small = min(widths) if named else forms[0].bytes
    options = [1 - small / width for width in widths if width > small]
    options += [1 - one / other for one in widths for other in widths if named and one < other]
    said = shares[0].value
    if not options or any(
        abs(said - option) < 0.045
        or (abs(said - (1 - option)) < 0.03 and re.search(r"\bto\s*(?:about\s*)?$", text[: shares[0].start]))
        for option in options
    ):
        return
    yield finding(
        told.sentence,
        shares[0],
        "constant",
        f"going from {max(widths):g} to {small:g} bytes saves {100 * max(options):.4g} %",
        says=said,
        recomputed=max(options),
    )


def _rounding(told: Told, candidates: tuple[str, ...]) -> Iterator[Finding]:
    """As in "in INT8 pi becomes 3": integers of quantized formats count steps of a scale, not ones."""
    text = told.sentence.text
    whole = [key for key in candidates if key.startswith("int") or key in {"8bit", "4bit"}]
    match = _ROUNDED.search(text)
    if not whole or match is None or _SCALED.search(text):
        return
    real = _REALS.get(match["real"].lower(), e if "Euler" in match["real"] else None)
    value = real if real is not None else float(match["real"]) if match["real"][0].isdigit() else e
    integer = _WORDS.get(match["whole"]) or float(match["whole"])
    bits = formats().get(whole[-1], formats()["int8"]).bits
    if abs(value - integer) > 0.6 or abs(value - integer) < 1e-3 * value:
        return
    step = 10.0 / (2 ** (bits - 1) - 1)
    best = round(value / step) * step
    yield finding(
        told.sentence,
        None,
        "library_relation",
        f"only with a scale of 1: quantized integers count steps of a scale. With weights up to "
        f"10 the step is {step:.3g} and {value:.5g} becomes {best:.5g}",
        says=integer,
        recomputed=value,
    )
