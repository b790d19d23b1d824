"""How the figures of a training run follow: from the timed layout to tokens a second, utilisation, days and dollars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.book import money, rate, work
from isoflop.report.chain import Chain
from isoflop.report.words import percent

if TYPE_CHECKING:
    from isoflop.training import Advice


def training_chain(advice: Advice) -> Chain:
    """The derivation; empty where no layout is known. Inside a layout, the ledgers of memory and time go on."""
    chain, held, timing = Chain(), advice.held, advice.timing
    if held is None:
        return chain
    run = held.run
    chain.leaf("batch_sequences", float(run.batch), "given")
    chain.leaf("sequence_length", float(run.sequence), "given")
    chain.leaf("chips", float(held.layout.chips), "given", note=advice.place.title)
    chain.leaf(
        "peak_memory", held.bytes, "computed", ends=(held.low, held.high), note="sum of the memory ledger, 5 to 95 %"
    )
    chain.follows(work.batch_tokens)
    if timing is None or held.pace is None:
        return chain
    machine = advice.place.machine
    assert machine is not None
    pace, rates = held.pace, timing.rates
    note = f"sum of the step's ledger, 5 to 95 %; profile {machine.name}: {machine.profile.fitted}"
    chain.leaf("step_time", pace.step, "computed", ends=(pace.low, pace.high), note=note)
    note = f"{advice.place.title}, dense, {rates.format} bits"
    chain.leaf("peak_rate", rates.peak, "catalogue", note=note, source=_of(advice.place.device))
    ends = rates.tokens_per_second * pace.step
    chain.worked(
        "tokens_per_second", "batch_tokens / step_time", ("batch_tokens", "step_time"),
        (rates.tokens_per_second, ends / pace.high, ends / pace.low), "while steps are made",
    )  # fmt: skip
    chain.follows(rate.tokens_per_second_per_chip)
    mfu = rates.utilisation["model"]
    chain.worked(
        "mfu", "model FLOP of the batch / (chips · peak_rate · step_time)", ("chips", "peak_rate", "step_time"),
        (mfu, mfu * pace.step / pace.high, mfu * pace.step / pace.low), "attention halved by its mask",
    )  # fmt: skip
    _bill(chain, advice)
    return chain


def _of(name: str) -> str:
    """Where the peak rates of a catalogued device are from; "" for a device of one's own."""
    from isoflop import hardware

    device = hardware.devices().get(name)
    return "" if device is None else next((figure.source for figure in device.peak_rates.values()), "")


def _bill(chain: Chain, advice: Advice) -> None:
    """Days and dollars, where tokens were named."""
    bill = advice.timing.bill if advice.timing is not None else None
    if bill is None:
        return
    chain.leaf("tokens", bill.order.tokens, "given")
    chain.follows(work.steps, note="rounded up to whole steps")
    said = f"share of the time in which steps are made that count: {percent(bill.order.goodput)}"
    chain.leaf("goodput", bill.order.goodput, "default", note=said)
    chain.worked(
        "train_time", "steps · step_time / goodput", ("steps", "step_time", "goodput"),
        (bill.time, bill.time_low, bill.time_high),
    )  # fmt: skip
    chain.follows(rate.chip_time)
    if bill.order.tariff is not None:
        tariff = bill.order.tariff
        chain.leaf("price", tariff.amount, "catalogue", note=tariff.note, source=tariff.source)
        chain.follows(money.train_cost)
