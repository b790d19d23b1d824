"""Figures of running text that take more than their own words to read: "for a month", "PUE 1.1", "40 tonnes of CO2".

What the reader of amounts leaves without a unit, for alone it has none, gets one here from the words around it. A term
is a value with dimensions, fit to be multiplied; how it was written is kept for what is said about it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import BARE, PERCENT
from isoflop.audit.world.found import middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

COUNTS = frozenset({"#steps", "#epochs", "#times"})
"""Kinds of amounts that only count."""

_SECONDS = {"hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0, "month": 730.5 * 3600, "year": 8766 * 3600.0}
_WHILE = re.compile(
    r"\b(?:for|over|in|during|within|after)\s+(?:a|an|one|a full|a whole|one full)\s+"
    r"(?P<unit>hour|day|week|month|year)\b",
    re.IGNORECASE,
)
_FACTOR_BEFORE = re.compile(r"\bPUE\s*(?:of|is|=|:|at)?\s*(?:about\s+|around\s+|roughly\s+|~)?$", re.IGNORECASE)
_EMITTED = re.compile(r"\b(?:CO2e?q?|CO₂e?|carbon|emi(?:t\w*|ssions?)|footprint)\b", re.IGNORECASE)
_MASS = re.compile(r"\s?(?:(?P<t>t|tons?|tonnes?|metric tons?|metric tonnes?)|(?P<kg>kg|kilograms?|kilos?))\b")
_CONTEXT_AFTER = re.compile(r"[\s-]*(?:token\w*\s+)?(?:contexts?|context (?:length|window)|prompts?)\b", re.IGNORECASE)
_TOKENS_BEFORE = re.compile(
    r"\b(?:sequences? (?:length )?of|sequence length|context(?: length| window)?(?: of)?|"
    r"seq(?:uence)?[ _]len(?:gth)?)\s*"
    r"(?:of|=|:|is)?\s*$",
    re.IGNORECASE,
)
_SEQUENCES_BEFORE = re.compile(r"\bbatch(?:es)?(?: size)?\s*(?:of|=|:|is)?\s*$", re.IGNORECASE)
_OF_EACH_NODE = re.compile(
    r"\b(?:nodes?|servers?|machines?|boxes|hosts|racks)\s*(?:of|with|having|x|×|\*|at)\s*$", re.IGNORECASE
)
_ONE_NODE = re.compile(
    r"\b(?:an?|one|each|every|single)\s+(?:[A-Z]\w+\s+)?(?:node|server|machine|box|host|rack)\s+\S+\s*$", re.IGNORECASE
)
_PER = re.compile(
    r"(?:\s+of\s+\w+(?:\s\w+)?)?\s*(?:/|\bper|\ba|\bfor (?:each|every|a)|\bin each|\bevery)\s*"
    r"(?P<noun>token|parameter|GPU|TPU|chip|accelerator|request|sequence)\b",
    re.IGNORECASE,
)
_PER_MANY = re.compile(
    r"\s*(?:/|per)\s*(?P<many>million|thousand|billion|1M|M|1k|k)?\s*(?:(?:input|output|generated|prompt)\s+)?tokens?\b",
    re.IGNORECASE,
)
_MANY = {"million": 1e6, "1m": 1e6, "m": 1e6, "thousand": 1e3, "1k": 1e3, "k": 1e3, "billion": 1e9}
_PER_NOUN = {"parameter": "param", "gpu": "chip", "tpu": "chip", "accelerator": "chip", "dollar": "$"}
_EACH_ONE = re.compile(
    r"(?:^|[,;:(.]\s+|\b(?:so|hence|thus|and|that)\s+)(?:each|every|a|per|one)\s+(?:(?:decoded|generated|output|further|single|new)\s+)?"
    r"(?P<noun>token|GPU|TPU|chip|accelerator|request|sequence|dollar)\s+(?:then\s+|thus\s+)?"
    r"(?:costs?|takes?|needs?|requires?|uses?|buys?|has to (?:read|move|load|stream)|reads?|moves?|draws?|consumes?|"
    r"holds?)"
    r"\s+(?:about\s+|roughly\s+|around\s+|some\s+|only\s+|just\s+|nearly\s+|almost\s+|all(?:\s+of)?\s+(?:the\s+)?|~|≈)*"
    r"(?:[0-9.,e]+\s*[x×*]\s*[0-9.,e]+[BMT]?\s*=\s*)?$",
    re.IGNORECASE,
)
"""Of one thing, where the amount that follows does not say so: "so a token costs 2.8 J"."""
_AND_TOKEN = re.compile(r"\s+(?:and|per|for each|for every|and per)\s+token\b", re.IGNORECASE)
_OF_ALL = re.compile(r"\s+(?:each|apiece|on each (?:GPU|chip|card)|per (?:GPU|chip|card))\b", re.IGNORECASE)
_PER_TIME = re.compile(
    r"(?:\s+\w+)?\s*(?:per|a|an|each|every|/)\s*(?P<unit>second|minute|hour|day|week|month|year)\b|(?:\s+\w+)?\s+(?P<daily>daily|hourly)\b",
    re.IGNORECASE,
)
_HOURS_BEFORE = re.compile(r"\b(?:GPU|TPU|chip|accelerator)[- ]?hours\s*[:=|]\s*(?:about\s+|~)?$", re.IGNORECASE)
_PLURAL = re.compile(r"\s+(?!of\b)[a-z]{4,}s\b")
_PART_AFTER, _PART_BEFORE = (
    re.compile(r"\s*(?:[x×*·]|times\b)\s*[0-9(.~$]"),
    re.compile(r"[0-9)A-Za-z]\s*(?:[x×*·]|\btimes)\s*$"),
)
_HOURS_OF_DAY = re.compile(r"24\s?(?:h|hours?|hrs?|hours?/day|hours? (?:a|per) day)")
_DAYS_TIMES = re.compile(r"\bdays\s*(?:x|×|\*|at|times|,)\s*$")
_EQUALS_AFTER = re.compile(r"[^=;.]{0,60}(?:=|≈)")
_BY_LAYER = re.compile(r"(?:parameters?|params|weights) (?:per|a|each) layer", re.IGNORECASE)
_NODES = re.compile(r"\b(?:nodes|servers|machines|boxes|hosts)\b", re.IGNORECASE)
_EACH = re.compile(r"\s+(?:\w+\s+)?(?:each|apiece|per (?:node|server|machine|box|host))\b", re.IGNORECASE)
_OF_THEM = re.compile(r"\s+(?:of (?:them|these|those)|such (?:chips|cards|GPUs))\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A value in base units with its dimensions, from a place of a sentence.

    `counts` where it may not divide, `optional` where the text names it without need: a model's size in its name.
    """

    value: float
    dims: Mapping[str, int]
    text: str
    start: int
    kind: str = ""
    counts: bool = False
    share: bool = False
    optional: bool = False


