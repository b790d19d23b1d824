"""Where the figures of a deployment come from, step by step, with the numbers that went in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.report.words import percent, say

if TYPE_CHECKING:
    from isoflop.serving.advice import Service


def derivation(service: Service) -> list[str]:
    """The numbered steps: weights, state, tokens that fit, batch, times, rate, energy, money, and what was fitted."""
    found = [*_memory(service), *_time(service), *_money(service)]
    return [f"[{place}] {text}" for place, text in enumerate(found, start=1)]


def _memory(service: Service) -> list[str]:
    from isoflop.serving.memory import budget

    deployment = service.deployment
    made = budget(deployment)
    era, one = made.era, deployment.placements[0]
    held = {term.name: _size(term.value) for term in service.memory.terms}
    fraction = 1 - _one(made.kept_free) / _one(made.capacity)
    each = _one(made.pages.unit)
    rule = {
        "total": f"{percent(fraction)} of {_size(_one(made.capacity))} less weights, activations and libraries",
        "static": f"what is free after loading, less {percent(1 - fraction)} of all memory",
        "free": f"{percent(fraction)} of what is free after loading and a step",
        "asked": "what the context asks for, whatever is left",
    }[era.of]
    return [
        (
            f"weights a chip = bytes of the file over tp {one.tp}, heads of keys not below one, experts over tp x dp "
            f"{one.tp * one.dp}, norms and latents' matrices whole = {held['weights']}"
        ),
        f"pool = {rule} = {_size(max(_one(made.pool), 0.0))} ({era.title}; {era.fitted})",
        (
            f"tokens that fit = whole pages x tokens of one: {_one(made.units):,.0f} units of {each:,.0f} bytes, each "
            f"{_one(made.pages.block):,.0f} tokens in each of {len(made.pages.columns)} groups of layers = "
            f"{_one(made.tokens()):,.0f}"
        ),
        (
            f"requests at once = pool / (pages of {service.room.length:,} tokens x bytes of a unit) = "
            f"{service.room.sequences[0]:,.4g}"
        ),
    ]


def _time(service: Service) -> list[str]:
    pace = service.pace
    if pace is None:
        return [f"no time: {service.untimed}"] if service.untimed else []
    flow, case = pace.flow, pace.case
    return [
        (
            f"a step of decoding = {_ms(flow.step)}: the terms of its ledger for {_one(flow.batch):,.4g} sequences; "
            f"matrices take the longer of bytes and FLOP"
        ),
        (
            f"batch by Little's law = requests x writing / (writing + first token) = {_one(flow.batch):,.4g}, at most "
            f"{_one(case.room):,.4g} that fit"
        ),
        f"time a token = step + prompts read in between = {_ms(flow.token)}",
        (
            f"first token = prompt alone {_one(flow.prompt):.3g} s busy, what runs already, and who came before = "
            f"{_one(flow.first):.3g} s"
        ),
        f"rate = batch / time a token x replicas = {_one(flow.output_rate):,.4g} tokens/s",
        (
            f"constants: {pace.keys.software} {pace.keys.era}, {pace.keys.device}, formats {pace.keys.format} and "
            f"{pace.keys.experts}; intervals hold 80 % of measured rows: TTFT x/÷ {_factor(pace.ttft):.2f}, TPOT x/÷ "
            f"{_factor(pace.tpot):.2f}, rate x/÷ {_factor(pace.output_rate):.2f}, energy x/÷ {_factor(pace.energy):.2f}"
        ),
    ]


def _money(service: Service) -> list[str]:
    bill, tariff = service.bill, service.wish.tariff
    if bill is None or service.pace is None:
        return []
    rate = _one(service.pace.output_rate.middle)
    found = [
        (
            f"energy a token = {bill.watts:,.0f} W of {bill.chips} chips x {bill.overhead:g} / {rate:,.4g} tokens/s = "
            f"{bill.joules_per_output_token[0]:.4g} J"
        )
    ]
    if tariff is not None and bill.usd_per_output_token is not None:
        found.append(
            f"cost a token = {bill.chips} chips x {say(tariff.amount, 'price')} / {rate:,.4g} tokens/s / use "
            f"{percent(bill.use)} = {say(bill.usd_per_output_token[0], 'usd_per_token')} ({tariff.note}; "
            f"{tariff.source})"
        )
    return found


def _factor(band: object) -> float:
    middle, _, high = (_one(value) for value in band)  # type: ignore[attr-defined]
    return high / middle


def _size(amount: float) -> str:
    return say(amount, "peak_memory").replace("/chip", "")


def _ms(seconds: object) -> str:
    return f"{_one(seconds) * 1e3:.3g} ms"


def _one(values: object) -> float:
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])
