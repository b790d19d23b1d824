"""Zamba: Mamba layers, and before some of them a block of attention whose weights all those places share.

The block reads the stream and the embedding side by side. It stands here as a layer of its own, so that there are more
layers than `num_hidden_layers`; where it comes again, it holds no weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, activation, as_always, decoder, layer_count, width
from isoflop.model.families.common_recurrent import HYBRID, LINEAR, kinds, mamba1_layers, mamba2
from isoflop.model.parts import Attention, Linear, Mlp, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Recurrent
    from isoflop.model.spec import ModelSpec


def zamba(fields: Fields) -> ModelSpec:
    """The first Zamba: Mamba in a few heads, one shared block, attention without positions."""
    wide, layers = width(fields), layer_count(fields)
    fields.ignore("use_associative_scan", "n_mamba_heads", "hidden_mamba_act")
    recurrent = mamba1_layers(fields, wide)
    period, offset = fields.count("attn_layer_period"), fields.count("attn_layer_offset", least=0)
    listed = kinds(fields, "layers_block_type", "layer_types", layers=layers, known=(LINEAR, HYBRID))
    later = (HYBRID if place % period == offset else LINEAR for place in range(layers - 3))
    places = listed or (LINEAR, LINEAR, HYBRID, *later)
    block = _block(fields, rotated=False, bias=False)
    return _stack(fields, places[:layers], recurrent, [block], ())


def zamba2(fields: Fields) -> ModelSpec:
    """Mamba-2, several shared blocks in turn, and at each place a low-rank correction of the block of its own."""
    wide, layers = width(fields), layer_count(fields)
    as_always(fields, use_shared_mlp_adapter=True, gated_linear_unit=True)
    fields.ignore("use_conv_bias", "use_mem_eff_path", "kv_channels", "num_query_groups", "use_long_context")
    fields.ignore("ft_lora", "use_shared_block")
    inner, heads = fields.count("mamba_expand") * wide, fields.count("n_mamba_heads")
    bias = fields.flag("add_bias_linear", default=False)
    recurrent = mamba2(
        width=wide,
        heads=heads,
        head_width=fields.count("mamba_headdim", default=inner // heads),
        groups=fields.count("mamba_ngroups"),
        state=fields.count("mamba_d_state"),
        kernel=fields.count("mamba_d_conv"),
        bias=bias,
        conv_bias=True,
    )
    if recurrent.heads * recurrent.value_width != inner:
        fields.doubt("n_mamba_heads x mamba_headdim is not the inner width")
    places = kinds(fields, "layers_block_type", "layer_types", layers=layers, known=(LINEAR, HYBRID)) or _USUAL
    named = fields.counts("hybrid_layer_ids")
    if named is not None and named != tuple(place for place, kind in enumerate(places) if kind == HYBRID):
        fields.doubt("hybrid_layer_ids and the order of layers say different things")
    if len(places) != layers:
        fields.doubt(f"num_hidden_layers = {layers}, and the usual order of layers has {len(places)}")
    block = _block(fields, rotated=fields.flag("use_mem_rope", default=False), bias=bias)
    blocks = [block] * fields.count("num_mem_blocks")
    return _stack(fields, places, recurrent, blocks, _adapters(fields, block))


_USUAL = (
    LINEAR, *(*(LINEAR,) * 5, HYBRID) * 7, *(LINEAR,) * 4, HYBRID, *(LINEAR,) * 3, HYBRID, LINEAR, LINEAR,
)  # fmt: skip


def _block(fields: Fields, *, rotated: bool, bias: bool) -> Layer:
    """The shared block: attention over twice the width, a feed-forward part, a norm before each."""
    wide, heads = width(fields), fields.count("num_attention_heads")
    both = fields.count("attention_hidden_size", default=2 * wide)
    mixer = Attention(
        heads=heads,
        kv_heads=fields.count("num_key_value_heads", default=heads),
        head_width=fields.count("attention_head_dim", "head_dim", default=2 * wide // heads),
        positions="rope" if rotated else "none",
        inputs=both,
    )
    fed = Mlp(
        width=fields.count("intermediate_size", default=4 * wide),
        gated=True,
        activation=activation(fields, default="gelu"),
        bias=bias,
    )
    return Layer(norms=(RMS,), mixers=(mixer,), mlp=fed, extras=(vector("joined norm", both, part="norms"),))


def _adapters(fields: Fields, block: Layer) -> tuple[Linear, ...]:
    """Pairs of narrow matrices beside the block's, at every place its own."""
    rank, wide = fields.count("adapter_rank"), width(fields)
    assert isinstance(block.mlp, Mlp)
    sides = [("up", wide, 2 * block.mlp.width)]
    if fields.flag("use_shared_attention_adapter", default=False):
        both = fields.count("attention_hidden_size", default=2 * wide)
        sides += [(letter, both, both) for letter in "qkv"]
    return tuple(
        Linear(name=f"{name} {half}", inputs=inputs, outputs=outputs, part="adapters")
        for name, into, out in sides
        for half, inputs, outputs in (("down", into, rank), ("up", rank, out))
    )


def _stack(
    fields: Fields, places: tuple[str, ...], recurrent: Recurrent, blocks: list[Layer], adapters: tuple[Linear, ...]
) -> ModelSpec:
    """Each hybrid place: the block whose turn it is, then a Mamba layer with what joins the two and the corrections."""
    wide, times = width(fields), 0
    plain = Layer(norms=(RMS,), mixers=(recurrent,))
    joined = Linear(name="join", inputs=wide, outputs=wide, part="block output")
    layers = []
    for kind in places:
        if kind == HYBRID:
            layers.append(replace(blocks[times % len(blocks)], held=times < len(blocks)))
            times += 1
        layers.append(replace(plain, extras=(joined, *adapters)) if kind == HYBRID else plain)
    spec = decoder(fields, layers, tied=True)
    if spec.head is not None and not spec.head.tied:
        fields.doubt("tie_word_embeddings is false: transformers then holds the shared blocks at every place anew")
    return replace(spec, notes=(*spec.notes, f"{times} of the layers counted are shared blocks between the others"))


READS = {"zamba": zamba, "zamba2": zamba2}
