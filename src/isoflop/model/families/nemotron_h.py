"""Nemotron-H and Nemotron 3: each layer is one thing, Mamba-2, attention, a feed-forward part or a mixture of experts.

The order is a list, or in released files a text with a letter a layer. Experts may work in a narrow latent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.errors import shorten
from isoflop.model.families.common import RMS, activation, as_always, attention, decoder, experts, never_tied, width
from isoflop.model.families.common_recurrent import FULL, LINEAR, kinds, mamba2
from isoflop.model.parts import Linear, Mlp, Moe, vector
from isoflop.model.spec import Apart, Layer, groups_of

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Activation, Recurrent
    from isoflop.model.spec import ModelSpec

DENSE, MIXTURE = "mlp", "moe"
_LETTERS = {"M": LINEAR, "*": FULL, "-": DENSE, "E": MIXTURE}


def nemotron_h(fields: Fields) -> ModelSpec:
    """Where neither list nor text is there, four layers, one of each kind."""
    order = _order(fields, "layers_block_type", "layer_types", text="hybrid_override_pattern")
    order = order or (LINEAR, MIXTURE, FULL, DENSE)
    said = fields.maybe("num_hidden_layers")
    if said is not None and said != len(order):
        fields.doubt(f"num_hidden_layers = {said}, and the order of layers has {len(order)}")
    further = _further(fields)
    parts = {kind: _layer(fields, kind) for kind in {*order, *further}}
    fields.ignore(*_MIXTURE_FIELDS, "intermediate_size", "mlp_hidden_act", "head_dim", "expand", "mamba_expand")
    fields.ignore("num_attention_heads", "num_key_value_heads", "attention_bias", "mamba_proj_bias")
    apart = _apart(fields, [parts[kind] for kind in further])
    never_tied(fields)
    as_always(fields, num_query_groups=fields.maybe("num_key_value_heads"))
    return decoder(fields, [parts[kind] for kind in order], tied=False, apart=apart)


_MIXTURE_FIELDS = (
    "n_routed_experts", "num_local_experts", "n_shared_experts", "num_experts_per_tok", "moe_intermediate_size",
    "moe_shared_expert_intermediate_size", "moe_shared_expert_overlap", "moe_latent_size", "mlp_bias",
)  # fmt: skip
"""Read where there are mixtures."""


def _order(fields: Fields, *names: str, text: str) -> tuple[str, ...] | None:
    """The kinds of layers from a list, or spelled in letters."""
    listed = kinds(fields, *names, layers=None, known=tuple(_LETTERS.values()))
    spelled = fields.word(text)
    if set(spelled) - set(_LETTERS):
        fields.doubt(f"{text} = '{shorten(spelled)}' holds letters that are not known here")
    letters = tuple(_LETTERS[letter] for letter in spelled if letter in _LETTERS)
    if listed and letters and listed != letters:
        fields.doubt(f"{names[0]} and {text} say different things")
    return listed or letters or None


def _layer(fields: Fields, kind: str) -> Layer:
    """A layer of one kind: a norm, and what comes after it."""
    if kind == LINEAR:
        return Layer(norms=(RMS,), mixers=(_mamba(fields),))
    if kind == FULL:
        if fields.maybe("sliding_window") is not None:
            fields.doubt("sliding_window is set: whether attention heeds it is not certain")
        mixer = attention(fields, bias="", positions="none")
        mixer = replace(mixer, head_width=fields.count("head_dim", "attention_head_dim"))
        return Layer(norms=(RMS,), mixers=(mixer,))
    act = activation(fields, "mlp_hidden_act", default="relu2")
    biased = fields.flag("mlp_bias", default=False)
    if kind == DENSE:
        return Layer(
            norms=(RMS,), mlp=Mlp(width=fields.count("intermediate_size"), gated=False, activation=act, bias=biased)
        )
    return Layer(norms=(RMS,), mlp=_mixture(fields, act, biased=biased))


def _mamba(fields: Fields) -> Recurrent:
    activation(fields, "mamba_hidden_act")
    return mamba2(
        width=width(fields),
        heads=fields.count("mamba_num_heads"),
        head_width=fields.count("mamba_head_dim"),
        groups=fields.count("n_groups", "mamba_n_groups"),
        state=fields.count("ssm_state_size", "mamba_state_dim"),
        kernel=fields.count("conv_kernel", "mamba_d_conv"),
        bias=fields.flag("use_bias", default=False),
        conv_bias=fields.flag("use_conv_bias", "mamba_conv_bias", default=True),
    )


def _mixture(fields: Fields, act: Activation, *, biased: bool) -> Moe:
    """Experts of two matrices, in a latent of `moe_latent_size` where that is given, and a shared one beside them."""
    expert = Mlp(width=fields.count("moe_intermediate_size"), gated=False, activation=act)
    shared = replace(expert, width=fields.count("moe_shared_expert_intermediate_size"), bias=biased)
    latent = fields.maybe("moe_latent_size")
    biases = (vector("into experts bias", latent), vector("out of experts bias", width(fields))) if latent else ()
    mixture = experts(fields, expert, shared=shared, router_bias="stored")
    return replace(mixture, inner_width=latent, extras=biases if biased else ())


def _further(fields: Fields) -> tuple[str, ...]:
    """Kinds of the layers that predict a further token; none where the file counts none."""
    fields.ignore("mtp_layers_block_type", "mtp_hybrid_override_pattern")
    if not fields.count("num_nextn_predict_layers", default=0, least=0):
        return ()
    return _order(fields, "mtp_layers_block_type", text="mtp_hybrid_override_pattern") or (FULL, MIXTURE)


def _apart(fields: Fields, layers: list[Layer]) -> tuple[Apart, ...]:
    """Both inputs normalised and joined, the layers, a last norm; as often as there are tokens predicted."""
    if not layers:
        return ()
    wide, name = width(fields), "multi-token prediction"
    joined = Linear(name="projection", inputs=2 * wide, outputs=wide, part=name)
    around = Layer(norms=(RMS, RMS, RMS), extras=(joined,))
    times = fields.count("num_nextn_predict_layers")
    return (Apart(name=name, groups=groups_of([around, *layers] * times)),)


READS = {"nemotron_h": nemotron_h}
