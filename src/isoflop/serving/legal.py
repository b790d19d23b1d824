"""What a placement has to divide, what a device can do, and what a runtime knows: why a deployment is impossible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.model.parts import Moe
from isoflop.model.shard import expert_counts, head_counts, inner_widths, kv_head_counts
from isoflop.serving.weights import experts_of, scheme_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from isoflop.hardware import Device
    from isoflop.model.spec import ModelSpec
    from isoflop.model.storage.scheme import Scheme
    from isoflop.serving.spec import Deployment, Placement, Placements

NEEDS_RATE = {"fp8": ("fp8",), "nvfp4": ("fp4",), "fp4": ("fp4",), "mxfp4": ()}
"""Formats of weights -> rates, one of which a device needs so that work can be done in them."""

NEVER_RUNS_ON = {"llama.cpp": ("Google", "AWS"), "trtllm": ("AMD", "Apple", "AWS", "Google", "Huawei", "Intel")}
"""Runtimes -> makers of devices that they have no kernels for."""

BY_WEIGHT_ONLY = {"fp8": "int8 or bf16", "nvfp4": "fp8 or int4", "fp4": "fp8 or int4"}


def faults(deployment: Deployment, placement: Placement) -> list[str]:
    """Why this placement cannot be, each reason with the nearest that can; nothing where it can."""
    found = _divisions(deployment.model, placement)
    found += _blocks(deployment, placement)
    found += device_faults(deployment)
    causal = deployment.model.causal
    return found if causal else [*found, f"{deployment.model.name} writes no tokens: it has no causal attention"]


def _divisions(model: ModelSpec, one: Placement) -> list[str]:
    found = [
        f"tp {one.tp} does not divide {heads} heads; {_near(heads, one.tp)}"
        for heads in sorted(head_counts(model))
        if heads % one.tp
    ]
    found += [
        f"tp {one.tp} and {heads} key-value heads do not divide each other; {_near(heads, one.tp)}"
        for heads in sorted(kv_head_counts(model))
        if max(one.tp, heads) % min(one.tp, heads)
    ]
    experts = experts_of(model)
    if one.ep > 1 and not experts:
        found.append(f"ep {one.ep}: {model.name} has no experts; ep 1 does")
    found += [
        f"ep {one.ep} does not divide {number} experts; {_near(number, one.ep)}"
        for number in sorted(expert_counts(model))
        if one.ep > 1 and number % one.ep
    ]
    if one.ep > 1 and (one.tp * one.dp) % one.ep:
        found.append(f"ep {one.ep} does not divide tp x dp = {one.tp * one.dp}; {_near(one.tp * one.dp, one.ep)}")
    if one.pp > model.layers:
        found.append(f"pp {one.pp} is more than {model.layers} layers; pp {model.layers} is the most")
    if one.dcp > 1 and one.tp % one.dcp:
        found.append(f"dcp {one.dcp} does not divide tp {one.tp}; {_near(one.tp, one.dcp)}")
    return list(dict.fromkeys(found))


def block_of(scheme: Scheme) -> int:
    """Side of the square blocks that scales are shared in, 1 where none are; ranks cannot cut through a block."""
    sides = [one.outputs for rule in scheme.rules for one in rule.form.beside if min(one.outputs, one.inputs) > 1]
    return max(sides, default=1)


def expert_widths(model: ModelSpec) -> frozenset[int]:
    """Inner widths of routed experts."""
    layers = (layer for _, layer in model.stack.groups)
    return frozenset(layer.mlp.expert.width for layer in layers if isinstance(layer.mlp, Moe))


def _blocks(deployment: Deployment, one: Placement) -> list[str]:
    """Where tensor ranks would cut through blocks that share a scale (vLLM and SGLang refuse that)."""
    block = block_of(scheme_of(deployment.formats))
    if block == 1 or deployment.runtime.name in {"llama.cpp", "ideal"}:
        return []
    ranks = max(1, one.tp * one.dp // one.ep)
    cut = [width for width in sorted(expert_widths(deployment.model)) if width % (ranks * block)]
    cut = [width for width in cut if ranks > 1]
    return [
        f"{ranks} ranks leave {width / ranks:g} of an expert's {width:,}, no multiple of the blocks of {block} "
        f"that its weights are scaled in; ep {one.tp * one.dp} does"
        for width in cut
    ]


def _near(number: int, degree: int) -> str:
    """Divisors next to a degree: "4 and 8 do"."""
    divisors = [one for one in range(1, number + 1) if number % one == 0]
    below = max((one for one in divisors if one <= degree), default=1)
    above = min((one for one in divisors if one >= degree), default=number)
    return f"{below} and {above} do" if below != above else f"{below} does"


def device_faults(deployment: Deployment) -> list[str]:
    """What no placement changes: a runtime or formats that the device cannot do, more on the host than there is."""
    found = []
    maker = deployment.device.vendor
    if maker in NEVER_RUNS_ON.get(deployment.runtime.name, ()):
        other = "vllm or ideal" if maker in {"Google", "AWS"} else "vllm, sglang or llama.cpp"
        found.append(f"{deployment.runtime.name} does not run on devices of {maker}; {other} may")
    return [*found, *format_faults(deployment), *_host_faults(deployment)]


def _host_faults(deployment: Deployment) -> list[str]:
    model, off = deployment.model, deployment.offload
    mixed = sum(times for times, layer in model.stack.groups if isinstance(layer.mlp, Moe))
    found = []
    if off.layers > model.layers:
        found.append(f"{off.layers} layers on the host: {model.name} has {model.layers}; {model.layers} is the most")
    if off.expert_layers > mixed:
        said = f"{mixed} layers with experts; {mixed} is the most" if mixed else "no experts; give layers"
        found.append(f"experts of {off.expert_layers} layers on the host: {model.name} has {said}")
    return found


def format_faults(deployment: Deployment) -> list[str]:
    """Formats of weights that the device has no units for. MXFP4 and integer weights are widened before use."""
    scheme = scheme_of(deployment.formats)
    if deployment.runtime.name in {"llama.cpp", "ideal"}:
        return []
    rates = deployment.device.peak_rates
    found = []
    for name in dict.fromkeys([*(rule.form.name for rule in scheme.rules), scheme.rest.name]):
        needed = NEEDS_RATE.get(name, ())
        if needed and not any(rate in rates for rate in needed):
            said = f"{deployment.device.name} has no {needed[0]} units, which {name} weights need"
            found.append(f"{said}; {BY_WEIGHT_ONLY[name]} weights do")
    return found


def legal_placements(model: ModelSpec, many: Placements, block: int = 1) -> npt.NDArray[np.bool_]:
    """Which of many placements divide what they have to; `block` as `block_of` says of a scheme."""
    good: npt.NDArray[np.bool_] = np.ones(many.tp.shape, dtype=bool)
    for heads in head_counts(model):
        good &= heads % many.tp == 0
    for heads in kv_head_counts(model):
        good &= np.where(many.tp > heads, many.tp % heads, heads % many.tp) == 0
    for width in inner_widths(model):
        good &= width % many.tp == 0
    experts = experts_of(model)
    good &= (many.ep == 1) | ((experts > 0) & ((many.tp * many.dp) % many.ep == 0))
    for number in expert_counts(model):
        good &= number % many.ep == 0
    ranks = np.maximum(many.tp * many.dp / many.ep, 1)
    for width in expert_widths(model):
        good &= (ranks == 1) | (width % (ranks * block) == 0)
    good &= (many.pp <= model.layers) & (many.tp % many.dcp == 0)
    return good


def can_compute(device: Device, form: str) -> bool:
    """Whether a device has units for products in a format."""
    needed = NEEDS_RATE.get(form, ())
    return not needed or any(rate in device.peak_rates for rate in needed)
