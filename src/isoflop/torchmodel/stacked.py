"""Several decoders of one shape at once, forward and backward by hand: tensors have the runs for their first dimension.

The function is that of `decoder.Decoder`, every operation once for all runs, up to rounding. Where steps are small the
time of a run alone goes to starting some four hundred operations and to what automatic differentiation keeps; here
there are a third as many, gradients are written down and products of one input are one product. Queries, keys and
values are one tensor, gate and up another; they and the head lie transposed, which is how their products are fastest.

Attention holds its scores (runs x sequences x heads x tokens^2): meant for sequences of a few hundred tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as f

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from isoflop.torchmodel.shape import Shape

    Back = Callable[[Tensor], tuple[Tensor, Tensor]]
    """From the gradient of a part's output to those of its input and of its weights."""

    Inside = Callable[[Tensor], tuple[Tensor, Callable[[Tensor], Tensor]]]
    """What has no weights: its output, and from the gradient of that to the one of its input."""

EPS = 1e-5
TINY = 1e-38
"""The least share of probability that a token is given: its loss stays finite, at 87 nats."""


def stack(shape: Shape, models: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Weights of several decoders, by their own names, as the tensors that `stacked_gradients` takes."""
    found: dict[str, Tensor] = {}
    for name in models[0]:
        place, joined = _joined(name)
        if joined and place + joined not in found:
            parts = [_ordered(shape, part, _every(models, f"{place}{part}.weight")) for part in _JOINED[joined]]
            found[place + joined] = torch.cat(parts, dim=1).transpose(1, 2).contiguous()
        elif not joined:
            found[name] = _every(models, name)
    return found


def unstack(shape: Shape, weights: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """Weights of run `number`, by the names of a decoder alone."""
    found: dict[str, Tensor] = {}
    for name, every in weights.items():
        place, last = name.rpartition(".")[::2]
        if last in _JOINED:
            held = every[number].t().split(_rows(shape)[last])
            for part, one in zip(_JOINED[last], held, strict=True):
                own = f"{place}.{part}.weight".lstrip(".")
                found[own] = _ordered(shape, part, one.unsqueeze(0), back=True)[0].contiguous()
        else:
            found[name] = every[number].clone()
    return found


_JOINED = {"qkv": ("q", "k", "v"), "gate_up": ("gate", "up"), "top": ("head",)}
"""Matrices of one input that are one here, (runs, inputs, outputs)."""


def _joined(name: str) -> tuple[str, str]:
    """Where a decoder's tensor lies, and which joined one it goes into: "" for none."""
    before, _, part = name.removesuffix(".weight").rpartition(".")
    joined = next((new for new, parts in _JOINED.items() if part in parts), "")
    return (f"{before}." if before else ""), joined


def _every(models: Sequence[Mapping[str, Tensor]], name: str) -> Tensor:
    return torch.stack([one[name].detach() for one in models])


def _rows(shape: Shape) -> dict[str, list[int]]:
    """Outputs of the parts of joined matrices."""
    keys = shape.kv_heads * shape.head_width
    sizes = {"qkv": [shape.heads * shape.head_width, keys, keys], "gate_up": [shape.inner, shape.inner]}
    return sizes | {"top": [shape.vocabulary]}


def _ordered(shape: Shape, part: str, rows: Tensor, *, back: bool = False) -> Tensor:
    """Rows of queries and keys with the two numbers that a position turns beside each other; `back` undoes it.

    A decoder turns number i with number i + half: scores do not depend on the order, and pairs are complex numbers.
    """
    if part not in {"q", "k"}:
        return rows
    sizes = (-1, shape.head_width // 2, 2) if back else (-1, 2, shape.head_width // 2)
    return rows.unflatten(1, sizes).transpose(2, 3).reshape(rows.shape)


@torch.no_grad()  # type: ignore[untyped-decorator]
def stacked_losses(
    shape: Shape, weights: Mapping[str, Tensor], tokens: Tensor, targets: Tensor, turns: Tensor
) -> Tensor:
    """Mean cross entropy of each run (runs,) from tokens and targets (runs, batch, tokens), in nats."""
    x = _embedded(weights["embedding.weight"], tokens)[0]
    for number in range(shape.layers):
        for part in _layer(shape, weights, number, turns, tokens.shape[1]):
            x = part(x)[0]
    x = _norm(x, weights["norm.weight"])[0]
    heads = _heads(shape, weights)
    return torch.stack(
        [f.cross_entropy(one @ head, wanted) for one, head, wanted in zip(x, heads, targets.flatten(1), strict=True)]
    )


@torch.no_grad()  # type: ignore[untyped-decorator]
def stacked_gradients(
    shape: Shape, weights: Mapping[str, Tensor], tokens: Tensor, targets: Tensor, turns: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """As `stacked_losses`, and the gradient of each run's loss with respect to each of its weights."""
    found: dict[str, Tensor] = {}
    x, embed_back = _embedded(weights["embedding.weight"], tokens)
    backs: list[Callable[[Tensor, dict[str, Tensor]], Tensor]] = []
    for number in range(shape.layers):
        for part in _layer(shape, weights, number, turns, tokens.shape[1]):
            x, back = part(x)
            backs.append(back)
    x, norm_back = _norm(x, weights["norm.weight"])
    losses, gradient, head = _head(x, _heads(shape, weights), targets.flatten(1))
    gradient, found["norm.weight"] = norm_back(gradient)
    for back in reversed(backs):
        gradient = back(gradient, found)
    table = embed_back(gradient)
    if shape.tied:
        table += head.transpose(1, 2)
    else:
        found["top"] = head
    found["embedding.weight"] = table
    return losses, found


def _heads(shape: Shape, weights: Mapping[str, Tensor]) -> Tensor:
    """Matrices from activations to logits (runs, width, vocabulary)."""
    return weights["embedding.weight"].transpose(1, 2) if shape.tied else weights["top"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Attention or the feed-forward part of a layer: norm, a product, what is between, a product, added to its input.

    Called with activations it gives those after it, and the way back: from their gradient to that of what came in, with
    the gradients of weights put in a dictionary.
    """

    weights: Mapping[str, Tensor]
    scale: str
    first: str
    last: str
    inside: Inside

    def __call__(self, x: Tensor) -> tuple[Tensor, Callable[[Tensor, dict[str, Tensor]], Tensor]]:
        first, last = self.weights[self.first], self.weights[self.last]
        flat, norm_back = _norm(x, self.weights[self.scale])
        mixed, inside_back = self.inside(torch.bmm(flat, first))

        def back(gradient: Tensor, found: dict[str, Tensor]) -> Tensor:
            # The longer side of a product goes last: with 8 columns there it takes three times as long.
            found[self.last] = torch.bmm(gradient.transpose(1, 2), mixed)
            inner = inside_back(torch.bmm(gradient, last))
            found[self.first] = torch.bmm(flat.transpose(1, 2), inner)
            inner, found[self.scale] = norm_back(torch.bmm(inner, first.transpose(1, 2)))
            return inner.add_(gradient)

        return torch.bmm(mixed, last.transpose(1, 2)).add_(x), back


def _layer(shape: Shape, weights: Mapping[str, Tensor], number: int, turns: Tensor, batch: int) -> tuple[_Part, _Part]:
    """The two parts of a layer."""

    def part(scale: str, first: str, last: str, inside: Inside) -> _Part:
        names = (f"layers.{number}.{one}" for one in (f"{scale}.weight", first, f"{last}.weight"))
        scale, first, last = names
        return _Part(weights=weights, scale=scale, first=first, last=last, inside=inside)

    attention = part("before", "qkv", "o", lambda wide: _attention(shape, wide, turns, batch))
    return attention, part("after", "gate_up", "down", _gated)


def _embedded(table: Tensor, tokens: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Rows of each run's table (runs, batch x tokens, width)."""
    runs, vocabulary, width = table.shape
    ahead = torch.arange(runs, device=tokens.device).view(-1, 1, 1) * vocabulary
    rows = (tokens + ahead).flatten()

    def back(gradient: Tensor) -> Tensor:
        return torch.zeros_like(table).view(-1, width).index_add_(0, rows, gradient.flatten(0, 1)).view_as(table)

    return table.view(-1, width).index_select(0, rows).view(runs, -1, width), back


def _norm(x: Tensor, scale: Tensor) -> tuple[Tensor, Back]:
    """Root mean square norm over the last dimension."""
    width = x.shape[-1]
    inverse = torch.linalg.vecdot(x, x).div_(width).add_(EPS).rsqrt_().unsqueeze(-1)
    flat = x * inverse

    def back(gradient: Tensor) -> tuple[Tensor, Tensor]:
        scales = (gradient * flat).sum(dim=1)
        scaled = gradient * scale.unsqueeze(1)
        along = torch.linalg.vecdot(scaled, flat).div_(width).unsqueeze(-1)
        return scaled.addcmul_(flat, along, value=-1).mul_(inverse), scales

    return flat * scale.unsqueeze(1), back


def _gated(wide: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """silu(gate) * up of (runs, rows, 2 x inner)."""
    gate, up = wide.chunk(2, dim=-1)
    opened = f.silu(gate)

    def back(gradient: Tensor) -> Tensor:
        out = torch.empty_like(wide)
        first, second = out.chunk(2, dim=-1)
        torch.mul(gradient, opened, out=second)
        first.copy_(torch.ops.aten.silu_backward(gradient * up, gate))
        return out

    return opened * up, back


def _attention(shape: Shape, wide: Tensor, turns: Tensor, batch: int) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Causal attention from queries, keys and values side by side (runs, batch x tokens, outputs of all three)."""
    runs, hw, many = wide.shape[0], shape.head_width, shape.heads // shape.kv_heads
    sizes = [shape.heads + shape.kv_heads, shape.kv_heads]
    each = wide.view(runs * batch, -1, sum(sizes), hw)
    turned = _turned(each[:, :, : sizes[0]], turns)
    q, k = _by_head(turned[:, :, : shape.heads]), _by_head(turned[:, :, shape.heads :], many)
    v = _by_head(each[:, :, sizes[0] :], many)
    mask = torch.full((q.shape[1], q.shape[1]), -torch.inf, device=wide.device).triu_(1)
    shares = torch.softmax(torch.baddbmm(mask, q, k.transpose(1, 2), alpha=hw**-0.5), dim=-1)

    def back(gradient: Tensor) -> Tensor:
        g = _by_head(gradient.view(runs * batch, -1, shape.heads, hw))
        scores = torch.bmm(g, v.transpose(1, 2)).mul_(shares)
        scores.addcmul_(shares, scores.sum(dim=-1, keepdim=True), value=-1).mul_(hw**-0.5)
        out = torch.empty_like(each)
        both = torch.empty_like(turned)
        _from_heads(torch.bmm(k.transpose(1, 2), scores.transpose(1, 2)), both[:, :, : shape.heads])
        _from_heads(torch.bmm(q.transpose(1, 2), scores), both[:, :, shape.heads :], many)
        _from_heads(torch.bmm(g.transpose(1, 2), shares), out[:, :, sizes[0] :], many)
        out[:, :, : sizes[0]] = _turned(both, turns, back=True)
        return out.view_as(wide)

    mixed = torch.empty_like(each[:, :, : shape.heads], memory_format=torch.contiguous_format)
    _from_heads(torch.bmm(v.transpose(1, 2), shares.transpose(1, 2)), mixed)
    return mixed.view(runs, -1, shape.heads * hw), back


def _by_head(x: Tensor, many: int = 1) -> Tensor:
    """(sequences, tokens, heads, width) as (sequences x heads, tokens, width), each head `many` times."""
    turned = x.transpose(1, 2)
    if many > 1:
        turned = turned.repeat_interleave(many, dim=1)
    return turned.reshape(-1, x.shape[1], x.shape[3])


def _from_heads(x: Tensor, to: Tensor, many: int = 1) -> None:
    """(sequences x heads, width, tokens) into `to`, (sequences, tokens, heads, width); what came from one adds up."""
    sequences, tokens, heads, width = to.shape
    held = x.view(sequences, heads, many, width, tokens)
    to.copy_((held.sum(dim=2) if many > 1 else held[:, :, 0]).permute(0, 3, 1, 2))


def _turned(x: Tensor, turns: Tensor, *, back: bool = False) -> Tensor:
    """Rotary positions of (sequences, tokens, heads, width), pairs beside each other; `back` is the gradient."""
    half = x.shape[-1] // 2
    angles = torch.complex(turns[0, :, :half], -turns[1, :, :half] if back else turns[1, :, :half])
    pairs = torch.view_as_complex(x.unflatten(-1, (half, 2)))
    return torch.view_as_real(pairs * angles.unsqueeze(1)).flatten(-2)


def _head(x: Tensor, heads: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Losses (runs,), and the gradients of activations and heads; run by run, so that logits stay in the cache."""
    losses, gradient, weights = x.new_empty(len(x)), torch.empty_like(x), torch.empty_like(heads)
    rows = x.shape[1]
    first = torch.arange(rows, device=x.device) * heads.shape[2]
    ones = x.new_full((rows,), -1.0)
    for number, (one, head) in enumerate(zip(x, heads, strict=True)):
        shares = torch.softmax(one @ head, dim=-1)
        flat, at = shares.view(-1), first + targets[number]
        losses[number] = flat.index_select(0, at).clamp_min_(TINY).log_().mean().neg_()
        flat.index_add_(0, at, ones)
        torch.mm(shares, head.t(), out=gradient[number])
        torch.mm(one.t(), shares, out=weights[number])
    return losses, gradient.div_(rows), weights.div_(rows)


def learns(name: str, width: int, base_width: int) -> tuple[float, bool]:
    """The pace of a stacked tensor, as `start.paces` has it: its factor on the learning rate, and whether it decays."""
    wide = name != "embedding.weight" and not name.endswith(("norm.weight", "before.weight", "after.weight"))
    return (base_width / width if wide else 1.0), wide
