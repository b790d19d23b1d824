"""Mixers whose memory does not grow with the context: state-space layers, linear attention, the delta rule.

They differ in their projections and in what a token does to the memory; `Recurrent` holds both as data, so that a
further one is a call and not a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoflop.model.parts.weight import Linear, Saved, State, Weight, check_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A short causal convolution over time, each channel by itself: it keeps the last `kernel` - 1 inputs.

    `group`: channels that are mixed with one another. `dilation`: it reads every so many tokens, and keeps all between.
    """

    channels: int
    kernel: int
    bias: bool = False
    group: int = 1
    dilation: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "channels", "kernel", "group", "dilation")

    @property
    def taps(self) -> int:
        """Inputs that one output is made of."""
        return self.kernel * self.group


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrent:
    """A mixer with `heads` memories of `key_width` x `value_width` numbers, whatever the context.

    `part` is its heading in tables ("mamba2", "gated delta net"). `projections` are the matrices each token passes,
    vectors among them (`runs` "never"). `products`: matrix-sized products a token makes with the memory: 2 write and
    read (Mamba, linear attention), 3 read before they write (the delta rule). Counted is the recurrent form, 2 FLOP an
    element and product; chunked kernels for training do more (with chunks of 64 and heads of 128, about half as much
    again) to use matrix units. `heads` = 0: no memory beside the convolution's. `shifts`: numbers kept of the tokens
    before without a convolution (RWKV). `beside`: numbers kept beside the memories (running maxima).
    """

    part: str
    projections: tuple[Linear, ...]
    heads: int = 0
    key_width: int = 0
    value_width: int = 0
    products: Literal[1, 2, 3] = 2
    convolutions: tuple[Convolution, ...] = ()
    causal: bool = True
    shifts: int = 0
    beside: int = 0

    def __post_init__(self) -> None:
        check_counts(self, "heads", "key_width", "value_width", "shifts", "beside", least=0)

    @property
    def memory(self) -> int:
        """Numbers in the memories of all heads."""
        return self.heads * self.key_width * self.value_width

    @property
    def kv_elements(self) -> int:
        """A further token adds nothing."""
        return 0

    def weights(self, width: int) -> tuple[Weight, ...]:
        """The projections, then the kernels of the convolutions."""
        del width
        found = [weight for one in self.projections for weight in one.weights(self.part)]
        for one in self.convolutions:
            found.append(Weight(self.part, "convolution", one.channels, one.taps))
            if one.bias:
                found.append(Weight(self.part, "convolution bias", one.channels))
        return tuple(found)

    def mixing_flops(self, sequence: float, *, full: bool) -> float:
        """Convolutions and products with the memory, the same for every token."""
        del sequence, full
        convolving = sum(2 * one.channels * one.taps for one in self.convolutions)
        return float(convolving + 2 * self.products * self.memory)

    def decode_flops(self, context: float) -> float:
        """One token's share: there is no context to look back on."""
        return self.mixing_flops(context, full=False)

    def state(self, context: float) -> tuple[State, ...]:
        """The memories and the last inputs of the convolutions."""
        del context
        convolved = sum(one.channels * (one.kernel - 1) * one.dilation for one in self.convolutions)
        found = (State("conv", convolved + self.shifts), State("recurrent", self.memory + self.beside))
        return tuple(state for state in found if state.elements)

    def saved(self, width: int) -> tuple[Saved, ...]:
        """Input, what the projections into the mixer give, the convolved channels, the output (fused kernels)."""
        matrices = [one for one in self.projections if one.runs == "token"]
        inner = [Saved(self.part, one.name, one.outputs, split="inner") for one in matrices if one.inputs == width]
        convolved = sum(one.channels for one in self.convolutions)
        out = sum(one.inputs for one in matrices if one.outputs == width and one.inputs != width)
        found = [Saved(self.part, "input", width), *inner]
        found += [Saved(self.part, "convolved", convolved, split="inner")] if convolved else []
        return (*found, Saved(self.part, "output", out or width, split="inner"))
