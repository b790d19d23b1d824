"""Amounts in a sentence: numbers with their units, and what they count, in base units."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from isoflop.audit.prose.kinds import EITHER, STOP, kind_of
from isoflop.audit.prose.names import Name, names
from isoflop.audit.prose.numbers import Number, numbers, slack
from isoflop.audit.prose.phrases import is_noun, unit_word

if TYPE_CHECKING:
    from isoflop.quantity.units import Unit

MASK = "\ue000"

MOST_NUMBERS = 80
"""Numbers in a sentence beyond which it is data and no prose."""

TIMES, PERCENT, BARE, ZERO = "#times", "%", "", "#zero"

_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|"
    r"December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?"
)
_NO_AMOUNT = re.compile(
    rf"\b{_MONTH}\s+[0-9]{{1,2}}(?:st|nd|rd|th)?(?:,?\s+[0-9]{{4}})?\b|\b[0-9]{{1,"
    rf"2}}\s+{_MONTH}(?:\s+[0-9]{{4}})?\b|\b[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\b"
    r"|\b[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}\b|\b[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?\b|"
    r"\barXiv:?\s*[0-9]{4}\.[0-9]{4,5}(?:v[0-9])?|\b[0-9]{4}\.[0-9]{5}\b"
    r"|\b(?:Figure|Fig\.|Table|Section|Sec\.|Chapter|Appendix|Eq\.|Equation|Part|Step|Page|"
    r"p\.|pp\.|Version|v|Course|No\.|Q)\s?[0-9]+(?:\.[0-9]+)*\b"
    r"|\b[0-9]+(?:st|nd|rd|th)\b|\$?\[[0-9]{1,3}\]",
    re.IGNORECASE,
)
_YEAR = re.compile(
    r"(?:19[5-9][0-9]|20[0-4][0-9])(?![0-9,.]?[0-9])(?!\s*(?:[A-Za-z]*[- ])?(?:GPU|TPU|chip|"
    r"token|param|A100|H100|V100|node|hour|layer|word|dimension|accelerator))"
)
_PER = re.compile(
    r"\s*(?:/\s*|\bper\s+|\ba\s+(?=day|month|hour|week|year|second|minute)|\ban\s+(?=hour)|\beach\s+(?=day|month|hour))",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"(?P<word>thousand|million|billion)\s+(?=(?:(?:input|output|generated|prompt|new|training|cached)\s+)?(?:tok|param|word|request|quer))",
    re.IGNORECASE,
)
_JOIN = re.compile(r"\s*[-–]\s*|\s+|\s*[×*]\s*")
_SKIP = re.compile(r"[\s\-–]*(?:\[\s*)?")
_ADJECTIVES = re.compile(rf"(?:(?:[A-Za-z][A-Za-z'&./+]*(?:-[A-Za-z]+)*|{MASK}+)[\s-]+){{1,4}}?(?=(?:[A-Za-z]))")
_ADJECTIVE = re.compile(rf"(?:[A-Za-z][\w'&+]*(?:[-/][\w]+)*|{MASK}+)[\s-]+")
_TIMES_DEVICE = re.compile(r"\s*[x×*]\s*", re.IGNORECASE)
_TIME = frozenset({"s", "min", "h", "day", "week", "month", "year"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number with its unit: `low` to `high` base units of `kind`, from `start` to `end` of its sentence.

    `kind` is the base unit's text ("param", "FLOP/s/chip"), "FLOP?" where FLOPS can be either, "%", "#times", "#layers"
    and the like for what has no unit here, and "" for a bare number. `unit` is as written; `about` are the adjectives
    before the noun. `device` is the device that is counted ("25,000 A100s"). `slack` is how far it may be off.
    """

    low: float
    high: float
    kind: str
    unit: str
    text: str
    start: int
    end: int
    number: Number
    about: str = ""
    device: Name | None = None
    slack: float = 0.0
    parsed: Unit | None = None
    per_device: bool = False

    @property
    def value(self) -> float:
        """The middle."""
        return self.low / 2 + self.high / 2

    @property
    def is_exact(self) -> bool:
        """Neither "up to" nor "at least"."""
        return not self.number.bound

    def is_(self, *kinds: str) -> bool:
        """Whether it is one of these kinds, FLOPS taken for either."""
        return self.kind in kinds or (self.kind == EITHER and bool({"FLOP", "FLOP/s"} & set(kinds)))

    def off(self, true: float) -> float:
        """Says / true: 1 where `true` lies within the bounds and the slack of what is written."""
        low, high = self.low * (1 - self.slack), self.high * (1 + self.slack)
        if self.number.bound == ">" and true >= low:
            return 1.0
        if self.number.bound == "<" and true <= high:
            return 1.0
        if low <= true <= high:
            return 1.0
        return (self.low if true < self.low else self.high) / true if self.low != self.high else self.low / true


