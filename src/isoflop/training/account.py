"""The whole account of a run: chip-hours with failures, money by two methods, energy, emissions, data, checkpoints.

From a layout's step time on; everything that nobody gave is a named assumption of `Terms`. Values are in base units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.book import money, running
from isoflop.errors import BadInput, Infeasible, MissingData
from isoflop.model import tokenizers
from isoflop.model.count import counts
from isoflop.quantity import quantity, write
from isoflop.relation.shown import Shown
from isoflop.training.cost import Order, bill_of
from isoflop.training.engine import engine
from isoflop.training.footprint import energy_lines, machine_power
from isoflop.training.power import board_share
from isoflop.training.practice import beside
from isoflop.training.spec import format_bytes
from isoflop.training.tally import SPLITS, tally
from isoflop.training.terms import HOUR, MONTH, YEAR, Line, Terms

if TYPE_CHECKING:
    from isoflop.hardware import Device, Price
    from isoflop.training.advice import Advice
    from isoflop.training.cost import Bill, Tariff
    from isoflop.training.inverse import Need

__all__ = ["Account", "Line", "Terms", "account_of", "rents", "token_bytes"]

FEW_WORDS = 65_536
"""Vocabulary up to which a token is stored in two bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Shown):
    """The whole account, in parts of lines; `bill` is that of the steps, `failure_goodput` what failures leave of time.

    `rents` are prices of the device by commitment: cheapest, middle and dearest.
    """

    advice: Advice
    terms: Terms
    bill: Bill
    failure_goodput: float
    parts: dict[str, tuple[Line, ...]]
    assumed: tuple[str, ...] = field(default=())


def account_of(advice: Advice, device: Device, tokens: float, tariff: Tariff | None, terms: Terms) -> Account:
    """The account of the layout that an advice chose. Raises: Infeasible without one, MissingData without its time."""
    held = advice.chosen
    if held is None:
        raise Infeasible(f"{advice.run.model.name} fits in no layout of these chips, so there is no account of its run")
    saved, chips = _checkpoints(held, terms), held.layout.chips
    bill = bill_of(held, Order(tokens=tokens, tariff=tariff, goodput=saved.goodput / (1 + terms.evaluation)))
    if bill is None:
        raise MissingData(f"no step time is known on {device.name}: {advice.place.untimed}")
    each = 6.0 if held.run.recipe.adapter is None else 4.0
    flops = tokens * each * float(counts(advice.run.model).active_params)
    share = flops / (bill.steps * held.pace.step * chips) / _peak(device) if held.pace is not None else 0.0
    draw = board_share(share)
    parts = {
        "time": (*_time_lines(bill, saved, terms), *_practice_lines(held, device, bill), _development(bill, terms)),
        "money": _money_lines(bill, device, terms, draw),
        "energy": energy_lines(bill.chip_time, device, terms, draw),
        "data": _data_lines(advice, bill, tokens, terms),
        "checkpoints": _checkpoint_lines(saved, bill, terms),
    }
    return Account(advice=advice, terms=terms, bill=bill, failure_goodput=saved.goodput, parts=parts)


def _peak(device: Device) -> float:
    name = next((one for one in ("bf16", "fp16", "fp32") if one in device.peak_rates), "fp32")
    return device.peak_rate(name).value


@dataclass(frozen=True, slots=True)
class _Saved:
    """Checkpoints of a run."""

    size: float
    rate: float
    time: float
    interval: float
    mtbf: float
    goodput: float


def _checkpoints(held: Need, terms: Terms) -> _Saved:
    chips, recipe = held.layout.chips, held.run.recipe
    each = recipe.state_bytes_per_param - _gradient_bytes(held)
    size = float(running.checkpoint_bytes(_trained(held), each))
    rate = terms.checkpoint_rate * chips
    time = float(running.checkpoint_time(size, rate))
    mtbf = float(running.run_mtbf(chips, terms.chip_mtbf))
    interval = float(running.checkpoint_interval(time, mtbf))
    lost = running.checkpoint_loss(time, mtbf), running.restart_loss(mtbf, terms.restart_time)
    return _Saved(size, rate, time, interval, mtbf, float(running.failure_goodput(*lost)))


def _trained(held: Need) -> float:
    """Parameters that a checkpoint holds: all, or those of an adapter beside frozen weights."""
    if held.run.recipe.adapter is None:
        return float(counts(held.run.model).params)
    counted = tally(held.run.model, held.run.recipe, engine(held.run.recipe.engine).kernels)
    return float(counted.cumulated[-1][len(SPLITS) : 2 * len(SPLITS)].sum())


