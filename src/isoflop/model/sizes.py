"""From a size to a concrete shape: "7B" is a number, a layout and a memory estimate need layers, widths and heads.

The rule is a Llama-style decoder (RMS norms, rotary positions, grouped queries, gated feed-forward part):

- width / layers = 124 min(1, sqrt(width / 4096)), fitted to the published shapes of GPT-3, Gopher, Chinchilla, Llama 1
  to 3.2 and Mistral (19 shapes, 85M to 402B parameters without embeddings; scatter 20 %). Above 1T it extrapolates.
- The feed-forward width is about 3.5 times the width (Llama 3, Mistral) and takes up what the steps of the others
  leave, so that the exact count meets the target.
- From width 1024 on 8 key-value heads; heads of 128 from width 2560 on, of 64 below, in multiples of 8.
- Input and output embedding share one matrix below width 2048.

Depth and width move in steps (2 to 32 layers; 128 to 512 wide) and rise with the size; the count never falls where
the size rises. Loss depends on the shape weakly: twice or half the ratio costs about as much as a few percent of size
[kaplan2020 §3.1], so the rule stands for any sensible shape.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import pairwise
from math import isfinite, sqrt

from isoflop.errors import BadInput
from isoflop.model.count import counts
from isoflop.model.parts import Attention, Embedding, Head, Mlp, Norm
from isoflop.model.spec import Group, Layer, ModelSpec, Stack

ASPECT = 124.0
"""Width over layers of published models from the knee on."""
KNEE = 4096
"""Below this width published models are relatively deeper: the ratio falls with the root of the width."""
MLP_RATIO = 3.5
"""Feed-forward width over width with a gated part (Llama 3 8B and 70B, Mistral 7B)."""
SMALLEST, LARGEST = 1e6, 1e14

SOURCE = "rule fitted to published shapes (GPT-3, Gopher, Chinchilla, Llama, Mistral): isoflop.model.sizes"

# Width steps: (from this width on, step). Fine where a step would change the size by much.
_STEPS = ((8, 8), (64, 16), (256, 32), (512, 64), (2048, 128), (8192, 256), (16384, 512), (2**18, 0))
# Feed-forward steps: about 1/8 of the width, at most 256.
_MLP_STEPS = ((1, 8), (256, 32), (512, 64), (1024, 128), (2048, 256))

# Steps of layers from so many on: what large numbers of stages divide (Llama 2 70B has 80, GPT-3 96).
_LAYER_STEPS = ((0, 1), (12, 2), (48, 8), (128, 16), (256, 32))


def shape_for(params: float, *, vocabulary: int = 32_000, context: int = 4096) -> ModelSpec:
    """The shape of a decoder with as nearly `params` parameters as the steps allow, counted exactly.

    With a vocabulary of 32,000 the count is within 1.2 % of `params` from 10B on, 2.2 % from 10M on, and 8.2 % from 1M
    on, where one step of the width moves the embedding by much.

    >>> shape = shape_for(7e9)
    >>> shape.layers, shape.width, counts(shape).params
    (32, 3968, 7015427968)
    """
    if not isfinite(params) or not SMALLEST <= params <= LARGEST:
        raise BadInput(f"no shape for {params:g} parameters; give a size from 1M to 100T")
    edges = _edges(vocabulary)
    rung = bisect_right(edges, params)
    widths = _widths()
    if rung == 0 and params < 0.9 * edges[0]:
        raise BadInput(
            f"no shape for {params:,.0f} parameters: an embedding of {vocabulary:,} words alone takes more. "
            f"Give a smaller vocabulary, or at least {edges[0]:,.0f} parameters"
        )
    low = edges[rung - 1] if rung else 0.0
    high = edges[rung] if rung < len(edges) else LARGEST * 2
    width = widths[rung]
    mlp = _mlp_width(params, width, low, high, vocabulary)
    return _spec(_name(params), width, mlp, vocabulary, context)


@cache
def _widths() -> tuple[int, ...]:
    """Every width the rule can give, rising."""
    return tuple(width for (start, step), (end, _) in pairwise(_STEPS) for width in range(start, end, step))


@cache
def _edges(vocabulary: int) -> tuple[float, ...]:
    """Parameter counts at which the rule goes on to the next width: halfway, on the trend, between two widths."""
    trend = [_trend(width, vocabulary) for width in _widths()]
    return tuple(sqrt(smaller * larger) for smaller, larger in pairwise(trend))


def _trend(width: int, vocabulary: int) -> float:
    """Parameters of the trend's own shape at `width`, layers and feed-forward width not rounded."""
    heads, kv_heads, head_width = _heads(width)
    attention = 2 * width * (heads + kv_heads) * head_width
    tables = 1 if _tied(width) else 2
    return _depth(width) * (attention + 3 * MLP_RATIO * width**2) + tables * vocabulary * width


def _depth(width: int) -> float:
    return width / (ASPECT * min(1.0, sqrt(width / KNEE)))


def _layers(width: int) -> int:
    """Layers at `width` in steps of `_LAYER_STEPS`, so that pipeline stages can share them."""
    depth = _depth(width)
    step = next(step for start, step in reversed(_LAYER_STEPS) if depth >= start)
    return max(1, step * round(depth / step))


def _heads(width: int) -> tuple[int, int, int]:
    """(heads, key-value heads, width of a head)."""
    if width >= 2560:
        return 8 * _nearest(width / 1024), 8, 128
    if width >= 1024:
        return 8 * _nearest(width / 512), 8, 64
    head_width = 64 if width >= 256 else min(width, 32)
    heads = _nearest(width / head_width)
    return heads, heads, head_width


def _nearest(ratio: float) -> int:
    return max(1, int(ratio + 0.5))


def _tied(width: int) -> bool:
    return width < 2048


def _mlp_width(target: float, width: int, low: float, high: float, vocabulary: int) -> int:
    """The feed-forward width whose count comes nearest to `target`, among those whose count lies from `low` to `high`.

    The count is linear in it, so two exact counts give the line. The bounds keep the counts of neighbouring widths
    apart: that is what makes the whole rule rise.
    """
    step = next(step for start, step in reversed(_MLP_STEPS) if width >= start)
    one, two = (counts(_spec("", width, times * step, vocabulary, 1)).params for times in (1, 2))
    slope = two - one
    times = max(1, round(1 + (target - one) / slope))
    least = max(1, -int((one - low) // slope) + 1)
    most = max(least, -(-(int(high) - one) // slope))
    return step * min(max(times, least), most)


def _spec(name: str, width: int, mlp: int, vocabulary: int, context: int) -> ModelSpec:
    heads, kv_heads, head_width = _heads(width)
    norm = Norm(kind="rms")
    layer = Layer(
        norms=(norm, norm),
        mixers=(Attention(heads=heads, kv_heads=kv_heads, head_width=head_width, positions="rope"),),
        mlp=Mlp(width=mlp, gated=True, activation="silu"),
    )
    return ModelSpec(
        name=name,
        stack=Stack(width=width, groups=(Group(_layers(width), layer),), norm=norm),
        embedding=Embedding(vocabulary=vocabulary),
        head=Head(tied=_tied(width)),
        context=context,
        source=SOURCE,
    )


def _name(params: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if params >= size:
            return f"{params / size:.3g}{letter}"
    return f"{params:.3g}"
