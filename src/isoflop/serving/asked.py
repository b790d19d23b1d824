"""`isoflop.serving(model, on, ...)`: what a deployment does, from words as people write them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

from isoflop.hardware.tariff import tariff_of
from isoflop.model import describe
from isoflop.quantity import quantity, read
from isoflop.serving.advice import Wish, serve
from isoflop.serving.given import deployment_for, formats_for
from isoflop.serving.search import Goal
from isoflop.serving.spec import Runtime

if TYPE_CHECKING:
    from isoflop.serving.advice import Service
    from isoflop.serving.spec import Placement, RuntimeName


class ServiceWords(TypedDict, total=False):
    """What a deployment may be asked about with, in the value grammar; `placement` is one of this room."""

    concurrency: str | float
    rate: str | float
    context: str | float
    input: str | float
    output: str | float
    price: str
    weights: str
    kv: str
    runtime: RuntimeName
    version: str
    placement: Placement


def serving(
    model: str | float,
    on: str,
    *,
    ttft: str | float = float("inf"),
    tpot: str | float = float("inf"),
    **asked: Unpack[ServiceWords],
) -> Service:
    """What fits, how fast, for how much: `model` served on the devices of `on`.

    `ttft` and `tpot` are limits: time to the first token, and between tokens.
    Raises: UnknownName for a model or device; BadInput for what cannot be read; Infeasible for what cannot be placed.

    >>> serving("llama-3.1-8b", "1xh100-sxm", concurrency=16, input="2k", output=256).room.verdict
    'fits'
    """
    what = describe(model)
    formats, assumed = formats_for(what, asked.get("weights", ""), asked.get("kv", ""))
    runtime = Runtime(name=asked.get("runtime", "vllm"), version=asked.get("version", ""))
    deployment, chips = deployment_for(what, on, formats, runtime=runtime)
    placement = asked.get("placement")
    if placement is not None:
        deployment = deployment.at(placement)
    wish = Wish(
        concurrency=_value(asked.get("concurrency", 0.0), "sequences"),
        request_rate=_value(asked.get("rate", 0.0), "request_rate"),
        context=round(_value(asked.get("context", 0.0), "sequence_length")),
        input_tokens=round(_value(asked.get("input", 0.0), "sequence_length")),
        output_tokens=round(_value(asked.get("output", 0.0), "sequence_length")),
        goal=Goal(
            first=_value(ttft, "time_to_first_token"),
            token=_value(tpot, "time_to_first_token"),
        ),
        tariff=tariff_of(deployment.device, price=asked.get("price", "")),
    )
    service = serve(deployment, chips, wish, asked=placement is not None)
    warnings = (what.warning,) if what.warning else ()
    return replace(service, assumed=(*assumed, *service.assumed), notes=(*service.notes, *warnings))


def _value(word: str | float, name: str) -> float:
    return float(word) if not isinstance(word, str) else read(word, quantity(name)).spread.median
