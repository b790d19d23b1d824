"""Devices and numbers of chips held against each other: for how much, by when; what no other beats in both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log2
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.book import running
from isoflop.errors import IsoflopError
from isoflop.kernel import chip_of, profile_of
from isoflop.model.count import counts
from isoflop.training.account import Terms
from isoflop.training.cost import Bill, Order, Tariff, tariff_of
from isoflop.training.spec import Recipe, Run
from isoflop.training.usual import usual_layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.model.spec import ModelSpec

USUAL_BATCH, MOST_BATCH = 2**21, 2**24
"""Tokens of a batch; more where more chips share it, up to what the largest runs took."""

MOST_ALONE = 64
"""Chips of devices without links of their own: nobody rents more of them in one place."""

CHIPS_A_SEQUENCE = 8
"""Chips that share one sequence of a batch at most."""

STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Nodes that are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Training on so many chips of a device, at the cheapest price known; `best`: none is both sooner and cheaper."""

    device: str
    bill: Bill
    cost: float
    price: str
    layout: str
    best: bool = False


def offers_of(
    model: ModelSpec,
    tokens: float,
    devices: Iterable[str],
    *,
    wish: Mapping[str, str] | None = None,
    sequence: int = 4096,
    terms: Terms | None = None,
) -> tuple[Offer, ...]:
    """The run on whole nodes of each device, cheapest first; a device without a price or a fit is left out.

    Failures take what they take on so many chips. `wish` holds provider, commitment, region, as_of.
    """
    found: list[Offer] = []
    for name in devices:
        try:
            device = hardware.device(name)
            tariff = tariff_of(device, **(wish or {}))
        except IsoflopError:
            continue
        if tariff is not None:
            found += _on(model, device, (tokens, min(sequence, model.context or sequence)), tariff, terms or Terms())
    found.sort(key=lambda one: one.cost)
    soonest = float("inf")
    marked = []
    for one in found:
        better = one.bill.time < soonest
        soonest = min(soonest, one.bill.time)
        marked.append(replace(one, best=better))
    return tuple(marked)


def _on(
    model: ModelSpec, device: hardware.Device, work: tuple[float, int], tariff: Tariff, terms: Terms
) -> list[Offer]:
    """Offers of one device over numbers of nodes."""
    tokens, sequence = work
    try:
        chip = chip_of(device)
        capacity = (device.memory.usable or device.memory_labelled()).value
    except IsoflopError:
        return []
    nodes = hardware.nodes_of(device.name) if device.name in hardware.devices() else ()
    each = min((node.chips for node in nodes), default=1)
    domain = max((node.fabric.domain for node in nodes), default=each)
    alone = device.link is None or device.link.topology in {"none", "bridge"}
    most = MOST_ALONE if alone else CHIPS_A_SEQUENCE * MOST_BATCH // sequence
    found = []
    for step in STEPS:
        chips = each * step
        if chips > most:
            break
        batch = _even(max(USUAL_BATCH / sequence, chips / CHIPS_A_SEQUENCE))
        try:
            run = Run(model=model, sequence=sequence, batch=batch, recipe=Recipe())
            best = usual_layout(run, chips, domain, capacity, (chip, profile_of(chip)[1]))
        except IsoflopError:
            continue
        if best is not None:
            steps = max(1, round(tokens / (best.run.batch * sequence)))
            goodput = _goodput(model, chips, terms)
            order = Order(tokens=tokens, tariff=tariff, goodput=goodput)
            bill = Bill(
                order=order, chips=chips, steps=steps, time=steps * best.step / goodput,
                time_low=steps * best.low / goodput, time_high=steps * best.high / goodput,
            )  # fmt: skip
            price = f"${tariff.amount * 3600:.3g}/h {tariff.note.partition(',')[0]}"
            found.append(
                Offer(device=device.name, bill=bill, cost=bill.cost or 0.0, price=price, layout=best.layout.words())
            )
    return found


def _even(sequences: float) -> int:
    """About so many sequences, a power of two: numbers of chips are, but for a factor."""
    return 1 << max(0, round(log2(sequences)))


def _goodput(model: ModelSpec, chips: int, terms: Terms) -> float:
    size = float(running.checkpoint_bytes(float(counts(model).params)))
    mtbf = float(running.run_mtbf(chips, terms.chip_mtbf))
    time = float(running.checkpoint_time(size, terms.checkpoint_rate * chips))
    lost = running.checkpoint_loss(time, mtbf), running.restart_loss(mtbf, terms.restart_time)
    return float(running.failure_goodput(*lost)) / (1 + terms.evaluation)
