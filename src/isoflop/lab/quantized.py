"""Quantization-aware training: weights of inner matrices pass through few bits, with learned steps.

As in LSQ [esser2020] each output channel has a step size of its own that is trained with the rest; the gradient
goes straight through the rounding inside the range and is the step's own outside. What is trained is the logarithm of
the step: Adam moves every number by about its learning rate, which is more than the whole of a step of 8 bits.
Activations keep their precision: weight-only, as in serving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

if TYPE_CHECKING:
    from isoflop.torchmodel.decoder import Decoder


class Rounded(nn.Module):  # type: ignore[misc]
    """A weight as it is once quantized: whole multiples of a learned step, from -2^(bits-1) to 2^(bits-1) - 1."""

    def __init__(self, weight: Tensor, bits: int) -> None:
        super().__init__()
        self.low, self.high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        self.scale = (weight[0].numel() * self.high) ** -0.5
        # The paper's start suits 2 and 3 bits; from 4 up the range of the weights loses less.
        size = weight.detach().abs()
        first = 2 * size.mean(dim=1, keepdim=True) * self.high**-0.5
        if bits > 3:
            first = size.amax(dim=1, keepdim=True) / self.high
        self.log_step = nn.Parameter(first.clamp_min(1e-6).log())

    def forward(self, weight: Tensor) -> Tensor:
        """The quantized weight; its gradients are those of the paper."""
        step = self.log_step.exp()
        # The step learns at a rate that fits its few numbers: forward the same value, backward a scaled gradient.
        step = step * self.scale + (step - step * self.scale).detach()
        scaled = (weight / step).clamp(self.low, self.high)
        out: Tensor = (scaled + (scaled.round() - scaled).detach()) * step
        return out


def quantize_aware(model: Decoder, bits: int) -> None:
    """Have every matrix of the layers pass through `bits` from now on; embedding, head and norms are left."""
    for layer in model.layers:
        for one in layer.modules():
            if isinstance(one, nn.Linear) and not parametrize.is_parametrized(one):
                parametrize.register_parametrization(one, "weight", Rounded(one.weight, bits))


def settled(model: Decoder) -> None:
    """Put the quantized weights in the place of what makes them: a plain decoder of the same function."""
    for layer in model.layers:
        for one in list(layer.modules()):
            if isinstance(one, nn.Linear) and parametrize.is_parametrized(one):
                parametrize.remove_parametrizations(one, "weight", leave_parametrized=True)


def rounded_to_nearest(model: Decoder, bits: int) -> None:
    """Post-training quantization as a yardstick: each row to the nearest multiple of its largest value's step."""
    high = 2 ** (bits - 1) - 1
    with torch.no_grad():
        for layer in model.layers:
            for one in layer.modules():
                if isinstance(one, nn.Linear):
                    step = one.weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / high
                    one.weight.copy_((one.weight / step).round().clamp(-high - 1, high) * step)
