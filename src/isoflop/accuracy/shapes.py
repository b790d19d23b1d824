"""The model of a row: from its columns, or from a config or preset that has the shape the columns name.

A mixture of experts and latent attention do not fit into columns, so such a row needs a config: one whose widths and
counts are those of the row, whatever it is called. Names decide only where a row gives no shape at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import BadFile, MissingData
from isoflop.model import counts, describe, model_names
from isoflop.model.parts import Attention, Embedding, Head, LatentAttention, Mlp, Moe, Norm
from isoflop.model.spec import Group, Layer, ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from isoflop.accuracy.rows import Settings

GPT_VOCABULARY, LLAMA_VOCABULARY = (51_200, 32_000), (32_000, 128_256)
"""Taken where a row names no vocabulary, and what else it may be: GPT-2's padded for tensor parallelism, Llama's."""

FFN_STEP = 256
"""A feed-forward width that follows from a rounded size is taken as a multiple of this."""

UNKNOWN_EXPERTS = 1.15
"""How far a mixture may be off whose leading dense layers and shared experts no column names."""

_MOST_CONFIGS = 1000


class Shape(NamedTuple):
    """A model a row may mean."""

    spec: ModelSpec
    assumed: tuple[str, ...] = ()
    widen: float = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """A model with the columns that a row of it would have; `ffns` are the widths that such a column may mean."""

    spec: ModelSpec
    heads: int
    kv_heads: int
    head_dim: int | None
    ffns: frozenset[int]
    experts: int | None
    top_k: int | None


def read_configs(folder: str | Path | None) -> tuple[Known, ...]:
    """What is known: the configs of a folder (*.json, or folders with a config.json), then the presets."""
    found: list[Known] = []
    if folder is not None:
        place = Path(folder)
        if not place.is_dir():
            raise BadFile(f"{folder}: not a folder. Give the folder that holds config.json files.")
        paths = sorted([*place.glob("*.json"), *place.glob("*/config.json")])[:_MOST_CONFIGS]
        if not paths:
            raise BadFile(f"{folder}: no *.json in it, and no folder with a config.json.")
        found += [one for path in paths if (one := known(describe(path).spec)) is not None]
    return (*found, *_presets())


@cache
def _presets() -> tuple[Known, ...]:
    every = (known(describe(name).spec) for name in model_names())
    return tuple(one for one in every if one is not None)


def known(spec: ModelSpec) -> Known | None:
    """The columns of a decoder; None for what columns cannot name (an encoder, layers without attention)."""
    layer = spec.stack.groups[-1].layer
    if spec.encoder is not None or not layer.mixers or layer.mlp is None:
        return None
    mixer = layer.mixers[0]
    if not isinstance(mixer, Attention | LatentAttention):
        return None
    plain = isinstance(mixer, Attention)
    moe = layer.mlp if isinstance(layer.mlp, Moe) else None
    return Known(
        spec=spec,
        heads=mixer.heads,
        kv_heads=mixer.kv_heads if isinstance(mixer, Attention) else mixer.heads,
        head_dim=mixer.head_width if plain and isinstance(mixer, Attention) else None,
        ffns=frozenset(
            (one.mlp.expert if isinstance(one.mlp, Moe) else one.mlp).width
            for _, one in spec.stack.groups
            if one.mlp is not None
        ),
        experts=moe.experts if moe else None,
        top_k=moe.active if moe else None,
    )


def fits(row: Settings, one: Known) -> bool:
    """Whether every column that the row gives is this model's; it may have fewer layers (a truncated proxy)."""
    pairs = (
        (row.hidden, one.spec.width),
        (row.heads, one.heads),
        (row.kv_heads, one.kv_heads),
        (row.head_dim if one.head_dim else None, one.head_dim),
        (row.vocab, one.spec.vocabulary),
        (row.top_k, one.top_k),
    )
    return (
        (row.experts or None) == one.experts
        and all(given is None or given == own for given, own in pairs)
        and (row.ffn is None or row.ffn in one.ffns)
        and (row.layers is None or row.layers <= one.spec.stack.layers)
    )


