"""Numbers as running text has them: 25,000   2.15 × 10^25   90 to 100   $63 million   a few hundred million   eight.

A number here is a pair of bounds with its multiplier applied ("1.4 trillion", "4T"), but without its unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]{1,30}(?:\.[0-9]{1,20})?|\.[0-9]{1,20})"
_TEN = r"10\s*(?:(?:\^|\*\*)\s*\(?\s*(?P<{0}a>[+-]?[0-9]{{1,3}})\)?|(?P<{0}b>[⁻]?[⁰¹²³⁴-⁹]{{1,3}}))"
_NUMBER = re.compile(
    rf"{_TEN.format('t')}(?![0-9])"
    rf"|(?P<digits>{_DIGITS})(?:[eE](?P<e>[+-]?[0-9]{{1,3}})(?![0-9A-Za-z])"
    rf"|\s*[x×*]\s*{_TEN.format('m')}(?![0-9]))?"
)
_SIGN = re.compile(r"(?:(?:US|U\.S\.)\s?)?\$\s*|USD\s+|-\s?(?=[0-9])")
_SCALES = {
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "mn": 1e6,
    "mln": 1e6,
    "mm": 1e6,
    "MM": 1e6,
    "B": 1e9,
    "b": 1e9,
    "bn": 1e9,
    "Bn": 1e9,
    "T": 1e12,
    "tn": 1e12,
    "Q": 1e15,
}
_WORDS = {
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "quadrillion": 1e15,
    "quintillion": 1e18,
    "sextillion": 1e21,
    "septillion": 1e24,
    "hundred": 1e2,
    "dozen": 12.0,
}
_LETTER = re.compile(r"\s?(k|K|mn|mln|mm|MM|M|bn|Bn|B|b|tn|T|Q)(?![A-Za-z0-9²³])")
_MONEY_LETTER = re.compile(r"\s?(k|K|mn|mln|mm|MM|M|m|bn|Bn|B|b|tn|T|t)(?![A-Za-z0-9])")
_SCALE_WORD = re.compile(
    r"[\s-]?\s?(hundred|thousand|million|billion|trillion|quadrillion|quintillion|sextillion|septillion)s?\b"
)
_UNITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SPELLED: dict[str, tuple[float, float]] = {
    **{word: (float(value), float(value)) for value, word in enumerate(_UNITS) if value},
    **{word: (20.0 + 10 * place, 20.0 + 10 * place) for place, word in enumerate(_TENS)},
    "half a": (0.5, 0.5),
    "half an": (0.5, 0.5),
    "a few": (2.0, 5.0),
    "several": (2.0, 9.0),
    "a couple of": (2.0, 3.0),
    "a couple": (2.0, 3.0),
    "a dozen": (12.0, 12.0),
}
_LOOSE = {
    "dozens of": (20.0, 99.0),
    "tens of": (10.0, 99.0),
    "hundreds of": (100.0, 999.0),
    "thousands of": (1e3, 9.99e3),
    "millions of": (1e6, 9.99e6),
    "billions of": (1e9, 9.99e9),
    "trillions of": (1e12, 9.99e12),
}
_ALONE = {
    "a hundred": 1e2,
    "a thousand": 1e3,
    "a million": 1e6,
    "a billion": 1e9,
    "a trillion": 1e12,
    "a quadrillion": 1e15,
}
_SPELLED_AT = re.compile(
    r"(?<![\w-])(" + "|".join(sorted((*_SPELLED, *_LOOSE, *_ALONE), key=len, reverse=True)) + r")(?![\w])",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"(?:~|≈|\b(?:about|around|roughly|approximately|approx\.?|nearly|almost|some|circa|ca\.|close to|an estimated|"
    r"estimated (?:at|to be)(?: around)?|on the order of|in the ballpark of))\s*(?:US)?\s*$",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    r"(?:>|≥|\b(?:over|more than|at least|above|upwards? of|exceed(?:s|ed|ing)?|greater than|no less than|north of|"
    r"in excess of|beyond|minimum of))\s*(?:US)?\s*$",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    r"(?:<|≤|\b(?:under|less than|at most|below|up to|no more than|fewer than|within|not much over|maximum of|"
    r"south of|as (?:much|many) as))\s*(?:US)?\s*$",
    re.IGNORECASE,
)
_AND_OVER = re.compile(r"\+(?![\d+])|\s?or more\b")
_RANGE = re.compile(r"\s*(?:[-–—]|\bto\b|\band\b|\bor\b)\s*(?:US)?\$?\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\s+(?:US)?\$?\s*$", re.IGNORECASE)

LARGEST = 1e60


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in a text: `low` and `high` with multipliers applied, from `start` to `end`.

    `digits` counts the significant ones written, 0 for words; `bound` is "<", ">" or "" as the text has it; `about`
    that it says so; `money` that a dollar sign stands before it; `scaled` the multiplier that was read; `letter` the
    letter it was read from, where it was one ("B" may be byte).
    """

    low: float
    high: float
    start: int
    end: int
    digits: int
    bound: str = ""
    about: bool = False
    money: bool = False
    scaled: float = 1.0
    letter: str = ""
    point: int = 0

    @property
    def middle(self) -> float:
        """The middle of the bounds."""
        return self.low / 2 + self.high / 2


