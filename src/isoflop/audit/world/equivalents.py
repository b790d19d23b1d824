"""Counts of devices that are said to be equivalent to each other, to a rate or to work; and slices by name."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import Amount
from isoflop.audit.prose.boards import SAME, devices_of, peaks_of, rates_of
from isoflop.audit.world.found import finding, near, shown
from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.facts import Told
    from isoflop.audit.prose.names import Name
    from isoflop.hardware import Device


_EQUAL = re.compile(
    r"\b(?:equivalent|equal\w*|same (?:compute|performance|throughput|work|power|FLOP\w*|"
    r"capability|raw|peak)|match\w*|replace\w*|as much (?:compute|work|as)|worth|"
    r"substitute\w*|stand in for|do(?:es)? the work of|"
    r"corresponds?|comparable|rival\w*|on par|identical)\b|=|≈",
    re.IGNORECASE,
)


_NO_COMPUTE = re.compile(
    r"\b(?:memory|bandwidth|cost|price|cheap\w*|power|watts?|training time|tokens per second|"
    r"inference|faster|latency|hours)\b",
    re.IGNORECASE,
)


def slices(told: Told) -> Iterator[Finding]:
    """As in "a v4-64 slice has 64 chips": slices of some TPUs are named by their cores."""
    for match in re.finditer(r"(?<![\w])v(?P<era>[2345]p?|5e|6e)-(?P<count>[0-9]{1,5})(?![\w])", told.sentence.text):
        boards = devices_of(f"tpuv{match['era']}", ())
        yield from _rate_of_slice(told, match, boards)
        said = next(
            (
                amount
                for amount in told.read.amounts
                if amount.kind == "chip" and amount.start > match.end() and amount.start - match.end() < 40
            ),
            None,
        )
        if not boards or said is None:
            continue
        try:
            due = boards[0].chips_in(match.group())
        except BadInput:
            continue
        if due and said.low != due and said.low == int(match["count"]) and said.number.digits:
            yield finding(
                told.sentence,
                said,
                "noun_left_out",
                f"{match.group()} counts cores, two to a chip: {due} chips",
                says=said.value,
                recomputed=float(due),
            )


def _rate_of_slice(told: Told, match: re.Match[str], boards: tuple[Device, ...]) -> Iterator[Finding]:
    """As in "a v4-64 slice delivers 275 TFLOPS": that is one chip's rate."""
    text = told.sentence.text
    rate = next((one for one in told.read.amounts if one.is_("FLOP/s") and one.start > match.end()), None)
    if rate is None or not boards or re.search(r"\b(?:per|each|every|a|one|single)\s+chip\b|\beach\b", text):
        return
    between = text[match.end() : rate.start]
    if len(between) > 60 or not re.search(r"\b(?:deliver|offer|provid|has|does|reach|peak|giv|perform)\w*\b", between):
        return
    try:
        chips = boards[0].chips_in(match.group())
    except BadInput:
        return
    peaks = [figure.value for dtype, figure in boards[0].peak_rates.items() if dtype in {"bf16", "fp16"}]
    if chips > 1 and any(near(rate.off(value), 1.0, 0.03) for value in peaks):
        reason = f"that is the rate of one chip; {match.group()} has {chips} of them"
        yield finding(told.sentence, rate, "noun_left_out", reason, says=rate.value, recomputed=chips * rate.value)


def equivalents(told: Told, named: list[Name]) -> Iterator[Finding]:
    """As in "two A100 are equivalent to eight V100": counts times dense peaks, of each other or of a rate."""
    text = told.sentence.text
    counted = [amount for amount in told.read.amounts if amount.kind == "chip" and amount.device is not None]
    counted += [
        _one_of(name)
        for name in named
        if not any(amount.device and amount.device.start == name.start for amount in counted)
        and re.search(r"\b(?:an?|one|single|each)\s+(?:NVIDIA\s|Google\s)?$", text[: name.start], re.IGNORECASE)
    ]
    counted.sort(key=lambda amount: amount.start)
    if not _EQUAL.search(text) or re.search(r"\bnot\b|n't\b", text):
        return
    pairs = [
        (one, other)
        for one, other in itertools.pairwise(counted)
        if _EQUAL.search(
            text[one.end : other.start] + (" " + text[other.end : other.end + 40] if len(counted) == 2 else "")
        )
    ]
    if pairs:
        yield from _two(told, *pairs[0])
        return
    work = next((amount for amount in told.read.amounts if amount.is_("FLOP", "FLOP/s") and amount.low >= 1e14), None)
    if (
        len(counted) == 1
        and work is not None
        and counted[0].device is not None
        and not _is_between(told, counted[0], work)
        and _EQUAL.search(text[min(work.end, counted[0].end) : max(work.start, counted[0].start)])
    ):
        yield from _of_work(told, counted[0], work)


