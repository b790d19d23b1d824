"""Unit phrases of running text, put into the words of the unit grammar: "petaFLOP per second days" is PFLOP/s day.

What each word is worth is the unit grammar's to say; here stands only how people write it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_PREFIXES = {"kilo": "k", "mega": "M", "giga": "G", "tera": "T", "peta": "P", "exa": "E", "zetta": "Z", "yotta": "Y"}
_SHORT = ("k", "M", "G", "T", "P", "E", "Z", "Y")

# What is counted: adjectives may stand between the number and these.
_NOUNS: dict[str, str] = {
    **dict.fromkeys(("parameter", "parameters", "param", "params", "weights", "weight"), "param"),
    **dict.fromkeys(("token", "tokens", "tok", "toks"), "token"),
    **dict.fromkeys(("word", "words"), "word"),
    **dict.fromkeys(
        ("gpu", "gpus", "tpu", "tpus", "chip", "chips", "accelerator", "accelerators", "cards", "card"), "chip"
    ),
    **dict.fromkeys(("core", "cores"), "core"),
    **dict.fromkeys(("slice", "slices"), "slice"),
    **dict.fromkeys(("node", "nodes", "server", "servers", "machines", "boxes", "hosts", "vms"), "node"),
    **dict.fromkeys(("pod", "pods", "superpod", "racks"), "#pods"),
    **dict.fromkeys(("request", "requests", "queries", "prompts", "query"), "request"),
    **dict.fromkeys(("sequence", "sequences"), "sequence"),
    **dict.fromkeys(("layers", "layer", "blocks"), "#layers"),
    **dict.fromkeys(("heads", "head"), "#heads"),
    **dict.fromkeys(("experts", "expert"), "#experts"),
    **dict.fromkeys(("epochs", "epoch", "passes"), "#epochs"),
    **dict.fromkeys(("steps", "iterations", "updates"), "#steps"),
    **dict.fromkeys(
        (
            "models",
            "model",
            "variants",
            "sizes",
            "replicas",
            "users",
            "people",
            "companies",
            "languages",
            "benchmarks",
            "tasks",
            "figures",
            "papers",
            "authors",
            "examples",
            "images",
            "samples",
            "documents",
            "books",
            "pages",
            "homes",
            "households",
            "cars",
            "vehicles",
            "neurons",
            "outputs",
            "inputs",
            "quantities",
            "factors",
            "options",
            "levers",
            "variables",
            "choices",
            "points",
            "values",
            "numbers",
            "operands",
            "multiplications",
            "additions",
            "multiplies",
            "adds",
            "stages",
            "runs",
            "copies",
            "characters",
            "dimensions",
            "flights",
            "times",
        ),
        "#things",
    ),
}
_NOUNS.pop("times")

_ATOMS: dict[str, str] = {
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), "s"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "min"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), "h"),
    **dict.fromkeys(("day", "days"), "day"),
    **dict.fromkeys(("week", "weeks"), "week"),
    **dict.fromkeys(("month", "months", "mo"), "month"),
    **dict.fromkeys(("year", "years", "yr", "yrs"), "year"),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("dollar", "dollars", "usd"), "$"),
    **dict.fromkeys(("cent", "cents"), "cents"),
    **dict.fromkeys(("percent", "percents", "pct"), "%"),
    **dict.fromkeys(("byte", "bytes"), "byte"),
    **dict.fromkeys(("bit", "bits"), "bit"),
    **dict.fromkeys(("joule", "joules"), "J"),
    **dict.fromkeys(("watt", "watts"), "W"),
    **dict.fromkeys(("operation", "operations", "ops", "flop"), "FLOP"),
    **dict.fromkeys(
        (
            "floating point operations",
            "floating-point operations",
            "floating point operation",
            "floating-point operation",
            "floating point ops",
        ),
        "FLOP",
    ),
    **dict.fromkeys(
        (
            "add-multiply operations",
            "multiply-add operations",
            "multiply-accumulate operations",
            "multiply-accumulates",
            "multiply-adds",
            "macs",
            "mac",
            "fmas",
            "multiply-accumulate",
            "multiply-add",
        ),
        "MAC",
    ),
    **dict.fromkeys(("flops",), "FLOPS"),
    **dict.fromkeys(("watt hours", "watt-hours", "watthours"), "Wh"),
    **dict.fromkeys(("fold", "-fold"), "#times"),
    **dict.fromkeys(("times", "x", "×"), "#times"),
}

_CASED: dict[str, str] = {
    "B": "B",
    "b": "bit",
    "Wh": "Wh",
    "W": "W",
    "J": "J",
    "FLOP": "FLOP",
    "FLOPs": "FLOP",
    "FLOPS": "FLOPS",
    "flops": "FLOPS",
    "flop": "FLOP",
    "Flops": "FLOPS",
    "OPs": "FLOP",
    "OPS": "FLOPS",
    "MACs": "MAC",
    "$": "$",
    "%": "%",
}

_CO2 = (
    r"(?:of\s+)?(?:CO\s?2|CO₂|CO2|carbon(?:\s+dioxide)?|carbon)(?:[\s-]?(?:e|eq|equivalents?|"
    r"equiv|dioxide))?(?![\w])(?:\s+(?:equivalents?|emissions|\(?CO2e?q?\)?))?"
)
_MASS = {
    "kg": "kg",
    "kilograms": "kg",
    "kilogram": "kg",
    "g": "g",
    "grams": "g",
    "gram": "g",
    "t": "t",
    "ton": "t",
    "tons": "t",
    "tonne": "t",
    "tonnes": "t",
    "metric tons": "t",
    "metric tonnes": "t",
    "metric ton": "t",
    "kilotons": "kt",
    "kilotonnes": "kt",
    "kt": "kt",
    "megatonnes": "Mt",
    "pounds": "lb",
    "lbs": "lb",
}


class Piece(NamedTuple):
    """A unit word found in a text: what the unit grammar calls it, and where it ends."""

    unit: str
    end: int


@cache
def _cased() -> dict[str, str]:
    """Units whose case counts: GB is byte, Gb bit; MW is not mW."""
    found = dict(_CASED)
    for short in _SHORT:
        found.update(
            {
                short + "B": short + "B",
                short + "b": short + "bit",
                short + "W": short + "W",
                short + "Wh": short + "Wh",
                short + "J": short + "J",
            }
        )
        found.update({short + "Bs": short + "B", short + "iB": short + "iB", short + "bit": short + "bit"})
        for word in ("FLOP", "FLOPs", "flop", "Flop"):
            found[short + word] = short + "FLOP"
        for word in ("FLOPS", "flops", "Flops"):
            found[short + word] = short + "FLOPS"
        found[short + "OPS"] = found[short + "OP"] = found[short + "OPs"] = short + "FLOPS"
        found[short + "F"] = short + "FLOPS"
    for wrong in ("kiB", "MF", "kF", "GF", "YF", "ZF"):
        found.pop(wrong, None)
    found.update(
        {
            "KB": "kB",
            "KiB": "KiB",
            "kWh": "kWh",
            "kW": "kW",
            "KWh": "kWh",
            "KW": "kW",
            "TF": "TFLOPS",
            "PF": "PFLOPS",
            "EF": "EFLOPS",
            "Mhz": "",
            "GHz": "",
            "MHz": "",
        }
    )
    return {word: unit for word, unit in found.items() if unit}


@cache
def _prefixed() -> dict[str, str]:
    """Words with a prefix written out, in lower case: "teraflops", "gigabytes", "megawatt-hours"."""
    found = {}
    for word, short in _PREFIXES.items():
        found.update(
            {
                f"{word}flop": short + "FLOP",
                f"{word}flops": short + "FLOPS",
                f"{word}op": short + "FLOP",
                f"{word}ops": short + "FLOPS",
            }
        )
        found.update(
            {
                f"{word}byte": short + "B",
                f"{word}bytes": short + "B",
                f"{word}bit": short + "bit",
                f"{word}bits": short + "bit",
            }
        )
        found.update(
            {
                f"{word}watt": short + "W",
                f"{word}watts": short + "W",
                f"{word}joule": short + "J",
                f"{word}joules": short + "J",
            }
        )
        for hours in ("hour", "hours"):
            found.update(
                {
                    f"{word}watt {hours}": short + "Wh",
                    f"{word}watt-{hours}": short + "Wh",
                    f"{word}watt{hours}": short + "Wh",
                }
            )
        binary = {"kilo": ("kibi", "Ki"), "mega": ("mebi", "Mi"), "giga": ("gibi", "Gi"), "tera": ("tebi", "Ti")}.get(
            word
        )
        if binary:
            found.update({f"{binary[0]}byte": binary[1] + "B", f"{binary[0]}bytes": binary[1] + "B"})
    return found


@cache
def _lower() -> dict[str, str]:
    return {**_ATOMS, **_prefixed(), **_NOUNS}


@cache
def _phrases() -> re.Pattern[str]:
    """Every phrase without regard to case, longest first."""
    words = sorted(_lower(), key=len, reverse=True)
    return re.compile(
        "(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in words) + r")(?![A-Za-z0-9_])", re.IGNORECASE
    )


_CASED_AT = re.compile(r"(?:[A-Za-z]{1,6}|\$|%)(?![A-Za-z0-9_])")
_CARBON = re.compile(rf"(?P<mass>{'|'.join(sorted(_MASS, key=len, reverse=True))})\s*(?:{_CO2})", re.IGNORECASE)
_WEIGHT = re.compile(r"(?:kg|t|g|kt|Mt)(?:CO2e?q?|CO₂e?)(?![\w])")


def unit_word(text: str, place: int) -> Piece | None:
    """The unit word at a place of a text, None where there is none."""
    carbon = _CARBON.match(text, place)
    if carbon:
        return Piece(_MASS[carbon["mass"].lower()] + "CO2e", carbon.end())
    joined = _WEIGHT.match(text, place)
    if joined:
        return Piece(re.sub("CO.*", "CO2e", joined.group()), joined.end())
    cased = _CASED_AT.match(text, place)
    word = cased.group() if cased else ""
    phrase = _phrases().match(text, place)
    if phrase and len(phrase.group()) > len(word):
        return Piece(_lower()[re.sub(r"\s+", " ", phrase.group().lower())], phrase.end())
    if word in _cased():
        assert cased is not None
        return Piece(_cased()[word], cased.end())
    if phrase:
        return Piece(_lower()[re.sub(r"\s+", " ", phrase.group().lower())], phrase.end())
    return None


def is_noun(unit: str) -> bool:
    """Whether a unit counts things, so that adjectives may stand before it."""
    return unit.startswith("#") or unit in {
        "param",
        "token",
        "word",
        "chip",
        "core",
        "slice",
        "node",
        "request",
        "sequence",
    }
