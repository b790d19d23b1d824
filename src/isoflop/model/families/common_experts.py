"""What families of mixtures of experts share: which layers are mixtures, small experts beside shared ones, indexes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from isoflop.errors import shorten
from isoflop.model.families.common import RMS_PAIR, experts, gated, scaled, width
from isoflop.model.parts import Index, Linear, Norm, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer, Mlp, Moe

RouterBias = Literal["none", "parameter", "stored"]


def fine_grained(fields: Fields, *, router_bias: RouterBias = "stored", bias: bool = False) -> Moe:
    """DeepSeek's mixture: experts of `moe_intermediate_size`, and shared ones beside them; `bias` on the shared."""
    expert = gated(fields, "moe_intermediate_size", bias=False)
    shared = scaled(replace(expert, bias=bias), shared_experts(fields))
    return experts(fields, expert, shared=shared, router_bias=router_bias)


def each_layer(fields: Fields, layers: int, *names: str) -> list[Fields]:
    """The fields of every layer: `per_layer_config` holds what is different in some, of `names` and nothing else."""
    fields.ignore("per_layer_config")
    listed = fields.values.get("per_layer_config") or {}
    found: list[Mapping[str, object]] = [{}] * layers
    for place, values in listed.items() if isinstance(listed, dict) else ():
        if str(place).isdecimal() and int(place) < layers and isinstance(values, dict) and set(values) <= set(names):
            found[int(place)] = values
        else:
            fields.doubt(f"per_layer_config of layer {shorten(str(place))} is not understood")
    return [fields.changed(values) for values in found]


def only(fields: Fields, name: str, *values: object) -> None:
    """Doubt a field that holds something else than the values handled here (null among them)."""
    fields.ignore(name)
    value = fields.values.get(name)
    if value is not None and value not in values:
        fields.doubt(f"{name} = {shorten(repr(value))} is not handled here")


def shared_experts(fields: Fields) -> int:
    """How many experts meet every token."""
    return fields.count("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", default=0, least=0)


def sparse(fields: Fields, layers: int, *, first: int = 0) -> tuple[bool, ...]:
    """Whether each layer is a mixture: from `mlp_layer_types`, or by place.

    By place: from `first_k_dense_replace` (`first` where it is absent) on, every `moe_layer_freq`-th, or those that
    this names where it is a list.
    """
    kinds = fields.words("mlp_layer_types", length=layers)
    start = fields.count("first_k_dense_replace", default=first, least=0)
    often = fields.per_layer("moe_layer_freq", layers=layers, default=1, least=0)
    if kinds is None:
        listed = isinstance(fields.values.get("moe_layer_freq"), list)
        hit = [bool(one) if listed else place % max(one, 1) == 0 for place, one in enumerate(often)]
        return tuple(place >= start and hit[place] for place in range(layers))
    unknown = set(kinds) - {"sparse", "dense"}
    if unknown:
        fields.doubt(f"mlp_layer_types holds {', '.join(sorted(unknown))}, which is not known here")
    return tuple(kind == "sparse" for kind in kinds)


def stacked(
    mixers: Sequence[Mixer],
    mixed: Sequence[bool],
    mixture: Moe,
    dense: Mlp | None,
    *,
    norms: tuple[Norm, ...] = RMS_PAIR,
    extras: tuple[Linear, ...] = (),
) -> list[Layer]:
    """Layers with `mixers` in order, a mixture where `mixed` says so and `dense` elsewhere."""
    return [
        Layer(norms=norms, mixers=(mixer,), mlp=mixture if one else dense, extras=extras)
        for mixer, one in zip(mixers, mixed, strict=True)
    ]


def windowed(fields: Fields, layers: int, kinds: Iterable[str], *names: str) -> tuple[int | None, ...]:
    """The window of each layer, None where it sees everything; without a list it takes `kinds`."""
    listed = fields.words("layer_types", length=layers)
    found = tuple(kinds) if listed is None else listed
    unknown = set(found) - {"sliding_attention", "full_attention"}
    if unknown:
        fields.doubt(f"layer_types holds {', '.join(sorted(unknown))}, which is not known here")
    window = fields.maybe(*(names or ("sliding_window",)))
    if "sliding_attention" in found and window is None:
        raise fields.missing("sliding_window")
    return tuple(window if kind == "sliding_attention" else None for kind in found)


def index(fields: Fields, inputs: int, *, extras: tuple[Linear, ...] = ()) -> Index:
    """The sparse index of DeepSeek-V3.2, its keys normalised with scale and shift."""
    wide = fields.count("index_head_dim")
    return Index(
        heads=fields.count("index_n_heads"),
        head_width=wide,
        top=fields.count("index_topk"),
        inputs=inputs,
        extras=(vector("index k norm", 2 * wide), *extras),
    )


def own_index(fields: Fields, layers: int) -> tuple[bool, ...]:
    """Whether each layer has an index of its own; the others take over what the one before chose.

    `indexer_types` lists it, `index_topk_pattern` spells it ("FSSS"), or every `index_topk_freq`-th layer has one.
    """
    kinds = fields.words("indexer_types", length=layers)
    pattern = fields.values.get("index_topk_pattern")
    spelled = fields.words("index_topk_pattern", length=layers) if isinstance(pattern, list) else None
    text = "" if isinstance(pattern, list) else fields.word("index_topk_pattern")
    often = max(fields.count("index_topk_freq", default=1, least=0), 1)
    offset = fields.count("index_skip_topk_offset", default=2, least=0)
    if kinds is None and text:
        kinds = tuple({"F": "full", "S": "shared"}.get(letter, letter) for letter in text)
    kinds = kinds or spelled
    if kinds is None:
        return tuple(max(place - offset + 1, 0) % often == 0 for place in range(layers))
    if set(kinds) - {"full", "shared"} or len(kinds) != layers:
        fields.doubt("which layers have an index of their own is not clear")
    return tuple(kind != "shared" for kind in kinds[:layers]) + (True,) * (layers - len(kinds))


def hyper_connections(fields: Fields, *, mixes: int, scales: int) -> tuple[Linear, ...]:
    """Several residual streams (`hc_mult`), and what mixes them before and after each half of a layer.

    `mixes`: numbers that one token's streams give, `scales`: learned scales of them. Mixing the streams themselves
    (2 x streams^2 x width FLOP, under 0.1 % of a layer) is neglected, as residual additions are.
    """
    streams = fields.count("hc_mult")
    fields.ignore("hc_sinkhorn_iters", "hc_eps", "hc_magnitude")
    one = (
        Linear(name="stream mixing", inputs=streams * width(fields), outputs=mixes, part="hyper-connections"),
        vector("stream mixing base", mixes, part="hyper-connections"),
        vector("stream mixing scale", scales, part="hyper-connections"),
    )
    return (*one, *one)


def streams_head(fields: Fields) -> tuple[Linear, ...]:
    """What joins the residual streams after the last layer."""
    streams = fields.count("hc_mult")
    return (
        Linear(name="stream head", inputs=streams * width(fields), outputs=streams, part="hyper-connections"),
        vector("stream head base", streams, part="hyper-connections"),
        vector("stream head scale", 1, part="hyper-connections"),
    )