def numbers(text: str) -> list[Number]:
    """The numbers of a text in order. Names are to be masked first: "GPT-4" holds no 4.

    >>> [(one.low, one.high) for one in numbers("about 25,000 chips for 90 to 100 days, a few hundred million")]
    [(25000.0, 25000.0), (90.0, 100.0), (200000000.0, 500000000.0)]
    """
    found: list[Number] = []
    place = 0
    digit, word = _NUMBER.search(text), _SPELLED_AT.search(text)
    while digit or word:
        if digit and digit.start() < place:
            digit = _NUMBER.search(text, place)
        elif word and word.start() < place:
            word = _SPELLED_AT.search(text, place)
        elif word and (digit is None or word.start() < digit.start()):
            found.append(_ranged(text, _spelled(text, word)))
            place = found[-1].end
        elif digit:
            number = _written(text, digit)
            if number is not None:
                found.append(_ranged(text, number))
                place = found[-1].end
            else:
                place = _after_word(text, digit.end())
    return found


def _after_word(text: str, place: int) -> int:
    """Where the word ends that a refused number stands in."""
    while place < len(text) and (
        text[place].isalnum() or (text[place] in ".-" and text[place + 1 : place + 2].isdigit())
    ):
        place += 1
    return place


def _written(text: str, match: re.Match[str]) -> Number | None:
    """A number in digits with its multiplier; None where it is part of a word ("H100", "GPT-4", "v4-64", "2.1.3")."""
    start, end = match.span()
    before = text[start - 1] if start else " "
    if before.isalnum() or before in "._" or (before in "-/" and start > 1 and text[start - 2].isalpha()):
        return None
    if before == "," and start > 1 and text[start - 2].isdigit():
        return None
    after = text[end : end + 2]
    if after[:1] in ".," and after[1:2].isdigit():
        return None
    digits = match["digits"]
    raised = match["ta"] or match["tb"] or match["ma"] or match["mb"]
    power = int(raised.translate(_SUPERSCRIPTS)) if raised else int(match["e"] or 0)
    value = float(f"{(digits or '1').replace(',', '')}e{power}") if abs(power) <= 60 else float("inf")
    if not value < LARGEST:
        return None
    sign = text[max(0, start - 6) : start]
    money = bool(re.search(r"(?:\$|USD)\s*$", sign))
    lead = re.search(r"(?:(?:US|U\.S\.)\s?)?\$\s*$|USD\s+$", sign)
    counted = len((digits or "1").replace(",", "").replace(".", "").lstrip("0"))
    counted = _meant(digits or "1", counted)
    number = Number(
        low=value,
        high=value,
        start=start - (len(lead.group()) if lead else 0),
        end=end,
        digits=counted,
        money=money,
        point=start,
    )
    return _scaled(text, number, plain=power == 0)


def _meant(digits: str, counted: int) -> int:
    """Significant digits: zeros that end a whole number fill up places."""
    if "." in digits:
        return counted
    bare = digits.replace(",", "")
    return max(min(2, counted), len(bare.rstrip("0").lstrip("0")))


