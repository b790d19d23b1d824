"""How fast and for how much, drawn: rows, reasons, the step's ledger and the JSON of a training run's timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.blocks import Row, Section
from isoflop.report.table import Column
from isoflop.report.words import change, finite, percent, say, say_around

if TYPE_CHECKING:
    from isoflop.report.json import Json
    from isoflop.report.table import Cell
    from isoflop.training import Advice, Bill, Effect, Need, Practised, Scaled, Timing, Why

MOST_TERMS = 4
MOST_GAINS = 3
PEAKS = {"fp32": "32 bits", "tf32": "tf32", "16": "16 bits", "8": "8 bits", "4": "4 bits"}
NOTICED = 0.005
"""Share of the step below which a term or an effect is not spoken of."""


def timing_rows(advice: Advice) -> list[Row]:
    """Step time, rates, utilisation, the bill."""
    held, timing = advice.held, advice.timing
    if held is None or held.pace is None or timing is None:
        return []
    pace, rates = held.pace, timing.rates
    machine = advice.place.machine
    assert machine is not None
    remark = f"5 to 95 %; profile {machine.name}" + ("" if machine.measured else ", none of its own: a wide interval")
    use = rates.utilisation
    named = (("hardware", "hardware"), ("full attention", "full-attention"), ("6ND", "6nd"))
    others = ", ".join(f"{says} {percent(use[name])}" for says, name in named)
    rows = [
        Row(label="step", value=say_around(pace.step, pace.low, pace.high, "step_time"), remark=remark),
        Row(
            label="rate",
            value=say(rates.tokens_per_second, "tokens_per_second"),
            remark=f"{say(rates.tokens_per_second_per_chip, 'tokens_per_second_per_chip')}; steps alone, no standstill",
        ),
        Row(
            label="MFU",
            value=percent(use["model"]),
            remark=f"model FLOP over the dense peak in {PEAKS[rates.format]}; {others}",
        ),
    ]
    return rows + (_bill_rows(timing.bill, timing.practice) if timing.bill else [])


def _bill_rows(bill: Bill, practice: Practised | None) -> list[Row]:
    tokens, order = say(bill.order.tokens, "tokens"), bill.order
    kept = ""
    if order.deadline is not None:
        said = "keeps" if not bill.late else f"misses by {say(bill.late, 'train_time')}"
        kept = f"; {said} the deadline of {say(order.deadline, 'train_time')}"
    took = f"{bill.steps:,} steps for {tokens} tokens at a goodput of {percent(order.goodput)}{kept}"
    rows = [
        Row(label="takes", value=say_around(bill.time, bill.time_low, bill.time_high, "train_time"), remark=took),
    ]
    if practice is not None:
        low, middle, high = (one / bill.chips for one in (practice.low, practice.chip_time, practice.high))
        said = f"runs like it reach {percent(practice.mfu)} of the peak, all counted; 10 to 90 %"
        rows.append(Row(label="in practice", value=say_around(middle, low, high, "train_time"), remark=said))
    hours = say(bill.chip_time, "chip_time")
    if bill.cost is None or bill.cost_interval is None or order.tariff is None:
        rows.append(Row(label="costs", value=hours, remark="no price is known: give --price '$2/chip/h'"))
        return rows
    each = f"{hours} at {say(order.tariff.amount, 'price')}: {order.tariff.note}"
    rows.append(Row(label="costs", value=say_around(bill.cost, *bill.cost_interval, "train_cost"), remark=each))
    return rows


def timing_sections(advice: Advice) -> list[Section]:
    """Too late, what takes the time, why this layout, what one more of something would bring."""
    timing, held = advice.timing, advice.held
    if timing is None or held is None or held.pace is None:
        return []
    sections = []
    if timing.bill is not None and timing.bill.late:
        sections.append(Section(heading="Too late", lines=(_late_line(timing),), loud=True))
    step = held.pace.step
    taking = [f"{name} {percent(value / step)}" for name, value in timing.why.terms if value >= NOTICED * step]
    sections.append(Section(heading="Takes the time", lines=(", ".join(taking[: MOST_TERMS + 2]),)))
    if timing.why.second is not None and not advice.asked:
        sections.append(Section(heading="Why this one", lines=(_second_line(timing.why, held),)))
    lines = tuple(_effect_line(one) for one in timing.why.effects if abs(one.speed - 1) >= NOTICED)
    nothing = [one.says for one in timing.why.effects if abs(one.speed - 1) < NOTICED]
    lines += (f"next to nothing: {'; '.join(nothing)}",) if nothing else ()
    return [*sections, Section(heading="One more", lines=lines)] if lines else sections


def _late_line(timing: Timing) -> str:
    if timing.enough is None:
        return "no number of chips that was tried keeps the deadline at this batch"
    return f"{timing.enough.layout.chips:,} chips keep the deadline: {timing.enough.layout.words()}"


def _second_line(why: Why, held: Need) -> str:
    """What the runner-up loses on."""
    second = why.second
    assert second is not None
    assert second.pace is not None
    assert held.pace is not None
    step = held.pace.step
    slower = second.pace.step / step
    told = [
        f"{name} {value / step:+.1%}".replace("%", " %")
        for name, value in why.gains[:MOST_GAINS]
        if abs(value) > 1e-4 * step
    ]
    said = "as fast" if slower - 1 < 5e-4 else f"{change(slower)} time"
    again = [policy for policy in second.run.recipe.recompute if policy != "none"]
    words = second.layout.words() + (f", recompute {' and '.join(again)}" if again else "")
    return f"next: {words}: {said}" + (f" ({', '.join(told)} of the step)" if told else "")


def _effect_line(one: Effect) -> str:
    return f"{one.says}: {change(one.speed)} tokens a second" + ("" if one.fits else ", but does not fit")


def timing_json(advice: Advice) -> dict[str, Json]:
    """Everything about time, for scripts; empty where none is known."""
    from isoflop.report.json import ledger_json

    timing, held, machine = advice.timing, advice.held, advice.place.machine
    if timing is None or held is None or held.pace is None or machine is None:
        return {"step_time": None, "untimed": advice.place.untimed or None}
    rates = timing.rates
    return {
        "step_time": pace_json(held),
        "profile": {"name": machine.name, "spread": machine.profile.spread, "measured": machine.measured},
        "tokens_per_second": finite(rates.tokens_per_second, "tokens_per_second"),
        "tokens_per_second_per_chip": finite(rates.tokens_per_second_per_chip, "tokens_per_second_per_chip"),
        "mfu": {name: finite(value, "mfu") for name, value in rates.utilisation.items()},
        "peak_rate": {"value": rates.peak, "unit": "FLOP/s/chip", "format": rates.format},
        "step": ledger_json(timing.step),
        "bill": None if timing.bill is None else _bill_json(timing.bill),
        "practice": _practice_json(timing),
        "enough_chips": None if timing.enough is None else timing.enough.layout.chips,
        "why": {
            "terms": {name: finite(value, "step_time") for name, value in timing.why.terms},
            "second": None if timing.why.second is None else timing.why.second.layout.words(),
            "gains": {name: finite(value, "step_time") for name, value in timing.why.gains},
            "effects": [{"says": one.says, "speed": one.speed, "fits": one.fits} for one in timing.why.effects],
        },
    }


def _practice_json(timing: Timing) -> Json:
    """What runs like it take: chip-seconds with 10 and 90 %, and the share of the peak over the whole time."""
    found = timing.practice
    if found is None:
        return None
    return {
        "chip_time": {"value": found.chip_time, "low": found.low, "high": found.high, "unit": "s", "interval": 0.8},
        "mfu": found.mfu,
    }


def pace_json(held: Need) -> Json:
    """The step time of a layout."""
    pace = held.pace
    if pace is None:
        return None
    return {
        "value": finite(pace.step, "step_time"),
        "low": finite(pace.low, "step_time"),
        "high": finite(pace.high, "step_time"),
        "unit": "s",
        "interval": 0.9,
    }


def _bill_json(bill: Bill) -> Json:
    cost, order = bill.cost_interval, bill.order
    return {
        "tokens": order.tokens,
        "goodput": order.goodput,
        "deadline": order.deadline,
        "late": bill.late,
        "steps": bill.steps,
        "train_time": {"value": bill.time, "low": bill.time_low, "high": bill.time_high, "unit": "s"},
        "chip_time": bill.chip_time,
        "price": None if order.tariff is None else {"value": order.tariff.amount, "note": order.tariff.note},
        "train_cost": None if cost is None else {"value": bill.cost, "low": cost[0], "high": cost[1], "unit": "$"},
    }


def timing_cells(advice: Advice, one: Need) -> tuple[str, ...]:
    """Step time and MFU of one of the layouts; nothing where no time is known."""
    timing, held = advice.timing, advice.held
    if timing is None or one.pace is None or held is None or held.pace is None:
        return ()
    share = held.pace.step / one.pace.step
    return f"{one.pace.step:.4g} s", percent(timing.rates.utilisation["model"] * share)


def scale_table(advice: Advice) -> tuple[list[Column | str], list[tuple[Cell, ...]]]:
    """The best layout of each number of chips: step, MFU, memory, and days and dollars where tokens were named."""
    columns: list[Column | str] = [Column(name="chips", right=True), Column(name="step", right=True)]
    columns += [Column(name="mfu", title="MFU", right=True), Column(name="GiB", right=True)]
    order = advice.timing.bill.order if advice.timing and advice.timing.bill else None
    columns += [Column(name="time", right=True), Column(name="cost", right=True)] if order else []
    columns += ["layout", "beaten"]
    rows: list[tuple[Cell, ...]] = []
    for one in advice.scales:
        assert one.need.pace is not None
        row = [f"{one.chips:,}", f"{one.need.pace.step:.4g} s", percent(one.mfu), f"{one.need.bytes / 2**30:.1f}"]
        bill = _scale_bill(advice, one)
        if bill is not None:
            row += [say(bill.time, "train_time"), "" if bill.cost is None else say(bill.cost, "train_cost")]
        rows.append((*row, one.need.layout.words(), "yes" if one.beaten else ""))
    return columns, rows


def _scale_bill(advice: Advice, one: Scaled) -> Bill | None:
    from isoflop.training import bill_of

    bill = advice.timing.bill if advice.timing else None
    return None if bill is None else bill_of(one.need, bill.order)


def scale_bill_json(advice: Advice, one: Scaled) -> Json:
    """What the run takes on that number of chips."""
    bill = _scale_bill(advice, one)
    return None if bill is None else _bill_json(bill)
