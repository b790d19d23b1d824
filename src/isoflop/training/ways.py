"""Ways to a model of one's own: fine-tuning by LoRA, by QLoRA, of all weights, and training it from nothing.

What each takes on the same devices. Which is good enough is not in it: no published law covers all four.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.errors import MissingData
from isoflop.model import published
from isoflop.model.count import counts
from isoflop.quantity import read_cluster
from isoflop.training.advice import advise
from isoflop.training.cost import bill_of
from isoflop.training.footprint import machine_power
from isoflop.training.power import board_share
from isoflop.training.spec import RECIPES, Adapter
from isoflop.training.terms import Terms

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec
    from isoflop.training.cost import Order
    from isoflop.training.spec import Recipe

RANK = 16
"""Of adapters, where nobody says."""

CHINCHILLA = 20.0
"""Tokens a parameter of training from nothing, where no published run of the model states its own."""

STEPS = 100
"""A fine-tune makes at least so many; its batch is smaller where its tokens are few."""

USUAL_BATCH, LEAST_BATCH = 2**20, 2**14


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way: `tokens`, the chips it takes, bytes on the fullest, seconds, chip-seconds, USD and joules at the meter.

    `fits`: on the chips that were named; else `chips` are the fewest that hold it. Nothing is known of a way that no
    number of chips holds: `chips` is 0, and `note` says why.
    """

    name: str
    tokens: float
    chips: int
    fits: bool
    memory: float
    time: float
    chip_time: float
    cost: float | None
    energy: float | None
    note: str


def ways_of(
    model: ModelSpec, on: str, order: Order, *, terms: Terms | None = None, sequence: int | None = None,
    rank: int = RANK,
) -> tuple[Way, ...]:  # fmt: skip
    """What each way takes on the devices `on`; the tokens of the order are those of a fine-tune.

    Training from nothing takes the tokens of the published run of the model, else 20 a parameter.
    """
    base = RECIPES["fsdp"]
    lora = replace(base, weights="fp32", adapter=Adapter(rank=rank, base="bf16"))
    whole, said = _from_nothing(model)
    ways = (
        (f"LoRA, rank {rank}", lora, order, "weights frozen in bf16"),
        (f"QLoRA, rank {rank}", replace(lora, adapter=Adapter(rank=rank, base="nf4")), order, "weights frozen in NF4"),
        ("all weights", base, order, "fp32 copies and both moments"),
        ("from nothing", RECIPES["mixed"], replace(order, tokens=whole), said),
    )
    taken = terms or Terms()
    return tuple(
        _way(name, (model, on, sequence), recipe, replace(each, goodput=1 / (1 + taken.evaluation)), (taken, note))
        for name, recipe, each, note in ways
    )


def _from_nothing(model: ModelSpec) -> tuple[float, str]:
    """Tokens of training from nothing, and whose idea they are."""
    for run in published.runs():
        if run.preset == model.name and run.work.tokens:
            return run.work.tokens, f"{run.model}'s own tokens"
    return CHINCHILLA * float(counts(model).params), f"{CHINCHILLA:g} tokens a parameter"


def _way(
    name: str, of: tuple[ModelSpec, str, int | None], recipe: Recipe, order: Order, said: tuple[Terms, str]
) -> Way:  # fmt: skip
    model, on, sequence = of
    terms, note = said
    length = sequence or min(4096, model.context or 4096)
    wanted = min(USUAL_BATCH, max(LEAST_BATCH, order.tokens / STEPS))
    advice = advise(model, on, sequence=length, batch=max(1, round(wanted / length)), recipe=recipe)
    held = advice.held
    bill = bill_of(held, order) if held is not None else None
    if held is None or bill is None:
        why = advice.place.untimed or "no layout of any number of these chips holds it"
        return Way(
            name=name, tokens=order.tokens, chips=0, fits=False, memory=0.0, time=0.0, chip_time=0.0, cost=None,
            energy=None, note=why,
        )  # fmt: skip
    device = hardware.device(read_cluster(on).device)
    each = 6.0 if recipe.adapter is None else 4.0
    flops = each * float(counts(model).active_params) * order.tokens
    peak = next((device.peak_rates[one].value for one in ("bf16", "fp16", "fp32") if one in device.peak_rates), None)
    share = flops / (bill.chip_time * order.goodput) / peak if peak else 0.0
    try:
        energy = bill.chip_time * machine_power(device, terms, board_share(share)) * terms.pue
    except MissingData:
        energy = None
    return Way(
        name=name, tokens=order.tokens, chips=bill.chips, fits=advice.chosen is not None and advice.good,
        memory=held.high, time=bill.time, chip_time=bill.chip_time, cost=bill.cost, energy=energy, note=note,
    )  # fmt: skip
