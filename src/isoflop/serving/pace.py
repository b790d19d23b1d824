"""How fast a deployment answers, what a token costs in energy, and how sure that is: the public face of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.model.count import counts
from isoflop.relation.answer import Ledger, Term
from isoflop.serving.case import case_of, keys_of
from isoflop.serving.queue import PLAIN, Flow, Guess, closed_loop, open_loop, saturated
from isoflop.serving.rates import constants, rates_of
from isoflop.serving.step import TERMS

if TYPE_CHECKING:
    from isoflop.quantity.types import Real
    from isoflop.serving.rates import Constants, Keys
    from isoflop.serving.spec import Deployment, Traffic
    from isoflop.serving.step import Case, Rates

MOST_POWER = 1.05
"""Watts over the limit that boards were measured at, in the mean of a run."""


class Band(NamedTuple):
    """A value with the ends of its 80 % interval."""

    middle: Real
    low: Real
    high: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a deployment does under a traffic, in base units, numbers or arrays.

    `ttft` seconds to the first token, `tpot` seconds a further token (`flow` has mean and median apart), `output_rate`
    tokens written a second by the whole deployment, `prompt_rate` prompt tokens it can read a second, `power` watts of
    all chips, `energy` joules a token written. `software` says which constants were taken, `keys` what for.
    """

    ttft: Band
    tpot: Band
    output_rate: Band
    prompt_rate: Band
    power: Band
    energy: Band
    flow: Flow
    case: Case
    keys: Keys


def pace(deployment: Deployment, traffic: Traffic, own: Constants | None = None) -> Pace:
    """What a deployment does under a traffic in the steady state.

    With neither concurrency nor request rate in `traffic`: under the largest load that fits. Raises: MissingData for
    devices without rates or bandwidth in the catalogue.
    """
    case, keys = case_of(deployment, traffic), keys_of(deployment)
    rates = rates_of(keys, own)
    return summed_up(case, rates, keys, flow_of(deployment, traffic, case, rates), own)


def flow_of(deployment: Deployment, traffic: Traffic, case: Case, rates: Rates) -> Flow:
    """The steady state: closed loop, open loop, or the largest load."""
    guess = guess_of(deployment)
    if np.any(np.asarray(traffic.request_rate) > 0):
        return open_loop(case, rates, traffic.request_rate, guess)
    if np.any(np.asarray(traffic.concurrency) > 0):
        each = traffic.concurrency / case.replicas
        flow = closed_loop(case, rates, np.maximum(each, 1.0), guess)
        used = np.minimum(each, 1.0)  # of fewer requests than instances each has one to itself, and the rest idle
        return flow._replace(output_rate=flow.output_rate * used, used=used)
    return saturated(case, rates, guess)


LIGHT_HEAD = 1.5
"""Layers that a light head (EAGLE) comes to, with its own reading of the output layer."""


def guess_of(deployment: Deployment) -> Guess:
    """What guessing ahead costs and gains: layers or a small model run once a guessed token; text is searched free."""
    ahead = deployment.speculation
    if ahead.method == "none" or not np.any(np.asarray(ahead.tokens) > 0):
        return PLAIN
    layers = float(deployment.model.layers)
    each = {"eagle": LIGHT_HEAD / layers, "mtp": 1 / layers, "ngram": 0.0}.get(ahead.method, 0.0)
    if ahead.draft is not None:
        each = counts(ahead.draft).active_params / counts(deployment.model).active_params
    return Guess(gain=ahead.tokens_per_step, checked=1 + ahead.tokens, draft=each * ahead.tokens)


def power_of(case: Case, rates: Rates, flow: Flow) -> Real:
    """Watts of all chips: a part for being on, and by how busy experts, matrix units and memory are."""
    token = flow.token
    prompts = flow.batch / case.output * np.maximum(case.input, 0.0) / (case.dp * case.pp)
    read = 2 * (case.dense / case.rate + case.experts * case.active * case.dp / case.expert_rate) * prompts
    busy = np.minimum((flow.passed.busy + read) / token, 1.0)
    moved = np.minimum(flow.passed.moved / (case.bandwidth * token), 1.0)
    experts = case.low_experts * np.minimum(flow.passed.experts / token, 1.0)
    share = rates.power_idle + rates.power_experts * experts
    share = share + rates.power_multiply * np.sqrt(busy) + rates.power_read * moved
    share = np.minimum(share, MOST_POWER) * flow.used + np.minimum(rates.power_idle, MOST_POWER) * (1 - flow.used)
    return share * case.power * case.tp * case.pp * case.dp * case.replicas


def summed_up(case: Case, rates: Rates, keys: Keys, flow: Flow, own: Constants | None = None) -> Pace:
    """A flow with energy and intervals."""
    power = power_of(case, rates, flow)
    energy = power / np.maximum(flow.output_rate, 1e-12)

    def band(quantity: str, value: Real) -> Band:
        factor = spread_of(quantity, keys, case, own)
        return Band(value, value / factor, value * factor)

    return Pace(
        ttft=band("ttft", flow.first),
        tpot=band("tpot", flow.token),
        output_rate=band("output_rate", flow.output_rate),
        prompt_rate=band("prompt_rate", flow.input_rate),
        power=band("power", power),
        energy=band("energy", energy),
        flow=flow,
        case=case,
        keys=keys,
    )


def spread_of(quantity: str, keys: Keys, case: Case, own: Constants | None = None) -> float:
    """The factor that 80 % of measured values stay in, by software and by whether the model has experts."""
    table = (own or constants()).interval.get(quantity, {})
    mixed = "experts" if bool(np.any(np.asarray(case.experts) > 0)) else "dense"
    for name in (f"{keys.software}/{mixed}", keys.software, "all"):
        if name in table:
            return table[name]
    return USUAL_SPREAD


USUAL_SPREAD = 1.5
"""The factor where nothing was measured."""


def step_ledger(deployment: Deployment, traffic: Traffic) -> Ledger:
    """A step of decoding by term [s], of one deployment under one traffic."""
    found = pace(deployment, traffic)
    names = {"layers": "waits of layers", "host": "host and sampling", "head": "output layer", "dense": "matrices"}
    terms = tuple(
        Term(name=names.get(name, name), value=float(value))
        for name in TERMS
        if (value := float(np.asarray(getattr(found.flow.passed, name)).reshape(-1)[0])) > 0
    )
    batch = f"{float(np.asarray(found.flow.batch).reshape(-1)[0]):,.0f}"
    many = "one sequence" if batch in {"0", "1"} else f"{batch} sequences"
    title = f"A step of {deployment.model.name} for {many}"
    return Ledger(quantity="decode_time_per_token", title=title, terms=terms)