def shapes_of(row: Settings, library: tuple[Known, ...]) -> tuple[Shape, ...]:
    """The models that a row may mean, the likeliest first. Raises: MissingData naming the column that is needed."""
    if row.hidden is None:
        return tuple(_finished(row, shape) for shape in _named(row, library))
    for column in ("layers", "heads"):
        if getattr(row, column) is None:
            raise MissingData(f"column {column} is empty")
    if row.experts:
        return tuple(_finished(row, shape) for shape in _mixtures(row, library))
    matching = [one for one in library if row.ffn and row.vocab and fits(row, one)]
    stacks = {one.spec.stack.groups[-1].layer for one in matching}
    if matching and len(stacks) == 1:
        return (_finished(row, Shape(matching[0].spec)),)
    return tuple(_finished(row, shape) for shape in _dense(row))


def _named(row: Settings, library: tuple[Known, ...]) -> list[Shape]:
    """By name, where the row gives no shape."""
    wanted = _plain(row.model)
    found = next((one for one in library if wanted and _plain(one.spec.name) == wanted), None)
    if found is None:
        raise MissingData("columns hidden, heads, ffn are empty, and no config has the name in column model")
    return [Shape(found.spec, (f"shape of {found.spec.name}, by name",))]


_DROPPED = re.compile(r"^meta-|-l\d+$|[-_ ](?:instruct|chat|base|hf|it)$|\(.*\)")


def _plain(name: str) -> str:
    """A name without owner, cut and spelling."""
    return re.sub(r"[^a-z0-9]", "", _DROPPED.sub("", name.strip().lower()))


def _mixtures(row: Settings, library: tuple[Known, ...]) -> list[Shape]:
    """Models with experts: those of the library that fit, else as far as columns go."""
    matching = [one for one in library if fits(row, one)]
    if matching:
        kinds: dict[Stack, Shape] = {}
        for one in matching:
            kinds.setdefault(one.spec.stack, Shape(one.spec))
        return list(kinds.values())
    if row.head_dim is None or not row.ffn or not row.top_k:
        raise MissingData(
            "columns experts, heads: a mixture of experts whose attention the columns do not say (head_dim is empty), "
            "and no config has its shape; give its config.json with --configs"
        )
    if row.top_k > (row.experts or 0):
        raise MissingData("columns top_k, experts: more experts a token than there are")
    assumed = ("every layer has experts, and none is shared: no config has this shape",)
    return [Shape(spec, assumed, UNKNOWN_EXPERTS) for spec, _ in (_columns(row, row.ffn, row.vocab or 32_000),)]


def _dense(row: Settings) -> list[Shape]:
    """From the columns alone; several where the vocabulary is not said."""
    if row.vocab is not None:
        return [_with_ffn(row, row.vocab, ())]
    usual = LLAMA_VOCABULARY if _gated(row) else GPT_VOCABULARY
    return [_with_ffn(row, size, (f"vocab {size:,}",)) for size in usual]


def _with_ffn(row: Settings, vocabulary: int, assumed: tuple[str, ...]) -> Shape:
    """The feed-forward width as given, or such that the parameters are those of n_params."""
    if row.ffn is not None:
        spec, said = _columns(row, row.ffn, vocabulary)
        return Shape(spec, (*assumed, *said))
    if row.n_params is None:
        raise MissingData("column ffn is empty, and so is n_params, from which it would follow")
    low, high = (float(counts(_columns(row, width, vocabulary)[0]).params) for width in (1, 1001))
    exact = 1 + 1000 * (row.n_params - low) / (high - low)
    step = FFN_STEP if exact > 4 * FFN_STEP else 1
    width = step * round(exact / step)
    if width < 1:
        raise MissingData("columns ffn, n_params: ffn is empty, and n_params is less than the other columns make")
    spec, said = _columns(row, width, vocabulary)
    return Shape(spec, (*assumed, f"ffn {width:,} from n_params", *said))


