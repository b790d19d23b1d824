"""How one thing grows with another: "doubling parameters and tokens doubles the compute" is wrong, it is four times.

What grows with which power is the formulas' own (`elasticity` of a relation of the book), not a list of answers; what
is bound by no formula here is left alone.
"""

from __future__ import annotations

import re
from functools import cache
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.world.found import by, finding, middle, near, shown, slip_of
from isoflop.audit.world.words import formats
from isoflop.book import memory, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isoflop.audit.document import Finding
    from isoflop.audit.prose.facts import Told
    from isoflop.quantity import Real

_TIMES = {"doubl": 2.0, "twice": 2.0, "tripl": 3.0, "quadrupl": 4.0, "halv": 0.5, "half": 0.5, "eightfold": 8.0}
_VERB = r"(?P<{0}>doubl|tripl|quadrupl|halv)(?:ing|es|ed|e|s)?"
_GROWS = re.compile(
    rf"\b{_VERB.format('by')}\s+(?:both\s+)?(?P<what>[^.;:]{{3,90}}?),?\s+(?:also\s+|only\s+|will\s+|roughly\s+|about\s+)*"
    rf"(?:{_VERB.format('to')}|(?:makes?|means|takes?|costs?|needs?|requires?|gives)\s+(?P<word>twice|half|"
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?:x|×|times))(?:\s+as\s+(?:much|many|large|big|long))?)\s+(?P<rest>[^.;:]{3,60})",
    re.IGNORECASE,
)
_FACTOR = {"twice": 2.0, "half": 0.5}
_LEFT_OPEN = re.compile(
    r"\b(?:not|\w+n't|if|unless|while|at (?:a )?(?:fixed|constant|the same)|keeping|loss|quality)\b", re.IGNORECASE
)
_THINGS: tuple[tuple[str, str], ...] = (
    ("layers", r"\b(?:layers|depth)\b"),
    ("d_model", r"\b(?:hidden (?:size|dimension|width)|width|d_model|embedding (?:size|dimension))\b"),
    ("active_params", r"\b(?:parameters?|params|model(?:'s)? size|size of the model|model|N)\b"),
    ("tokens", r"\b(?:training (?:tokens|data)|tokens?|data(?:set)?(?: size)?|D)\b"),
    ("context", r"\b(?:context(?: length| window)?|sequence length|prompt(?: length)?)\b"),
    ("batch", r"\b(?:batch(?: size)?|requests|sequences|users)\b"),
)
_RESULTS: tuple[tuple[str, str], ...] = (
    ("kv_cache", r"\b(?:KV|key-value)[- ]cache\b"),
    ("attention_flops", r"\battention(?:'s)?(?: score)?(?: matrix| matrices| map)?(?: compute| cost| FLOPs?| work)?\b"),
    ("train_flops", r"\b(?:training )?(?:compute|FLOPs?|training (?:cost|work))\b"),
    ("weight_bytes", r"\b(?:memory (?:of|for) the weights|weight memory|size of the weights)\b"),
    ("block_params", r"\b(?:parameters?|parameter count|model size)\b"),
)
"""What grows, in the order in which it is looked for."""
_POWERS: dict[str, dict[str, float]] = {
    "kv_cache": {"context": 1, "batch": 1, "layers": 1},
    "attention_flops": {"context": 2, "batch": 1, "layers": 1, "d_model": 1},
    "block_params": {"layers": 1, "d_model": 2},
}
"""Of what is counted over layers, where no single formula says it: caches and blocks grow by layer, scores by pairs."""


