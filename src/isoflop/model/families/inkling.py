"""Inkling 1 and 2 (text part): learned relative positions, short convolutions in four places, windows, mixtures.

Positions: every head multiplies a short vector by one table over distances. Inkling 2 has no shared experts, gates and
sinks computed from the token, and lets each half of a layer choose among the outputs of earlier blocks of layers (that
choice, of a few vectors a token, is neglected as FLOP).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, RMS_PAIR, decoder, experts, gated, layer_count, scaled, width
from isoflop.model.families.common_experts import shared_experts
from isoflop.model.parts import Attention, Convolution, Embedding, Linear, Recurrent, vector
from isoflop.model.spec import Apart, Layer, groups_of

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mlp, Moe
    from isoflop.model.spec import ModelSpec

LOCAL, FULL = "hybrid_sliding", "hybrid"


def inkling(fields: Fields) -> ModelSpec:
    """Inkling 1: dense layers at the front where asked for; the router scores the shared experts too."""
    layers = layer_count(fields)
    kinds = _kinds(fields, layers)
    dense, mixture = _parts(fields)
    first = fields.count("dense_mlp_idx", default=0, least=0)
    listed = fields.words("mlp_layer_types", length=layers)
    mixed = [place >= first if listed is None else listed[place] == "sparse" for place in range(layers)]
    if set(listed or ()) - {"sparse", "dense"}:
        fields.doubt("mlp_layer_types holds what is not known here")
    mixers = {kind: (_attention(fields, kind), _convolutions(fields, kind)) for kind in (LOCAL, FULL)}
    stack = [
        Layer(norms=RMS_PAIR, mixers=mixers.get(kind, mixers[FULL]), mlp=mixture if one else dense)
        for kind, one in zip(kinds, mixed, strict=True)
    ]
    _aside(fields)
    local = fields.counts("mtp_local_layer_ids") or ()
    ahead = fields.maybe("num_mtp_layers", least=0) or 0
    further = [mixers[LOCAL if place in local else FULL] for place in range(ahead)]
    apart = _further(fields, [Layer(norms=RMS_PAIR, mixers=both, mlp=dense) for both in further])
    return _model(fields, stack, apart=apart)


def _parts(fields: Fields) -> tuple[Mlp, Moe]:
    """The dense part and the mixture; `dense_intermediate_size` gives `intermediate_size` to the experts."""
    names = ("intermediate_size",) if fields.has("dense_intermediate_size") else ("moe_intermediate_size",)
    expert = gated(fields, *names, bias=False)
    dense = gated(
        fields, "dense_intermediate_size" if fields.has("dense_intermediate_size") else "intermediate_size", bias=False
    )
    shared = shared_experts(fields)
    more: tuple[Linear, ...] = (vector("scale", 1, part="router"),)
    if shared:
        more = (*more, Linear(name="router of shared experts", inputs=width(fields), outputs=shared, part="router"))
    mixture = replace(experts(fields, expert, shared=scaled(expert, shared), router_bias="stored"), extras=more)
    return replace(dense, extras=(vector("scale", 1),)), mixture


def inkling2(fields: Fields) -> ModelSpec:
    """Inkling 2: every sixth layer sees everything, with queries, keys and values of inputs of their own."""
    layers = layer_count(fields)
    kinds = fields.words("layer_types", length=layers)
    if kinds is None:
        kinds = tuple(FULL if (place + 1) % 6 == 0 else LOCAL for place in range(layers))
    if set(kinds) - {LOCAL, FULL}:
        fields.doubt("layer_types holds what is not known here")
    expert = gated(fields, "moe_intermediate_size", "intermediate_size", bias=False)
    mixture = experts(fields, expert, router_bias="stored")
    mixers = {
        LOCAL: (_gated(_attention(fields, LOCAL, normed=False), fields), _convolutions(fields, LOCAL)),
        FULL: (_gated(_attention(fields, FULL, normed=False), fields), _dynamic(fields)),
    }
    _aside(fields)
    fields.ignore("qk_l2_clip_threshold", "rel_l2_clip_threshold", "mlp_gate_softcap", "mlp_up_softcap")
    fields.ignore("n_layers_per_attn_res_block")
    wide = width(fields)
    stack = []
    for place, kind in enumerate(kinds):
        asked = 1 if kind == LOCAL else 3
        choices = (asked if place else 0) + 1
        stack.append(
            Layer(
                norms=(RMS,) * (asked + 1),
                mixers=mixers.get(kind, mixers[FULL]),
                mlp=mixture,
                extras=(vector("choice of blocks", choices * wide, part="block choice"),),
            )
        )
    return _model(fields, stack, extras=(vector("choice of blocks", wide, part="block choice"),))


def _kinds(fields: Fields, layers: int) -> tuple[str, ...]:
    listed, local = fields.words("layer_types", length=layers), fields.counts("local_layer_ids")
    if listed is None:
        chosen = local if local is not None else [place for place in range(layers) if (place + 1) % 6]
        return tuple(LOCAL if place in chosen else FULL for place in range(layers))
    if set(listed) - {LOCAL, FULL}:
        fields.doubt("layer_types holds what is not known here")
    return listed


def _attention(fields: Fields, kind: str, *, normed: bool = True) -> Attention:
    """Attention of one type of layer; each has heads of its own."""
    own = "swa_" if kind == LOCAL else ""
    heads, short = fields.count(f"{own}num_attention_heads"), fields.count("d_rel")
    window = fields.count("sliding_window_size", "sliding_window")
    extent = window if kind == LOCAL else fields.count("rel_extent")
    return Attention(
        heads=heads,
        kv_heads=fields.count(f"{own}num_key_value_heads"),
        head_width=fields.count(f"{own}head_dim"),
        positions="none",
        window=window if kind == LOCAL else None,
        qk_norm="head" if normed else "none",
        extras=(
            Linear(name="relative", inputs=width(fields), outputs=heads * short),
            Linear(name="relative table", inputs=short, outputs=extent, times=heads),
        ),
    )


def _gated(mixer: Attention, fields: Fields) -> Attention:
    """With Inkling 2's gate, sinks computed from the token, and scales of clipped queries and relative vectors."""
    short = fields.count("d_rel")
    more = (
        Linear(name="sinks", inputs=width(fields), outputs=mixer.heads),
        vector("q scale", mixer.heads * mixer.head_width),
        vector("relative scale", mixer.heads * short),
    )
    return replace(mixer, gate="element", extras=(*mixer.extras, *more))