def terms(told: Told) -> list[Term | None]:
    """Terms for the amounts of a sentence, None where one is not understood, then for times said in words."""
    return [_term(told, amount) for amount in told.read.amounts] + list(_times(told.sentence.text)) + list(_sizes(told))


def read_again(told: Told, amount: Amount) -> Amount:
    """An amount with the unit that the words around it give, itself where it has one or none is clear."""
    text = told.sentence.text
    before, after = text[: amount.start], text[amount.end :]
    if amount.kind == "chip" and _NODES.match(after.lstrip()):
        return replace(amount, kind="node")
    if amount.kind != BARE:
        of_each = _OF_EACH_NODE.search(before) or (_NODES.search(before) and _EACH.match(after))
        if _ONE_NODE.search(before) and not any(one.kind == "node" for one in told.read.amounts):
            of_each = None  # of the only machine that is spoken of
        if amount.kind == "chip" and amount.value <= 72 and of_each:
            return replace(amount, kind="chip/node")
        by_layer = amount.kind == "#other" and _BY_LAYER.search(amount.text)
        return replace(amount, kind="param/#layers") if by_layer else _per_noun(amount, text)
    if _HOURS_BEFORE.search(before):
        return replace(amount, low=3600 * amount.low, high=3600 * amount.high, kind="chip s")
    mass = _MASS.match(after)
    if mass and _EMITTED.search(text):
        scale = 1000.0 if mass["t"] else 1.0
        return replace(
            amount,
            low=amount.low * scale,
            high=amount.high * scale,
            kind="kgCO2e",
            text=amount.text + mass.group(),
        )
    if _CONTEXT_AFTER.match(after) or _TOKENS_BEFORE.search(before):
        return replace(amount, kind="token/sequence" if re.search(r"\bbatch", text, re.IGNORECASE) else "token")
    if _SEQUENCES_BEFORE.search(before):
        return replace(amount, kind="sequence")
    if _OF_THEM.match(after):
        return replace(amount, kind="chip")
    return (
        replace(amount, kind="#times" if _FACTOR_BEFORE.search(before) else "#things")
        if (_FACTOR_BEFORE.search(before) or _PLURAL.match(after))
        else amount
    )


