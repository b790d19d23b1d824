"""Changes from one figure to another, and powers that the text itself states.

"Step time fell from 12 s to 8 s, 1.5 times faster", "a drop of 90 %", "doubled every 6 months, 4 times a year", "grows
with the square root of compute, so 100 times the budget is 10 times the model". Both the change and the figures it is
of stand in the sentence, so it needs no knowledge but arithmetic; every usual way to say a change is let pass.
"""

from __future__ import annotations

import re
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import BARE, PERCENT, TIMES
from isoflop.audit.world.found import finding, middle, slip_of
from isoflop.audit.world.words import formats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

POINTS = 0.006
"""How far a share may be rounded beside the digits that are written."""
ROUND = 0.06
"""How far a factor may be rounded, in logs."""

_FROM = re.compile(r"\bfrom\s+(?:about\s+|roughly\s+|some\s+|around\s+|~)?(?:an?\s+)?$", re.IGNORECASE)
_TO = re.compile(
    r"(?:\s+(?:per|a)\s+\w+)?\s+(?:down\s+|up\s+)?to\s+(?:about\s+|roughly\s+|only\s+|just\s+|around\s+|~)?",
    re.IGNORECASE,
)
_OF_CHANGE = re.compile(
    r"\b(?:improvement|increase|rise|gain|growth|drop|decrease|reduction|saving|cut|decline|speed-?up|change)s?"
    r"\s+(?:in \w+ )?(?:of|by)\s+(?:about\s+|roughly\s+|around\s+|nearly\s+|some\s+|almost\s+|~)?(?:an?\s+)?$",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\s*(?:as\s+)?(?:less|more|lower|higher|fewer|faster|slower|cheaper|smaller|larger|bigger|greater|better|speed-?up|"
    r"reduction|increase|improvement|drop|saving|gain)\b(?=\s*(?:[.,;:!)]|$|(?:than|per|and|in|on|overall|relative)\b))",
    re.IGNORECASE,
)
_ELSE = re.compile(r"\b(?:at|costs?|costing|but|while|with|despite|after|and the|and its)\b", re.IGNORECASE)
_OTHER = re.compile(r"\b(?:per cent points|percentage points|respectively|both|while|whereas|target|goal|of which)\b")


def changes(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Changes that their own figures give otherwise."""
    for told in text:
        yield from _from_to(told)
        yield from _doubling(told)
        yield from _stated_power(told)
        yield from _formats(told)
        yield from _rates(told)


_OF_TIME = re.compile(
    r"(?:\s+\w+){0,2}?\s*(?:\b(?:per|a|an|each|every)\s+|/)(?P<unit>second|minute|hour|day|week|month|year)\b|"
    r"(?:\s+\w+){0,2}?\s+(?P<word>hourly|daily|weekly|monthly|yearly|annually)\b",
    re.IGNORECASE,
)
_OR_ABOUT = re.compile(
    r"\s*(?:,\s*(?:or|i\.e\.,?|that is,?|which is|about|roughly|some|around)?|\(|=|≈|\bor|\bis)\s*"
    r"(?:about|roughly|around|some|~|≈|only|just|nearly|almost|a mere)?\s*",
    re.IGNORECASE,
)
_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0, "month": 730.5 * 3600}
_UNITS |= {"year": 8766 * 3600.0, "hourly": 3600.0, "daily": 86400.0, "weekly": 7 * 86400.0, "monthly": 730.5 * 3600}
_UNITS |= {"yearly": 8766 * 3600.0, "annually": 8766 * 3600.0}


def _rates(told: Told) -> Iterator[Finding]:
    """As in "2 billion prompts daily, about 23,000 per second": one rate in two units of time."""
    text = told.sentence.text
    for one, said in pairwise(told.read.amounts):
        first, last = _OF_TIME.match(text, one.end), _OF_TIME.match(text, said.end)
        same = one.kind in {"request", "token", "#things"} and said.kind in {BARE, one.kind}
        if not (first and last and same) or first.end() > said.start or said.number.bound or one.low != one.high:
            continue
        if not _OR_ABOUT.fullmatch(text[first.end() : said.start]):
            continue
        units = [_UNITS[(match["unit"] or match["word"]).lower()] for match in (first, last)]
        due = middle(one) / units[0] * units[1]
        if abs(log(middle(said) / due)) > 0.08 + said.slack:
            yield _off(told, said, due, f"{one.text}{first.group()} are {due:.4g}{last.group()}")


def _off(told: Told, said: Amount, due: float, why: str) -> Finding:
    ratio = middle(said) / due
    slip = slip_of(ratio)
    kind: Class = slip[0] if slip else "arithmetic"
    reason = f"{why}{f'; {slip[1]}' if slip else ''}"
    return finding(told.sentence, said, kind, reason, says=middle(said), recomputed=due, level="arithmetic")


def _from_to(told: Told) -> Iterator[Finding]:
    """As in "from $20 to $2 per million tokens, a drop of 90 %"."""
    text, amounts = told.sentence.text, told.read.amounts
    if len(amounts) != 3 or _OTHER.search(text) or any(one.number.bound or one.low != one.high for one in amounts):
        return
    first, last, said = amounts
    alike = first.kind == last.kind or (first.kind and last.kind.startswith(f"{first.kind}/"))
    joined = _FROM.search(text[: first.start]) and _TO.fullmatch(text[first.end : last.start])
    if not alike or not joined or said.kind not in {PERCENT, TIMES, BARE}:
        return
    old, new = (
        (one.number.middle for one in (first, last)) if first.kind != last.kind else (middle(first), middle(last))
    )
    if old <= 0 or new <= 0 or old == new or not _is_change(text, last, said):
        return
    if said.kind == PERCENT:
        yield from _percent(told, said, old, new, points=first.kind == PERCENT)
    elif said.kind == TIMES:
        due = max(old / new, new / old)
        allowed = ROUND + said.slack + sum(min(one.slack, 0.03) for one in (first, last))
        if all(abs(log(middle(said) / one)) > allowed for one in (due, 1 / due, due - 1, 1 - 1 / due) if one > 0):
            yield _off(told, said, due, f"from {first.text} to {last.text} is a factor of {due:.4g}")


def _is_change(text: str, last: Amount, said: Amount) -> bool:
    """Whether a figure is the change of the two before it, and not of something else: "at 30 % more compute"."""
    if _ELSE.search(text[last.end : said.start]):
        return False
    return bool(_OF_CHANGE.search(text[: said.start]) or _COMPARED.match(text, said.end))


def _percent(told: Told, said: Amount, old: float, new: float, *, points: bool) -> Iterator[Finding]:
    """A change in per cent, of the old value; of the new one, or in points, where the words leave that open."""
    text = told.sentence.text
    due = abs(new / old - 1)
    allowed = [due]
    if re.search(r"\b(?:faster|speed-?up|slower)\b", text, re.IGNORECASE):
        allowed += [abs(old / new - 1)]
    if points and not re.search(r"\brelative(?:ly)?\b", text, re.IGNORECASE):
        allowed += [abs(new - old)]
    value = middle(said)
    if any(
        abs(value - one) <= POINTS + 0.06 * _room(one, falls=new < old) + 0.5 * value * said.slack for one in allowed
    ):
        return
    yield _off(told, said, due, f"that is a change of {100 * due:.3g} %")


def _room(share: float, *, falls: bool) -> float:
    """What a share may be rounded of: of a fall, what is left where that is less."""
    return min(share, 1 - share) if falls and share < 1 else share


_DOUBLES = re.compile(r"\bdoubl(?:e|es|ed|ing)\b[^.;:]{0,20}\bevery\s+(?:about\s+|roughly\s+|~)?$", re.IGNORECASE)
_FACTOR_IN = re.compile(
    r"(?:\s*(?:x|×|times|-?fold))?(?:\s+(?:more|as much|growth))?\s+"
    r"(?:(?:per|a|each|every|in a|in one)\s+(?P<one>year|month|decade)\b|"
    r"(?:in|over|after)\s+$)",
    re.IGNORECASE,
)
_SECONDS = {"month": 730.5 * 3600, "year": 8766 * 3600.0, "decade": 87660 * 3600.0}


def _doubling(told: Told) -> Iterator[Finding]:
    """As in "doubles every 6 months, a factor of 4 a year"."""
    text, amounts = told.sentence.text, told.read.amounts
    every = [one for one in amounts if one.kind == "s" and _DOUBLES.search(text[: one.start])]
    if len(every) != 1:
        return
    for place, said in enumerate(amounts):
        if said.kind not in {BARE, TIMES} or said.start < every[0].end or said.number.bound:
            continue
        after = amounts[place + 1] if place + 1 < len(amounts) else None
        end = after.start if after and after.kind == "s" else None
        match = _FACTOR_IN.fullmatch(text[said.end : end]) if end else _FACTOR_IN.match(text, said.end)
        seconds = (
            _SECONDS[match["one"].lower()] if match and match["one"] else middle(after) if match and after else 0.0
        )
        periods = seconds / middle(every[0])
        due = 2.0**periods if 0 < periods < 60 else 0.0
        if due and abs(log(middle(said) / due)) > 0.15 + said.slack:
            yield _off(told, said, due, f"{periods:.3g} doublings are a factor of {due:.4g}")


_POWER = re.compile(
    r"\b(?P<what>with the (?:square|cube) root|as the (?:square|cube) root|with the square|as the square|with the cube|"
    r"as the cube|quadratically|cubically|linearly)\b",
    re.IGNORECASE,
)
_POWERS = (
    ("square root", 0.5),
    ("cube root", 1 / 3),
    ("square", 2.0),
    ("cube", 3.0),
    ("quadratic", 2.0),
    ("cubic", 3.0),
)
_FOLD = re.compile(r"\b(?P<number>[0-9]+(?:\.[0-9]+)?)[- ]?(?:fold\b|x\b|×|times\b)", re.IGNORECASE)
_AS_MUCH = re.compile(r"\s*(?:as|larger|bigger|longer|more|smaller|faster|slower|higher|the)\b", re.IGNORECASE)


def _stated_power(told: Told) -> Iterator[Finding]:
    """As in "grows with the square of the length: from 4k to 32k is 64 times"."""
    text = told.sentence.text
    matches = list(_POWER.finditer(text))
    if len(matches) != 1 or _OTHER.search(text) or re.search(r"\b(?:not|\w+n't|but|instead|than)\b", text):
        return
    power = next((value for word, value in _POWERS if word in matches[0]["what"].lower()), 1.0)
    amounts = [one for one in told.read.amounts if one.start >= matches[0].end()]
    folds = [(one.start(), float(one["number"])) for one in _FOLD.finditer(text) if one.start() >= matches[0].end()]
    pairs = [
        (one, other)
        for one, other in pairwise(amounts)
        if _FROM.search(text[: one.start]) and _TO.fullmatch(text[one.end : other.start])
    ]
    spans = [one for one in amounts if one.low < one.high and _FROM.search(text[: one.start])]
    if not pairs and len(spans) == 1 and len(folds) == 1 and folds[0][0] >= spans[0].end:
        more = spans[0].high / spans[0].low if spans[0].low > 0 else 0.0
    elif len(pairs) == 1 and len(folds) == 1 and folds[0][0] >= pairs[0][1].end:
        more = middle(pairs[0][1]) / middle(pairs[0][0]) if middle(pairs[0][0]) > 0 else 0.0
    elif not pairs and len(folds) == 2:
        more = folds[0][1]
    else:
        return
    said = next((one for one in amounts if one.start == folds[-1][0]), None)
    if more <= 0 or said is None or not _AS_MUCH.match(text, _end_of_fold(text, folds[-1][0])):
        return
    due = more**power
    if abs(log(middle(said) / due)) > 0.1 + said.slack:
        yield _off(told, said, due, f"to the power of {power:.3g}, a factor of {more:.4g} is one of {due:.4g}")


def _end_of_fold(text: str, start: int) -> int:
    match = _FOLD.match(text, start)
    return match.end() if match else start


_CUT = re.compile(
    r"\b(?:cuts?|shrinks?|reduces?|lowers?|halv(?:es|ing)|saves?)\b[^.;,]{0,40}?\b(?:memory|weights?|storage|footprint|size|"
    r"checkpoints?|cache)\b[^.;,]{0,20}?\s(?P<by>in half|fourfold|eightfold|twofold|by half|by a factor of [a-z0-9]+|"
    r"by [0-9]{1,2} ?(?:%|per cent|percent))",
    re.IGNORECASE,
)
_BY = {"in half": 2.0, "by half": 2.0, "twofold": 2.0, "fourfold": 4.0, "eightfold": 8.0}
_NUMBERS = {"two": 2.0, "three": 3.0, "four": 4.0, "eight": 8.0}
_INSTEAD = re.compile(r"\b(?:rather than|instead of|compared (?:to|with)|over|versus|vs\.?|from|relative to)\b")


def _formats(told: Told) -> Iterator[Finding]:
    """As in "FP8 rather than BF16 cuts memory in half"."""
    text = told.sentence.text
    names = [one for one in told.read.names if one.kind == "dtype" and one.key in formats()]
    match = _CUT.search(text)
    if match is None or len(names) != 2 or not _INSTEAD.search(text) or re.search(r"\bnot\b|n't\b|\bup to\b", text):
        return
    bits = sorted(formats()[one.key].bytes for one in names)
    due, by = bits[1] / bits[0], match["by"].lower()
    share = re.search(r"([0-9]+) ?(?:%|per)", by)
    word = by.rsplit(" ", 1)[-1]
    number = float(word) if word.isdigit() else _NUMBERS.get(word, 0.0)
    said = _BY.get(by) or (1 / (1 - float(share[1]) / 100) if share else number)
    if due > 1 and said and abs(log(said / due)) > 0.15:
        reason = f"{names[0].text} and {names[1].text} differ by a factor of {due:.3g} in size"
        yield finding(told.sentence, None, "constant", reason, says=said, recomputed=due)
