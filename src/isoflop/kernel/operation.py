"""Times of single operations on one chip: products, attention, element-wise work. All on numbers or arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.kernel.chip import Chip
    from isoflop.kernel.profile import Profile
    from isoflop.quantity.types import Real


def matmul_time(m: Real, n: Real, k: Real, *, chip: Chip, profile: Profile, group: str) -> Real:
    """Seconds of a product of m x k and k x n in a class of number formats.

    2 m n k FLOP at the peak, over the share that large products reach, longer for small sides, with half a wave of
    tiles lost (in the mean of the product and the two of its backward pass), and a start. Neglects: that a product
    so thin that memory decides it takes as long as its bytes; training has none (decoding does).
    """
    form = profile.format(group)
    slowness = 1 / form.efficiency + form.shape * (1 / m + 1 / n + 1 / k)
    slowness = slowness + form.wave / 3 * (m + n + k) / (m * n * k)
    return 2 * m * n * k / chip.rate(group) * slowness + profile.launch.product


SPLIT = 3.0
"""Products of tf32 that make one of fp32 on matrix units: each side is split in two, the smallest part left out."""


def attention_time(flops: Real, *, chip: Chip, profile: Profile, generation: int, group: str = "16") -> Real:
    """Seconds of scores and weighted sums of `flops` FLOP in fused kernels, forward, with their mask counted.

    Kernels of fp32 (CUTLASS's, which torch takes) keep its bits on matrix units by splitting, whatever other products
    are asked to do in; where there are no such units, or splitting does not pay, vector units do it.
    """
    rate = max(chip.rate("fp32"), chip.rate("tf32") / SPLIT) if group in {"fp32", "tf32"} else chip.rate(group)
    return flops / (rate * profile.attention.share(generation))


def score_time(flops: Real, scores: Real, *, chip: Chip, profile: Profile, group: str = "16") -> Real:
    """Seconds of attention that keeps its scores, forward: products of the whole square, and softmax over memory."""
    products = flops / (chip.rate(group) * profile.format(group).efficiency)
    return products + scores * profile.attention.unfused / chip.bandwidth


def cast_time(elements: Real, *, chip: Chip, profile: Profile) -> Real:
    """Seconds to bring so many elements into 8 or 4 bit, with their scales."""
    return profile.elementwise.cast * elements / chip.bandwidth


def elementwise_time(elements: Real, width: float, *, chip: Chip, profile: Profile, kernels: str) -> Real:
    """Seconds of norms, activations, residual sums of a layer that saves `elements` of `width` bytes, forward."""
    return profile.elementwise.factor(kernels) * elements * width / chip.bandwidth
