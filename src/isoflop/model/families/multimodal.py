"""Configs of several modalities: the decoder that reads and writes text, found inside and read by its own family.

What sees and hears (towers, projectors, codecs) is left out and named in the notes. Text fields stand in an object of
their own, or among the others where a file is older than that custom ("flat").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from isoflop.errors import shorten
from isoflop.model.families import class_defaults, reader
from isoflop.model.families.generic import generic
from isoflop.model.families.multimodal_text import LIKE, TEXTS, chameleon

if TYPE_CHECKING:
    from isoflop.model.families import Read
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

KEYS = ("text_config", "llm_config", "language_config", "thinker_config", "language_model_config", "lm_config")
"""Where the text part stands in files of types that are not listed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where a type keeps its text part.

    `text` is the `model_type` of a part that names none ("": the type's own with "_text" behind), `key` the object it
    stands in, `flat` whether released files have its fields among the others. `tied` is what holds for the head where
    `tie_word_embeddings` is nowhere, `rule` which one of two counts in transformers 5: the outer one, one that is true
    ("either"), the inner one, or none, as the head is the model's own ("never"). Before version 5 the inner one
    counted. `ignore`: fields beside the text part that sound like it. `both_ways`: tokens of image and prompt see
    each other. `complete`: the defaults of its own code are not those of transformers: no shape may be left out.
    `inside`: defaults of the text part that are not those of its class.
    """

    text: str = ""
    key: str = "text_config"
    flat: bool = False
    tied: bool = False
    rule: Literal["outer", "either", "inner", "never"] = "outer"
    ignore: tuple[str, ...] = ()
    both_ways: bool = False
    complete: bool = False
    inside: Mapping[str, int] = field(default_factory=dict)


OTHER_PARTS = (
    "*_vision_config", "vq_config", "vqvae_config", "codec_config", "visual", "visual_*", "img_*", "qformer_config",
    "perceiver_config", "resampler_config", "adapter_config", "adaptor_config", "aligner_config", "encoder_config",
    "talker_config", "token2wav_config", "code2wav_config", "tts_config", "diffusion_head_config",
    "semantic_model_config", "*_tokenizer_encoder_config", "word_timestamp_config", "speech_config", "gen_*_config",
    "audio", "vision", "embd_layer", "sam_config", "*_processor", "*_lora", "siglip_config", "depth_decoder_config",
)  # fmt: skip
"""Objects that hold the other modalities' parts."""

OWN = (
    "alignment_intermediate_size", "merged_hidden_size", "multimodal_projector_*", "multi_modal_projector_*",
    "use_image_newline_parameter", "use_decoder_only_language_model", "num_query_tokens", "query_num",
    "projection_dim", "projection_hidden_size", "max_value_projector_patch_to_query_dict", "connector_*",
    "adapter_*", "resampler_*", "downsample_*", "spatial_*", "scale_factor", "merge_kernel_size", "merger_*",
    "insert_layer_id", "drop_vision_*", "deepstack_*", "density_router_*", "canvas_length", "vocabulary_map",
    "position_id_per_seconds", "seconds_per_chunk", "enable_*_output", "enable_talker", "acoustic_tokenizer_chunk_size",
    "default_num_delay_tokens", "slice_*", "im_*_id", "newline_id", "label_smoothing", "logit_scale_init_value",
    "token_classification_bias", "is_vqa", "latent_query_num", "has_lora_adapter", "batch_vision_input",
    "max_slice_nums", "use_image_id", "tile_tag", "candidate_resolutions", "global_view_pos", "dynamic_image_size",
    "force_image_size", "*_dynamic_patch", "pad2square", "ps_version", "select_layer", "template", "use_thumbnail",
    "system_message", "freeze_*", "tune_*", "unfreeze_*", "use_mm_proj", "use_pos_skipping", "pos_skipping_range",
    "tokenizer_padding_side", "tokenizer_model_max_length", "add_faster_video", "faster_token_stride", "delay_load",
    "force_sample", "media_placeholder_token_id", "num_channels", "ignore_index", "feature_fusion", "s2*", "vq_*",
    "use_unified_vision_chunk",
    "tts_*", "talker_*", "special_*token*", "*_start_id", "*_end_id", "*_patch_id", "img_context_token_id",
    "eos_token", "is_composition", "use_backbone_lora", "understand_*", "layer_norm_eps",
)  # fmt: skip
"""Fields about those parts, about tokens that stand for images and sounds, and about how the whole was trained."""

_BESIDE = ("patch_size", "window_size", "out_hidden_size")
"""Beside a nested text part these are the other parts'; in a flat file they might be the text part's."""

_SHAPE = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_IN_TEXT = (
    "num_image_tokens", "is_composition", "is_llama_config", "neftune_noise_alpha", "perceiver_config", "lm_head",
    "pixel_shuffle_factor", "use_resampler", "rm_head", "for_llm_compressor",
)  # fmt: skip
"""Fields of released text parts that say nothing of the text decoder."""


def composite(fields: Fields, *, kind: str, plan: Plan) -> ModelSpec:
    """The text part of a file whose type is known."""
    ignore_matching(fields, (*OTHER_PARTS, *OWN))
    fields.ignore(*plan.ignore)
    if fields.count("use_llm_lora", default=0, least=0):
        fields.doubt("use_llm_lora: the adapters of the text part are not counted")
    inner = fields.within(plan.key)
    if inner is None:
        if not plan.flat or not fields.has("hidden_size"):
            raise fields.missing(plan.key)
        fields.assume({"tie_word_embeddings": plan.tied})
        return _noted(fields, read_text(fields, plan, named=False), kind)
    for name in _SHAPE if plan.complete else ():
        if not inner.has(name):
            raise inner.missing(name)
    spec = _beside(fields, inner, plan)
    if plan.both_ways:
        said = "tokens of image and prompt see each other both ways; they are counted as causal"
        spec = replace(spec, notes=(*spec.notes, said))
    return _noted(fields, spec, inner.word("model_type", default=plan.text), plan.key)


def unknown(fields: Fields, kind: str) -> ModelSpec | None:
    """The text part of a file whose type is not known, None where none is in sight; never without a doubt."""
    key = next((key for key in KEYS if isinstance(fields.values.get(key), Mapping)), None)
    if key is None:
        return None
    plan = Plan(key=key)
    inner = fields.within(key)
    assert inner is not None
    ignore_matching(fields, (*OTHER_PARTS, *OWN))
    said = f"model_type '{shorten(kind)}' is not known" if kind else "the file names no model_type"
    fields.doubt(f"{said}: only its {key} was read")
    return _noted(fields, _beside(fields, inner, plan), inner.word("model_type"), key)


def read_text(fields: Fields, plan: Plan, *, named: bool = True) -> ModelSpec:
    """The model in the fields of a text part, of the type that it names (`named`) or else the plan's.

    Types with a text class of their own are read by that, whatever the text part calls itself, as transformers does.
    """
    kind = fields.word("model_type", default=plan.text) if named else plan.text
    fields.ignore("quantization_config", "compression_config")
    if plan.text in {**TEXTS, **LIKE} and (kind in PLANS or _reader(kind) is None):
        kind = plan.text
    read = _reader(kind)
    if read is None:
        fields.doubt(f"model_type '{shorten(kind)}' of the text part is not known: read like Llama, by usual names")
        return generic(fields)
    defaults = class_defaults(kind) or class_defaults(LIKE.get(kind, kind))
    fields.assume({name: value for name, value in defaults.items() if name != "tie_word_embeddings" or _headed(kind)})
    return read(fields)


def _reader(kind: str) -> Read | None:
    return TEXTS.get(kind) or reader(kind) or (reader(LIKE[kind]) if kind in LIKE else None)


def minicpmv(fields: Fields) -> ModelSpec:
    """MiniCPM-V and -o: flat fields of the family that code of their own builds on, another one in each version."""
    version = str(fields.values.get("version"))
    text = {"2.6": "qwen2", "4.0": "llama", "4": "llama", "4.5": "qwen3"}.get(version, "llama")
    fields.doubt(f"its own code decides what the layers are; version {shorten(version)} was read like {text}")
    return composite(fields, kind="minicpmv", plan=Plan(text=text, flat=True))


def ignore_matching(fields: Fields, patterns: tuple[str, ...]) -> None:
    """Ignore every field whose name fits one of the patterns."""
    fits = _one_pattern(patterns).match
    fields.ignore(*(name for name in fields.values if fits(name)))


@cache
def _one_pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))


