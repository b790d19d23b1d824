"""Figures of devices against the catalogue: rates (dense, sparse, reached), memory, bandwidth, power."""

from __future__ import annotations

import re
from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.boards import SAME, devices_of, peaks_of, rates_of, usual_boards
from isoflop.audit.prose.kinds import kind_of
from isoflop.audit.world.equivalents import equivalents, slices
from isoflop.audit.world.found import finding, middle, near, shown, slip_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told
    from isoflop.audit.prose.names import Name
    from isoflop.hardware import Device

GIB = 2.0**30
CLOSE = 0.035
"""How far a printed figure may be from the catalogue's: boards and clocks differ by that much."""

_SPARSE = re.compile(r"\bspars\w*|\bstructured\b|\b2:4\b", re.IGNORECASE)
_REACHED = re.compile(
    r"\b(?:achiev\w+|sustain\w*|reach\w*|measur\w+|observ\w+|effective\w*|realiz\w+|realis\w+|"
    r"obtain\w*|attain\w*|throughput|hit|hits|get|gets|getting|got|saw|see|in practice|MFU|"
    r"HFU|real-world|"
    r"actual\w*|averag\w+|per-GPU)\b",
    re.IGNORECASE,
)
_PEAKY = re.compile(
    r"\b(?:peak|theoretical|dense|max\w*|up to|datasheet|rated|spec\w*|capable|advertis\w*)\b", re.IGNORECASE
)
_FAR = re.compile(r"[;]|\b(?:while|whereas|compared|versus|vs\.?|than|but)\b", re.IGNORECASE)
_CLUSTER = re.compile(
    r"\b(?:cluster|pod|superpod|supercomputer|total|combined|together|aggregate|node|server|"
    r"DGX|system|rack|full|machine|slice)\b",
    re.IGNORECASE,
)


_OF_MANY = re.compile(
    r"\s*(?:\w+\s+)?(?:for|in|across|per|of)\s+(?:the|a|each|all|our)?\s*(?:whole\s|entire\s|full\s)?"
    r"(?:node|cluster|pod|total|aggregate|system|server|box|rack|machine|all)",
    re.IGNORECASE,
)
_HAS = re.compile(
    r"'?s?\s*(?:GPUs?|chips?|cards?)?\s*(?:,?\s*(?:in comparison|by contrast|in contrast|"
    r"however),?\s*)?(?:\(|,|:|has|have|with|offers?|comes? with|provides?|"
    r"features?|ships? with|packs?|holds?|carries|only has|of|is equipped with|each (?:with|"
    r"has)|VRAM|memory|HBM\w*)*\s*(?:of|up to|only|just|is|a|an|about)?\s*(?:memory|VRAM|"
    r"HBM\w*)?\s*(?:of|is)?\s*"
)
_OF_MEMORY = re.compile(
    r"\s*(?:of\s+)?(?:\w+\s+)?(?:VRAM|memory|HBM\w*|RAM|GDDR\w*|on-?board|GPU memory|\)|,|$|\.|card|GPU|each)"
)


