"""Models made by search over Llama's blocks (DeciLM, Nemotron Super and Ultra): each layer says what it is.

Attention or the feed-forward part may be absent, or one matrix in its place; a part that is absent has no norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.model.families.common import RMS, RMS_PAIR, activation, attention, decoder, gated, layer_count, width
from isoflop.model.fields import Fields
from isoflop.model.parts import Linear, Mlp
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec


def deci(fields: Fields) -> ModelSpec:
    """By `block_configs`, or in the first DeciLM by a number of key-value heads for each layer."""
    layers = layer_count(fields)
    if "block_configs" in fields.values:
        fields.ignore("num_key_value_heads", "intermediate_size")
        mixer = replace(attention(fields.changed({"num_key_value_heads": 1})), kv_heads=1)
        stack = [_layer(fields, block, mixer) for block in _blocks(fields, layers)]
        return decoder(fields, stack, tied=False)
    listed = "num_key_value_heads_per_layer"
    heads = fields.per_layer(listed if fields.has(listed) else "num_key_value_heads", layers=layers)
    fields.ignore("num_key_value_heads")
    mixer, mlp = attention(fields.changed({"num_key_value_heads": 1})), gated(fields)
    stack = [Layer(norms=RMS_PAIR, mixers=(replace(mixer, kv_heads=one),), mlp=mlp) for one in heads]
    return decoder(fields, stack, tied=False)


def _blocks(fields: Fields, layers: int) -> list[Fields]:
    """The object of each layer; what nobody reads in there is doubted."""
    fields.ignore("block_configs")
    listed = fields.values["block_configs"]
    if not isinstance(listed, list) or len(listed) != layers or not all(isinstance(one, Mapping) for one in listed):
        raise BadFile(f"{fields.file}: block_configs is no list of {layers} objects, one a layer.")
    return [Fields(one, fields.file, f"block_configs[{place}].") for place, one in enumerate(listed)]


def _layer(fields: Fields, block: Fields, mixer: Attention) -> Layer:
    reading, feeding = block.within("attention"), block.within("ffn")
    if reading is None or feeding is None:
        raise block.missing("ffn" if reading else "attention")
    wide = width(fields)
    norms, extras = [], []
    mixers: tuple[Attention, ...] = ()
    mlp = None
    if not reading.flag("no_op", default=False):
        norms.append(RMS)
        if reading.flag("replace_with_linear", default=False):
            extras.append(Linear(name="instead", inputs=wide, outputs=wide, part="attention"))
            if mixer.bias:
                reading.doubt("whether the matrix in place of attention has a bias is not certain")
        else:
            mixers = (replace(mixer, kv_heads=mixer.heads // reading.count("n_heads_in_group")),)
    if not feeding.flag("no_op", default=False):
        norms.append(RMS)
        if feeding.flag("replace_with_linear", default=False):
            extras.append(Linear(name="instead", inputs=wide, outputs=wide, part="mlp"))
        else:
            mlp = _feeding(fields, feeding, wide)
    reading.ignore("n_heads_in_group", "num_sink_tokens", "unshifted_sink", "use_prefill_window_in_sink_attention")
    feeding.ignore("ffn_mult")
    for doubt in (*block.all_doubts(), *(f"{name} is not understood" for name in block.not_understood())):
        fields.doubt(doubt)
    return Layer(norms=tuple(norms), mixers=mixers, mlp=mlp, extras=tuple(extras))


def _feeding(fields: Fields, feeding: Fields, wide: int) -> Mlp:
    """Two thirds of a multiple of the width, rounded up to whole 256s."""
    inner = int(2 * feeding.number("ffn_mult", default=0) * wide / 3)
    return Mlp(
        width=-(-inner // 256) * 256,
        gated=True,
        activation=activation(fields),
        bias=fields.flag("mlp_bias", default=False),
    )


READS = {"deci": deci, "nemotron-nas": deci}
