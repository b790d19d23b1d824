"""BART and what fairseq and Marian share with it: an encoder and a decoder of equal width with biases everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from isoflop.model.families.common import LAYER_NORM, as_always, plain, width
from isoflop.model.families.common_classic import crossing, multi_head, position_table, two_norms
from isoflop.model.parts import Embedding, Head, Linear, Mlp, Moe, vector
from isoflop.model.spec import ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.model.fields import Fields

Side = Literal["encoder", "decoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What differs between types.

    `positions`: whether a table of them is kept (learned, or the sines), with `spare` rows to spare. `first`: a norm
    over the embedding; `last`: one after the last layer. `bias`: a value for every score, stored and not trained.
    `said`: fields of old files that are true in all releases of the type.
    """

    positions: bool = True
    spare: int = 0
    first: bool = False
    last: bool = False
    bias: bool = True
    said: tuple[str, ...] = ()


PLANS = {
    "bart": Plan(spare=2, first=True, said=("normalize_embedding",)),
    "blenderbot": Plan(last=True, said=("normalize_before", "add_final_layer_norm")),
    "blenderbot-small": Plan(first=True, said=("normalize_embedding",)),
    "m2m_100": Plan(positions=False, last=True, bias=False),
    "marian": Plan(said=("static_position_embeddings",)),
    "mbart": Plan(
        spare=2, first=True, last=True, said=("normalize_embedding", "normalize_before", "add_final_layer_norm")
    ),
    "nllb-moe": Plan(positions=False, last=True, bias=False),
    "pegasus": Plan(last=True, said=("static_position_embeddings", "normalize_before", "add_final_layer_norm")),
    "plbart": Plan(spare=2, first=True, said=("normalize_embedding",)),
}


def bart(fields: Fields, plan: Plan) -> ModelSpec:
    """Two stacks that share the embedding of words and have a table of positions each."""
    encoder, decoder = (stack(fields, side, plan) for side in ("encoder", "decoder"))
    return joined(fields, plan, encoder, decoder, words=fields.count("vocab_size"))


def nllb_moe(fields: Fields, plan: Plan) -> ModelSpec:
    """NLLB 54B: every fourth layer has experts, of which a token meets two."""
    fields.ignore(
        "router_ignore_padding_tokens", "expert_capacity", "second_expert_policy", "batch_prioritized_routing"
    )
    fields.ignore(
        "normalize_router_prob_before_dropping", "moe_eval_capacity_token_fraction", "moe_token_dropout", "router_type"
    )
    router: Literal["parameter", "none"] = "parameter" if fields.flag("router_bias", default=False) else "none"
    experts = fields.count("num_experts")
    stacks = []
    for side in ("encoder", "decoder"):
        every = fields.count(f"{side}_sparse_step", default=4, least=0)
        dense = stack(fields, side, plan)
        layer = dense.groups[0].layer
        assert isinstance(layer.mlp, Mlp)
        mixture = replace(layer, mlp=Moe(experts=experts, active=2, expert=layer.mlp, router_bias=router))
        layers = [layer if not every or (place + 1) % every else mixture for place in range(dense.layers)]
        stacks.append(replace(dense, groups=groups_of(layers)))
    return joined(fields, plan, *stacks, words=fields.count("vocab_size"))


def marian(fields: Fields, plan: Plan) -> ModelSpec:
    """Opus-MT: BART without norms over embeddings; each side may have words of its own."""
    encoder, decoder = (stack(fields, side, plan) for side in ("encoder", "decoder"))
    words = fields.count("vocab_size")
    written = fields.count("decoder_vocab_size", default=words)
    if fields.flag("share_encoder_decoder_embeddings", default=True):
        if written != words:
            fields.doubt(f"decoder_vocab_size = {written} is not vocab_size = {words}, and embeddings are shared")
        return joined(fields, plan, encoder, decoder, words=words)
    return joined(fields, plan, encoder, decoder, words=written, read=words)


def fsmt(fields: Fields) -> ModelSpec:
    """Translation models of WMT 2019: words of its own for each side, stored sines, no norms over embeddings."""
    fields.assume({"activation_function": "relu"})
    plan = Plan(spare=fields.count("pad_token_id", default=1, least=0) + 1, bias=False)
    fields.ignore("langs", "num_beams", "is_decoder", "decoder")
    encoder, decoder = (stack(fields, side, plan) for side in ("encoder", "decoder"))
    words, read = fields.count("tgt_vocab_size"), fields.count("src_vocab_size")
    return joined(fields, plan, encoder, decoder, words=words, read=read, tied=False)