def _headed(kind: str) -> bool:
    """Whether a text part of this type is a model by itself, with a head that its own fields decide on."""
    return kind not in TEXTS and kind not in LIKE


def _beside(fields: Fields, inner: Fields, plan: Plan) -> ModelSpec:
    """The text part, and what the fields beside it say of it: repeated ones have to agree, and the head may be tied."""
    if plan.both_ways:
        inner.drop("use_bidirectional_attention")
        fields.ignore("use_bidirectional_attention")
    inner.ignore(*_IN_TEXT)
    inner.assume(plan.inside)
    spec = read_text(inner, plan)
    fields.ignore(*_BESIDE)
    known = {"vocab_size": spec.vocabulary, "hidden_size": spec.width, **inner.values}
    fields.ignore(*(name for name, value in fields.values.items() if name in known and known[name] in (value, None)))
    if spec.head is None:
        return spec
    return replace(spec, head=replace(spec.head, tied=_tied(fields, inner, plan, nested=spec.head.tied)))


def _tied(fields: Fields, inner: Fields, plan: Plan, *, nested: bool) -> bool:
    """Whether the head is tied, as the outer and the inner field say, read like the version that wrote them."""
    outer_said = fields.has("tie_word_embeddings", "tie_embedding")
    inner_said = inner.has("tie_word_embeddings", "tie_embedding")
    outer = fields.flag("tie_word_embeddings", "tie_embedding", default=plan.tied)
    if not inner_said and not _headed(inner.word("model_type", default=plan.text)):
        nested = outer
    later = {"outer": outer, "either": outer or nested, "inner": nested, "never": False}[plan.rule]
    if later == nested:
        return nested
    version = fields.word("transformers_version")
    if not outer_said and plan.rule != "never":
        if not version.startswith("4."):
            fields.doubt("tie_word_embeddings is in the text part or nowhere: whether the head is tied is not certain")
        return nested
    if inner_said or not version.startswith("5."):
        fields.doubt("tie_word_embeddings differs between the file and its text part")
    return later


