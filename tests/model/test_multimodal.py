"""Configs of several modalities: the text part is found in every form, and whether the head is tied is not guessed."""

from __future__ import annotations

from typing import Any

import pytest

from isoflop.errors import BadFile
from isoflop.model import counts, decode_flops, forward_flops, state_elements
from isoflop.model.config import Reading, reading_of
from isoflop.model.families import readers
from isoflop.model.families.multimodal import PLANS

TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}
QWEN2 = {**TEXT, "model_type": "qwen2"}
VISION = {"hidden_size": 1024, "num_hidden_layers": 24, "num_experts": 8}
HEAD = 64 * 100


def read(kind: str, /, **fields: Any) -> Reading:  # noqa: ANN401
    return reading_of({"model_type": kind, **fields}, "config.json", "x")


def params(reading: Reading) -> int:
    return counts(reading.spec).params


TIED = params(read("qwen2", **TEXT, tie_word_embeddings=True))


def test_the_text_part_is_read_as_its_own_family_reads_it() -> None:
    found = read("llava_onevision", text_config=QWEN2, vision_config=VISION, image_token_index=3)
    assert found.verified
    assert found.spec.stack == read("qwen2", **TEXT).spec.stack
    assert found.model_type == "llava_onevision"
    assert found.spec.notes == (
        "the text decoder alone (qwen2), without vision_config and what joins other modalities to it",
    )


def test_a_part_that_names_no_type_takes_the_composites() -> None:
    assert params(read("llava_onevision", text_config=TEXT)) == params(read("qwen2", **TEXT))
    assert params(read("llava", text_config=TEXT)) == params(read("llama", **TEXT))


def test_a_part_that_says_little_takes_the_text_classs_defaults() -> None:
    found = read("llava", text_config={"model_type": "llama", "vocab_size": 32064}, transformers_version="4.36.0")
    assert found.verified
    assert params(found) == 6_738_939_904
    assert params(read("llava", text_config={"model_type": "mistral", "sliding_window": None})) == 7_241_732_096


@pytest.mark.parametrize("kind", ["qwen2_vl", "qwen2_5_vl"])
def test_flat_and_nested_and_both_are_the_same(kind: str) -> None:
    nested = read(kind, text_config={**TEXT, "model_type": f"{kind}_text"}, vision_config=VISION)
    flat = read(kind, **TEXT, vision_config=VISION)
    both = read(kind, **TEXT, text_config=TEXT, vision_config=VISION)
    assert flat.verified
    assert flat.spec.stack == nested.spec.stack == both.spec.stack
    assert params(flat) == params(nested) == params(both) == TIED + HEAD
    assert both.verified
    assert params(read(kind, **TEXT, tie_word_embeddings=True)) == TIED


def test_fields_outside_that_differ_from_the_text_part_are_named() -> None:
    found = read("internvl", text_config=QWEN2, num_hidden_layers=5, transformers_version="4.52.0")
    assert found.not_understood == ("num_hidden_layers",)
    assert read("internvl", text_config=QWEN2, num_hidden_layers=3, transformers_version="4.52.0").verified
    assert read("internvl", text_config=QWEN2, mtp_layers=1).not_understood == ("mtp_layers",)


@pytest.mark.parametrize(
    ("kind", "version", "outer", "inner", "tied", "sure"),
    [
        ("internvl", "4.52.0", None, None, False, True),  # before version 5 the text class's default counted
        ("internvl", "4.52.0", None, True, True, True),
        ("internvl", "4.52.0", None, False, False, True),
        ("internvl", "4.52.0", True, True, True, True),
        ("internvl", "4.52.0", True, False, True, False),
        ("internvl", "4.52.0", True, None, True, False),
        ("internvl", "5.1.0", True, None, True, True),
        ("internvl", "5.1.0", False, None, False, True),
        ("internvl", "5.1.0", True, False, True, False),
        ("internvl", "5.1.0", None, None, False, False),
        ("internvl", None, None, None, False, False),
        ("internvl", None, True, True, True, True),
        ("llava_onevision", "4.45.0", False, True, True, True),  # either of the two
        ("llava_onevision", "5.0.0", None, None, False, True),
        ("qwen2_audio", "4.38.0", None, None, False, True),  # never tied
        ("qwen2_audio", "5.0.0", None, True, False, False),
        ("ovis", None, None, True, True, True),  # the text part's alone
        ("ovis", None, True, False, False, True),
    ],
)
def test_whether_the_head_is_tied(
    *, kind: str, version: str | None, outer: bool | None, inner: bool | None, tied: bool, sure: bool
) -> None:
    text = {**QWEN2, **({} if inner is None else {"tie_word_embeddings": inner})}
    said = {} if outer is None else {"tie_word_embeddings": outer}
    found = read(kind, **{PLANS[kind].key: text}, transformers_version=version, **said)
    assert params(found) == TIED + (0 if tied else HEAD)
    assert found.verified == sure, found.doubts