class Read(NamedTuple):
    """A sentence's names and amounts, in order; `crowded` where it has too many numbers to be read."""

    names: tuple[Name, ...]
    amounts: tuple[Amount, ...]
    masked: str
    crowded: bool = False


@lru_cache(maxsize=4096)
def read_amounts(text: str) -> Read:
    """The names and amounts of a sentence."""
    found = names(text)
    masked = _mask(text, found)
    amounts: list[Amount] = []
    ends = 0
    listed = numbers(masked)
    if len(listed) > MOST_NUMBERS:
        return Read(tuple(found), (), masked, crowded=True)
    for number in listed:
        if number.start < ends:
            continue
        amount = _amount(text, masked, number, found)
        if not amount.unit and _is_year(masked, number):
            continue
        amounts.append(amount)
        ends = amount.end
    return Read(tuple(found), tuple(_shared(amounts, masked)), masked)


def _mask(text: str, found: list[Name]) -> str:
    """The text with names and dates covered, so that no number is found inside of them."""
    pieces, place = [], 0
    for name in found:
        if name.kind == "dtype" and name.text[0].isdigit():
            continue
        pieces += [text[place : name.start], MASK * (name.end - name.start)]
        place = name.end
    masked = "".join([*pieces, text[place:]])
    return _NO_AMOUNT.sub(lambda match: MASK * len(match.group()), masked)


def _is_year(masked: str, number: Number) -> bool:
    if number.money or number.end - number.point != 4 or not _YEAR.match(masked, number.point):
        return False
    return number.low == number.high


def _amount(text: str, masked: str, number: Number, found: list[Name]) -> Amount:
    devices = {name.start: name for name in found if name.kind == "device"}
    start = _SKIP.match(masked, number.end)
    place = start.end() if start else number.end
    times = _TIMES_DEVICE.match(text, number.end)
    place = times.end() if times and times.end() in devices else place
    unit, end, about, device = "", number.end, "", None
    piece = _piece(text, place, devices)
    if piece is None and not number.money:
        skipped = _skipped(text, masked, place, devices)
        if skipped:
            about, piece = text[place : skipped[0]].strip(), skipped[1]
    if number.money:
        piece = _Word("$", number.end, None)
        place = number.end
    if piece is not None:
        unit, end, device = _composed(text, masked, piece, devices)
        tail = re.compile(r"\s*\]").match(text, end)
        end = tail.end() if tail and "[" in text[number.end : end] else end
    if number.letter in {"B", "b"} and not number.money:
        number, unit = _b_or_billion(text, number, unit, end)
    if _is_size(text, number, unit, text[number.end : end].strip(" -").lower()):
        unit = "param"
    return _finished(text, number, unit, (end, about, device))


class _Word(NamedTuple):
    unit: str
    end: int
    device: Name | None


