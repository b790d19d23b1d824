"""Text decoders that exist only inside configs of several modalities, and one that reads images by cross-attention.

`LIKE`: those that are built like a family of their own name. They have no head by themselves; the composite decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from isoflop.model.families.common import (
    RMS,
    RMS_PAIR,
    attention,
    decoder,
    experts,
    gated,
    layer_count,
    sliding,
    uniform,
    width,
)
from isoflop.model.families.common_experts import fine_grained, only, shared_experts, sparse, stacked
from isoflop.model.families.deepseek_sparse import mistral_large4
from isoflop.model.families.glm_next import glm5_next
from isoflop.model.parts import Attention, Embedding, Linear, Norm, vector
from isoflop.model.spec import Layer, groups_of

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

AROUND = (RMS,) * 4

LIKE = {
    "emu3_text_model": "llama",
    "granite4_vision_text": "granite",
    "granite_docling_text": "granite",
    "qwen2_5_omni_text": "qwen2",
    "qwen2_5_vl_text": "qwen2",
    "qwen2_vl_text": "qwen2",
    "qwen3_omni_moe_text": "qwen3_moe",
    "qwen3_vl_moe_text": "qwen3_moe",
    "qwen3_vl_text": "qwen3",
}


def glm4v(fields: Fields) -> ModelSpec:
    """GLM-4.1V: biases on queries, keys and values, norms before and after each part."""
    only(fields, "attention_bias", True)  # noqa: FBT003 - a value of the field
    mixer = shared_out(fields, attention(fields, bias="qkv"))
    return uniform(fields, mixer, gated(fields, bias=False), norms=AROUND)


def shared_out(fields: Fields, mixer: Attention) -> Attention:
    """With heads that share out the width whatever `head_dim` says, where the modules do so."""
    wide = width(fields) // mixer.heads
    if mixer.head_width != wide:
        fields.doubt(f"head_dim = {mixer.head_width} is not the width shared out among the heads")
    return replace(mixer, head_width=wide)


def glm_ocr(fields: Fields) -> ModelSpec:
    """The same without biases."""
    only(fields, "attention_bias", False)  # noqa: FBT003 - a value of the field
    return uniform(fields, attention(fields, bias=""), gated(fields, bias=False), norms=AROUND)


def glm4v_moe(fields: Fields) -> ModelSpec:
    """GLM-4.5V: the mixtures of GLM-4.5."""
    mixer = attention(fields, bias="qkv" if fields.flag("attention_bias", default=True) else "")
    mixed = sparse(fields, layer_count(fields), first=1)
    return decoder(
        fields, stacked([mixer] * len(mixed), mixed, fine_grained(fields), gated(fields, bias=False)), tied=False
    )


def ernie_vl(fields: Fields) -> ModelSpec:
    """Experts for text and for images apart: counted are those for text, and the shared ones."""
    bias = fields.flag("use_bias", default=False)
    layers = layer_count(fields)
    fields.ignore("moe_norm_min")
    sizes = fields.counts("moe_intermediate_size", length=2, least=1) or (1536, 512)
    dense = gated(fields, bias=bias)
    expert = replace(dense, width=sizes[0])
    times = shared_experts(fields)
    shared = replace(expert, width=sizes[0] * times) if times else None
    mixture = experts(fields, replace(expert, bias=False), shared=shared, router_bias="stored")
    mixers = [attention(fields, bias="qkvo" if bias else "")] * layers
    return decoder(fields, stacked(mixers, sparse(fields, layers, first=1), mixture, dense), tied=True)


def deepseek_ocr(fields: Fields) -> ModelSpec:
    """DeepSeek's small experts under plain attention; shared experts and dense layers may have biases."""
    biased = fields.flag("mlp_bias", default=False)
    mixed = sparse(fields, layer_count(fields))
    mixture = fine_grained(fields, router_bias="none", bias=biased)
    mixers = [shared_out(fields, attention(fields))] * len(mixed)
    return decoder(fields, stacked(mixers, mixed, mixture, gated(fields)), tied=False)


def hunyuan_vl(fields: Fields) -> ModelSpec:
    """Llama with heads normalised after rotation."""
    return uniform(fields, attention(fields, qk_norm="head"), gated(fields, bias=False), tied=True)


def paddle_ocr(fields: Fields) -> ModelSpec:
    """ERNIE 4.5: one flag for all biases."""
    bias = fields.flag("use_bias", default=False)
    return uniform(fields, attention(fields, bias="qkvo" if bias else ""), gated(fields, bias=bias), tied=True)


def voxtral_realtime(fields: Fields) -> ModelSpec:
    """Mistral with a scale of each layer's second norm that is computed from how far speech runs ahead."""
    mixer = attention(fields, bias="", window=fields.maybe("sliding_window"))
    wide = width(fields)
    scale = tuple(
        Linear(name=name, inputs=inputs, outputs=outputs, runs="sequence", part="delay norm")
        for name, inputs, outputs in (("down", wide, 32), ("up", 32, wide))
    )
    layer = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=gated(fields, bias=False), extras=scale)
    return decoder(fields, [layer] * layer_count(fields), tied=True)