def _gradient_bytes(held: Need) -> float:
    return format_bytes(held.run.recipe.gradients)


def _time_lines(bill: Bill, saved: _Saved, terms: Terms) -> tuple[Line, ...]:
    bare = bill.time * bill.order.goodput
    return (
        Line(name="steps alone", value=bare, quantity="train_time", note=f"{bill.steps:,} steps"),
        Line(
            name="failures leave",
            value=saved.goodput,
            quantity="failure_goodput",
            note=f"checkpoints counted; a failure every {saved.mtbf / HOUR:.3g} h on so many chips, "
            f"{terms.restart_time / 60:.3g} min to restart",
        ),
        Line(name="evaluations", value=terms.evaluation, quantity="goodput", note="of the time of steps, assumed"),
        Line(name="the run", value=bill.time, quantity="train_time", note="with all of that"),
        Line(name="chip-hours", value=bill.chip_time, quantity="chip_time", note=f"on {bill.chips:,} of them"),
    )


def _development(bill: Bill, terms: Terms) -> Line:
    note = f"{terms.development:.0%} of the run, assumed [morrison2025]; not in what follows"
    value = bill.chip_time * terms.development
    return Line(name="development before it", value=value, quantity="chip_time", note=note)


def _practice_lines(held: Need, device: Device, bill: Bill) -> tuple[Line, ...]:
    """What runs like it take where nobody states their settings; nothing where that is not known."""
    found = beside(held.run, device, bill)
    if found is None:
        return ()
    low, high = (write(one / bill.chips, quantity("train_time")) for one in (found.low, found.high))
    return (
        Line(
            name="in practice", value=found.chip_time / bill.chips, quantity="train_time",
            note=f"runs like it reach {found.mfu:.0%} of the peak; 80 % take {low} to {high}; not in what follows",
        ),
    )  # fmt: skip


def _money_lines(bill: Bill, device: Device, terms: Terms, draw: float) -> tuple[Line, ...]:
    lines = []
    tariff = bill.order.tariff
    if tariff is not None:
        cost = float(money.train_cost(bill.chip_time, tariff.amount))
        lines.append(Line(name="rent", value=cost, quantity="train_cost", note=tariff.note))
    lines += rents(bill.chip_time, device)
    if terms.chip_capital is None:
        said = "give what a chip with its share of a server costs (--chip-capital '$40k')"
        return (*lines, Line(name="owned", value=0.0, words="not known", note=said))
    power = machine_power(device, terms, draw)
    owned = float(
        money.owned_price(
            terms.chip_capital, terms.lifetime, terms.utilisation, power, terms.electricity_price, terms.pue
        )
    )
    note = f"{terms.lifetime / YEAR:.3g} years at {terms.utilisation:.0%} use, and electricity"
    lines.append(Line(name="an owned chip", value=owned, quantity="price", note=note))
    lines.append(Line(name="owned", value=bill.chip_time * owned, quantity="train_cost", note="the run at that price"))
    if tariff is not None:
        lines.append(_against(terms, tariff, power))
    return tuple(lines)


def _against(terms: Terms, tariff: Tariff, power: float) -> Line:
    """Where a bought chip beats this rent."""
    assert terms.chip_capital is not None
    spare = tariff.amount - power * terms.pue * terms.electricity_price
    if spare <= 0:
        said = "never: the rent is below the electricity of a chip of one's own"
        return Line(name="owning beats this rent", value=0.0, words=said)
    even = float(
        running.break_even(terms.chip_capital, terms.lifetime, tariff.amount, power, terms.electricity_price, terms.pue)
    )
    months = even * terms.lifetime / MONTH
    if even > 1:
        said = f"never: it would have to work {even:.2g} times its lifetime"
        return Line(name="owning beats this rent", value=even, words=said)
    return Line(
        name="owning beats this rent", value=even, quantity="break_even",
        note=f"of its lifetime at work or more: {months:.3g} months of work",
    )  # fmt: skip


