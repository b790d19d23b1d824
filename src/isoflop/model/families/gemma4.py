"""Gemma 4: full layers with wider and fewer heads than windowed ones, keys that serve as values, inputs a layer.

Depending on size the last layers read keys and values of earlier ones, or experts stand beside the dense part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, decoder, layer_count, sliding, width
from isoflop.model.families.gemma import AROUND, gemma_mlp
from isoflop.model.families.gemma3n import all_inputs, layer_inputs, shared_mixers, token_inputs
from isoflop.model.parts import Attention, Mlp, Moe, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def gemma4(fields: Fields) -> ModelSpec:
    """The text part of every size."""
    layers, wide = layer_count(fields), width(fields)
    each = fields.maybe("hidden_size_per_layer_input", least=0) or 0
    fields.ignore("vocab_size_per_layer_input")
    mlp = gemma_mlp(fields, fields.count("intermediate_size"))
    double = fields.flag("use_double_wide_mlp", default=False)
    wider = replace(mlp, width=2 * mlp.width) if double else mlp
    sparse = fields.flag("enable_moe_block", default=False)
    fields.ignore("num_experts", "top_k_experts", "moe_intermediate_size")
    norms = AROUND + (RMS,) * ((3 if sparse else 0) + (1 if each else 0))
    # A scale that the checkpoint holds and nothing trains.
    extras = (vector("layer scale", 1, trained=False), *(layer_inputs(wide, each) if each else ()))
    made = []
    for mixer in shared_mixers(fields, _mixers(fields, layers)):
        dense = wider if mixer.kv == "earlier" else mlp
        feed = _experts(fields, dense, wide) if sparse else dense
        made.append(Layer(norms=norms, mixers=(mixer,), mlp=feed, extras=extras))
    return decoder(
        fields,
        made,
        tied=True,
        embedding=token_inputs(fields, layers * each) if each else None,
        extras=all_inputs(wide, layers, each) if each else (),
    )


def _mixers(fields: Fields, layers: int) -> list[Attention]:
    """Full layers have a head width and key-value heads of their own; saved files list them layer by layer."""
    both_ways = fields.choice({"all": True, "vision": False}, "use_bidirectional_attention", default=False)
    one = replace(attention(fields, qk_norm="head"), causal=not both_ways)
    windows = list(sliding(fields, layers, every=6))
    windows[-1] = None
    shared = fields.flag("attention_k_eq_v", default=False)
    heads = fields.maybe("num_global_key_value_heads")
    full = replace(
        one,
        head_width=fields.count("global_head_dim", default=512),
        kv_heads=heads if shared and heads else one.kv_heads,
        values="projection" if shared else "own",
    )
    mixers = [
        full if window is None else replace(one, window=window // 2 + 1 if both_ways else window) for window in windows
    ]
    return _listed(fields, one, mixers)


def _listed(fields: Fields, one: Attention, mixers: list[Attention]) -> list[Attention]:
    """What `per_layer_config` says: a layer it lists has those fields, every other the fields of the whole file."""
    listed = fields.within("per_layer_config")
    if listed is None:
        return mixers
    places = {int(name): name for name in listed.values if name.isdigit()}
    found = []
    for place, mixer in enumerate(mixers):
        own = listed.within(places[place]) if place in places else None
        found.append(
            replace(
                mixer,
                head_width=own.count("head_dim", default=one.head_width) if own else one.head_width,
                kv_heads=own.count("num_key_value_heads", default=one.kv_heads) if own else one.kv_heads,
            )
        )
    return found


def _experts(fields: Fields, dense: Mlp, wide: int) -> Moe:
    """Experts beside the dense part, which every token meets; a scale for the router's input and one an expert."""
    experts = fields.count("num_experts")
    return Moe(
        experts=experts,
        active=fields.count("top_k_experts"),
        expert=replace(dense, width=fields.count("moe_intermediate_size")),
        shared=dense,
        extras=(vector("router scale", wide, part="router"), vector("expert scales", experts, part="router")),
    )


READS = {"gemma4_text": gemma4, "gemma4_unified_text": gemma4}
