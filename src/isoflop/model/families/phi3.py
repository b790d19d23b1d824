"""Phi-3 and 4: Llama without biases, queries, keys and values in one matrix, gate and up in another; Phi-3-small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, as_always, attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def phi3(fields: Fields) -> ModelSpec:
    """A window in every layer where one is given."""
    as_always(fields, full_attn_mod=1, interpolate_factor=1)
    return uniform(fields, attention(fields, bias="", window=fields.maybe("sliding_window")), gated(fields, bias=False))


def phi3small(fields: Fields) -> ModelSpec:
    """Biases everywhere, layer norms, a tied head; every other layer sparse, by blocks of its own for each head."""
    fields.doubt("blocksparse attention is counted as if it saw everything")
    fields.ignore("blocksparse_block_size", "blocksparse_homo_head_pattern", "blocksparse_num_local_blocks")
    fields.ignore("blocksparse_triton_kernel_block_size", "blocksparse_vert_stride", "dense_attention_every_n_layers")
    fields.ignore("gegelu_limit", "gegelu_pad_to_256", "pad_sequence_to_multiple_of_64")
    fields.ignore("mup_attn_multiplier", "mup_embedding_multiplier", "mup_use_scaling", "mup_width_multiplier")
    mlp = gated(fields, "ff_intermediate_size", bias=True)
    return uniform(
        fields, attention(fields, bias="qkvo"), mlp, norms=(LAYER_NORM, LAYER_NORM), norm=LAYER_NORM, tied=True
    )


READS = {"phi3": phi3, "phi3small": phi3small, "phi4_multimodal": phi3}
