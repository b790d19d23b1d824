"""DeepSeek-V4: a short window and compressed entries beyond it, several residual streams, experts chosen by token.

In the first layers ("hash") a stored table says which experts a token of the vocabulary goes to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, decoder, experts, gated, layer_count, width
from isoflop.model.families.common_experts import hyper_connections, only, streams_head
from isoflop.model.parts import CompressedAttention, Index, Linear, Moe, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

SPARSE, HEAVY, WINDOW = "compressed_sparse_attention", "heavily_compressed_attention", "sliding_attention"
MTP = "the layer that predicts a further token is not counted"


def deepseek_v4(fields: Fields) -> ModelSpec:
    """Released files give each layer's compression (`compress_ratios`: 0, 4 or 128), later ones its type."""
    layers = layer_count(fields)
    mixers = _mixers(fields)
    mixture = _mixture(fields)
    hashed = _hashed(fields, layers)
    streams = fields.count("hc_mult")
    mixing = hyper_connections(fields, mixes=(2 + streams) * streams, scales=3)
    stack = [
        Layer(
            norms=RMS_PAIR,
            mixers=(mixers[kind],),
            mlp=replace(mixture, router_bias="none") if by_token else mixture,
            extras=mixing,
        )
        for kind, by_token in zip(_kinds(fields, layers), hashed, strict=True)
    ]
    ahead = fields.maybe("num_nextn_predict_layers", least=0)
    spec = decoder(fields, stack, tied=False, extras=streams_head(fields))
    return replace(spec, notes=(MTP,)) if ahead else spec


def _kinds(fields: Fields, layers: int) -> tuple[str, ...]:
    kinds, ratios = fields.words("layer_types"), fields.counts("compress_ratios")
    if kinds is None and ratios is not None:
        rates = _rates(fields)
        named = {0: WINDOW, rates[SPARSE]: SPARSE, rates[HEAVY]: HEAVY}
        kinds = tuple(named.get(ratio, str(ratio)) for ratio in ratios)
    if kinds is None:
        kinds = tuple(HEAVY if place < 2 or place % 2 == 0 else SPARSE for place in range(layers))
    # Beyond the layers stand those of the layer that predicts a further token.
    kinds = kinds[:layers]
    if len(kinds) != layers or set(kinds) - {SPARSE, HEAVY, WINDOW}:
        fields.doubt("the types of the layers are not clear")
    known = [kind if kind in {SPARSE, HEAVY, WINDOW} else WINDOW for kind in kinds]
    return (*known, *[WINDOW] * (layers - len(known)))


def _rates(fields: Fields) -> dict[str, int]:
    """How many tokens an entry stands for, by type of layer."""
    given = fields.within("compress_rates")
    usual = {
        SPARSE: fields.count("compress_rate_csa", default=4),
        HEAVY: fields.count("compress_rate_hca", default=128),
    }
    return usual if given is None else {kind: given.count(kind, default=rate) for kind, rate in usual.items()}


def _mixers(fields: Fields) -> dict[str, CompressedAttention]:
    """The mixer of each type of layer."""
    wide, rank, rates = width(fields), fields.count("q_lora_rank"), _rates(fields)
    heads = fields.count("num_attention_heads")
    only(fields, "num_key_value_heads", 1)
    only(fields, "attention_bias", False)  # noqa: FBT003
    fields.ignore("qk_rope_head_dim", "compress_rope_theta")
    window = CompressedAttention(
        heads=heads,
        head_width=fields.count("head_dim"),
        q_rank=rank,
        out_groups=fields.count("o_groups"),
        out_rank=fields.count("o_lora_rank"),
        window=fields.count("sliding_window"),
        extras=(vector("sinks", heads),),
    )
    keys = fields.count("index_head_dim")
    index = Index(
        heads=fields.count("index_n_heads"),
        head_width=keys,
        top=fields.count("index_topk"),
        inputs=rank,
        pool=rates[SPARSE],
        extras=(
            Linear(name="index k of the tokens before", inputs=wide, outputs=keys),
            Linear(name="index weighting", inputs=wide, outputs=2 * keys),
            vector("index places", rates[SPARSE] * 2 * keys),
            vector("index k norm", keys),
        ),
    )
    return {
        WINDOW: window,
        HEAVY: replace(window, rate=rates[HEAVY]),
        SPARSE: replace(window, rate=rates[SPARSE], overlap=True, index=index),
    }


def _hashed(fields: Fields, layers: int) -> list[bool]:
    """Whether each layer looks its experts up by the token: `mlp_layer_types`, or the first few."""
    kinds = fields.words("mlp_layer_types")
    first = fields.count("num_hash_layers", default=3, least=0)
    if kinds is None:
        return [place < first for place in range(layers)]
    if len(kinds) < layers or set(kinds) - {"hash_moe", "moe"}:
        fields.doubt("mlp_layer_types holds what is not known here")
    return [kind == "hash_moe" for kind in (*kinds, *["moe"] * layers)[:layers]]


def _mixture(fields: Fields) -> Moe:
    expert = gated(fields, "moe_intermediate_size", "intermediate_size", bias=False)
    biased = replace(expert, bias=fields.flag("mlp_bias", default=False))
    fields.ignore("expert_dtype")
    only(fields, "n_shared_experts", 1)
    return experts(fields, expert, shared=biased, router_bias="stored")


READS = {"deepseek_v4": deepseek_v4}
