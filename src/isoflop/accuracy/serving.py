"""The prediction of a row of serving: times, rates and energy with their 80 % intervals, and what was assumed.

It takes `ServingSettings` and nothing else of a row, so it cannot read what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.accuracy.serving_read import read_row
from isoflop.errors import IsoflopError, UnknownName
from isoflop.serving.case import case_of, keys_of
from isoflop.serving.pace import Band, spread_of, summed_up
from isoflop.serving.queue import closed_loop, limited, saturated, static_batch
from isoflop.serving.rates import rates_of

if TYPE_CHECKING:
    from isoflop.accuracy.serving_read import Kind, Reading
    from isoflop.accuracy.serving_rows import ServingSettings
    from isoflop.model.names import Description
    from isoflop.quantity.types import Real
    from isoflop.serving.queue import Flow
    from isoflop.serving.rates import Constants, Keys
    from isoflop.serving.step import Case, Rates

Status = Literal["ok", "refused"]

QUANTITIES = ("tpot", "ttft", "output_rate", "prompt_rate", "energy", "power")
"""What is predicted of time and energy, in the names of `ServingMeasured`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPrediction:
    """Values in base units with the ends of their 80 % interval, by the names of targets.

    `reason` says why there are none, or what was assumed. `weights` and `tokens`: bytes of weights a device, and tokens
    whose state fits.
    """

    status: Status
    bands: dict[str, Band]
    weights: Band | None = None
    tokens: Band | None = None
    reason: str = ""


def flow_of_kind(kind: Kind, case: Case, rates: Rates, requests: float, limits: tuple[float, float]) -> Flow:
    """The steady state of requests that come in one of the kinds of rows; `requests` at an instance."""
    if kind in {"static", "apart"}:
        return static_batch(case, rates, np.maximum(requests, 1.0))
    if kind in {"stream", "prompt"}:
        return closed_loop(case, rates, requests)
    if kind in {"closed", "steady"}:
        return closed_loop(case, rates, np.maximum(requests, 1.0))
    if kind == "limited":
        return limited(case, rates, *limits)
    return saturated(case, rates, tuned=kind == "tuned")


def named(kind: Kind, case: Case, rates: Rates, keys: Keys, flow: Flow) -> dict[str, Real]:
    """Values of a flow by the names of targets, as rows of that kind measure them."""
    found = summed_up(case, rates, keys, flow)
    token = flow.middle if kind == "steady" else flow.token
    rate = flow.output_rate
    if kind == "stream":
        token, rate = flow.step, 1 / flow.step
    if kind == "apart":
        rate = flow.batch / flow.step * case.replicas
    return {
        "tpot": token,
        "ttft": flow.first,
        "output_rate": rate,
        "prompt_rate": found.prompt_rate.middle,
        "power": found.power.middle,
        "energy": found.power.middle / rate,
    }


def requests_of(reading: Reading, case: Case) -> float:
    """Requests at one instance."""
    return float(np.asarray(reading.traffic.concurrency)) / float(np.asarray(case.replicas))


def predict_serving(
    row: ServingSettings, library: dict[str, Description], own: Constants | None = None
) -> ServingPrediction:
    """What a deployment with these settings does; the reason where nothing can be said."""
    try:
        reading = read_row(row, library)
        case = case_of(reading.deployment, reading.traffic, reading.month)
        keys = keys_of(reading.deployment, reading.month, tuned=reading.kind in {"tuned", "limited"})
    except (IsoflopError, UnknownName) as error:
        return ServingPrediction(status="refused", bands={}, reason=str(error).splitlines()[0])
    rates = rates_of(keys, own)
    flow = flow_of_kind(reading.kind, case, rates, requests_of(reading, case), reading.limits)
    values = named(reading.kind, case, rates, keys, flow)
    bands = {}
    for name, value in values.items():
        middle = float(np.asarray(value).reshape(-1)[0])
        # the rate of a single stream is its time a token again
        like = "tpot" if reading.kind == "stream" and name == "output_rate" else name
        factor = float(np.exp(np.hypot(np.log(spread_of(like, keys, case, own)), np.log(reading.wide))))
        bands[name] = Band(middle, middle / factor, middle * factor)
    weights, tokens = _memory(reading)
    assumed = "; ".join(reading.assumed)
    return ServingPrediction(
        status="ok", bands=bands, weights=weights, tokens=tokens, reason=f"assumed: {assumed}" if assumed else ""
    )


def _memory(reading: Reading) -> tuple[Band, Band]:
    from isoflop.serving.memory import WEIGHTS_SPREAD, budget

    found = budget(reading.deployment, month=reading.month)
    weights = float(np.max(found.weights))
    low, middle, high = (float(np.max(found.tokens(pool))) for pool in (found.pool_low, found.pool, found.pool_high))
    return Band(weights, weights / WEIGHTS_SPREAD, weights * WEIGHTS_SPREAD), Band(middle, low, high)
