"""What families share: the usual names of fields, and the decoder they are put together to.

Each function reads the fields it names and gives a part; a family passes what is different. `dataclasses.replace`
changes a part afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadFile
from isoflop.model.parts import Activation, Attention, Embedding, Head, LatentAttention, Linear, Mlp, Moe, Norm
from isoflop.model.spec import Apart, Group, Layer, ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.model.fields import Fields

RMS = Norm(kind="rms")
LAYER_NORM = Norm(kind="layer", bias=True)
RMS_PAIR = (RMS, RMS)

ACTIVATIONS: Mapping[str, Activation] = {
    "gegelu": "gelu", "geglu": "gelu", "gelu": "gelu", "gelu_10": "gelu", "gelu_python": "gelu", "quick_gelu": "gelu",
    "gelu_accurate": "gelu-tanh", "gelu_fast": "gelu-tanh", "gelu_new": "gelu-tanh", "gelu_pytorch_tanh": "gelu-tanh",
    "silu": "silu", "swiglu": "silu", "swigluoai": "silu", "swish": "silu",
    "leaky_relu": "relu", "relu": "relu", "relu2": "squared-relu", "relu6": "relu",
    "glu": "other", "laplace": "other", "linear": "other", "mish": "other", "sigmoid": "other", "tanh": "other",
}  # fmt: skip
"""Names of activation functions in config files; none of these has weights."""


def width(fields: Fields) -> int:
    """Width of the residual stream."""
    return fields.count("hidden_size", "n_embd", "d_model", "dim")


def layer_count(fields: Fields) -> int:
    """Number of layers."""
    return fields.count("num_hidden_layers", "n_layer", "num_layers", "n_layers")


def activation(fields: Fields, *names: str, default: str = "silu") -> Activation:
    """The activation function; an unknown one may have weights of its own, and is doubted."""
    return fields.choice(
        ACTIVATIONS,
        *(names or ("hidden_act", "hidden_activation", "activation_function")),
        default=ACTIVATIONS[default],
    )


def head_width(fields: Fields, heads: int) -> int:
    """`head_dim`, or the width shared out among the heads."""
    given = fields.maybe("head_dim")
    if given is not None:
        return given
    if width(fields) % heads:
        raise BadFile(f"{fields.file}: {heads} heads do not divide hidden_size = {width(fields)}; give head_dim.")
    return width(fields) // heads


def attention(
    fields: Fields,
    *,
    bias: str | None = None,
    qk_norm: Literal["none", "head", "full"] = "none",
    window: int | None = None,
    chunk: int | None = None,
    positions: Literal["rope", "absolute", "alibi", "none"] = "rope",
) -> Attention:
    """Grouped-query attention by the usual names; `bias` None reads `attention_bias` (all four projections)."""
    heads = fields.count("num_attention_heads", "n_head", "n_heads")
    if bias is None:
        bias = "qkvo" if fields.flag("attention_bias", default=False) else ""
    return Attention(
        heads=heads,
        kv_heads=fields.count("num_key_value_heads", "num_kv_heads", default=heads),
        head_width=head_width(fields, heads),
        bias=bias,
        qk_norm=qk_norm,
        window=window,
        chunk=chunk,
        positions=positions,
    )


def latent_attention(fields: Fields) -> LatentAttention:
    """MLA by DeepSeek's names."""
    fields.ignore("num_key_value_heads", "head_dim", "qk_head_dim")
    return LatentAttention(
        heads=fields.count("num_attention_heads"),
        q_rank=fields.maybe("q_lora_rank"),
        kv_rank=fields.count("kv_lora_rank"),
        nope_width=fields.count("qk_nope_head_dim"),
        rope_width=fields.count("qk_rope_head_dim", least=0),
        value_width=fields.count("v_head_dim"),
        bias=fields.flag("attention_bias", default=False),
    )


def gated(fields: Fields, *names: str, bias: bool | None = None) -> Mlp:
    """A gated feed-forward part; `bias` None reads `mlp_bias`."""
    return Mlp(
        width=fields.count(*(names or ("intermediate_size",))),
        gated=True,
        activation=activation(fields),
        bias=fields.flag("mlp_bias", default=False) if bias is None else bias,
    )


def plain(fields: Fields, *names: str, bias: bool, default: int | None = None, act: str = "gelu") -> Mlp:
    """Two matrices with an activation between them."""
    return Mlp(
        width=fields.count(*(names or ("intermediate_size",)), default=default),
        gated=False,
        activation=activation(fields, default=act),
        bias=bias,
    )


