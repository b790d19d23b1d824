"""A run's figures against each other: 6 N D, chips x time x peak x utilisation, chip-hours, cost, energy, emissions.

Formulas are the book's. A relation is tested where the text says all of it about one subject; bounds follow from the
digits written and from what published runs reach. Where the text gives several values of one thing, only those of one
sentence are put together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.audit.prose.boards import peaks_of
from isoflop.audit.world.found import by, finding, of_fact, one_of, shown, slip_of
from isoflop.audit.world.frames import Frame, Span, frames, picks, span_of
from isoflop.audit.world.known import of_name
from isoflop.audit.world.spending import TIME_SLIPS, by_money, by_power, by_speed, chip_hours
from isoflop.book import rate, work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.facts import Fact, Told

WORK = (0.8, 1.45)
ENCODER_DECODERS = frozenset({"t5", "flant5", "ul2", "mt5", "bart", "byt5"})
LEAST_MFU = 0.02
ALL_OF_PEAK = (0.93, 1.03)


def runs(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Relations between figures of one run that do not hold."""
    for frame in frames(text):
        seen: set[str] = set()
        for picked in picks(frame):
            for found in _related(picked, frame):
                if found.kind not in seen and not (found.level == "note" and found.kind in seen):
                    seen.add(found.kind)
                    yield found


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
    due = Span(
        by(work.train_flops, size.low, amounts["tokens"].low), by(work.train_flops, size.high, amounts["tokens"].high)
    )
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


def _by_chips(picked: dict[str, Fact], amounts: dict[str, Span], frame: Frame) -> Iterator[Finding]:
    """FLOP against chips x time x peak: the utilisation that it takes."""
    time = (
        amounts["chips"] * amounts["train_time"]
        if {"chips", "train_time"} <= amounts.keys()
        else amounts.get("chip_time")
    )
    peak = _peak(picked, frame)
    flops = amounts.get("train_flops")
    if flops is None and "tokens" in amounts and (size := _active(amounts, frame)):
        flops = Span(
            by(work.train_flops, size.low, amounts["tokens"].low),
            by(work.train_flops, size.high, amounts["tokens"].high),
        )
    if time is None or peak is None or flops is None:
        return
    fact = picked.get("train_flops") or picked.get("train_time") or picked["chip_time"]
    reached = Span(
        by(rate.train_flops_by_mfu, 1.0, peak.low, time.low), by(rate.train_flops_by_mfu, 1.0, peak.high, time.high)
    )
    mfu = flops / reached
    text = " ".join(frame.texts)
    if "params" not in picked and "active_params" not in picked and "train_flops" not in picked:
        return
    if mfu.low > ALL_OF_PEAK[1]:
        # With no FLOP in print it is the time that is too short.
        words = (
            f"these chips at their dense peak do {shown(reached.middle, 'train_flops')} in that time: "
            f"it would take an MFU of {100 * mfu.middle:.3g} %"
        )
        share = amounts["mfu"].middle if "mfu" in amounts else 1.0
        slip = one_of(
            mfu.middle / share, tuple((value, "time_unit", f"likely {said}") for value, said in TIME_SLIPS)
        ) or slip_of(mfu.middle / share)
        yield finding(
            fact.sentence,
            fact.amount,
            slip[0] if slip and "mfu" in amounts else "utilisation_above_one",
            f"{words}{f'; {slip[1]}' if slip else ''}",
            says=flops.middle,
            recomputed=share * reached.middle,
        )
    elif "mfu" in amounts:
        yield from _said_mfu(picked, amounts["mfu"], mfu, flops)
    elif ALL_OF_PEAK[0] <= mfu.middle and not any(
        word in text.lower()
        for word in (
            "peak",
            "theoretical",
            "100%",
            "full utili",
            "full efficiency",
            "ideal",
            "upper bound",
            "at most",
            "maximum",
        )
    ):
        yield finding(
            fact.sentence,
            fact.amount,
            "utilisation_missing",
            "the chips' peak is taken as if it were reached: MFU 100 %; published runs reach 20 to 60 %",
            says=flops.middle,
            recomputed=0.4 * reached.middle,
        )
    elif mfu.high < LEAST_MFU:
        slip = one_of(mfu.middle, tuple((0.38 * value, "time_unit", f"likely {said}") for value, said in TIME_SLIPS))
        yield of_fact(
            fact,
            slip[0] if slip else "contradiction",
            f"these chips would reach an MFU of {100 * mfu.middle:.2g} % only; published runs reach 20 to 60 %",
            0.38 * reached.middle,
        )
    else:
        yield finding(
            fact.sentence,
            fact.amount,
            "convention",
            f"implies an MFU of {_percent(_as_written(picked, peak))} at the dense peak",
            level="note",
            says=flops.middle,
            recomputed=reached.middle,
        )


def _as_written(picked: dict[str, Fact], peak: Span) -> Span:
    """The utilisation on the bounds as they are written, without what digits leave open."""
    plain = {role: Span(fact.amount.low, fact.amount.high) for role, fact in picked.items()}
    held = plain["chips"] * plain["train_time"] if {"chips", "train_time"} <= plain.keys() else plain["chip_time"]
    flops = plain.get("train_flops")
    if flops is None:
        size = plain.get("active_params") or plain["params"]
        flops = Span(
            by(work.train_flops, size.low, plain["tokens"].low), by(work.train_flops, size.high, plain["tokens"].high)
        )
    return flops / Span(
        by(rate.train_flops_by_mfu, 1.0, peak.low, held.low), by(rate.train_flops_by_mfu, 1.0, peak.high, held.high)
    )


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
