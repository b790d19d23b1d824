"""The words that units are made of, as data: what each is in base units, and in how many ways it can be read.

Base units: s, byte, USD, J, kgCO2e, FLOP, nat and one noun each for what is counted. `kg` is a helper: it only stands
in products with CO2e. Sources: time, energy and prefixes are those of the SI and IEC 80000-13; a bit is byte/8 and, as
information, ln 2 nat (IEC 80000-13); a MAC is one multiplication and one addition, hence 2 FLOP; a year is the Julian
365.25 days and a month its twelfth, 730.5 h, so that clouds' 730 h and 28 to 31 days lie within the calendar slack.
"""

from __future__ import annotations

from functools import cache
from math import log
from typing import NamedTuple

Exponents = tuple[tuple[str, int], ...]

NOUNS = ("param", "token", "word", "chip", "die", "core", "slice", "node", "request", "sequence")
"""What is counted: each is a dimension of its own, and only these (and new words) can be tied."""

BASE = ("s", "byte", "USD", "J", "kgCO2e", "FLOP", "nat", "kg", *NOUNS)

MONTH_SLACK = 0.04
YEAR_SLACK = 0.002


class Atom(NamedTuple):
    """One reading of one word: `scale` base units of `dims`.

    `multiplier` marks pure numbers (k, M, Ki); `hidden` a reading taken only where its dimension is due (bit as
    information); `even` a word with no preferred reading (FLOPS); `slack` is relative.
    """

    dims: Exponents
    scale: float
    slack: float = 0.0
    note: str = ""
    multiplier: bool = False
    hidden: bool = False
    even: bool = False


DECIMAL = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
LARGE = DECIMAL | {"Z": 1e21, "Y": 1e24}
SMALL = {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "\u03bc": 1e-6, "n": 1e-9, "p": 1e-12}
BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60}
COUNTING = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}

MULTIPLIERS = DECIMAL | BINARY | {
    "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "quadrillion": 1e15,
    "mn": 1e6, "mln": 1e6, "bn": 1e9, "tn": 1e12, "B": 1e9, "b": 1e9, "t": 1e12,
}  # fmt: skip
"""Words that multiply. `B`, `b` and `t` are also byte, bit and tonne: both readings are kept until the units decide."""

MONEY_MULTIPLIERS = MULTIPLIERS | {"m": 1e6, "mm": 1e6}
"""The same right after a currency, where `m` is million."""

LONG_TIMES = frozenset({
    "min", "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "day", "days",
    "wk", "week", "weeks", "month", "months", "yr", "year", "years",
})  # fmt: skip
SHORT_TIMES = frozenset({"s", "sec", "second"})

_TIME = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "wk": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_MONTHS = ("mo", "month", "months")
_YEARS = ("y", "yr", "yrs", "year", "years")
_MASS = {
    "g": 1e-3,
    "kg": 1.0,
    "t": 1e3,
    "ton": 1e3,
    "tonne": 1e3,
    "tonnes": 1e3,
    "kt": 1e6,
    "Mt": 1e9,
    "lb": 0.45359237,
}
_CO2 = ("CO2", "CO2e", "CO2eq", "CO\u2082", "CO\u2082e")
_NOUN_WORDS = {
    "param": "params parameter parameters weight weights",
    "token": "tokens tok toks",
    "word": "words",
    "chip": "chips GPU GPUs gpu gpus TPU TPUs tpu tpus accelerator accelerators",
    "die": "dies",
    "core": "cores",
    "slice": "slices",
    "node": "nodes",
    "request": "requests req reqs",
    "sequence": "sequences seq seqs",
}
_RATE_NOTE = "{word} read as {prefix}FLOP/s"
_WORK_NOTE = "{word} read as {prefix}FLOP"


def _single(dims: Exponents, scale: float, slack: float = 0.0, note: str = "") -> tuple[Atom, ...]:
    return (Atom(dims, scale, slack, note),)


def _times(words: dict[str, tuple[Atom, ...]]) -> None:
    dims = (("s", 1),)
    words.update({word: _single(dims, scale) for word, scale in _TIME.items()})
    words["m"] = _single(dims, 60.0, note="m is minute")
    words.update({prefix + "s": _single(dims, scale) for prefix, scale in SMALL.items()})
    words.update({word: _single(dims, 730.5 * 3600, MONTH_SLACK, "a month is 730.5 h") for word in _MONTHS})
    words.update({word: _single(dims, 8766.0 * 3600, YEAR_SLACK, "a year is 365.25 days") for word in _YEARS})


