"""A run's figures against each other: 6 N D, chips x time x peak x utilisation, chip-hours, cost, energy, emissions.

Formulas are the book's. A relation is tested where the text says all of it about one subject; bounds follow from the
digits written and from what published runs reach. Where the text gives several values of one thing, only those of one
sentence are put together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.ask.assumptions import MFU_MEDIAN
from isoflop.audit.prose.boards import peaks_of
from isoflop.audit.world.found import finding, of_fact, one_of, shown, slip_of
from isoflop.audit.world.frames import Frame, Span, frames, over, picks, span_of
from isoflop.audit.world.known import of_name
from isoflop.audit.world.spending import TIME_SLIPS, by_money, by_power, by_speed, chip_hours, held
from isoflop.book import rate, work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isoflop.audit.document import Class, Finding, Level
    from isoflop.audit.prose.facts import Fact, Told

WORK = (0.8, 1.45)
ENCODER_DECODERS = frozenset({"t5", "flant5", "ul2", "mt5", "bart", "byt5"})
LEAST_MFU = 0.02
USUAL = 0.38
"""A utilisation in the middle of what published runs reach, where a factor needs something to be held against."""

_SAYS_WORK = frozenset({"params", "active_params", "train_flops"})
_A_RUN = re.compile(r"\b(?:pre-?)?train\w*\b|\bruns?\b|\bjob\b", re.IGNORECASE)
_MEANT = re.compile(
    r"sustained|peak|theoretical|100%|full utili|full efficiency|ideal|upper bound|at most|maximum", re.IGNORECASE
)
ALL_OF_PEAK = (0.93, 1.03)
CLEARLY_ABOVE = 1.1


def runs(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Relations between figures of one run that do not hold."""
    brief = len(text) <= BRIEF
    for frame in frames(text):
        seen: set[str] = set()
        for picked in picks(frame):
            for found in (*_related(picked, frame), *(_implied(picked, frame) if brief else ())):
                if found.kind not in seen and not (found.level == "note" and found.kind in seen):
                    seen.add(found.kind)
                    yield found


BRIEF = 3
"""Sentences of a text that is a claim and no document: what it comes down to is said even where nothing is tested."""


def _implied(picked: dict[str, Fact], frame: Frame) -> Iterator[Finding]:
    """What a claim comes to where it leaves the work open: 6 N D, or what its chips do at a usual utilisation."""
    amounts = {role: Span(fact.amount.low, fact.amount.high) for role, fact in picked.items()}
    if "train_flops" in amounts:
        return
    size, time, peak = _active(amounts, frame), held(amounts), _peak(picked, frame)
    if size is not None and "tokens" in amounts:
        fact, due = picked["tokens"], _of_size(size, amounts["tokens"]).middle
        yield of_fact(fact, "convention", f"6 N D of it is {shown(due, 'train_flops')}", None, level="note")
    elif time is not None and peak is not None:
        fact, due = picked.get("train_time") or picked["chip_time"], MFU_MEDIAN * _at_peak(peak, time).middle
        words = f"at an MFU of {100 * MFU_MEDIAN:.0f} % these chips do {shown(due, 'train_flops')} in that time"
        yield of_fact(fact, "convention", words, None, level="note")


def _related(picked: dict[str, Fact], frame: Frame) -> Iterator[Finding]:
    amounts = {role: span_of(fact.amount) for role, fact in picked.items()}
    yield from _by_size(picked, amounts, frame)
    yield from _by_chips(picked, amounts, frame)
    yield from chip_hours(picked, amounts)
    yield from by_money(picked, amounts)
    yield from by_power(picked, amounts)
    yield from by_speed(picked, amounts)


def _active(amounts: dict[str, Span], frame: Frame) -> Span | None:
    """Parameters that work on each token: as said, as catalogued for a mixture, else all."""
    if "active_params" in amounts:
        return amounts["active_params"]
    if frame.name is not None:
        mixtures = [one for one in of_name(frame.name) if one.is_mixture and one.active_params]
        if mixtures:
            return Span(
                min(one.active_params or 0 for one in mixtures), max(one.active_params or 0 for one in mixtures)
            )
    return amounts.get("params")