def _noted(fields: Fields, spec: ModelSpec, kind: str, key: str = "") -> ModelSpec:
    """With a note of what was read and what was not."""
    left = [name for name, value in fields.values.items() if isinstance(value, Mapping) and name != key]
    left = [name for name in left if name.endswith("_config") and name not in {"quantization_config", key}]
    beside = f", without {', '.join(shorten(name) for name in left[:8])}" if left else ""
    note = f"the text decoder alone ({shorten(kind)}){beside} and what joins other modalities to it"
    return replace(spec, notes=(*spec.notes, note))


_VOXTRAL = {
    "vocab_size": 131072, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 30,
    "num_key_value_heads": 8, "max_position_embeddings": 131072, "head_dim": 128,
}  # fmt: skip
_VOXTRAL_REALTIME = {
    **_VOXTRAL, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 32, "sliding_window": 8192,
}  # fmt: skip
_GLM_ASR = {
    "vocab_size": 59264, "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28,
    "num_attention_heads": 16, "num_key_value_heads": 4, "max_position_embeddings": 8192,
}  # fmt: skip
_INNER = Plan(key="llm_config", rule="inner", complete=True)
_LISTED: tuple[tuple[Plan, str], ...] = (
    (Plan(text="llama"), "idefics3 smolvlm llava_next video_llava vipllava perception_lm"),
    (Plan(text="llama", tied=True), "deepseek_vl deepseek_vl_hybrid janus"),
    (Plan(text="llama", tied=True, inside=_GLM_ASR), "glmasr"),
    (Plan(text="llama", flat=True, rule="either"), "llava llava_llama"),
    (Plan(text="llama", rule="either"), "llava_next_video"),
    (Plan(text="llama", rule="never", inside=_VOXTRAL), "voxtral"),
    (Plan(text="mistral"), "idefics2"),
    (Plan(text="mistral", tied=True), "mistral3"),
    (Plan(text="mistral", flat=True), "llava_mistral"),
    (Plan(text="qwen2", tied=True), "internvl got_ocr2 ovis2 pp_chart2table"),
    (Plan(text="qwen2", rule="either"), "llava_onevision fast_vlm video_llama_3"),
    (Plan(text="qwen2", rule="never"), "audioflamingo3 qwen2_audio vibevoice_asr"),
    (Plan(text="qwen2", rule="never", ignore=("head_dim", "max_position_embeddings")), "musicflamingo"),
    (Plan(text="qwen2", flat=True), "llava_qwen"),
    (Plan(text="qwen2", flat=True, ignore=("attention_bias",)), "dots_ocr"),
    (Plan(text="qwen3"), "qianfan_ocr"),
    (Plan(text="qwen3", tied=True), "lighton_ocr qwen3_asr fun_asr_nano moss_transcribe_diarize"),
    (Plan(text="gemma", tied=True, both_ways=True, ignore=("vocab_size", "_vocab_size", "hidden_size")), "paligemma"),
    (Plan(text="gemma3_text", tied=True, rule="either"), "shieldgemma2"),
    (Plan(text="cohere2", tied=True), "aya_vision cohere2_vision"),
    (Plan(text="granite", tied=True), "granite_speech granite_speech_plus"),
    (Plan(text="hyperclovax", tied=True), "hyperclovax_vision_v2"),
    (Plan(text="exaone4"), "exaone4_5"),
    (Plan(text="persimmon", flat=True), "fuyu"),
    (Plan(text="opt", rule="inner"), "blip-2 instructblip instructblipvideo"),
    (Plan(text="lfm2", tied=True), "lfm2_vl"),
    (Plan(text="lfm3", tied=True), "lfm3_vl"),
    (Plan(text="nemotron_h", rule="never"), "nemotron_h_omni nemo_speechlm"),
    (Plan(text="qwen3_5_text"), "minicpmv4_6 minicpmv4_7"),
    (Plan(text="qwen3_5_text", tied=True), "minicpm_ocr"),
    (Plan(text="deepseek_v3", tied=True), "kimi_k25"),
    (Plan(text="step3p5"), "step3p7"),
    (Plan(text="glm4v_text"), "glm46v glmga"),
    (Plan(text="qwen3_vl_text"), "cosmos3_omni"),
    (Plan(text="emu3_text_model"), "emu3"),
    (Plan(text="mllama_text_model", rule="never"), "mllama"),
    (Plan(), "aria llama4 qwen3_vl qwen3_vl_moe qwen2_5_omni_thinker qwen3_omni_moe_thinker molmo2 muse_glimmer"),
    (Plan(), "qwen3_5 qwen3_5_moe qwen4_exp dots3_note glm5_next deepseek_ocr2 granite4_vision mistral_large4"),
    (Plan(tied=True), "gemma3 gemma3n gemma4 gemma4_unified ernie4_5_vl_moe granite_docling"),
    (Plan(tied=True, inside=_VOXTRAL_REALTIME), "voxtral_realtime"),
    (Plan(rule="either"), "glm4v glm4v_moe glm_ocr minimax_m3_vl"),
    (Plan(rule="never"), "muse_spark inkling2"),
    (Plan(text="inkling_text", rule="never"), "inkling_mm_model"),
    (Plan(flat=True, rule="either"), "qwen2_vl qwen2_5_vl"),
    (Plan(flat=True, tied=True, rule="either"), "hunyuan_vl paddleocr_vl"),
    (Plan(text="qwen2_5_omni_thinker", key="thinker_config", rule="inner"), "qwen2_5_omni"),
    (Plan(text="qwen3_omni_moe_thinker", key="thinker_config", rule="inner"), "qwen3_omni_moe"),
    # Remote code: types that transformers does not know.
    (replace(_INNER, text="internlm2"), "internvl_chat h2ovl_chat sa2va_chat skywork_chat"),
    (replace(_INNER, text="llama"), "Llama_Nemotron_Nano_VL"),
    (replace(_INNER, text="nemotron_h"), "NemotronH_Nano_VL_V2"),
    (replace(_INNER, text="qwen2"), "ovis"),
    (replace(_INNER, text="qwen3"), "ovis2_5"),
    (Plan(text="llama", key="language_config", rule="inner"), "multi_modality"),
    (replace(_INNER, text="deepseek_v2", key="language_config"), "deepseek_vl_v2"),
    (replace(_INNER, text="deepseek_v3", key="text_config"), "kimi_vl"),
    (replace(_INNER, text="qwen3_moe", key="text_config"), "interns1"),
    (replace(_INNER, text="minimax_text_01", key="text_config"), "minimax_vl_01"),
    (Plan(text="phi3", flat=True), "phi3_v phi4mm"),
)
PLANS = {kind: replace(plan, text=plan.text or f"{kind}_text") for plan, kinds in _LISTED for kind in kinds.split()}

READS: dict[str, Read] = {
    **{kind: partial(composite, kind=kind, plan=plan) for kind, plan in PLANS.items()},
    "chameleon": chameleon,
    "minicpmo": minicpmv,
    "minicpmv": minicpmv,
}