def _data(words: dict[str, tuple[Atom, ...]]) -> None:
    for prefix, factor in ({"": 1.0} | DECIMAL | BINARY).items():
        stored = Atom((("byte", 1),), factor / 8)
        known = Atom((("nat", 1),), factor * log(2), note="bits of information", hidden=True)
        words.update(
            {prefix + word: _single((("byte", 1),), factor) for word in ("B", "byte", "bytes", "Byte", "Bytes")}
        )
        words.update({prefix + word: (stored, known) for word in ("b", "bit", "bits")})
    words.update({word: _single((("nat", 1),), 1.0) for word in ("nat", "nats")})
    words.update({word: _single((("nat", 1),), log(2)) for word in ("Sh", "shannon", "shannons")})


def _work(words: dict[str, tuple[Atom, ...]]) -> None:
    work, rate = (("FLOP", 1),), (("FLOP", 1), ("s", -1))
    for prefix, factor in ({"": 1.0} | LARGE).items():
        for word in ("FLOP", "FLOPs", "flop", "Flop", "Flops", "OP", "op", "ops"):
            words[prefix + word] = _single(work, factor)
        for word in ("MAC", "MACs", "mac", "macs", "FMA", "FMAs"):
            words[prefix + word] = _single(work, 2 * factor, note="a MAC is 2 FLOP")
        for word in ("FLOPS", "flops", "OPS", "F") if prefix else ("FLOPS", "flops", "OPS"):
            written = prefix + word
            words[written] = (
                Atom(work, factor, note=_WORK_NOTE.format(word=written, prefix=prefix), even=True),
                Atom(rate, factor, note=_RATE_NOTE.format(word=written, prefix=prefix), even=True),
            )
    words.update({word: _single(work, 1.0) for word in ("operation", "operations")})


def _energy_and_carbon(words: dict[str, tuple[Atom, ...]]) -> None:
    for prefix, factor in ({"": 1.0, "m": 1e-3} | DECIMAL).items():
        words[prefix + "J"] = _single((("J", 1),), factor)
        words[prefix + "Wh"] = _single((("J", 1),), 3600 * factor)
        words[prefix + "W"] = _single((("J", 1), ("s", -1)), factor)
    words.update({word: _single((("J", 1),), 1.0) for word in ("joule", "joules")})
    words.update({word: _single((("J", 1), ("s", -1)), 1.0) for word in ("watt", "watts")})
    words.update({word: _single((("kg", 1),), scale) for word, scale in _MASS.items()})
    for gas in _CO2:
        words[gas] = _single((("kg", -1), ("kgCO2e", 1)), 1.0)
        words.update({mass + gas: _single((("kgCO2e", 1),), scale) for mass, scale in _MASS.items()})


def _money(words: dict[str, tuple[Atom, ...]]) -> None:
    dims = (("USD", 1),)
    words.update({word: _single(dims, 1.0) for word in ("$", "USD", "usd", "dollar", "dollars")})
    words.update({word: _single(dims, 0.01) for word in ("\u00a2", "cent", "cents")})
    words.update({prefix + "USD": _single(dims, scale) for prefix, scale in COUNTING.items()})


def _nouns(words: dict[str, tuple[Atom, ...]]) -> None:
    for noun, others in _NOUN_WORDS.items():
        words.update({word: _single(((noun, 1),), 1.0) for word in (noun, *others.split())})
    for noun, shorts in (("token", ("tok", "toks", "token", "tokens")), ("param", ("param", "params"))):
        for prefix, scale in COUNTING.items():
            words.update({prefix + word: _single(((noun, 1),), scale) for word in shorts})


@cache
def unit_words() -> dict[str, tuple[Atom, ...]]:
    """Every word a unit can be written with, and its readings, the preferred one first."""
    words: dict[str, tuple[Atom, ...]] = {}
    for fill in (_times, _data, _work, _energy_and_carbon, _money, _nouns):
        fill(words)
    for word, factor in MULTIPLIERS.items():
        words[word] = (*words.get(word, ()), Atom((), factor, multiplier=True))
    words["%"] = words["percent"] = _single((), 0.01)
    words["\u2030"] = _single((), 0.001)
    return words