def _is_between(told: Told, one: Amount, other: Amount) -> bool:
    """Whether a count stands between two amounts, so that the sign there is of another sum."""
    low, high = min(one.end, other.end), max(one.start, other.start)
    return any(low <= amount.start < high and amount.kind in {"chip", "node"} for amount in told.read.amounts)


def _one_of(name: Name) -> Amount:
    from isoflop.audit.prose.numbers import Number

    number = Number(low=1.0, high=1.0, start=name.start, end=name.end, digits=3)
    return Amount(
        low=1.0,
        high=1.0,
        kind="chip",
        unit="chip",
        text=name.text,
        start=name.start,
        end=name.end,
        number=number,
        device=name,
    )


def _two(told: Told, one: Amount, other: Amount) -> Iterator[Finding]:
    assert one.device is not None
    assert other.device is not None
    text = told.sentence.text
    if one.device.key == other.device.key or _NO_COMPUTE.search(re.sub(r"same (?:performance|throughput)", "", text)):
        return
    ones, others = devices_of(one.device.key, one.device.words), devices_of(other.device.key, other.device.words)
    said = {dtype for name in told.read.names if name.kind == "dtype" for dtype in SAME.get(name.key, ())}
    ratios = [
        one.value * a.peak_rates[dtype].value / (other.value * b.peak_rates[dtype].value)
        for a in ones
        for b in others
        for dtype in a.peak_rates
        if dtype in b.peak_rates and (not said or dtype in said)
    ]
    if not ratios or any(0.84 <= ratio <= 1.19 for ratio in ratios):
        return
    (low, high), (low_other, high_other) = peaks_of(one.device), peaks_of(other.device)
    if not low or not low_other:
        return
    ratio = one.value * high / (other.value * high_other)
    needed = one.value / ratio
    sparse = max(rates_of(ones, ("bf16", "fp16"), sparse=True), default=0.0)
    by_sparse = sparse and one.value * sparse / (other.value * high_other) > 0.84 > ratio
    slip: tuple[Class, str] = (
        ("sparse_for_dense", f"; the sparse peak, {shown(sparse, 'peak_rate')}, was likely taken")
        if by_sparse
        else ("device_figure", "")
    )
    reason = (
        f"at their dense peaks {one.value:g} {one.device.text} do {ratio:.2g} times what "
        f"{other.value:g} {other.device.text} do; it would take {needed:.2g}{slip[1]}"
    )
    yield finding(told.sentence, one, slip[0], reason, says=one.value, recomputed=needed)


def _of_work(told: Told, chips: Amount, work: Amount) -> Iterator[Finding]:
    """As in "1 PF-day is eight V100 for a day": chips x peak, and a day where the amount is of work."""
    assert chips.device is not None
    _low, high = peaks_of(chips.device)
    if not high:
        return
    time = next((amount.value for amount in told.read.amounts if amount.kind == "s"), None)
    if time is None and re.search(
        r"\b(?:one|a|full|single|whole)\s+(?:full\s+|whole\s+)?day\b|\bday\b", told.sentence.text
    ):
        time = 86400.0
    seconds = 1.0 if work.kind != "FLOP" else time
    if seconds is None or (
        re.search(r"\b(?:hour|week|month)s?\b", told.sentence.text) and work.kind == "FLOP" and time == 86400.0
    ):
        return
    said, due = work.value, chips.value * high * seconds
    boards = devices_of(chips.device.key, chips.device.words)
    values = [
        chips.value * figure.value * seconds
        for board in boards
        for dtype, figure in board.peak_rates.items()
        if dtype in {"bf16", "fp16", "tf32", "fp32", "fp8"}
    ]
    if any(0.84 <= value / said <= 1.19 for value in values) or (
        (work.number.about or work.number.bound) and any(0.7 <= value / said <= 1.4 for value in values)
    ):
        return
    if re.search(r"\b(?:MFU|utili[sz]ation|%)", told.sentence.text):
        return
    sparse = [chips.value * value * seconds for value in rates_of(boards, ("bf16", "fp16"), sparse=True)]
    kind: Class = "sparse_for_dense" if any(0.84 <= value / said <= 1.19 for value in sparse) else "device_figure"
    needed = chips.value * said / due
    yield finding(
        told.sentence,
        chips,
        kind,
        f"at the dense peak of {chips.device.text} it takes {needed:.3g} of them",
        says=chips.value,
        recomputed=needed,
    )