def _per_noun(amount: Amount, text: str) -> Amount:
    """As in "160 KiB of cache per token", which the reader of amounts has as bytes."""
    many = _PER_MANY.match(text, amount.end) if amount.kind == "$" else None
    if many:
        scale = _MANY.get((many["many"] or "").lower(), 1.0)
        return replace(amount, low=amount.low / scale, high=amount.high / scale, kind="$/token")
    found = _PER.match(text, amount.end)
    if amount.kind == "FLOP/param" and _AND_TOKEN.match(text, amount.end):
        return replace(amount, kind="FLOP/param/token")
    if amount.kind in {"token/s", "byte/s"} and _OF_ALL.match(text, amount.end):
        return replace(amount, kind=f"{amount.kind}/chip")
    found = found or _EACH_ONE.search(text[: amount.start])
    noun = found["noun"].lower() if found else ""
    noun = _PER_NOUN.get(noun, noun)
    whole = amount.kind in {"byte", "FLOP", "J", "token", "token/s", "byte/s"}
    return replace(amount, kind=f"{amount.kind}/{noun}") if noun and whole and noun != amount.kind else amount


def is_factor(text: str, amount: Amount) -> bool:
    """Whether it is a factor of a sum that is written out ("2 x 8e9 = 16 GB"), or no number at all ("one")."""
    after, before = text[amount.number.end :], text[: amount.start]
    part = _PART_AFTER.match(after) or _PART_BEFORE.search(before)
    if _HOURS_OF_DAY.fullmatch(amount.text) and _DAYS_TIMES.search(before):
        return True  # "14 days x 24 h" are 14 days
    return bool(part and _EQUALS_AFTER.match(after)) or (amount.kind == BARE and amount.text.lower() == "one")


def found_terms(told: Told) -> list[Term]:
    """The terms of a sentence that is no conclusion: those understood, without the factors of sums written out."""
    text = told.sentence.text
    factors = {one.start for one in told.read.amounts if is_factor(text, one)}
    return [one for one in terms(told) if one is not None and one.start not in factors]


def _term(told: Told, amount: Amount) -> Term | None:
    amount = read_again(told, amount)
    dims = dims_of(amount)
    if dims is None:
        return None
    return Term(
        value=middle(amount),
        dims=dims,
        text=amount.text,
        start=amount.start,
        kind=amount.kind,
        counts=amount.kind in COUNTS,
        share=amount.kind == PERCENT,
    )


def _times(text: str) -> Iterator[Term]:
    for match in _WHILE.finditer(text):
        yield Term(
            value=_SECONDS[match["unit"].lower()], dims={"s": 1}, text=match.group(), start=match.start(), kind="s"
        )


def _sizes(told: Told) -> Iterator[Term]:
    """The size in the name of the one model of a sentence, where no other is said."""
    named = [one for one in told.read.names if one.kind == "model" and one.size and "x" not in one.text.lower()]
    if len(named) == 1 and not any(one.kind == "param" for one in told.read.amounts):
        size, name = named[0].size or 0.0, named[0]
        yield Term(value=size, dims={"param": 1}, text=name.text, start=name.start, kind="param", optional=True)


def dims_of(amount: Amount) -> dict[str, int] | None:
    """The dimensions of an amount's unit; {} for a share or a count, None where it is not known."""
    if amount.kind == PERCENT or amount.kind in COUNTS:
        return {}
    kind = amount.kind.replace("#things", "thing").replace("#layers", "layer")
    if kind == BARE or "#" in kind or "?" in kind:
        return None
    upper, *lower = kind.split("/")
    found: Counter[str] = Counter(upper.split())
    for part in lower:
        found.subtract(part.split())
    return {name: power for name, power in found.items() if power}