def _scaled(text: str, number: Number, *, plain: bool) -> Number:
    """The number with the multiplier that follows it: "1.4 trillion", "600B", "$50m"."""
    word = _SCALE_WORD.match(text, number.end)
    if word:
        factor, end = _WORDS[word[1].lower()], word.end()
        second = _SCALE_WORD.match(text, end)
        if second:
            factor, end = factor * _WORDS[second[1].lower()], second.end()
        return replace(number, low=number.low * factor, high=number.high * factor, end=end, scaled=factor)
    letter = (_MONEY_LETTER if number.money else _LETTER).match(text, number.end) if plain else None
    if letter and not (letter.group()[0].isspace() and letter[1] in "bBk"):
        factor = {**_SCALES, "m": 1e6, "t": 1e12}[letter[1]]
        return replace(
            number,
            low=number.low * factor,
            high=number.high * factor,
            end=letter.end(),
            scaled=factor,
            letter=letter[1],
        )
    return number


def _spelled(text: str, match: re.Match[str]) -> Number:
    said = match[1].lower()
    if said in _LOOSE:
        low, high = _LOOSE[said]
    elif said in _ALONE:
        low = high = _ALONE[said]
    else:
        low, high = _SPELLED[said]
        tens = re.compile(r"[-\s](one|two|three|four|five|six|seven|eight|nine)\b", re.IGNORECASE).match(
            text, match.end()
        )
        if tens and said in _TENS:
            extra = _SPELLED[tens[1].lower()][0]
            number = Number(
                low=low + extra, high=high + extra, start=match.start(), end=tens.end(), digits=0, point=match.start()
            )
            return _scaled(text, number, plain=False)
    number = Number(
        low=low,
        high=high,
        start=match.start(),
        end=match.end(),
        digits=0,
        point=match.start(),
        scaled=_ALONE.get(said, 1.0),
    )
    scaled = _scaled(text, number, plain=False)
    more = re.compile(r"\s+of\s+(thousand|million|billion|trillion)s?\b").match(text, scaled.end)
    if more:
        factor = _WORDS[more[1]]
        return replace(scaled, low=scaled.low * factor, high=scaled.high * factor, end=more.end())
    return scaled


def _ranged(text: str, number: Number) -> Number:
    """A number with what stands around it: bounds, "about", and a second end ("90 to 100", "1.5T to 4T")."""
    before = text[max(0, number.start - 40) : number.start]
    joined = _RANGE.match(text, number.end)
    second = _second(text, number, joined, before) if joined else None
    if second is not None:
        low, high = number.low, second.high
        if second.scaled != 1.0 and number.scaled == 1.0 and low * second.scaled <= high:
            low *= second.scaled
        if low < high:
            number = replace(
                number,
                low=low,
                high=high,
                end=second.end,
                scaled=second.scaled,
                letter=second.letter,
                digits=max(number.digits, second.digits),
            )
    over = _AND_OVER.match(text, number.end)
    if over:
        return replace(number, end=over.end(), bound=">")
    bound = ">" if _AT_LEAST.search(before) else "<" if _AT_MOST.search(before) else ""
    return replace(number, bound=bound, about=bool(_ABOUT.search(before)))


def _second(text: str, first: Number, joined: re.Match[str], before: str) -> Number | None:
    """The far end of a range: after "and" only behind "between", after "or" never."""
    word = joined.group().strip().strip("$").strip().lower()
    if word == "or" or (word == "and" and not _BETWEEN.search(before)):
        return None
    match = _NUMBER.match(text, joined.end())
    if match is None:
        spelled = _SPELLED_AT.match(text, joined.end())
        return _spelled(text, spelled) if spelled and first.digits == 0 else None
    if text[joined.end() - 1].isalpha():
        return None
    far = _written(text, match) if text[match.start() - 1] in " -–—$" else None
    if far is None and text[match.start() - 1] in "-–—":
        far = _written(" " + text[match.start() :], _NUMBER.match(" " + text[match.start() :], 1) or match)
        far = replace(far, end=far.end - 1 + match.start()) if far else None
    return far if far is not None and far.money in {first.money, False} else None


@lru_cache(maxsize=4096)
def slack(digits: int, *, about: bool) -> float:
    """How far, relatively, a value with so many digits may be off without being wrong.

    Half a unit of the last digit, on the mean of leading digits; words and "about" are looser.
    """
    base = {0: 0.15, 1: 0.15, 2: 0.035, 3: 0.006}.get(digits, 0.003)
    return max(base, 0.10) if about else base