def _by_size(picked: dict[str, Fact], amounts: dict[str, Span], frame: Frame) -> Iterator[Finding]:
    """FLOP against 6 N D."""
    size = _active(amounts, frame)
    if size is None or "tokens" not in amounts or "train_flops" not in amounts:
        return
    due = _of_size(size, amounts["tokens"])
    ratio = amounts["train_flops"] / due
    low = 0.4 if frame.name is not None and frame.name.key in ENCODER_DECODERS else WORK[0]
    if ratio.meets(low, WORK[1]):
        return
    fact, value = picked["train_flops"], ratio.middle
    slip = (
        one_of(
            value,
            (
                (1 / 3, "forward_for_training", "likely the forward pass alone: 2 N D where training takes 6 N D"),
                (1 / 6, "constant", "likely N D without the 6"),
                (1 / 2, "mac_for_flop", "likely multiply-accumulates, each of which is 2 FLOP"),
                (2.0, "mac_for_flop", "likely each multiply-accumulate counted twice over"),
                (0.75, "words_for_tokens", "likely words for tokens"),
            ),
        )
        or slip_of(value)
        or _mixture(frame)
    )
    reason = f"6 N D of what is said here is {shown(due.middle, 'train_flops')}"
    yield of_fact(fact, slip[0] if slip else "contradiction", f"{reason}; {slip[1]}" if slip else reason, due.middle)


def _mixture(frame: Frame) -> tuple[Class, str] | None:
    if any(word in " ".join(frame.texts) for word in ("mixture of experts", "mixture-of-experts", "MoE", "experts")):
        return "active_for_total", "likely total parameters where those that work on each token count"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """What a run's chips can do at most in its time, what it is said to have done, and where that is said."""

    fact: Fact
    flops: Span
    most: Span
    peak: Span
    text: str

    @property
    def mfu(self) -> Span:
        """The utilisation that it takes."""
        return self.flops / self.most


def _by_chips(picked: dict[str, Fact], amounts: dict[str, Span], frame: Frame) -> Iterator[Finding]:
    """FLOP against chips x time x peak: the utilisation that it takes."""
    reach = _reach(picked, amounts, frame)
    if reach is None:
        return
    mfu = reach.mfu
    if mfu.low > ALL_OF_PEAK[1]:
        yield _too_much(reach, amounts)
    elif "mfu" in amounts:
        yield from _said_mfu(picked, amounts["mfu"], mfu, reach.flops)
    elif mfu.middle >= ALL_OF_PEAK[0] and not _MEANT.search(reach.text) and _A_RUN.search(reach.text):
        if mfu.middle > CLEARLY_ABOVE:
            yield _too_much(reach, amounts)
            return
        words = "the chips' peak is taken as if it were reached: MFU 100 %; published runs reach 20 to 60 %"
        yield _at(reach, "utilisation_missing", words, 0.4 * reach.most.middle)
    elif mfu.high < LEAST_MFU:
        slip = one_of(mfu.middle, tuple((USUAL * value, "time_unit", f"likely {said}") for value, said in TIME_SLIPS))
        words = f"these chips would reach an MFU of {100 * mfu.middle:.2g} % only; published runs reach 20 to 60 %"
        yield of_fact(reach.fact, slip[0] if slip else "contradiction", words, USUAL * reach.most.middle)
    else:
        words = f"implies an MFU of {_percent(_as_written(picked, reach.peak))} at the dense peak"
        yield _at(reach, "convention", words, reach.most.middle, level="note")


def _reach(picked: dict[str, Fact], amounts: dict[str, Span], frame: Frame) -> _Reach | None:
    """The figures of a run that its utilisation follows from; None where one is not said."""
    time, peak, flops = held(amounts), _peak(picked, frame), amounts.get("train_flops")
    if flops is None and "tokens" in amounts and (size := _active(amounts, frame)):
        flops = _of_size(size, amounts["tokens"])
    if time is None or peak is None or flops is None or not _SAYS_WORK & picked.keys():
        return None
    fact = picked.get("train_flops") or picked.get("train_time") or picked["chip_time"]
    return _Reach(fact=fact, flops=flops, most=_at_peak(peak, time), peak=peak, text=" ".join(frame.texts))


