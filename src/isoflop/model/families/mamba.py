"""Mamba, Falcon Mamba and Mamba-2: layers of one mixer and nothing else, with a memory of fixed size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, activation, as_always, decoder, layer_count, width
from isoflop.model.families.common_recurrent import mamba1, mamba2
from isoflop.model.parts import Embedding
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Recurrent
    from isoflop.model.spec import ModelSpec


def mamba(fields: Fields) -> ModelSpec:
    """The inner width is `intermediate_size` where a file has it (Falcon's does not follow from `expand`)."""
    wide = width(fields)
    fields.ignore("use_mambapy", "use_falcon_mambapy", "use_associative_scan")
    inner = fields.maybe("intermediate_size", "d_inner") or int(fields.number("expand", default=2) * wide)
    fields.ignore("expand")
    mixer = mamba1(
        width=wide,
        inner=inner,
        state=fields.count("state_size"),
        rank=fields.auto("time_step_rank", value=-(-wide // 16)),
        kernel=fields.count("conv_kernel"),
        bias=fields.flag("use_bias", default=False),
        conv_bias=fields.flag("use_conv_bias", default=True),
    )
    return _of(fields, mixer, tied=True)


def mamba_2(fields: Fields) -> ModelSpec:
    """Heads times their width are the inner width."""
    wide = width(fields)
    heads, one = fields.count("num_heads"), fields.count("head_dim")
    inner = fields.count("expand") * wide
    fields.ignore("intermediate_size", "time_step_rank")
    if heads * one != inner:
        fields.doubt(f"num_heads x head_dim = {heads * one}, and expand x hidden_size = {inner}")
    mixer = mamba2(
        width=wide,
        heads=heads,
        head_width=one,
        groups=fields.count("n_groups"),
        state=fields.count("state_size"),
        kernel=fields.count("conv_kernel"),
        bias=fields.flag("use_bias", default=False),
        conv_bias=fields.flag("use_conv_bias", default=True),
    )
    return _of(fields, mixer, tied=False)


def mamba_ssm(fields: Fields) -> ModelSpec:
    """Files of the first releases, which name no type: `ssm_cfg` says what is not as the mamba_ssm library has it."""
    given = fields.within("ssm_cfg")
    if given is None:
        raise fields.missing("ssm_cfg")
    fields.ignore("attn_cfg")
    if fields.counts("attn_layer_idx"):
        fields.doubt("attn_layer_idx names layers of attention, which are not read here")
    if fields.maybe("d_intermediate", least=0):
        fields.doubt("d_intermediate gives layers a feed-forward part, which is not read here")
    wide = width(fields)
    inner, kernel = given.count("expand", default=2) * wide, given.count("d_conv", default=4)
    bias, conv_bias = given.flag("bias", default=False), given.flag("conv_bias", default=True)
    if given.word("layer", default="Mamba1") == "Mamba2":
        one = given.count("headdim", default=64)
        mixer = mamba2(
            width=wide, heads=max(1, inner // one), head_width=one, groups=given.count("ngroups", default=1),
            state=given.count("d_state", default=128), kernel=kernel, bias=bias, conv_bias=conv_bias,
        )  # fmt: skip
    else:
        mixer = mamba1(
            width=wide, inner=inner, state=given.count("d_state", default=16),
            rank=given.auto("dt_rank", value=-(-wide // 16)), kernel=kernel, bias=bias, conv_bias=conv_bias,
        )  # fmt: skip
    to = fields.count("pad_vocab_size_multiple", default=8)
    padded = Embedding(vocabulary=-(-fields.count("vocab_size") // to) * to)
    fields.assume({"tie_word_embeddings": fields.flag("tie_embeddings", default=True)})
    return _of(fields, mixer, tied=True, embedding=padded)


def _of(fields: Fields, mixer: Recurrent, *, tied: bool, embedding: Embedding | None = None) -> ModelSpec:
    as_always(fields, ssm_cfg={}, rms_norm=True, fused_add_norm=True)
    fields.ignore("pad_vocab_size_multiple", "mixer_rms_eps")
    activation(fields)
    return decoder(fields, [Layer(norms=(RMS,), mixers=(mixer,))] * layer_count(fields), tied=tied, embedding=embedding)


READS = {"falcon_mamba": mamba, "mamba": mamba, "mamba2": mamba_2, "mamba_ssm": mamba_ssm}
