"""A deployment and its traffic as the numbers that a pass depends on."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.errors import MissingData
from isoflop.kernel import chip_of
from isoflop.model.count import head_weight
from isoflop.model.storage.modules import Module
from isoflop.serving.memory import Budget, budget, served
from isoflop.serving.rates import Keys, device_class, pace_era
from isoflop.serving.step import Case
from isoflop.serving.weights import held_of, scheme_of
from isoflop.serving.work import curves_of, state_read, work_of

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.kernel import Chip
    from isoflop.model.spec import ModelSpec
    from isoflop.model.storage.scheme import Scheme
    from isoflop.quantity.types import Real
    from isoflop.serving.spec import Deployment, Traffic

HOST_SHARE = 0.7
"""Share of the host's memory bandwidth at which it reads weights."""

USUAL_HOST = 60e9
"""Bytes a second of a desktop's memory, where layers stay on a host that nobody describes."""

USUAL_POWER = 300.0
"""Watts of a device whose limit is not catalogued."""

LEAST_POOL = 0.5
"""Share of what weights leave of a chip that caches get at least."""

SWITCH = 60e9
"""Links from this rate on, one way, count as links between chips of their own; below, sums cross the host's bus."""


class Stored(NamedTuple):
    """Bytes of what a pass reads, by what divides it, and the classes of formats ("16", "8", "4") of two kinds."""

    tensor: float
    heads: float
    whole: float
    experts: float
    head: float
    format: str
    expert_format: str


@lru_cache(maxsize=512)
def stored_of(model: ModelSpec, scheme: Scheme) -> Stored:
    """The bytes of a model under a scheme."""
    from isoflop.serving.spec import Formats

    work = work_of(model)
    held = held_of(model, Formats(weights=scheme))
    tensor, heads, experts, vocabulary, whole = held.layers.tolist()
    dense = work.tensor + work.heads + work.whole
    bits = 8 * (tensor + heads + whole + vocabulary) / dense if dense else 16.0
    expert_bits = 8 * experts / work.experts if work.experts else bits
    return Stored(tensor + vocabulary, heads, whole, experts, _head(model, scheme), _class(bits), _class(expert_bits))


def _head(model: ModelSpec, scheme: Scheme) -> float:
    """Bytes of the output matrix, of its own or of the embedding that it shares."""
    if model.head is None:
        return 0.0
    weight = head_weight(model)
    return scheme.form_of(Module(weight, "head", 1, ())).size(weight.rows, weight.columns)


def _class(bits: float) -> str:
    return "16" if bits > 12 else "8" if bits > 6.6 else "4"


def keys_of(deployment: Deployment, month: str = "", *, tuned: bool = False) -> Keys:
    """What the constants of a deployment depend on; `month` where its runtime names no version."""
    device = deployment.device
    era = pace_era(deployment.runtime, month)
    stored = stored_of(served(deployment), scheme_of(deployment.formats))
    local = era.software == "llama.cpp"
    chip = _chip(device)
    return Keys(
        device=device_class(device),
        software=era.software,
        era=era.name,
        format=_local(stored.format) if local else stored.format,
        experts=_local(stored.expert_format) if local else stored.expert_format,
        link="switch" if chip.link >= SWITCH else "bus",
        vendor="apple" if device.vendor == "Apple" else "other",
        tuned="tuned" if tuned else "plain",
    )


def _local(form: str) -> str:
    return "gguf-16" if form == "16" else "gguf-low"


def _chip(device: Device) -> Chip:
    return chip_of(device)


class _Degrees(NamedTuple):
    """Degrees of a placement, numbers or arrays."""

    tp: Real
    pp: Real
    dp: Real
    ep: Real
    replicas: Real


def case_of(deployment: Deployment, traffic: Traffic, month: str = "") -> Case:
    """All numbers of a case: floats, or arrays where placements or traffic are arrays.

    `month` ("2025-06") stands for the version of a runtime that names none.
    """
    many = deployment.placements
    degrees = _Degrees(*(_float(each) for each in (many.tp, many.pp, many.dp, many.ep, many.replicas)))
    room, whole_room = _rooms(deployment, traffic, degrees.dp)
    case = Case(
        **_matrices(deployment, degrees),
        **_attention(deployment, traffic, degrees, month),
        **_chip_figures(deployment),
        **degrees._asdict(),
        input=traffic.input_tokens - traffic.cached_tokens,
        output=np.maximum(traffic.output_tokens, 1.0),
        room=room,
        whole_room=whole_room,
    )
    return Case(*(value.item() if isinstance(value, np.generic) else value for value in case))


