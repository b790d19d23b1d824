"""What flows through a machine: bytes over links, weights through memory, watts and FLOP/s of many chips together.

Each relation is tested within one sentence, or one and the one before it, where all of its figures are said once. Much
that is written beside such figures is left open (efficiency, overhead, what else runs), so a figure is a finding only
where it is off by a factor that people slip by, or faster than the memory allows.
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.boards import usual_boards
from isoflop.audit.prose.kinds import EITHER
from isoflop.audit.world.found import by, finding, middle, near, power_of_ten, shown, slip_of
from isoflop.audit.world.memory_context import is_of_a_device
from isoflop.audit.world.words import formats
from isoflop.book import memory, rate
from isoflop.quantity import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

LONGEST = 86400.0
"""Seconds beyond which a time beside a link is no transfer's."""
WATTS_EACH = 3000.0
"""Watts above which a power is not that of one chip."""

_MOVED = re.compile(
    r"\b(?:send|sync|transfer|mov|cop[yi]|load|read|stream|all-?reduc|gather|download|upload|writ|exchang|ship|push|"
    r"pull|broadcast|link|network|takes?)\w*",
    re.IGNORECASE,
)
_MANY_TIMES = re.compile(
    r"\b(?:each|every|per|times|twice|ring|layers?|steps?|compress\w*|overlap\w* with|effective\w*|efficien\w*)\b|%",
    re.IGNORECASE,
)
_SHARED = re.compile(
    r"\b(?:MoE|mixture|experts?|activ\w+|speculat\w+|draft|batch(?:es|ed|ing)?(?! (?:size )?(?:of )?(?:1|one)\b)|"
    r"concurrent\w*|users?|"
    r"aggregate\w*|prefill|prompt|sparse|offload\w*|requests?|sequences|streams)\b",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(?:at most|max\w*|tops? out|upper bound|ceiling|limit\w*|bound|no more than|theoretical\w*|at best|cap)\b",
    re.IGNORECASE,
)
_ALL_WEIGHTS = re.compile(
    r"\bbandwidth\b|\bmemory[- ]bound\b|"
    r"\bread\w* (?:all |every |through )?(?:of )?(?:the |its )?(?:weights?|parameters?|model)\b",
    re.IGNORECASE,
)
_EACH = re.compile(r"[\s,]*(?:\(?\w+\)?\s+)?(?:peak\s+)?(?:per|each|a|apiece)\b", re.IGNORECASE)
_TOGETHER = re.compile(
    r"\b(?:cluster|pod|total|together|combined|aggregate|altogether|all of them|in all|full|whole)\b", re.IGNORECASE
)
_IN_USE = re.compile(
    r"\b(?:MFU|HFU|utili[sz]\w+|sustain\w*|achiev\w*|effective\w*|reach\w*|actual\w*|in practice|realistic\w*)\b|%",
    re.IGNORECASE,
)