def test_a_missing_or_malformed_text_part_is_refused_by_name() -> None:
    with pytest.raises(BadFile, match="no field 'text_config'"):
        read("internvl", vision_config=VISION)
    with pytest.raises(BadFile, match="no field 'text_config'"):
        read("qwen2_vl", vision_config=VISION)
    with pytest.raises(BadFile, match=r"no field 'llm_config\.num_hidden_layers'"):
        read("internvl_chat", llm_config={"model_type": "qwen2", "hidden_size": 64})
    with pytest.raises(BadFile, match="text_config = a list; give an object"):
        read("internvl", text_config=[QWEN2])
    with pytest.raises(BadFile, match=r"text_config\.hidden_size = -1"):
        read("internvl", text_config={**QWEN2, "hidden_size": -1})
    with pytest.raises(BadFile, match=r"no field 'thinker_config\.text_config'"):
        read("qwen2_5_omni", thinker_config={"model_type": "qwen2_5_omni_thinker"})


def test_unknown_types_outside_or_inside_are_doubted() -> None:
    outside = read("vlm_of_nobody", text_config=QWEN2, vision_config=VISION)
    assert not outside.verified
    assert outside.doubts == ("model_type 'vlm_of_nobody' is not known: only its text_config was read",)
    assert outside.spec.stack == read("qwen2", **TEXT).spec.stack
    inside = read("internvl", text_config={**QWEN2, "model_type": "llm_of_nobody"}, tie_word_embeddings=False)
    assert not inside.verified
    assert "model_type 'llm_of_nobody' of the text part is not known" in inside.doubts[0]
    both = read("", language_config={**TEXT, "num_experts": 0})
    assert not both.verified


def test_types_with_a_text_class_of_their_own_take_it_whatever_the_part_calls_itself() -> None:
    plain = read("qwen3_vl", text_config=TEXT)
    for named in ("qwen3_vl", "qwen3_vl_text", "something"):
        found = read("qwen3_vl", text_config={**TEXT, "model_type": named})
        assert found.verified
        assert found.spec.stack == plain.spec.stack


def test_a_text_part_that_does_not_fit_its_type_is_named() -> None:
    found = read("llava_onevision", text_config={**QWEN2, "num_experts": 8})
    assert found.not_understood == ("text_config.num_experts",)


def test_cross_attention_reads_an_image_where_there_is_one() -> None:
    text = {**TEXT, "cross_attention_layers": [1]}
    found = read("mllama", text_config=text)
    assert found.verified
    spec = found.spec
    assert spec.reads == "tokens of an image"
    blind, seeing = forward_flops(spec, 100).total, forward_flops(spec, 100, inputs=50).total
    keys = 2 * 2 * 64 * 32  # two matrices that every token of the image passes
    scores = 2 * 2 * 64 * 50
    assert seeing - blind == pytest.approx(keys * 50 / 100 + scores)
    assert decode_flops(spec, 100, inputs=50) - decode_flops(spec, 100) == pytest.approx(scores)
    assert state_elements(spec, 100, inputs=50)["kv"] == 2 * 64 * 100 + 64 * 50


def test_experts_that_see_images_only_are_left_out() -> None:
    text = {**TEXT, "moe_num_experts": 4, "moe_k": 2, "moe_intermediate_size": [32, 16]}
    found = read("ernie4_5_vl_moe", text_config=text)
    assert found.verified
    with pytest.raises(BadFile, match="moe_intermediate_size has 1 entries"):
        read("ernie4_5_vl_moe", text_config={**text, "moe_intermediate_size": [32]})


def test_what_remote_code_decides_is_never_verified() -> None:
    for version in (2.6, "4.0", 4.5, None, [3]):
        found = read("minicpmv", **TEXT, version=version, query_num=64, slice_mode=True)
        assert not found.verified
        assert "its own code decides" in found.doubts[0]
    assert not read("internvl_chat", llm_config=QWEN2, use_llm_lora=16).verified
    assert read("internvl_chat", llm_config=QWEN2, use_llm_lora=0, use_backbone_lora=0).verified


def test_every_plan_names_a_text_part_that_can_be_read() -> None:
    assert set(PLANS) <= set(readers())
