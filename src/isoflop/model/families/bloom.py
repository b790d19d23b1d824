"""BLOOM, MPT and Falcon: positions as a slope (ALiBi), no table of them; Falcon rotates instead where not told so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, activation, as_always, decoder, layer_count, width
from isoflop.model.families.common_classic import multi_head, two_norms
from isoflop.model.parts import Embedding, Mlp, Norm
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

_WIDTH = ("hidden_size", "n_embed")
_HEADS = ("n_head", "num_attention_heads")
_PLAIN = Norm(kind="layer")


def bloom(fields: Fields) -> ModelSpec:
    """A norm over the embedding, biases everywhere, a feed-forward part of four widths."""
    fields = _named(fields)
    fields.ignore("masked_softmax_fusion", "bias_dropout_fusion", "offset_alibi", "skip_bias_add", "skip_bias_add_qkv")
    fields.ignore("gelu_fusion", "unk_token_id")
    wide = width(fields)
    layer = two_norms(
        multi_head(fields, *_HEADS, positions="alibi"),
        Mlp(width=4 * wide, gated=False, activation="gelu-tanh", bias=True),
    )
    table = Embedding(vocabulary=fields.count("vocab_size"), norm=LAYER_NORM)
    return decoder(fields, [layer] * layer_count(fields), tied=True, norm=LAYER_NORM, embedding=table)


def mpt(fields: Fields) -> ModelSpec:
    """No biases at all, norms included. Code of its own can do more; transformers has this form only."""
    as_always(fields, norm_type="low_precision_layernorm", embedding_fraction=1.0, verbose=0)
    fields.ignore("init_config", "tokenizer_name", "learned_pos_emb")
    inner = fields.within("attn_config")
    for group, name, wanted in ((inner, "alibi", True), (fields, "expansion_ratio", 4), (fields, "no_bias", True)):
        if group is not None and group.values.get(name, wanted) != wanted:
            group.doubt(f"{name} is not {wanted}, and transformers goes on as if it were")
    fields.ignore("expansion_ratio", "no_bias")
    if inner is not None:
        as_always(inner, attn_type="multihead_attention")
        inner.ignore("attn_impl", "alibi", "model_type")
    mlp = Mlp(width=4 * width(fields), gated=False, activation="gelu", bias=False)
    mixer = multi_head(fields, bias="", positions="alibi")
    layer = Layer(norms=(_PLAIN, _PLAIN), mixers=(mixer,), mlp=mlp)
    return decoder(fields, [layer] * layer_count(fields), tied=True, norm=_PLAIN)


def falcon(fields: Fields) -> ModelSpec:
    """One or a few key-value heads; attention and feed-forward side by side, behind one norm or one each."""
    new = fields.flag("new_decoder_architecture", default=False)
    return _falcon(fields, new=new, grouped="num_kv_heads")


def refined_web(fields: Fields) -> ModelSpec:
    """Falcon 7B and 1B as first released."""
    return _falcon(fields, new=False, grouped="n_head_kv")


def refined_web_grouped(fields: Fields) -> ModelSpec:
    """Falcon 40B as first released."""
    fields.ignore("multi_query")
    return _falcon(fields, new=True, grouped="n_head_kv")


def _falcon(fields: Fields, *, new: bool, grouped: str) -> ModelSpec:
    fields = _named(fields)
    fields.ignore("activation", "attention_softmax_in_fp32", "ff_factor")
    wide = width(fields)
    one, bias = fields.flag("multi_query", default=True), fields.flag("bias", default=False)
    heads = fields.count("num_attention_heads", "n_head")
    given = fields.count(grouped, default=heads)
    parallel = fields.flag("parallel_attn", default=True) or new
    norms = fields.maybe("num_ln_in_parallel_attn") or (2 if new else 1)
    if norms > 2:
        raise fields.wrong("num_ln_in_parallel_attn", norms, "1 or 2")
    if not new and not one and given != heads:
        fields.doubt(f"{grouped} = {given} is not num_attention_heads = {heads}")
    if not new and norms != 1:
        fields.doubt(f"num_ln_in_parallel_attn = {norms} belongs to the newer kind of Falcon")
    mixer = multi_head(
        fields,
        "num_attention_heads",
        "n_head",
        bias="qkvo" if bias else "",
        positions="alibi" if fields.flag("alibi", default=False) else "rope",
        kv_heads=given if new else 1 if one else heads,
    )
    inner = fields.count("ffn_hidden_size", default=4 * wide)
    layer = Layer(
        norms=(LAYER_NORM,) * (norms if parallel else 2),
        mixers=(mixer,),
        mlp=Mlp(width=inner, gated=False, activation=activation(fields, "activation", default="gelu"), bias=bias),
        parallel=parallel,
    )
    return decoder(fields, [layer] * layer_count(fields), tied=True, norm=LAYER_NORM)


def _named(fields: Fields) -> Fields:
    """The same fields with `n_embed`, the name that older files have, under the newer one."""
    given = fields.count(*_WIDTH)
    fields = fields.changed({"hidden_size": given})
    fields.drop("n_embed")
    return fields


READS = {
    "RefinedWeb": refined_web_grouped,
    "RefinedWebModel": refined_web,
    "bloom": bloom,
    "falcon": falcon,
    "mpt": mpt,
}