def _of_size(size: Span, tokens: Span) -> Span:
    return over(work.train_flops, size, tokens)


def _at_peak(peak: Span, time: Span) -> Span:
    return over(rate.train_flops_by_mfu, Span(1.0, 1.0), peak, time)


def _at(reach: _Reach, kind: Class, words: str, recomputed: float, level: Level = "world") -> Finding:
    fact = reach.fact
    return finding(fact.sentence, fact.amount, kind, words, says=reach.flops.middle, recomputed=recomputed, level=level)


def _too_much(reach: _Reach, amounts: dict[str, Span]) -> Finding:
    """More work than the peak allows; with a utilisation said, what factor is between."""
    share = amounts["mfu"].middle if "mfu" in amounts else 1.0
    off = reach.mfu.middle / share
    slip = one_of(off, tuple((value, "time_unit", f"likely {said}") for value, said in TIME_SLIPS)) or slip_of(off)
    words = (
        f"these chips at their dense peak do {shown(reach.most.middle, 'train_flops')} in that time: "
        f"it would take an MFU of {100 * reach.mfu.middle:.3g} %{f'; {slip[1]}' if slip else ''}"
    )
    kind: Class = slip[0] if slip and "mfu" in amounts else "utilisation_above_one"
    return _at(reach, kind, words, share * reach.most.middle)


def _as_written(picked: dict[str, Fact], peak: Span) -> Span:
    """The utilisation on the bounds as they are written, without what digits leave open."""
    plain = {role: Span(fact.amount.low, fact.amount.high) for role, fact in picked.items()}
    time, flops = held(plain), plain.get("train_flops")
    assert time is not None
    if flops is None:
        flops = _of_size(plain.get("active_params") or plain["params"], plain["tokens"])
    return flops / _at_peak(peak, time)


def _percent(mfu: Span) -> str:
    return (
        f"{100 * mfu.middle:.3g} %"
        if mfu.high < 1.06 * mfu.low
        else f"{100 * mfu.middle:.3g} % ({100 * mfu.low:.3g} to {100 * mfu.high:.3g} %)"
    )


def _said_mfu(picked: dict[str, Fact], said: Span, mfu: Span, flops: Span) -> Iterator[Finding]:
    ratio = said / mfu
    if ratio.meets(0.82, 1.25):
        return
    value = 1 / ratio.middle
    slip = one_of(
        value,
        (
            (2.0, "sparse_for_dense", "likely the sparse peak, twice the dense one"),
            (0.5, "sparse_for_dense", "likely against the sparse peak, twice the dense one"),
            *((target, "time_unit", f"likely {words}") for target, words in TIME_SLIPS),
            (8.0, "noun_left_out", "likely machines of 8 chips counted as chips"),
            (1 / 8, "noun_left_out", "likely machines of 8 chips counted as chips"),
            (3.0, "forward_for_training", "likely the forward pass alone"),
            (1 / 3, "forward_for_training", "likely the forward pass alone"),
        ),
    ) or slip_of(value)
    fact = picked.get("train_flops") or picked["mfu"]
    words = f"FLOP, chips and time come to an MFU of {_percent(mfu)}, not {_percent(said)}"
    yield finding(
        fact.sentence,
        fact.amount,
        slip[0] if slip else "contradiction",
        f"{words}; {slip[1]}" if slip else words,
        factor=value,
        says=flops.middle,
        recomputed=flops.middle / value,
    )


def _peak(picked: dict[str, Fact], frame: Frame) -> Span | None:
    """The dense peak of the chips that are named with the run: of 16-bit formats, over all boards of the name."""
    chips = picked.get("chips") or picked.get("chip_time")
    named = chips.amount.device if chips is not None else None
    if named is None and len(frame.devices) == 1:
        named = next(iter(frame.devices.values()))
    if named is None:
        return None
    low, high = peaks_of(named)
    return Span(low, high) if high else None


def each(found: Iterable[Finding]) -> list[Finding]:
    """Findings as a list."""
    return list(found)