def _gated(row: Settings) -> bool:
    """What gated_mlp says; where it is empty, a feed-forward part four times as wide as the model is plain."""
    if row.gated_mlp is not None:
        return bool(row.gated_mlp)
    return row.ffn != 4 * (row.hidden or 0)


@lru_cache(maxsize=4096)
def _columns(row: Settings, ffn: int, vocabulary: int) -> tuple[ModelSpec, tuple[str, ...]]:
    """A decoder of equal layers as the columns say; GPT's layer where it is not gated, Llama's where it is."""
    width, heads = row.hidden or 0, row.heads or 1
    gated, said = _gated(row), []
    if row.head_dim is None and width % heads:
        raise MissingData(f"columns head_dim, heads: head_dim is empty, and {heads} heads do not divide {width:,}")
    if row.kv_heads is None:
        said.append("as many key-value heads as heads")
    norm = Norm(kind="rms") if gated else Norm(kind="layer", bias=True)
    mixer = Attention(
        heads=heads,
        kv_heads=row.kv_heads or heads,
        head_width=row.head_dim or width // heads,
        bias="" if gated else "qkvo",
        positions="rope" if gated else "absolute",
    )
    part = Mlp(width=ffn, gated=gated, activation="silu" if gated else "gelu", bias=not gated)
    mlp = Moe(experts=row.experts, active=row.top_k or 1, expert=part) if row.experts else part
    layer = Layer(norms=(norm, norm), mixers=(mixer,), mlp=mlp)
    spec = ModelSpec(
        name=row.model or "model",
        stack=Stack(width=width, groups=(Group(row.layers or 1, layer),), norm=norm),
        embedding=Embedding(vocabulary=vocabulary, positions=0 if gated else row.seq or 0),
        head=Head(tied=not gated),
    )
    return _tied(row, spec), tuple(said)


def _tied(row: Settings, spec: ModelSpec) -> ModelSpec:
    """Whether embedding and head share a matrix: whichever is nearer to n_params, where ffn is known too."""
    if row.n_params is None or row.ffn is None:
        return spec
    both = [replace(spec, head=Head(tied=tied)) for tied in (False, True)]
    target = row.n_params
    return min(both, key=lambda one: abs(counts(one).params - target))


def _finished(row: Settings, shape: Shape) -> Shape:
    """As many layers as the row has, and the layers that predict further tokens where it trains them."""
    spec, assumed = shape.spec, shape.assumed
    whole = spec.stack.layers
    if row.layers is not None and row.layers != whole:
        spec = truncated(spec, row.layers)
    if row.mtp_layers:
        spec = _with_mtp(spec, row.mtp_layers)
    elif row.mtp_layers is None and spec.apart and row.layers in {None, whole}:
        assumed = (*assumed, "no layers for multi-token prediction")
    return Shape(spec, assumed, shape.widen)


def truncated(spec: ModelSpec, layers: int) -> ModelSpec:
    """The model with fewer layers: each run of equal layers keeps its share, at least one; else the first layers.

    >>> from isoflop.model import model
    >>> truncated(model("llama-3.1-8b"), 4).layers
    4
    """
    groups = spec.stack.groups
    total = spec.stack.layers
    if len(groups) > min(layers, 4):
        every = [layer for times, layer in groups for _ in range(times)]
        kept = groups_of(every[:layers])
    else:
        times = [max(1, round(group.times * layers / total)) for group in groups]
        largest = times.index(max(times))
        times[largest] += layers - sum(times)
        kept = tuple(Group(count, group.layer) for count, group in zip(times, groups, strict=True))
    return replace(spec, stack=replace(spec.stack, groups=kept))


def _with_mtp(spec: ModelSpec, times: int) -> ModelSpec:
    """The layers that predict further tokens, after the last."""
    apart = [layer for one in spec.apart for _, layer in one.groups]
    layer = apart[0] if apart else spec.stack.groups[-1].layer
    groups = (*spec.stack.groups, Group(times, layer))
    return replace(spec, stack=replace(spec.stack, groups=groups))