def rents(chip_time: float, device: Device) -> list[Line]:
    """So much chip time at all known prices, the latest of each place: by commitment, cheapest to dearest."""
    try:
        every = hardware.find_prices(device)
    except MissingData:
        return []
    latest: dict[tuple[str, str, str], Price] = {}
    for one in every:  # undated first, then the oldest
        latest[one.provider, one.region, one.commitment] = one
    lines = []
    for commitment in ("on-demand", "1y", "3y", "spot"):
        own = sorted((one for one in latest.values() if one.commitment == commitment), key=lambda one: one.amount)
        if not own:
            continue
        low, middle, high = own[0], own[len(own) // 2], own[-1]
        ends = [write(chip_time * one.amount, quantity("train_cost")) for one in (low, high)]
        said = " to ".join(dict.fromkeys(ends))
        shown = dict.fromkeys(f"{one.provider} ${one.per_hour:.3g}/h" for one in (low, middle, high))
        note = f"{len(own)} offer{'s' if len(own) > 1 else ''}: {', '.join(shown)}"
        lines.append(Line(name=f"all known, {commitment}", value=chip_time * middle.amount, words=said, note=note))
    return lines


def token_bytes(vocabulary: int) -> float:
    """Bytes in which the number of a token is stored."""
    return 2.0 if vocabulary <= FEW_WORDS else 4.0


def _data_lines(advice: Advice, bill: Bill, tokens: float, terms: Terms) -> tuple[Line, ...]:
    """What has to be stored and read."""
    words = advice.run.model.vocabulary
    width = token_bytes(words)
    with_what = tokenizers.tokenizer(terms.tokenizer) if terms.tokenizer else tokenizers.nearest_tokenizer(words)
    dense = with_what.density(terms.language)
    unique, said = _unique(tokens, dense.tokens_per_byte, terms)
    size = float(running.dataset_bytes(unique, width))
    speed = tokens / (bill.time * bill.order.goodput)
    shards = max(1, ceil(size / 1e9))
    title = tokenizers.languages()[tokenizers.language_code(terms.language)]
    taken = "" if terms.tokenizer else ", the nearest in vocabulary that was measured"
    return (
        Line(name="different tokens", value=unique, quantity="tokens", note=said),
        Line(
            name="stored as token numbers", value=size, quantity="dataset_bytes",
            note=f"{width:g} bytes each, a vocabulary of {words:,}; {shards:,} shards of 1 GB",
        ),
        Line(
            name="as text", value=float(running.dataset_bytes(unique, dense.bytes_per_token)),
            quantity="dataset_bytes",
            note=f"{dense.bytes_per_token:.3g} bytes a token: {title}, tokenizer {with_what.name}{taken}",
        ),
        Line(
            name="to be read", value=float(running.read_rate(speed, width)), quantity="read_rate",
            note="all ranks together, so that no step waits",
        ),
        Line(
            name="keeping it for the run", value=float(running.storage_cost(size, bill.time, terms.storage_price)),
            quantity="storage_cost", note=_per_gb(terms),
        ),
    )  # fmt: skip


def _unique(tokens: float, tokens_per_byte: float, terms: Terms) -> tuple[float, str]:
    """Different tokens, and in words how often each is seen: as the text there is, or the epochs that are asked for."""
    if terms.text is None:
        seen = "each seen once" if terms.epochs == 1 else f"each seen {terms.epochs:g} times"
        return tokens / terms.epochs, seen
    if terms.epochs != 1:
        raise BadInput("text and epochs both say how many different tokens there are; give one of them")
    there = float(running.tokens_of_text(terms.text, tokens_per_byte))
    held = write(there, quantity("unique_tokens"))
    if there >= tokens:
        return tokens, f"each seen once, of {held} that the text has"
    return there, f"all that the text has; each seen {tokens / there:.3g} times"


def _per_gb(terms: Terms) -> str:
    return f"at ${terms.storage_price * 1e9 * MONTH:.3g} a GB and month, an estimate"


def _checkpoint_lines(saved: _Saved, bill: Bill, terms: Terms) -> tuple[Line, ...]:
    written = max(1, round(bill.time / saved.interval))
    kept = min(terms.kept, written)
    return (
        Line(name="size", value=saved.size, quantity="checkpoint_bytes", note="weights, fp32 copies, optimizer"),
        Line(
            name="written in", value=saved.time, quantity="checkpoint_time",
            note=f"at {terms.checkpoint_rate / 1e9:g} GB/s a chip, an estimate; steps stand still",
        ),
        Line(
            name="every", value=saved.interval, quantity="checkpoint_interval",
            note=f"Young's sqrt(2 t M): {written:,} of them",
        ),
        Line(name="together at", value=saved.rate, quantity="checkpoint_rate", note="what storage has to take"),
        Line(
            name="keeping some", quantity="storage_cost", note=f"{kept} of them for the run, {_per_gb(terms)}",
            value=float(running.storage_cost(kept * saved.size, bill.time, terms.storage_price)),
        ),
    )  # fmt: skip
