"""What training keeps of one layer for the backward pass, under kernels and recomputation.

The model room lists what fused kernels keep (`Layer.saved`). Plain PyTorch keeps more (copies of norms in fp32, the
output of the activation function beside its product), a compiler less (it computes again what is cheap). "native" is
plain PyTorch whose norms are fused: they keep no fp32 copy; "parts" the same where no kernel fuses them: input and
normed values are both kept in fp32; "autocast" is "native" with fp32 weights whose products alone are in 16 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.model.parts import Attention, LatentAttention, Moe, Norm, Saved
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


MIXED = frozenset({"attention", "cross-attention"})
ROUTED = frozenset({"experts"})


@dataclass(frozen=True, slots=True)
class LayerSaved:
    """Elements a token in the order of `tally.KEPT`; `widest` is the widest inner tensor, of experts apart.

    `offloadable` are bytes a token at two bytes an element that can go to the host: all that is saved.
    """

    features: tuple[float, ...]
    widest: float
    widest_routed: float

    @property
    def offloadable(self) -> float:
        """Bytes a token, roughly: what is saved at two bytes, and at four."""
        inner, outer, inner32, outer32, routed, routed_outer, _ = self.features
        return 2 * (inner + outer + routed + routed_outer) + 4 * (inner32 + outer32)


def saved_of(
    layer: Layer, width: int, recompute: Iterable[str], kernels: str, *, fused: bool, dropout: bool
) -> LayerSaved:
    """What is kept of one layer of `width`."""
    every = list(_with_kernels(layer, width, kernels, dropout=dropout))
    widest = max((one.elements for one in every if one.split == "inner" and one.part not in ROUTED), default=0.0)
    routed = max((one.elements for one in every if one.part in ROUTED), default=0.0)
    kept = kept_of(layer, width, recompute, kernels, dropout=dropout)
    return LayerSaved((*_sums(kept), pairs_of(layer, recompute, fused=fused)), widest, routed)


def kept_of(
    layer: Layer, width: int, recompute: Iterable[str], kernels: str, *, dropout: bool = False
) -> tuple[Saved, ...]:
    """The tensors that are kept of one layer, scores of unfused attention apart."""
    policies = frozenset(recompute) - {"none"}
    if "full" in policies:
        return (Saved("layer", "input", width, "fp32" if kernels == "autocast" else "compute"),)
    listed = _with_kernels(layer, width, kernels, dropout=dropout)
    if "every-second-matmul" in policies:
        return tuple(_every_second(listed, width))
    return tuple(one for one in listed if not _dropped(one, policies))


def pairs_of(layer: Layer, recompute: Iterable[str], *, fused: bool) -> float:
    """Scores kept a token and key: before and after the softmax, in the compute format, by every head."""
    if fused or set(recompute) & {"core-attention", "every-second-matmul", "full"}:
        return 0.0
    return float(sum(2 * one.heads for one in layer.mixers if isinstance(one, Attention | LatentAttention)))


def _with_kernels(layer: Layer, width: int, kernels: str, *, dropout: bool) -> Iterator[Saved]:
    """The list of the model room as the kernels at hand keep it."""
    gated, rms = _is_gated(layer), any(norm.kind == "rms" for norm in layer.norms)
    for one in layer.saved(width) if kernels != "autocast" else _under_autocast(layer, width):
        if kernels == "compiled" and (one.name == "activated" or (one.name == "input" and one.part != "norms")):
            continue  # computed again from what stands before it
        split = kernels in {"eager", "parts"} and rms and one.part == "norms" and one.name == "input"
        yield one._replace(form="fp32") if split and kernels == "parts" else one
        if split:
            yield Saved("norms", "input in fp32", one.elements, "fp32")
        if kernels in {"eager", "native", "parts", "autocast"} and gated and one.name == "activated":
            yield one._replace(name="activation")
    if dropout:
        yield Saved("norms", "dropout masks", width)  # two masks of a byte an element


def _under_autocast(layer: Layer, width: int) -> Iterator[Saved]:
    """As fused kernels, but the stream stays in fp32, and each product that reads it keeps a copy of its own."""
    for one in layer.saved(width):
        if one.part == "norms" and one.name == "input":
            yield one._replace(form="fp32")
        elif one.name == "input" and one.part in {"attention", "mlp"}:
            copies = 3 if one.part == "attention" else 2 if _is_gated(layer) else 1
            yield one._replace(elements=one.elements * copies)
        else:
            yield one


def final_saved(norm: Norm | None, width: int, kernels: str) -> tuple[float, ...]:
    """What is kept after the last layer, in the order of `tally.KEPT`: of the norm there, and the head's input."""
    layer = Layer(norms=(norm,) if norm is not None else ())
    head_input = Saved("head", "input", width)
    return (*_sums([*_with_kernels(layer, width, kernels, dropout=False), head_input]), 0.0)


def _is_gated(layer: Layer) -> bool:
    mlp = layer.mlp.expert if isinstance(layer.mlp, Moe) else layer.mlp
    return mlp is not None and mlp.gated


def _dropped(one: Saved, policies: frozenset[str]) -> bool:
    """Whether a policy computes this tensor again."""
    return (
        ("norms" in policies and one.name == "input" and one.part != "norms" and one.part not in ROUTED)
        or ("activations" in policies and one.name in {"activated", "activation"})
        or ("mlp" in policies and one.part in {"mlp", "experts", "shared expert"} and one.name != "input")
        or ("latent-up" in policies and one.part in MIXED and one.name in {"q", "kv"})
    )


def _every_second(listed: Iterable[Saved], width: int) -> Iterator[Saved]:
    """Torch's selective policy: inputs of the layer, attention outputs, and every second product.

    Of the seven products of a gated layer (q, k, v, o, gate, up, down) it keeps q, v, gate and down.
    """
    seen = False
    for one in listed:
        if one.part == "norms":
            if one.name == "input" and not seen:
                seen = True
                yield one
        elif one.name in {"q", "output", "statistics"}:
            yield one
        elif one.name in {"kv", "inner"}:
            yield one._replace(elements=one.elements / 2)
    yield Saved("mlp", "down", width)


def _sums(listed: Iterable[Saved]) -> tuple[float, ...]:
    found = dict.fromkeys(("inner", "outer", "inner32", "outer32", "routed_inner", "routed_outer"), 0.0)
    for one in listed:
        if one.part in ROUTED:
            found[f"routed_{one.split}"] += one.elements
        else:
            found[one.split + ("32" if one.form == "fp32" else "")] += one.elements
    return tuple(found.values())