def flows(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Transfers, decoding, power and rates of many chips that their own figures give otherwise."""
    before: Told | None = None
    of_cluster: dict[int, list[Told]] = {}
    for told in text:
        window = (told,) if before is None or before.scope != told.scope else (before, told)
        here = of_cluster.setdefault(told.scope, [])
        here.append(told)
        yield from _transfer(told)
        yield from _decoding(told, window)
        yield from _power(told)
        yield from _price(told)
        yield from _share(told)
        yield from _share_of_peak(told)
        yield from _together(told, here[-4:])
        before = told


def _of(told: Told, *kinds: str) -> list[Amount]:
    return [one for one in told.read.amounts if one.is_(*kinds)]


def _transfer(told: Told) -> Iterator[Finding]:
    """As in "26 GB over a 400 Gb/s link take 0.5 s"."""
    words = told.sentence.text
    sizes = [one for one in _of(told, "byte") if one.low >= 1e6 and not is_of_a_device(told, one)]
    links, times = _of(told, "byte/s"), [one for one in _of(told, "s") if one.high < LONGEST]
    if not (len(sizes) == len(links) == len(times) == 1) or not _MOVED.search(words) or _MANY_TIMES.search(words):
        return
    size, link, time = sizes[0], links[0], times[0]
    due = middle(size) / middle(link)
    ratio = middle(time) / due
    if time.number.bound or (any(near(ratio, value) for value in (8.0, 0.125)) and _of(told, "chip")):
        return
    slip: tuple[Class, str] | None = None
    if near(ratio, 8.0, 0.12) or near(ratio, 0.125, 0.12):
        slip = "bits_for_bytes", "likely bits taken for bytes, or bytes for bits"
    elif near(ratio, 60.0, 0.12) or near(ratio, 1 / 60, 0.12):
        slip = "time_unit", "likely minutes and seconds mixed up"
    slip = slip or slip_of(ratio)
    if slip is None:
        return
    reason = f"{size.text} at {link.text} take {_seconds(due)}; {slip[1]}"
    yield finding(told.sentence, time, slip[0], reason, says=middle(time), recomputed=due, unit=unit("s"))


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def _decoding(told: Told, window: tuple[Told, ...]) -> Iterator[Finding]:
    """As in "140 GB of weights at 3.35 TB/s: 24 tokens a second at most": a token reads every weight once."""
    speeds = _of(told, "token/s")
    words = " ".join(one.sentence.text for one in window)
    if len(speeds) != 1 or speeds[0].number.bound == ">" or not _ALL_WEIGHTS.search(words) or _SHARED.search(words):
        return
    said = replace(speeds[0], number=replace(speeds[0].number, bound=""))  # "at most 24" says what the limit is
    widths = [one for part in window for one in _of(part, "byte/s")]
    weights = [value for part in window for value in _weights(part)]
    if not widths or not weights:
        return
    counts = {1.0, *(one.value for part in window for one in _of(part, "chip"))}
    options = [middle(one) / value * count for one in widths for value in weights for count in counts]
    if any(abs(log(said.off(value))) <= 0.12 for value in options):
        return
    most = max(options)
    ratio = said.off(most)
    if ratio < 1.0:
        least = min(options)
        ratio = said.off(least)
        if ratio > 1.0 or not _LIMIT.search(told.sentence.text) or not _decoding_slip(ratio):
            return
        most = least
    slip = _decoding_slip(ratio)
    reason = f"read once for each token, the weights allow {most:.3g} tokens a second{f'; {slip[1]}' if slip else ''}"
    kind: Class = slip[0] if slip else "contradiction"
    yield finding(told.sentence, said, kind, reason, says=middle(said), recomputed=most, unit=unit("token/s"))


def _decoding_slip(ratio: float) -> tuple[Class, str] | None:
    if any(near(ratio, value) for value in (2.0, 4.0, 0.5, 0.25)):
        return "constant", "likely the bytes of another number format"
    if near(ratio, 8.0) or near(ratio, 0.125):
        return "bits_for_bytes", "likely bits taken for bytes, or bytes for bits"
    return slip_of(ratio)


def _weights(told: Told) -> Iterator[float]:
    """Bytes of weights that a sentence names: as said, or a size in the one format that is named."""
    said = [one for one in _of(told, "byte") if one.low >= 1e8 and not is_of_a_device(told, one)]
    yield from (middle(one) for one in said)
    forms = {name.key for name in told.read.names if name.kind == "dtype" and name.key in formats()}
    sizes = [one for one in told.read.amounts if one.kind == "param" and one.low >= 1e8]
    if len(forms) == 1 and len(sizes) == 1:
        yield by(memory.weight_bytes, middle(sizes[0]), formats()[next(iter(forms))].bytes)


def _power(told: Told) -> Iterator[Finding]:
    """As in "4,000 H100s at 700 W draw 2.8 MW"."""
    chips, powers = _of(told, "chip"), _of(told, "J/s", "J/s/chip")
    if len(chips) != 1 or len(powers) != 2 or chips[0].value < 4:
        return
    each, total = sorted(powers, key=middle)
    if each.high > WATTS_EACH or each.number.bound or total.number.bound or each.low < 30.0:
        return
    due = chips[0].value * middle(each)
    ratio = middle(total) / due
    slip = slip_of(ratio)
    if slip is None or abs(power_of_ten(ratio)) < 1 or 0.8 < ratio < 3.0:
        return
    reason = f"{chips[0].value:,.6g} chips at {each.text} are {_watts(due)}; {slip[1]}"
    yield finding(told.sentence, total, slip[0], reason, says=middle(total), recomputed=due, unit=unit("W"))


_MORE_COST = re.compile(r"\b(?:utili[sz]\w+|margin|profit|cached|input|idle|mark-?up|API)\b|%", re.IGNORECASE)


def _price(told: Told) -> Iterator[Finding]:
    """As in "$2 an hour at 2,500 tokens a second is $0.22 per million tokens"."""
    hours, speeds, prices = _of(told, "$/s", "$/s/chip"), _of(told, "token/s"), _of(told, "$/token")
    if not (len(hours) == len(speeds) == len(prices) == 1) or _MORE_COST.search(told.sentence.text):
        return
    counts = {1.0, *(one.value for one in _of(told, "chip"))}
    options = [middle(hours[0]) * count / middle(speeds[0]) for count in counts]
    due = min(options, key=lambda one: abs(log(prices[0].off(one))))
    ratio = middle(prices[0]) / due
    slip: tuple[Class, str] | None = next(
        (("time_unit", f"likely {words}") for value, words in _HOURS if near(ratio, value, 0.12)), None
    )
    slip = slip or slip_of(ratio)
    if slip is None or prices[0].number.bound:
        return
    reason = f"at that rate a million tokens cost ${1e6 * due:.3g}; {slip[1]}"
    yield finding(told.sentence, prices[0], slip[0], reason, says=middle(prices[0]), recomputed=due)


_HOURS = (
    (60.0, "minutes and seconds mixed up"),
    (1 / 60, "minutes and seconds mixed up"),
    (3600.0, "hours and seconds mixed up"),
    (1 / 3600, "hours and seconds mixed up"),
    (24.0, "days and hours mixed up"),
    (1 / 24, "days and hours mixed up"),
)


def _watts(value: float) -> str:
    return f"{value / 1e6:.4g} MW" if value >= 1e6 else f"{value / 1e3:.4g} kW"


_REACHED = re.compile(
    r"\b(?:sustain\w*|achiev\w*|reach\w*|deliver\w*|gets?|effective\w*|actual\w*|realized)\b", re.IGNORECASE
)


_SO_SHARE = re.compile(
    r"(?:\b(?:or|is|i\.e\.|so|thus|hence)|[,=(–—])\s*(?:an? )?(?:MFU|utili[sz]ation)?(?: of)?\s*(?:about |~|≈)?$",
    re.IGNORECASE,
)


def _share(told: Told) -> Iterator[Finding]:
    """As in "at 40 % MFU an H100 (989 TFLOP/s) sustains 396 TFLOP/s"."""
    shares = [fact.amount for fact in told.facts if fact.role == "mfu"]
    rates = sorted(_of(told, "FLOP/s", "FLOP/s/chip"), key=middle)
    devices = {name.key for name in told.read.names if name.kind == "device"}
    if len(shares) != 1 or len(rates) != 2 or len(devices) > 1 or any(one.number.bound for one in (*shares, *rates)):
        return
    reached, peak = rates
    chips = any(one.value > 1 for one in _of(told, "chip"))
    if chips or not _REACHED.search(told.sentence.text) or (reached.kind == peak.kind == EITHER and peak.low > 1e17):
        return
    due = by(rate.achieved_rate, middle(shares[0]), middle(peak))
    ratio = middle(reached) / due
    slip: tuple[Class, str] | None = slip_of(ratio)
    if near(ratio, 2.0, 0.06) or near(ratio, 0.5, 0.06):
        slip = "sparse_for_dense", "likely the sparse peak, twice the dense one"
    if slip is None:
        return
    reason = f"{shares[0].text} of {peak.text} is {shown(due, 'peak_rate')}; {slip[1]}"
    if shares[0].start > max(one.start for one in rates) and _SO_SHARE.search(told.sentence.text[: shares[0].start]):
        reason = f"{reached.text} of {peak.text} is {100 * middle(reached) / middle(peak):.3g} %; {slip[1]}"
        share = middle(reached) / middle(peak)
        yield finding(told.sentence, shares[0], slip[0], reason, says=middle(shares[0]), recomputed=share)
        return
    yield finding(told.sentence, reached, slip[0], reason, says=middle(reached), recomputed=due, unit=unit("FLOP/s"))


def _share_of_peak(told: Told) -> Iterator[Finding]:
    """As in "420 TFLOP/s per H100, an MFU of 42 %": a share of a peak of that device, whatever the number format."""
    shares = [fact.amount for fact in told.facts if fact.role == "mfu"]
    rates = [one for one in _of(told, "FLOP/s", "FLOP/s/chip") if 1e13 < middle(one) < 5e15]
    devices = {name.key: name for name in told.read.names if name.kind == "device"}
    if not len(shares) == len(rates) == len(devices) == 1 or any(one.number.bound for one in (*shares, *rates)):
        return
    boards = usual_boards(next(iter(devices.values())))
    peaks = [one.value for board in boards for one in (*board.peak_rates.values(), *board.sparse_rates.values())]
    if not peaks or rates[0].kind != "FLOP/s/chip" or any(near(middle(rates[0]) / one, 1.0) for one in peaks):
        return
    found = [by(rate.achieved_rate, middle(shares[0]), one) for one in peaks]
    if any(abs(log(rates[0].off(one))) < _SHARE_SLACK + shares[0].slack for one in found):
        return
    due = min(found, key=lambda one: abs(log(rates[0].off(one))))
    reason = (
        f"{shares[0].text} of no peak of {boards[0].title} is {rates[0].text}; the nearest is {shown(due, 'peak_rate')}"
    )
    yield finding(
        told.sentence, rates[0], "contradiction", reason, says=middle(rates[0]), recomputed=due, unit=unit("FLOP/s")
    )


_SHARE_SLACK = 0.08
"""Peaks differ by that much between boards and clocks of one chip."""


def _together(told: Told, block: list[Told]) -> Iterator[Finding]:
    """As in "128 nodes of 8 H100, 989 TFLOP/s each: 1.01 EFLOP/s"."""
    rates = [one for one in told.read.amounts if one.kind in {EITHER, "FLOP/s", "FLOP/s/chip"}]
    words = told.sentence.text
    if len(rates) != 2 or _IN_USE.search(words):
        return
    each, total = rates
    is_each = each.kind == "FLOP/s/chip" or _EACH.match(words, each.end)
    if not is_each or each.high > 2e16 or middle(total) < 1e14 or not _TOGETHER.search(words[each.end :]):
        return
    counted = _counted(block)
    if counted is None:
        return
    nodes, per_node = counted
    due = by(rate.fleet_peak_rate, nodes * per_node, middle(each))
    ratio = middle(total) / due
    if abs(log(total.off(due))) < 0.1:
        return
    slip = slip_of(ratio)
    if per_node > 1 and near(ratio, 1 / per_node, 0.05):
        slip = "noun_left_out", f"likely machines of {per_node:g} chips counted as chips"
    if slip is None:
        return
    reason = f"{nodes * per_node:,.6g} chips at {each.text} are {shown(due, 'fleet_peak_rate')}; {slip[1]}"
    yield finding(told.sentence, total, slip[0], reason, says=middle(total), recomputed=due, unit=unit("FLOP/s"))


def _counted(block: list[Told]) -> tuple[float, float] | None:
    """Machines and the chips of each, (1, chips) where none are counted; None where it is not said once."""
    nodes = [(told, one) for told in block for one in told.read.amounts if one.kind == "node"]
    chips = [(told, one) for told in block for one in told.read.amounts if one.kind in {"chip", "chip/node"}]
    if len(chips) != 1 or len(nodes) > 1:
        return None
    if not nodes:
        return (1.0, chips[0][1].value) if chips[0][1].kind == "chip" else None
    beside = nodes[0][0].sentence.place == chips[0][0].sentence.place
    within = chips[0][1].kind == "chip/node" or (beside and chips[0][1].value <= 16)
    return (nodes[0][1].value, chips[0][1].value) if within else None