def _piece(text: str, place: int, devices: dict[int, Name]) -> _Word | None:
    """The unit word at a place: a device counts as chips, with the noun that follows it."""
    name = devices.get(place)
    if name is not None:
        end = name.end
        after = re.compile(r"[\s-]+(GPU|TPU|chip|accelerator|card|core)s?(?![\w])", re.IGNORECASE).match(text, end)
        if after:
            end = after.end()
            return _Word("core" if after[1].lower() == "core" else "chip", end, name)
        return _Word("chip", end, name)
    found = unit_word(text, place)
    return _Word(found.unit, found.end, None) if found else None


def _skipped(text: str, masked: str, place: int, devices: dict[int, Name]) -> tuple[int, _Word] | None:
    """The counted noun after up to four adjectives: "25,000 NVIDIA A100 GPUs"."""
    for _ in range(4):
        word = _ADJECTIVE.match(masked, place)
        if word is None:
            return None
        bare = word.group().strip(" -").lower()
        if bare in STOP:
            return None
        place = word.end()
        piece = _piece(text, place, devices)
        if piece and (piece.device or is_noun(piece.unit) or piece.unit in {"FLOP", "FLOPS"}):
            return place, piece
    return None


def _composed(text: str, masked: str, first: _Word, devices: dict[int, Name]) -> tuple[str, int, Name | None]:
    """A unit from its first word on: products ("GPU hours", "PF-days") and quotients ("$/GPU/hour")."""
    unit, end, device = first.unit, first.end, first.device
    divided = False
    for _ in range(4):
        over = _PER.match(text, end)
        many = _MANY.match(text, over.end()) if over else None
        place = many.end() if many else over.end() if over else -1
        piece = _quotient(text, masked, place, devices) if over else None
        if many and piece:
            piece = piece._replace(unit=f"{many['word'].lower()} {piece.unit}")
        if over and piece and unit == "param" and piece.unit in {"token", "word"}:
            return unit, end, device  # "parameters per token" are the active ones
        if over and piece and piece.unit not in {"#times", "%"}:
            unit, end, divided = f"{unit}/{piece.unit}", piece.end, True
            device = device or piece.device
            continue
        joined = _JOIN.match(text, end)
        piece = _piece(text, joined.end(), devices) if joined else None
        if joined and piece and piece.unit in _TIME and _multiplies(unit, divided=divided):
            unit, end = f"{unit} {piece.unit}", piece.end
            continue
        return unit, end, device
    return unit, end, device


def _quotient(text: str, masked: str, place: int, devices: dict[int, Name]) -> _Word | None:
    piece = _piece(text, place, devices)
    if piece is not None:
        return piece
    skipped = _skipped(text, masked, place, devices)
    return skipped[1] if skipped else None


def _multiplies(unit: str, *, divided: bool) -> bool:
    """Whether a time after it multiplies: "GPU hours", "petaFLOP per second days", "PF days"."""
    if divided:
        return unit.endswith(("FLOP/s", "FLOPS/s", "/chip", "/core", "/node"))
    return unit in {"chip", "core", "node", "slice"} or (len(unit) > 4 and unit.endswith(("FLOP", "FLOPS")))


def _b_or_billion(text: str, number: Number, unit: str, end: int) -> tuple[Number, str]:
    """As in "4B per parameter" is bytes; "7B" otherwise a billion."""
    if unit:
        return number, unit
    per = re.compile(r"\s*(?:/|per)\s*(?:param|parameter|weight|element|value)s?\b").match(text, end)
    if not per:
        return number, unit
    factor = number.scaled
    return replace(number, low=number.low / factor, high=number.high / factor, scaled=1.0, letter=""), "byte/param"


_SIZED_NOUN = re.compile(
    r"[\s-]*(?:[A-Za-z]+[\s-]+){0,2}?(?:models?|variants?|versions?|LLMs?|networks?|"
    r"transformers?|checkpoints?|dense|MoE|one|class|scale|parameter)\b",
    re.IGNORECASE,
)
_DATA_NOUN = re.compile(r"\s*(?:tokens?|words?|FLOP|data|dataset|examples|training)", re.IGNORECASE)