def muse_glimmer(fields: Fields) -> ModelSpec:
    """A gate on every element of attention's output."""
    mixer, windows = _muse(fields)
    return uniform(fields, mixer, gated(fields, bias=False), norms=AROUND, windows=windows)


def muse_spark(fields: Fields) -> ModelSpec:
    """The same with narrower mixtures, normalised on the way in and out, and gates on what each part adds."""
    fields.ignore("residual_gate_temperature")
    mixer, windows = _muse(fields)
    wide, inner = width(fields), fields.count("moe_hidden_size")
    mixture = replace(
        experts(fields, gated(fields, "moe_intermediate_size", bias=False), router_bias="stored"),
        inner_width=inner,
        extras=(vector("pre-expert norm", inner), vector("post-expert norm", inner)),
    )
    gates = (vector("attention gate", wide, part="gates"), vector("mlp gate", wide, part="gates"))
    mixed = sparse(fields, len(windows))
    mixers = [replace(mixer, window=window) for window in windows]
    norms = (RMS, RMS, RMS, Norm(kind="rms", scale=False))
    layers = stacked(mixers, mixed, mixture, gated(fields, bias=False), norms=norms, extras=gates)
    return decoder(fields, layers, tied=False)


def _muse(fields: Fields) -> tuple[Attention, tuple[int | None, ...]]:
    """Attention with a gate, and the window of each layer: from the last, every fourth sees everything."""
    fields.ignore("qk_scale_factor", "output_multiplier", "layer_rope_theta")
    layers = layer_count(fields)
    mixer = replace(attention(fields), gate="element")
    if fields.has("layer_types"):
        return mixer, sliding(fields, layers)
    window = fields.maybe("sliding_window")
    return mixer, tuple(window if (layers - 1 - place) % 4 else None for place in range(layers))


def molmo2(fields: Fields) -> ModelSpec:
    """Llama with normalised queries and keys; rows of further tokens in the embedding and not in the head."""
    fields.ignore("norm_after", "rope_scaling_layers")
    bias = "qkv" if fields.flag("attention_bias", default=False) else ""
    named: dict[str, Literal["head", "full"]] = {"qwen3": "head", "olmo": "full"}
    normed = fields.choice(named, "qk_norm_type", default=named["qwen3"])
    mixer = replace(attention(fields, bias=bias), qk_norm=normed)
    spec = uniform(fields, mixer, gated(fields, bias=False))
    assert spec.head is not None
    further = fields.count("additional_vocab_size", default=128, least=0)
    return replace(
        spec,
        embedding=Embedding(vocabulary=spec.vocabulary + further),
        head=replace(spec.head, tied=False, vocabulary=spec.vocabulary),
    )


def chameleon(fields: Fields) -> ModelSpec:
    """Images are tokens like others: Llama with queries and keys normalised over each head, weights of their own."""
    fields.ignore("vq_config", "vocabulary_map", "model_parallel_size", "swin_norm")
    mixer = replace(shared_out(fields, attention(fields, qk_norm="full")), norm_bias=True)
    return uniform(fields, mixer, gated(fields))


def mllama(fields: Fields) -> ModelSpec:
    """Llama 3.2 Vision: layers of their own that read the image by cross-attention, each half behind a learned gate.

    They are skipped where there is no image; counted is a text with one.
    """
    layers = layer_count(fields)
    crossing = fields.counts("cross_attention_layers")
    crossing = (3, 8, 13, 18, 23, 28, 33, 38) if crossing is None else crossing
    if any(place >= layers for place in crossing):
        fields.doubt(f"cross_attention_layers holds layers beyond the last of {layers}")
    mixer = attention(fields, bias="")
    mlp = gated(fields, bias=False)
    plain = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mlp)
    gates = (vector("attention gate", 1, part="gates"), vector("mlp gate", 1, part="gates"))
    reading = Layer(norms=RMS_PAIR, cross=replace(mixer, qk_norm="head", positions="none"), mlp=mlp, extras=gates)
    vocabulary = fields.count("vocab_size")
    spec = decoder(fields, [plain], tied=False, embedding=Embedding(vocabulary=vocabulary + 8))
    assert spec.head is not None
    groups = groups_of(reading if place in crossing else plain for place in range(layers))
    return replace(
        spec,
        stack=replace(spec.stack, groups=groups),
        head=replace(spec.head, tied=False, vocabulary=vocabulary),
        reads="tokens of an image",
    )


TEXTS = {
    "deepseek_ocr2_text": deepseek_ocr,
    "ernie4_5_vl_moe_text": ernie_vl,
    "glm4v_moe_text": glm4v_moe,
    "glm4v_text": glm4v,
    "glm5_next_text": glm5_next,
    "glm_ocr_text": glm_ocr,
    "hunyuan_vl_text": hunyuan_vl,
    "mistral_large4_text": mistral_large4,
    "mllama_text_model": mllama,
    "molmo2_text": molmo2,
    "muse_glimmer_text": muse_glimmer,
    "muse_spark_text": muse_spark,
    "paddleocr_vl_text": paddle_ocr,
    "voxtral_realtime_text": voxtral_realtime,
}
"""model_type of a text part -> its reader."""