def proportions(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Growth that is not what the formulas have, and a size in fewer bits that is not the share of bits."""
    for told in text:
        yield from _growth(told)
        yield from _blocks(told)
        yield from _fewer_bits(told)


def _growth(told: Told) -> Iterator[Finding]:
    match = _GROWS.search(told.sentence.text)
    if not match or _LEFT_OPEN.search(told.sentence.text):
        return
    given = {name for name, words in _THINGS if re.search(words, match["what"], re.IGNORECASE)}
    result = next(
        (name for name, words in _RESULTS if re.match(rf"(?:the\s+|its\s+)?{words}", match["rest"], re.IGNORECASE)),
        None,
    )
    powers = _powers().get(result or "", {})
    if not result or not given or not given <= powers.keys():
        return
    more = _TIMES[match["by"].lower()]
    to = _TIMES[match["to"].lower()] if match["to"] else _FACTOR.get(match["word"].lower()) or float(match["number"])
    due = more ** sum(powers[name] for name in given)
    with_both = result == "train_flops" and len(given) == 1  # tokens grow with the model by the rule of many texts
    if any(abs(log(to / one)) < 0.1 for one in (due, due**2 if with_both else due)):
        return
    what = " and ".join(sorted(name.replace("_", " ") for name in given))
    reason = f"{result.replace('_', ' ')} grows with {what} by {due:g}, not {to:g}"
    yield finding(told.sentence, None, "library_relation", reason, says=to, recomputed=due)


@cache
def _powers() -> dict[str, dict[str, float]]:
    """With which power each result grows: those of formulas are measured on the formulas."""
    return {
        **_POWERS,
        "train_flops": {
            name: _power(work.train_flops, place) for place, name in enumerate(("active_params", "tokens"))
        },
        "weight_bytes": {"active_params": _power(memory.weight_bytes, 0)},
    }


def _power(relation: Callable[..., Real], place: int) -> float:
    """The power with which a formula of two inputs grows with one of them."""
    values, more = [3.0, 5.0], [3.0, 5.0]
    more[place] *= 2.0
    return log(by(relation, *more) / by(relation, *values)) / log(2.0)


_WIDTH = re.compile(
    r"\b(?:hidden (?:size|dimension|width|dim)|d_model|model (?:width|dimension)|embedding (?:size|dimension)|width)\s*"
    r"(?:of|=|is|:)?\s*$",
    re.IGNORECASE,
)


_RULE = re.compile(r"\b12\s*[·*×x]?\s*(?:L|n_layers?)\s*[·*×x]?\s*(?:d|d_model|h|H)\s*(?:\^2|²|\*\*2)")


def _blocks(told: Told) -> Iterator[Finding]:
    """As in "96 layers of width 12,288, so 12 L d^2 = 174B": a block has 12 d^2 weights, within a factor of 2 or so."""
    text = told.sentence.text
    layers = [one for one in told.read.amounts if one.kind == "#layers"]
    widths = [one for one in told.read.amounts if _WIDTH.search(text[: one.start])]
    sizes = [one for one in told.read.amounts if one.kind == "param" and one.low >= 1e7]
    if not len(layers) == len(widths) == len(sizes) == 1 or re.search(r"\bexperts?\b|\bMoE\b", text):
        return
    due = 12.0 * layers[0].value * widths[0].value ** 2
    ratio = middle(sizes[0]) / due
    slip = slip_of(ratio)
    if _RULE.search(text[: sizes[0].start]) and abs(log(ratio)) > 0.1 + sizes[0].slack:
        slip = slip or ("arithmetic", "as the rule is written")  # the rule itself is named
    if slip and (slip[0] == "arithmetic" or not 0.4 < ratio < 6.0) and not sizes[0].number.bound:
        reason = f"12 weights a block for each width squared make {shown(due, 'params')}; {slip[1]}"
        yield finding(told.sentence, sizes[0], slip[0], reason, says=middle(sizes[0]), recomputed=due)


_FROM_TO = re.compile(r"\bfrom\s+(?:about\s+|roughly\s+|~)?$", re.IGNORECASE)
_TO = re.compile(r"\s*(?:down\s+)?to\s+(?:about\s+|roughly\s+|only\s+|just\s+|~)?", re.IGNORECASE)
_CACHES = re.compile(r"\b(?:cache|activations?|optimizer|peak|total|GPU|training|fine-?tun\w+)\b", re.IGNORECASE)


def _fewer_bits(told: Told) -> Iterator[Finding]:
    """As in "4-bit quantization shrinks a 16-bit model from 130 GB to 33 GB"."""
    text = told.sentence.text
    bits = {formats()[one.key].bytes for one in told.read.names if one.kind == "dtype" and one.key in formats()}
    sizes = [one for one in told.read.amounts if one.kind == "byte" and one.low >= 1e8]
    if len(bits) != 2 or len(sizes) != 2 or _CACHES.search(text):
        return
    first, last = sizes
    if not _FROM_TO.search(text[: first.start]) or not _TO.fullmatch(text[first.end : last.start]):
        return
    share = min(bits) / max(bits)
    due = middle(first) * (share if middle(last) < middle(first) else 1 / share)
    ratio = middle(last) / due
    if any(near(ratio, value) for value in (2.0, 0.5, 4.0, 0.25)):
        reason = f"{share:g} of {first.text} is {due / 1e9:.4g} GB; likely the bytes of another number format"
        yield finding(told.sentence, last, "constant", reason, says=middle(last), recomputed=due)