def _convolutions(fields: Fields, kind: str) -> Recurrent:
    """Over keys, values, and the outputs of both halves of a layer."""
    own = "swa_" if kind == LOCAL else ""
    keys = fields.count(f"{own}num_key_value_heads") * fields.count(f"{own}head_dim")
    kernel = fields.count("conv_kernel_size", "sconv_kernel_size")
    sizes = (keys, keys, width(fields), width(fields))
    return Recurrent(
        part="short convolutions",
        projections=(),
        convolutions=tuple(Convolution(channels=channels, kernel=kernel) for channels in sizes),
    )


def _dynamic(fields: Fields) -> Recurrent:
    """The same where keys' and values' taps are corrected by what a matrix makes of their input."""
    plain, kernel = _convolutions(fields, FULL), fields.count("conv_kernel_size", "sconv_kernel_size")
    taps = Linear(name="taps", inputs=width(fields), outputs=fields.count("num_key_value_heads") * kernel)
    return replace(plain, projections=(taps, taps))


def _aside(fields: Fields) -> None:
    fields.ignore("unpadded_vocab_size", "logits_mup_width_multiplier", "log_scaling_n_floor", "log_scaling_alpha")
    fields.ignore("route_scale", "rms_norm_eps_moe_gate", "shared_expert_sink", "model_max_length")
    fields.ignore("mtp_hidden_states_first", "number_of_conv_states")


def _further(fields: Fields, layers: list[Layer]) -> tuple[Apart, ...]:
    """Layers that predict further tokens; one norm after all of them where `chain_hidden_post_norm` says so."""
    chained, wide = fields.flag("chain_hidden_post_norm", default=False), width(fields)
    if not layers:
        return ()
    joined = Linear(name="projection", inputs=2 * wide, outputs=wide, part="multi-token prediction")
    more = [replace(layer, norms=(*layer.norms, RMS, RMS), extras=(joined,)) for layer in layers]
    norm = (vector("norm", wide),) if chained else ()
    return (Apart(name="multi-token prediction", groups=groups_of(more), extras=norm),)


def _model(
    fields: Fields, stack: list[Layer], *, extras: tuple[Linear, ...] = (), apart: tuple[Apart, ...] = ()
) -> ModelSpec:
    embedding = Embedding(vocabulary=fields.count("vocab_size"), norm=RMS)
    return decoder(fields, stack, tied=False, embedding=embedding, extras=extras, apart=apart)


READS = {"inkling_text": inkling, "inkling2_text": inkling2}