_ARTICLE = re.compile(r"\b(?:our|an?|the|this|new|their|its)\s+(?:\w+\s+)?$", re.IGNORECASE)
_ON_TOKENS = re.compile(r"\s*(?:,|on|with|x|×|\()\s*(?:on\s+)?[0-9.]{1,6}\s?(?:[BT]|billion|trillion)\s+tokens\b")
_OF_THEM = re.compile(
    r"\s*(?:of (?:them|these|which|it)\s+(?:are\s+|is\s+)?|(?:are|is)\s+)?(?:active|activated|used)\b"
)
_GOES_ON = re.compile(
    r"\s*(?:(?:on|with|using|in|at|to|for|is|was|has|needs|takes|we|and|they|it|costs|saw|"
    r"sees|trained|runs|fits)\b|[,.;:)!?]|$)"
)


def _is_size(text: str, number: Number, unit: str, noun: str) -> bool:
    """Whether it is the size of a model: "a 100B model", "the 175 billion GPT-3", "the 8B and 70B variants"."""
    if number.money or number.scaled not in {1e6, 1e9, 1e12} or (unit and not unit.startswith("#things")):
        return False
    if noun:
        return bool(_SIZED_NOUN.fullmatch(noun)) or noun.endswith(("model", "models", "variant", "variants"))
    if number.letter == "B" and (_ON_TOKENS.match(text, number.end) or _OF_THEM.match(text, number.end)):
        return True
    if number.letter == "B" and _ARTICLE.search(text[: number.start]) and _GOES_ON.match(text, number.end):
        return True
    return (
        number.letter in {"M", "B"}
        and bool(_SIZED_NOUN.match(text, number.end))
        and not _DATA_NOUN.match(text, number.end)
    )


def _finished(text: str, number: Number, unit: str, rest: tuple[int, str, Name | None]) -> Amount:
    end, about, device = rest
    low, high, kind, parsed = number.low, number.high, unit, None
    if unit and not unit.startswith("#") and unit != "%":
        kind, scale, parsed = kind_of(unit)
        low, high = low * scale, high * scale
    elif unit == "%":
        low, high, kind = low / 100, high / 100, PERCENT
    if number.money and not unit:
        kind = "$"
    if low <= 0:
        kind = ZERO
    if kind == "s" and number.bound == ">" and re.search(r"\bover\s*$", text[: number.start]):
        number = replace(number, bound="")  # "over 65 days": during them
    return Amount(
        low=low,
        high=high,
        kind=kind,
        unit=unit,
        text=text[number.start : end].strip(),
        start=number.start,
        end=end,
        number=number,
        about=about,
        device=device,
        slack=slack(number.digits, about=number.about),
        parsed=parsed,
    )


def _shared(amounts: list[Amount], masked: str) -> list[Amount]:
    """Amounts with the unit of the one they are listed with: "600B, 700B and 1T parameters", "4 or 8 GPUs"."""
    found = list(amounts)
    for place in range(len(found) - 2, -1, -1):
        one, after = found[place], found[place + 1]
        between = masked[one.end : after.start]
        if one.kind or not re.fullmatch(
            r"\s*(?:,|and|or|,\s*and|,\s*or|to|vs\.?|versus|[-–—])\s*(?:\$|about|~)?\s*", between
        ):
            continue
        if after.kind and (
            after.kind in {"param", "token", "word", "chip", PERCENT, TIMES}
            or "FLOP" in after.kind
            or after.kind in {"byte", "s"}
        ):
            factor = after.low / after.number.low if after.number.low else 1.0
            if after.number.scaled != 1.0 and one.number.scaled == 1.0 and one.low < 1e4 and not one.number.letter:
                factor *= 1.0 if one.low > after.number.low else after.number.scaled
            found[place] = replace(
                one, low=one.low * factor, high=one.high * factor, kind=after.kind, unit=after.unit, parsed=after.parsed
            )
    return found
