"""xLSTM of 7B: layers of matrix memory (mLSTM), with a normaliser and a running maximum; gated parts between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import decoder, layer_count, never_tied, width
from isoflop.model.families.common_recurrent import recurrent
from isoflop.model.parts import Mlp, Norm
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Recurrent
    from isoflop.model.spec import ModelSpec


def xlstm(fields: Fields) -> ModelSpec:
    """Keys are half as wide as values unless said otherwise; the part's width is rounded up."""
    wide = width(fields)
    if fields.count("embedding_dim", default=wide) != wide:
        fields.doubt("embedding_dim is not hidden_size")
    layers = fields.count("num_blocks", default=layer_count(fields))
    fields.ignore("num_hidden_layers", *_KERNELS)
    never_tied(fields)
    bias = fields.flag("use_bias", default=False)
    norm = Norm(kind="rms", bias=bias)
    multiple = fields.count("ffn_round_up_to_multiple_of")
    inner = wide * fields.number("ffn_proj_factor", default=2.667)
    mlp = Mlp(
        width=int((inner + multiple - 1) // multiple * multiple),
        gated=True,
        activation="silu",
        bias=bias,
    )
    mixer = _memory(fields, wide, bias=bias)
    return decoder(fields, [Layer(norms=(norm, norm), mixers=(mixer,), mlp=mlp)] * layers, tied=False)


_KERNELS = (
    "add_out_norm", "autocast_kernel_dtype", "chunkwise_kernel", "eps", "force_bos_token_insert", "gate_soft_cap",
    "inference_state_dtype", "max_inference_chunksize", "mode", "norm_reduction_force_float32",
    "output_logit_soft_cap", "return_last_states", "sequence_kernel", "step_kernel", "weight_mode",
)  # fmt: skip
"""Fields about how it is run; `weight_mode` says whether matrices are stored side by side."""


def _memory(fields: Fields, wide: int, *, bias: bool) -> Recurrent:
    """The normaliser is one more column of each memory; a maximum a head beside them."""
    heads = fields.count("num_heads")
    keys = int(wide * fields.number("qk_dim_factor", default=0.5))
    values = int(wide * fields.number("v_dim_factor", default=1.0))
    if keys % heads or values % heads:
        fields.doubt(f"{heads} heads do not divide widths of {keys} and {values}")
    matrices = {name: (wide, size) for name, size in (("q", keys), ("k", keys), ("v", values), ("output gate", values))}
    matrices |= {"input gate": (wide, heads), "forget gate": (wide, heads), "out": (values, wide)}
    return recurrent(
        "mlstm",
        matrices,
        {"norm": values, "norm bias": values if bias else 0},
        memory=(heads, keys // heads, values // heads + 1),
        biased=matrices if bias else {"input gate", "forget gate"},
        beside=heads,
    )


READS = {"xlstm": xlstm}