def device_figures(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Rates, memory and power of devices that the catalogue has otherwise; counts that are said to be equivalent."""
    block_text: dict[int, str] = {}
    for told in text:
        block_text[told.scope] = block_text.get(told.scope, "") + " " + told.sentence.text
    for told in text:
        yield from slices(told)
        named = [name for name in told.read.names if name.kind == "device"]
        if not named:
            continue
        equal = list(equivalents(told, named))
        yield from equal
        if equal:
            continue
        for amount in told.read.amounts:
            name = amount.device if amount.kind == "FLOP/s/chip" and amount.device else _whose(told, amount, named)
            if name is None or (amount.number.bound == "<" and not _PEAKY.search(told.sentence.text)):
                continue
            yield from _figure(told, amount, name, block_text[told.scope])


_COMPARED_WITH = re.compile(
    r"\b(?:as|than|like|unlike|versus|vs\.?|over|compared (?:to|with)|relative to|twice|times|"
    r"half|successor (?:to|of)|beyond)\s+"
    r"(?:the\s+|an?\s+|its\s+|older\s+)*$",
    re.IGNORECASE,
)


def _whose(told: Told, amount: Amount, named: list[Name]) -> Name | None:
    """The device that a figure is of: the nearest, with no other clause between."""
    text = told.sentence.text
    named = [name for name in named if _is_owner(text, name, amount)]
    before = [name for name in named if name.end <= amount.start]
    after = [name for name in named if name.start >= amount.end]
    if after and re.fullmatch(
        r"\s*(?:GPUs?|memory|HBM\w*|VRAM)?\s*(?:per|for (?:the|an?)|on (?:the|an?)|of (?:the|an?)|"
        r"from (?:the|an?)|in (?:the|an?)|,|of HBM\w*)?\s*(?:single\s|each\s|one\s|NVIDIA\s)?",
        text[amount.end : after[0].start],
    ):
        return after[0]
    if before and not _FAR.search(text[before[-1].end : amount.start]) and amount.start - before[-1].end < 90:
        return before[-1]
    return None


_ITS_PEAK = re.compile(
    r"\s*(?:(?:dense|sparse|theoretical|bf16|fp16|fp8|tensor[- ]core|half[- ]precision)\s+){0,3}"
    r"(?:peak|maximum|memory bandwidth|bandwidth)\b\s*(?:rate\s+|throughput\s+|performance\s+)?(?:\w+\s+){0,2}"
    r"(?:is|of|=|:|at)?\s*(?:about\s+|only\s+|~)?",
    re.IGNORECASE,
)


def _is_owner(text: str, name: Name, amount: Amount) -> bool:
    """Whether more than the next figure can be of a device: not where it is compared with, or a genitive."""
    gap = amount.start - name.end
    if 0 <= gap <= 3:
        return True
    if _COMPARED_WITH.search(text[: name.start]):
        return False
    genitive = gap > 0 and name.text.endswith(("'s", "’s"))
    return not genitive or _ITS_PEAK.fullmatch(text[name.end : amount.start]) is not None


def _figure(told: Told, amount: Amount, name: Name, block: str) -> Iterator[Finding]:
    boards = devices_of(name.key, name.words)
    if not boards:
        return
    text = told.sentence.text
    if amount.is_("FLOP/s", "FLOP/s/chip") or (
        amount.kind == "FLOP" and 1e12 <= amount.low < 1e17 and not re.search(r"token|forward|param", text)
    ):
        # "up to 312 TFLOPS" says what the peak is.
        exact = replace(amount, number=replace(amount.number, bound=""))
        yield from _rate(told, exact, (name, boards), block)
    elif amount.kind in {"byte", "byte/s"}:
        yield from _memory(told, amount, (name, boards))
    elif (
        amount.kind in {"J/s", "J/s/chip"}
        and re.search(r"\bTDP\b|thermal design", text[max(0, amount.start - 30) : amount.end + 30])
        and not re.search(r"\bmeasured|system|server|against|versus|vs\b", text)
    ):
        values = [figure.value for board in boards if (figure := board.tdp)]
        yield from _listed(told, amount, values, "chip_power", f"{name.text}: a TDP of")


def _counted(told: Told, name: Name) -> float:
    """How many of a device the text counts right before it: "8x A100", "eight A100s"."""
    return next(
        (
            amount.value
            for amount in told.read.amounts
            if amount.kind == "chip" and amount.device is not None and amount.device.start == name.start
        ),
        1.0,
    )


def _rate(told: Told, amount: Amount, which: tuple[Name, tuple[Device, ...]], block: str) -> Iterator[Finding]:
    name, boards = which
    text = told.sentence.text
    near_text = _words_around(told, amount)
    count = _counted(told, name)
    dtypes = _dtypes_near(told, amount)
    dense = rates_of(boards, dtypes, sparse=False)
    sparse = rates_of(boards, dtypes, sparse=True)
    others = [
        one.value
        for board in boards
        for one in board.disagreements
        if "FLOP" in kind_of(one.unit)[0] and (not dtypes or one.figure.rpartition(".")[2] in dtypes)
    ]
    if not dense or _is_of_many(text, amount, count):
        return
    just_before = _REACHED.search(text[max(0, amount.start - 22) : amount.start])
    if just_before or (_REACHED.search(near_text) and not _PEAKY.search(near_text)):
        yield from _reached(told, amount, which, count)
    elif _is_one_of(amount, [*dense, *others, *_of_twice(told, boards)]):
        return
    elif count > 1 and not re.search(r"\beach\b|\bper\b|\bapiece\b", text):
        yield from _of_several(told, amount, count, (dense, [*sparse, *others]))
    elif (hit := next((value for value in sparse if _is_one_of(amount, [value])), None)) is not None:
        if not _SPARSE.search(block):
            reason = f"that is the peak for 2:4 sparsity; dense matrices reach {shown(hit / 2, 'peak_rate')} at most"
            yield finding(told.sentence, amount, "sparse_for_dense", reason, says=middle(amount), recomputed=hit / 2)
    else:
        yield from _unknown_rate(told, amount, name, [*sparse, *dense] if _SPARSE.search(near_text) else dense, dtypes)


def _of_twice(told: Told, boards: tuple[Device, ...]) -> list[float]:
    """Dense peaks of every format named where one is held against another: "FP8 doubles the BF16 peak to 1,979"."""
    if not re.search(r"\b(?:doubl\w+|twice|halv\w+|half)\b", told.sentence.text):
        return []
    named = {dtype for name in told.read.names if name.kind == "dtype" for dtype in SAME.get(name.key, ())}
    return rates_of(boards, tuple(named), sparse=False) if len(named) > 1 else []


def _words_around(told: Told, amount: Amount) -> str:
    """What is said of a figure: the words around it, up to the figures beside it of the same kind."""
    text, others = told.sentence.text, [one for one in told.read.amounts if "FLOP" in one.kind]
    begin = max((one.end for one in others if one.end <= amount.start), default=0)
    end = min((one.start for one in others if one.start >= amount.end), default=len(text))
    return text[max(begin, amount.start - 70) : min(end, amount.end + 40)]


def _is_one_of(amount: Amount, values: Iterable[float]) -> bool:
    return any(abs(log(amount.off(value))) <= CLOSE for value in values)


def _is_of_many(text: str, amount: Amount, count: float) -> bool:
    """Whether a rate is that of a cluster or node, not of one device."""
    if _OF_THEM.search(text[: amount.start]):
        return True
    if (amount.device is not None and amount.kind != "FLOP/s/chip") or _OF_MANY.search(
        text[amount.end : amount.end + 30]
    ):
        return True
    return count == 1.0 and _CLUSTER.search(text) is not None and not _OF_ONE.search(text)


_OF_THEM = re.compile(r"\b[0-9][0-9,]* of (?:them|these|those)\b[^.;,]{0,24}$")
_OF_ONE = re.compile(r"\b(?:per|each|single|one|an?)\s+(?:GPU|TPU|chip|A100|H100|V100|accelerator)")


def _of_several(told: Told, amount: Amount, count: float, rates: tuple[list[float], list[float]]) -> Iterator[Finding]:
    """Rates of "8x A100" together: wrong only by a decimal place or a prefix, for much else may be meant."""
    dense, others = rates
    if _is_one_of(amount, [value * factor for value in (*dense, *others) for factor in (1.0, count)]):
        return
    best = min(dense, key=lambda value: abs(log(middle(amount) / (count * value))))
    if slip_of(middle(amount) / (count * best)):
        reason = f"{count:g} x {shown(best, 'peak_rate')} are {shown(count * best, 'fleet_peak_rate')}"
        yield finding(told.sentence, amount, "device_figure", reason, says=middle(amount), recomputed=count * best)


def _unknown_rate(
    told: Told, amount: Amount, name: Name, dense: list[float], dtypes: tuple[str, ...]
) -> Iterator[Finding]:
    best = min(dense, key=lambda value: abs(log(middle(amount) / value)))
    ratio = middle(amount) / best
    top = peaks_of(name)[1] or max(dense)
    if middle(amount) < 1.03 * top and not dtypes and not _PEAKY.search(_words_around(told, amount)) and ratio > 0.02:
        return  # a rate that is reached, perhaps, and nobody says so
    slip = slip_of(ratio)
    if near(ratio, 0.5, 0.03):
        slip = "mac_for_flop", "likely multiply-accumulates, or one of two dies"
    reason = (
        f"{name.text}: {shown(best, 'peak_rate')} at most{' in ' + dtypes[0] if dtypes else ''}, "
        f"by its maker's data sheet"
    )
    yield finding(
        told.sentence,
        amount,
        slip[0] if slip and slip[0] != "mac_for_flop" else "device_figure",
        f"{reason}; {slip[1]}" if slip else reason,
        says=middle(amount),
        recomputed=best,
    )


def _reached(told: Told, amount: Amount, which: tuple[Name, tuple[Device, ...]], count: float) -> Iterator[Finding]:
    name, boards = which
    dtypes = _dtypes_near(told, amount)
    most = max(rates_of(boards, dtypes or ("bf16", "fp16"), sparse=False), default=0.0)
    if not most and not dtypes:
        return
    if re.search(r"fp8|int8|fp4|8-bit|int4", told.sentence.text, re.IGNORECASE) and not dtypes:
        return
    if most and amount.low * (1 - amount.slack) > 1.03 * most * count and not _CLUSTER.search(told.sentence.text):
        yield finding(
            told.sentence,
            amount,
            "utilisation_above_one",
            f"more than the dense peak of {name.text}, {shown(most, 'peak_rate')}",
            says=middle(amount),
            recomputed=most,
        )


def _dtypes_near(told: Told, amount: Amount) -> tuple[str, ...]:
    """Formats that a rate is said to be of: named close to it."""
    found: list[str] = []
    text = told.sentence.text
    names = [name for name in told.read.names if name.kind == "dtype"]
    for name in names:
        low, high = (amount.end, name.start) if name.start >= amount.end else (name.end, amount.start)
        gap = _without_devices(told, low, high)
        aside = re.fullmatch(r"\s*\(\w+,\s*", gap)  # "989 TFLOPS (dense, BF16)"
        if aside or (len(gap) < 34 and not re.search(r"[;,]|\band\b|[0-9]", gap)):
            found += SAME.get(name.key, ())
    if (
        re.search(r"\btensor[- ]?cores?\b", text[max(0, amount.start - 40) : amount.end + 40], re.IGNORECASE)
        and not found
    ):
        return ()
    if not found and len({name.key for name in names}) == 1 and names[0].key in _USUAL:
        # "in bf16 training ... the dense peak of 1,979": the one format that is named, where the peak is named too.
        found += SAME[names[0].key] if re.search(r"\bdense\b", _words_around(told, amount)) else ()
    return tuple(dict.fromkeys(found))


_USUAL = frozenset({"bf16", "fp16"})


def _without_devices(told: Told, low: int, high: int) -> str:
    """A stretch of a sentence without the names of devices, whose digits are no figures."""
    text = told.sentence.text
    inside = [name for name in told.read.names if name.kind == "device" and low <= name.start and name.end <= high]
    for name in reversed(inside):
        text = text[: name.start] + "it" + text[name.end : high]
        high = len(text)
    return text[low:high]


def _memory(told: Told, amount: Amount, which: tuple[Name, tuple[Device, ...]]) -> Iterator[Finding]:
    name, boards = which
    text = told.sentence.text
    gap = text[name.end : amount.start] if amount.start >= name.end else text[amount.end : name.start]
    if amount.kind == "byte":
        tight = _HAS.fullmatch(gap)
        after = _OF_MEMORY.match(text, amount.end)
        if (
            not tight
            or (amount.start >= name.end and not after)
            or (amount.start < name.end and gap.strip() not in {"", "NVIDIA"})
        ):
            return
        values = [
            figure.value for board in boards for figure in (board.memory.labelled, board.memory.physical) if figure
        ]
        values += [value / 1e9 * GIB for value in values]
        count = _counted(told, name)
        values += [count * value for value in values] if count > 1 else []
        usual = {figure.value for board in usual_boards(name) if (figure := board.memory.labelled)}
        values.sort(key=lambda value: value not in usual)
        yield from _listed(told, amount, values, "memory", f"{name.text}: memory of")
        return
    if not re.search(
        r"\bbandwidth|HBM\w*|memory|GDDR\w*", text[max(0, amount.start - 60) : amount.end + 50], re.IGNORECASE
    ) or re.search(
        r"NVLink|PCIe|InfiniBand|interconnect|network|link|L2|SRAM|shared memory|cache|disk|NVMe|storage",
        text[max(0, amount.start - 60) : amount.end + 50],
        re.IGNORECASE,
    ):
        return
    values = [figure.value for board in boards if (figure := board.memory.bandwidth)]
    values += [one.value for board in boards for one in board.disagreements if one.figure.endswith("bandwidth")]
    if not (
        _REACHED.search(text[max(0, amount.start - 50) : amount.end + 30]) and amount.high < max(values, default=0)
    ):
        yield from _listed(told, amount, values, "bandwidth", f"{name.text}: a bandwidth of")


def _listed(told: Told, amount: Amount, values: list[float], role: str, words: str) -> Iterator[Finding]:
    """A figure that none of the catalogue's values is near to."""
    if not values or any(abs(log(amount.off(value))) <= 0.06 for value in values):
        return
    said = middle(amount)
    mixed = [value for value in values if near(said / value, 8.0, 0.05) or near(said / value, 0.125, 0.05)]
    best = (
        mixed[0]
        if mixed
        else values[0]
        if role in {"memory", "chip_power"}
        else min(values, key=lambda one: abs(log(said / one)))
    )
    ratio = said / best
    slip: tuple[Class, str] = (
        ("bits_for_bytes", "; likely bits taken for bytes, or bytes for bits")
        if near(ratio, 8.0) or near(ratio, 0.125)
        else (slip_of(ratio) or ("device_figure", ""))
    )
    why = slip[1].removeprefix("; ")
    yield finding(
        told.sentence,
        amount,
        slip[0],
        f"{words} {shown(best, role)} by its maker's data sheet{'; ' + why if why else ''}",
        says=middle(amount),
        recomputed=best,
    )