def _matrices(deployment: Deployment, degrees: _Degrees) -> dict[str, Real]:
    """Elements and bytes of matrices on a rank, on the chip and on the host."""
    model, tp = served(deployment), degrees.tp
    work, stored = work_of(model), stored_of(model, scheme_of(deployment.formats))
    kv, all_ranks = np.minimum(tp, work.kv_heads), tp * degrees.dp
    off = _offloaded(deployment, stored, tp)
    return {
        "dense": work.tensor / tp + work.heads / kv + work.whole,
        "dense_bytes": (stored.tensor / tp + stored.heads / kv + stored.whole) * (1 - off.dense),
        "experts": work.experts / all_ranks,
        "expert_bytes": stored.experts / all_ranks * (1 - off.experts),
        "active": work.active,
        "targets": work.active * work.experts_each,
        "head": work.head / tp,
        "head_bytes": stored.head / tp,
        "vocabulary": float(work.vocabulary),
        "width": float(work.width),
        "layers": float(work.layers),
        "expert_layers": float(work.expert_layers),
        "latent_layers": float(work.latent_layers),
        "local": float(deployment.runtime.name == "llama.cpp"),
        "quantized": float(deployment.runtime.name == "llama.cpp" and stored.format != "16"),
        "low_experts": float(stored.expert_format != "16" and work.experts > 0),
        "host_bytes": off.bytes,
        "host_bandwidth": off.bandwidth,
    }


def _attention(deployment: Deployment, traffic: Traffic, degrees: _Degrees, month: str) -> dict[str, Real]:
    """What a token reads of the state and multiplies with it, on a rank."""
    model = served(deployment)
    work, curves = work_of(model), curves_of(model)
    context = np.maximum(traffic.mean_context, 1.0)
    asked = np.maximum(traffic.depth + traffic.input_tokens, 1.0)
    state = state_read(model, context, degrees.tp, deployment.formats.kv_bytes)
    if pace_era(deployment.runtime, month).whole_heads:
        state = state * work.query_groups
    return {
        "score_heads": work.score_heads,
        "state": state,
        "state_flops": np.interp(context, curves.contexts, curves.decode) / degrees.tp,
        "prompt_flops": np.interp(asked, curves.contexts, curves.prompt) / degrees.tp,
    }


def _chip_figures(deployment: Deployment) -> dict[str, Real]:
    """Peaks of the chip for the formats that it works in."""
    device, chip = deployment.device, _chip(deployment.device)
    stored = stored_of(served(deployment), scheme_of(deployment.formats))
    return {
        "rate": _rate(device, chip, stored.format),
        "expert_rate": _rate(device, chip, stored.expert_format),
        "wide_rate": _rate(device, chip, "16"),
        "vector_rate": _vector_rate(device, chip),
        "bandwidth": chip.bandwidth,
        "link": chip.link,
        "power": device.tdp.value if device.tdp is not None else USUAL_POWER,
    }


class _Off(NamedTuple):
    """Shares of dense weights and of experts that stay on the host, bytes it reads a token, and how fast."""

    dense: float
    experts: float
    bytes: Real
    bandwidth: float


def _offloaded(deployment: Deployment, stored: Stored, tp: Real) -> _Off:
    off, work = deployment.offload, work_of(served(deployment))
    if not off.any:
        return _Off(0.0, 0.0, 0.0, USUAL_HOST)
    dense = min(1.0, off.layers / work.layers)
    experts = min(1.0, max(dense, off.expert_layers / max(work.expert_layers, 1)))
    held = (stored.tensor + stored.heads + stored.whole) * dense + stored.experts * experts * work.active
    return _Off(dense, experts, held / tp, (off.bandwidth or USUAL_HOST) * HOST_SHARE)


class _Same:
    """A deployment as itself: equal to no other, so that what follows from it can be kept without comparing models."""

    __slots__ = ("deployment",)

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def __hash__(self) -> int:
        return id(self.deployment)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.deployment is self.deployment


@lru_cache(maxsize=32)
def _budget(same: _Same) -> Budget:
    return budget(same.deployment)


def _rooms(deployment: Deployment, traffic: Traffic, dp: Real) -> tuple[Real, Real]:
    """Sequences that an instance holds: halfway through their output, and at their end."""
    if deployment.runtime.name == "llama.cpp":
        return 1e9, 1.0
    found = _budget(_Same(deployment))
    # a deployment that runs has found room somewhere, however tight the usual allowances are
    pool = np.maximum(found.pool, LEAST_POOL * (found.capacity - found.weights))
    mean, whole = (found.concurrency(pool, np.maximum(each, 1.0)) for each in (traffic.mean_context, traffic.longest))
    if deployment.runtime.name == "trtllm":  # a request starts only where its whole length has room
        mean = whole
    return (_float(mean * dp), _float(whole * dp))


def _float(values: Real) -> Real:
    array = np.asarray(values)
    return float(array.reshape(-1)[0]) if array.size == 1 else array


def _rate(device: Device, chip: Chip, form: str) -> float:
    """The peak at which products in a class of formats run.

    Formats a chip lacks are unpacked to 16 bit, and where vector units are faster than that (Pascal), to 32.
    """
    wide = max(chip.rate("16"), _vector_rate(device, chip))
    try:
        return max(chip.rate(form), wide)
    except MissingData:
        return wide


def _vector_rate(device: Device, chip: Chip) -> float:
    figure = device.peak_rates.get("fp32")
    return figure.value if figure is not None else chip.rate("16") / 4
