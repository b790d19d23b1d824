"""Prompts and decoding on chips of their own: how many of each, and what a first token waits; and slow requests.

Prefill instances read prompts one after the other and send the state over; decode instances write undisturbed. Their
ratio is the one at which neither waits for the other: prompts that decode instances end a second, times the seconds
that each occupies a prefill instance, over the share of its time that one may be busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.errors import BadInput
from isoflop.serving.case import case_of, keys_of
from isoflop.serving.memory import served
from isoflop.serving.queue import decode_only, prompts_only, quantile_factors
from isoflop.serving.rates import rates_of
from isoflop.serving.work import state_read

if TYPE_CHECKING:
    from isoflop.quantity.types import Real
    from isoflop.serving.pace import Pace
    from isoflop.serving.spec import Deployment, Traffic

BUSY = 0.7
"""Share of its time that a prefill instance reads prompts: above, first tokens wait ever longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A deployment whose prompts are read elsewhere, per decode instance at `batch` sequences.

    `ratio` prefill instances go with a decode instance, `chips_ratio` the same in chips. `first` and `token` seconds to
    the first and to each further token, `transfer` of these to send the state of a prompt. `output_rate` tokens a
    second of one decode instance; `rate_per_chip` with the chips that read its prompts counted in.
    """

    batch: Real
    ratio: Real
    chips_ratio: Real
    first: Real
    token: Real
    transfer: Real
    output_rate: Real
    rate_per_chip: Real


def split(deployment: Deployment, traffic: Traffic, *, busy: float = BUSY) -> Split:
    """`deployment.placement` decodes, `deployment.prefill` reads prompts; `traffic.concurrency` is a decode instance's.

    Raises: BadInput where the deployment names no placement for prompts.
    """
    if deployment.prefill is None:
        raise BadInput("deployment.prefill is not set: give the placement that reads prompts, as Placement(tp=4)")
    if not 0 < busy < 1:
        raise BadInput(f"busy = {busy}: give a share between 0 and 1")
    reading = deployment.at(deployment.prefill)
    writing_case, reading_case = case_of(deployment, traffic), case_of(reading, traffic)
    rates = rates_of(keys_of(deployment))
    batch = np.minimum(np.maximum(traffic.concurrency, 1.0), np.maximum(writing_case.room, 1.0))
    alone, occupied = prompts_only(reading_case, rates)
    step = decode_only(writing_case, rates, batch)
    rate = batch / step
    ratio = rate / writing_case.output * occupied / busy
    read = np.maximum(traffic.depth + traffic.input_tokens, 1.0)
    sent = state_read(served(deployment), read, reading_case.tp, deployment.formats.kv_bytes)
    transfer = sent / (reading_case.link * rates.reduce_share)
    wait = rates.queue * occupied * busy / (2 * (1 - busy))
    chips = deployment.placements.instance_chips
    reading_chips = reading.placements.instance_chips
    return Split(
        batch=_plain(batch),
        ratio=_plain(ratio),
        chips_ratio=_plain(ratio * reading_chips / chips),
        first=_plain(rates.start + alone + wait + transfer + step),
        token=_plain(step),
        transfer=_plain(transfer),
        output_rate=_plain(rate),
        rate_per_chip=_plain(rate / (chips + ratio * reading_chips)),
    )


def _plain(values: Real) -> Real:
    array = np.asarray(values, dtype=np.float64)
    return float(array.reshape(-1)[0]) if array.size == 1 else array


class Slow(NamedTuple):
    """Seconds that `level` of requests keep to: to the first token, and a further one."""

    level: float
    ttft: Real
    tpot: Real


def slow(found: Pace, level: float = 0.99) -> Slow:
    """A quantile of latency, from the mean and how busy the engine is with prompts. Rough: as if lengths were alike."""
    if not 0.5 <= level < 1:
        raise BadInput(f"level = {level}: give a share from 0.5 to below 1, as 0.99")
    flow = found.flow
    use = np.clip(flow.batch / (found.case.output * flow.token) * flow.prompt, 0.0, 1.0)
    first, token = quantile_factors(level, use)
    return Slow(level, _plain(found.ttft.middle * first), _plain(found.tpot.middle * token))