def experts(
    fields: Fields,
    expert: Mlp,
    *,
    shared: Mlp | None = None,
    router_bias: Literal["none", "parameter", "stored"] = "none",
    shared_gate: bool = False,
) -> Moe:
    """A mixture of `expert`s by the usual names."""
    return Moe(
        experts=fields.count("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
        active=fields.count(
            "num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk", "moe_top_k", "experts_per_token"
        ),
        expert=expert,
        shared=shared,
        router_bias=router_bias,
        shared_gate=shared_gate,
    )


def scaled(mlp: Mlp, times: int) -> Mlp | None:
    """`times` equal experts side by side as one part of their width together; None for no expert."""
    if times == 0:
        return None
    return Mlp(width=mlp.width * times, gated=mlp.gated, activation=mlp.activation, bias=mlp.bias)


def sliding(fields: Fields, layers: int, *, every: int | None = None, first: bool = False) -> tuple[int | None, ...]:
    """The window of each layer, None where it sees everything, from `layer_types`.

    Without that list every `every`-th layer is full (None: no layer slides), the first of each `every` with `first`.
    """
    kinds = fields.words("layer_types", length=layers)
    if kinds is None:
        pattern = fields.maybe("sliding_window_pattern", "_sliding_window_pattern") or every
        kinds = tuple(
            "sliding_attention" if pattern and (place + (not first)) % pattern else "full_attention"
            for place in range(layers)
        )
    fields.ignore("sliding_window_pattern", "_sliding_window_pattern")
    window = fields.maybe("sliding_window")
    unknown = set(kinds) - {"sliding_attention", "full_attention"}
    if unknown:
        fields.doubt(f"layer_types holds {', '.join(sorted(unknown))}, which is not known here")
    if "sliding_attention" in kinds and window is None:
        raise fields.missing("sliding_window")
    return tuple(window if kind == "sliding_attention" else None for kind in kinds)


def decoder(  # noqa: PLR0913 - the pieces of a decoder
    fields: Fields,
    layers: Iterable[Layer],
    *,
    tied: bool,
    norm: Norm | None = RMS,
    positions: int = 0,
    head_bias: bool = False,
    embedding: Embedding | None = None,
    extras: tuple[Linear, ...] = (),
    apart: tuple[Apart, ...] = (),
) -> ModelSpec:
    """The model of `layers`; `tied` is the family's default for `tie_word_embeddings`."""
    return ModelSpec(
        name="",
        stack=Stack(width=width(fields), groups=groups_of(layers), norm=norm),
        embedding=embedding or Embedding(vocabulary=fields.count("vocab_size"), positions=positions),
        head=Head(tied=fields.flag("tie_word_embeddings", default=tied), bias=head_bias),
        extras=extras,
        apart=apart,
        context=fields.maybe("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "n_ctx"),
    )


def next_token_layers(fields: Fields, layer: Layer, *names: str) -> tuple[Apart, ...]:
    """Multi-token prediction as DeepSeek-V3 has it: norms of both inputs, a projection, a layer, a norm."""
    times = fields.maybe(*(names or ("num_nextn_predict_layers", "num_mtp_layers")), least=0) or 0
    if not times:
        return ()
    wide = width(fields)
    joined = Linear(name="projection", inputs=2 * wide, outputs=wide, part="multi-token prediction")
    one = Layer(norms=(*layer.norms, RMS, RMS, RMS), mixers=layer.mixers, mlp=layer.mlp, extras=(joined,))
    return (Apart(name="multi-token prediction", groups=(Group(times, one),)),)


def uniform(  # noqa: PLR0913 - what the layers share
    fields: Fields,
    mixer: Attention | LatentAttention,
    mlp: Mlp | Moe,
    *,
    norms: tuple[Norm, ...] = RMS_PAIR,
    windows: Iterable[int | None] | None = None,
    norm: Norm = RMS,
    parallel: bool = False,
    tied: bool = False,
) -> ModelSpec:
    """A decoder of equal layers that differ at most in their `windows`."""
    listed = [mixer.window] * layer_count(fields) if windows is None else list(windows)
    mixers = {one: mixer if one == mixer.window else replace(mixer, window=one) for one in dict.fromkeys(listed)}
    kinds = {one: Layer(norms=norms, mixers=(mixers[one],), mlp=mlp, parallel=parallel) for one in mixers}
    return decoder(fields, [kinds[window] for window in listed], tied=tied, norm=norm)


def as_always(fields: Fields, **values: object) -> None:
    """Fields that have one value in all releases of a family; another value leaves them not understood."""
    fields.ignore(*(name for name, value in values.items() if fields.values.get(name) == value))


def never_tied(fields: Fields) -> None:
    """Doubt a head that is said to be tied, where the modules hold two matrices whatever the field says."""
    if fields.flag("tie_word_embeddings", default=False):
        fields.doubt("tie_word_embeddings is true, and the modules of transformers hold two matrices all the same")