def whisper(fields: Fields) -> ModelSpec:
    """Speech: two convolutions halve the frames; no bias on keys; the encoder's sines are stored."""
    fields.ignore("classifier_proj_size", "median_filter_width", "apply_spec_augment", "use_weighted_layer_sum")
    fields.ignore("mask_time_prob", "mask_time_length", "mask_time_min_masks", "lang_ids", "num_hidden_layers")
    fields.ignore("mask_feature_prob", "mask_feature_length", "mask_feature_min_masks", "is_encoder_decoder")
    plan = Plan(positions=False, last=True, bias=False)
    encoder, decoder = (stack(fields, side, plan, bias="qvo") for side in ("encoder", "decoder"))
    wide, mels = width(fields), fields.count("num_mel_bins")
    heard, written = fields.count("max_source_positions"), fields.count("max_target_positions")
    spec = joined(fields, plan, encoder, decoder, words=fields.count("vocab_size"), context=written)
    convolved = (
        Linear(name="first convolution", inputs=3 * mels, outputs=wide, bias=True, runs="input", times=2, part="audio"),
        Linear(name="second convolution", inputs=3 * wide, outputs=wide, bias=True, runs="input", part="audio"),
    )
    table = replace(spec.embedding, positions=written)
    return replace(spec, embedding=table, extras=(*spec.extras, *convolved, position_table(heard, wide)))


def stack(fields: Fields, side: Side, plan: Plan, *, bias: str = "qkvo") -> Stack:
    """Layers of one side, by names that begin with it."""
    mixer = multi_head(fields, f"{side}_attention_heads", bias=bias, causal=side == "decoder")
    mlp = plain(fields, f"{side}_ffn_dim", bias=True)
    layer = two_norms(mixer, mlp)
    names = ("encoder_layers", "num_hidden_layers") if side == "encoder" else ("decoder_layers",)
    if side == "decoder":
        layer = replace(layer, norms=(LAYER_NORM,) * 3, cross=crossing(mixer))
    layers = [layer] * fields.count(*names)
    return Stack(width=width(fields), groups=groups_of(layers), norm=LAYER_NORM if plan.last else None)


_INERT = (
    "scale_embedding", "is_decoder", "_num_labels", "output_past", "force_bos_token_to_be_generated",
    "extra_pos_embeddings", "save_step", "layernorm_variant", "extra_layer_norm", "do_blenderbot_90_layernorm",
    "tokenizer_name",
)  # fmt: skip


def joined(  # noqa: PLR0913 - the pieces of an encoder-decoder
    fields: Fields,
    plan: Plan,
    encoder: Stack,
    decoder: Stack,
    *,
    words: int,
    read: int = 0,
    tied: bool = True,
    context: int | None = None,
) -> ModelSpec:
    """Both stacks, their embeddings, the head; `read`: words of the encoder, where it has its own."""
    as_always(fields, **dict.fromkeys(plan.said, True))
    fields.ignore(*_INERT)
    rows = context or fields.count("max_position_embeddings")
    kept, wide = rows + plan.spare if plan.positions else 0, encoder.width
    if fields.flag("tie_word_embeddings", default=tied) != tied:
        fields.doubt(f"tie_word_embeddings is not {tied}: which tables are shared then depends on the version")
    return ModelSpec(
        name="",
        stack=decoder,
        encoder=encoder,
        embedding=Embedding(vocabulary=words, positions=kept, norm=LAYER_NORM if plan.first else None),
        head=Head(tied=fields.flag("tie_word_embeddings", default=tied)),
        extras=tuple(_beside(plan, wide, read=read, words=words, positions=kept)),
        context=rows,
    )


def _beside(plan: Plan, wide: int, *, read: int, words: int, positions: int) -> list[Linear]:
    """Weights outside the stacks, the table of words and the head."""
    extras: list[Linear] = []
    if read:
        extras.append(
            Linear(name="words of the encoder", inputs=read, outputs=wide, runs="never", part="token embedding")
        )
    if positions:
        extras.append(position_table(positions, wide))
    if plan.first:
        extras += [vector(name, wide, part="embedding norm") for name in ("encoder scale", "encoder bias")]
    if plan.bias:
        extras.append(vector("bias of scores", words, part="head", trained=False))
    return extras


_SPECIAL: dict[str, Callable[[Fields, Plan], ModelSpec]] = {"marian": marian, "nllb-moe": nllb_moe}


def _reader(kind: str, plan: Plan) -> Callable[[Fields], ModelSpec]:
    read = _SPECIAL.get(kind, bart)
    return lambda fields: read(fields, plan)


READS = {
    **{kind: _reader(kind, plan) for kind, plan in PLANS.items()},
    "fsmt": fsmt,
    "whisper": whisper,
}
