"""Reading a config.json: what is refused and how, what is doubted, and that nothing large is built on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from isoflop.errors import BadFile
from isoflop.model import counts
from isoflop.model.config import Reading, read_config, reading_of
from isoflop.model.families import reader, readers
from isoflop.model.fields import MOST_LAYERS, Fields
from isoflop.model.weight_bytes import storage_of
from isoflop.quantity.json_file import parse_json

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def reading(changes: dict[str, Any] | None = None, /, **more: Any) -> Reading:  # noqa: ANN401
    return reading_of({**LLAMA, **(changes or {}), **more}, "config.json", "small")


def refusal(**changes: Any) -> str:  # noqa: ANN401
    with pytest.raises(BadFile) as caught:
        reading(changes)
    return str(caught.value)


def test_a_plain_file_is_verified() -> None:
    found = reading(torch_dtype="bfloat16", transformers_version="4.40.0", rope_theta=1e4, _name_or_path="x")
    assert found.verified
    assert (found.model_type, found.dtype, found.quantization) == ("llama", "bfloat16", None)
    assert found.spec.name == "small"
    assert counts(found.spec).params == 2 * 100 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64) + 64


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("hidden_size", "64", "hidden_size = '64'; give a whole number from 1 to 2,147,483,647"),
        ("hidden_size", 64.5, "hidden_size = 64.5; give a whole number"),
        ("hidden_size", True, "hidden_size = True; give a whole number"),
        ("hidden_size", -64, "hidden_size = -64; give a whole number"),
        ("hidden_size", 0, "hidden_size = 0; give a whole number"),
        ("hidden_size", 10**12, "hidden_size = 1000000000000; give a whole number"),
        ("hidden_size", [64], "hidden_size = a list; give a whole number"),
        ("hidden_size", {}, "hidden_size = an object; give a whole number"),
        ("num_hidden_layers", 10**12, "num_hidden_layers = 1000000000000; give a whole number from 1 to 10,000"),
        ("num_hidden_layers", 10_001, "num_hidden_layers = 10001; give a whole number from 1 to 10,000"),
        ("num_attention_heads", 5, "5 heads do not divide"),
        ("num_key_value_heads", 3, "4 heads do not divide into 3 key-value heads"),
        ("tie_word_embeddings", "true", "tie_word_embeddings = 'true'; give true or false"),
        ("tie_word_embeddings", 1, "tie_word_embeddings = 1; give true or false"),
        ("hidden_act", 3, "hidden_act = 3; give a text"),
        ("hidden_act", "x" * 20_000, "give a text of at most 10,000 characters"),
        ("model_type", ["llama"], "model_type = a list; give a text"),
        ("vocab_size", float(2**40), "vocab_size = 1099511627776.0; give a whole number"),
    ],
)
def test_what_a_field_cannot_hold_is_refused_naming_file_and_field(field: str, value: object, said: str) -> None:
    found = refusal(**{field: value})
    assert found.startswith("config.json: ")
    assert said in found
    assert len(found) < 300


def test_a_missing_field_is_named() -> None:
    for kind in ("gpt_of_nobody", None):
        with pytest.raises(BadFile, match=r"config.json: no field 'num_attention_heads'"):
            reading_of({"model_type": kind, "hidden_size": 64, "vocab_size": 100}, "config.json", "x")


def test_null_is_absent_and_a_whole_float_is_a_whole_number() -> None:
    assert reading(head_dim=None, attention_bias=None).spec == reading().spec
    assert reading(hidden_size=64.0).spec == reading().spec
    everything = {**dict.fromkeys(LLAMA), "model_type": "llama"}
    with pytest.raises(BadFile, match="no field"):
        reading_of(everything, "config.json", "x")


def test_widths_that_are_absurd_only_together_are_refused() -> None:
    wide = 2**31 - 1
    assert "some of them are wrong" in refusal(hidden_size=wide, intermediate_size=wide, head_dim=1)


def test_nothing_is_built_before_it_is_refused() -> None:
    tracemalloc.start()
    for field in ("num_hidden_layers", "hidden_size", "vocab_size", "num_attention_heads"):
        for value in (10**12, 10**30, 2**31 - 1):
            try:
                reading({field: value})
            except BadFile:
                continue
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not valid JSON"),
        (b"[]", "holds no JSON object"),
        (b"null", "holds no JSON object"),
        (b"3", "holds no JSON object"),
        (b'{"a": 1,}', "not valid JSON"),
        (b'{"hidden_size": 1, "hidden_size": 2}', "key 'hidden_size' stands in one object twice"),
        (b'{"a": {"b": 1, "b": 1}}', "key 'b' stands in one object twice"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"model_type": "llama", "hidden_size": Infinity}', "hidden_size = 'Infinity'"),
        (b'{"a": 1e999}', "numbers must be finite"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "nested deeper than 32"),
        (b'{"a": ' + b"[" * 1_000_000, "nested deeper than 32"),
        (b'{"a":' * 1_000_000, "nested deeper than 32"),
        (b'{"a": "\xff\xfe"}', "is not UTF-8"),
        (bytes(range(256)) * 10, "is not UTF-8"),
        (b"\x00" * 1000, "not valid JSON"),
        (b'{"a": "' + b"x" * 17_000_000 + b'"}', "larger than 16,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(data)
    with pytest.raises(BadFile) as caught:
        read_config(file)
    assert said in str(caught.value)
    assert "config.json" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_nesting_is_allowed_up_to_the_limit() -> None:
    for deep, fine in ((31, True), (32, False)):
        text = '{"a": ' + "[" * deep + "1" + "]" * deep + "}"
        if fine:
            assert parse_json(text, "a.json")
        else:
            with pytest.raises(BadFile, match="nested deeper than 32"):
                parse_json(text, "a.json")


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    with file.open("wb") as stream:
        stream.truncate(2**30)  # sparse: takes no room
    tracemalloc.start()
    with pytest.raises(BadFile, match="larger than"):
        read_config(file)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_folder_is_read_by_its_config(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"config.json: not there"):
        read_config(tmp_path)
    with pytest.raises(BadFile, match="not there"):
        read_config(tmp_path / "nothing")
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text("\ufeff" + json.dumps(LLAMA), encoding="utf-8")
    assert read_config(folder).spec.name == "my-model"
    assert read_config(folder / "config.json").verified


def test_a_loop_of_links_and_a_name_with_a_zero_are_refused(tmp_path: Path) -> None:
    loop = tmp_path / "config.json"
    loop.symlink_to(loop)
    for path in (loop, Path("a\0b")):
        with pytest.raises(BadFile):
            read_config(path)


def test_an_unknown_type_is_never_verified() -> None:
    for kind in ("gpt_of_nobody", "", None):
        found = reading(model_type=kind, architectures=None)
        assert not found.verified
        assert any("read like Llama" in doubt for doubt in found.doubts)
        assert counts(found.spec).params == counts(reading().spec).params


@pytest.mark.parametrize(
    "lie",
    [
        {"num_experts": 8},
        {"num_experts": 8, "num_experts_per_tok": 2},
        {"attention_other": "mla"},
        {"block_configs": [{"attention": {"no_op": True}}]},
        {"num_key_value_heads_per_layer": [1, 2]},
        {"draft_vocab_size": 32},
        {"use_qk_norm": True},
        {"layer_types": ["full_attention", "linear_attention"]},
        {"kv_lora_rank": 8},
        {"parallel_layers": 2},
        {"moe": {"num_experts": 4}},
    ],
)
def test_a_field_that_the_family_does_not_have_is_named(lie: dict[str, Any]) -> None:
    found = reading(lie)
    assert not found.verified
    assert found.not_understood == tuple(lie)
    assert not reading({"model_type": "qwen2", "architectures": None, "moe_layers": [1]}).verified


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architectures": ["LlamaForSequenceClassification"]}, "counted is the model with a language head"),
        ({"architectures": ["LlamaModel"]}, "counted is the model with a language head"),
        ({"architectures": ["LlamaForCausalLMEagle3"]}, "counted is the model with a language head"),
        ({"architectures": ["LlamaForRewardModel"]}, "counted is the model with a language head"),
        ({"architectures": ["MyModelForCausalLM"]}, "is no class of model_type 'llama'"),
        ({"architectures": ["MixtralForCausalLM"]}, "is no class of model_type 'llama'"),
        ({"auto_map": {"AutoModelForCausalLM": "modeling_x.XForCausalLM"}}, "run by XForCausalLM"),
        ({"auto_map": {"AutoModelForCausalLM": "org/x--modeling_x.XForCausalLM"}}, "run by XForCausalLM"),
        ({"is_causal": False}, "is_causal is false"),
    ],
)
def test_a_class_that_is_not_the_familys_is_doubted(changes: dict[str, Any], said: str) -> None:
    found = reading(changes)
    assert not found.verified
    assert any(said in doubt for doubt in found.doubts)


@pytest.mark.parametrize(
    "changes",
    [
        {
            "auto_map": {
                "AutoConfig": "configuration_x.XConfig",
                "AutoModelForCausalLM": "modeling_llama.LlamaForCausalLM",
            }
        },
        {"architectures": None},
        {"architectures": []},
        {"architectures": "LlamaForCausalLM"},
        {"architectures": [3]},
        {"auto_map": [3]},
        {"auto_map": {"AutoModel": 3}},
    ],
)
def test_code_under_the_familys_own_name_is_believed(changes: dict[str, Any]) -> None:
    assert reading(changes).verified


def test_quantization_changes_no_shape() -> None:
    found = reading(quantization_config={"quant_method": "gptq", "bits": 4})
    assert found.verified
    assert found.quantization == {"quant_method": "gptq", "bits": 4}


def test_doubts_and_names_stay_short() -> None:
    found = reading({f"field{place}": 1 for place in range(5000)} | {"x" * 5000: 1})
    assert len(found.not_understood) == 101
    assert found.not_understood[-1] == "and 4901 more"
    many = reading(model_type="mistral", architectures=None, layer_types=["x" * 5000, "y"])
    assert not many.verified
    assert all(len(text) < 400 for text in (*many.doubts, *many.not_understood))


def test_fields_take_the_first_name_and_doubt_a_second_that_differs() -> None:
    fields = Fields({"a": 3, "b": 4, "c": None}, "f.json")
    assert fields.count("c", "a") == 3
    assert not fields.doubts
    assert fields.count("a", "b") == 3
    assert fields.doubts == ["a and b say different things"]
    assert Fields({"a": 3, "b": 3}, "f.json").count("a", "b") == 3


def test_fields_tell_null_from_absent_where_something_is_assumed() -> None:
    fields = Fields({"window": None}, "f.json")
    fields.assume({"window": 4096, "heads": 32})
    assert fields.maybe("window") is None
    assert fields.maybe("heads") == 32
    assert not fields.has("heads")
    fields.assume({"heads": 8})
    assert fields.maybe("heads") == 32
    fields.drop("window")
    assert fields.maybe("window") == 4096


def test_fields_remember_what_was_read_inside_too() -> None:
    fields = Fields({"a": {"b": 1, "c": 2, "off": False, "none": None}, "d": 3, "rope_theta": 1e4}, "f.json")
    inner = fields.within("a")
    assert inner is not None
    assert inner.count("b") == 1
    assert fields.within("a") is inner
    inner.doubt("hm")
    assert fields.not_understood() == ("d", "a.c")
    assert fields.all_doubts() == ("hm",)
    with pytest.raises(BadFile, match=r"f.json: a\.c = 2; give true or false"):
        inner.flag("c", default=True)
    with pytest.raises(BadFile, match=r"f.json: d = 3; give an object"):
        fields.within("d")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, "x"], r"a\[1\] = 'x'; give a whole number from 0"),
        ([1, -1], r"a\[1\] = -1; give a whole number from 0"),
        ([1, None], r"a\[1\] = None; give a whole number from 0"),
        ([1], "a has 1 entries for 2 layers"),
        ("12", "a = '12'; give a list of whole numbers"),
        ([0] * (MOST_LAYERS + 1), "a has 10001 entries; the most is 10,000"),
    ],
)
def test_lists_are_checked_entry_by_entry(value: object, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        Fields({"a": value}, "f.json").counts("a", length=2)


def test_lists_of_texts_are_checked_too() -> None:
    assert Fields({"a": ["x", "y"]}, "f.json").words("a", length=2) == ("x", "y")
    assert Fields({}, "f.json").words("a") is None
    for value in (["x", 1], "xy", {"x": 1}, ["x"]):
        with pytest.raises(BadFile):
            Fields({"a": value}, "f.json").words("a", length=2)


def test_a_number_for_every_layer_is_one_or_a_list() -> None:
    assert Fields({"a": 3}, "f.json").per_layer("a", layers=2) == (3, 3)
    assert Fields({"a": [3, 4]}, "f.json").per_layer("a", layers=2) == (3, 4)
    assert Fields({}, "f.json").per_layer("a", layers=2, default=5) == (5, 5)
    with pytest.raises(BadFile, match="3 entries for 2 layers"):
        Fields({"a": [3, 4, 5]}, "f.json").per_layer("a", layers=2)


def test_a_number_is_no_bool_and_a_choice_that_is_unknown_is_doubted() -> None:
    fields = Fields({"a": True, "b": 2, "c": "new"}, "f.json")
    assert fields.number("b", default=0.5) == 2
    assert fields.number("x", default=0.5) == 0.5
    with pytest.raises(BadFile, match="a = True; give a number"):
        fields.number("a", default=0.5)
    assert fields.choice({"old": 1}, "c", default=7) == 7
    assert fields.doubts == ["c = 'new' is not known here"]


def test_only_the_file_of_the_family_is_loaded() -> None:
    """In a process of its own: what was loaded before counts too."""
    code = (
        "import sys; from isoflop.model.families import reader; assert reader('zaya') and reader('nobody') is None;"
        "print(*[name for name in sys.modules if name.startswith('isoflop.model.families.')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "isoflop.model.families.zaya" in loaded
    assert len(loaded) < 8


def test_every_type_is_found_by_name() -> None:
    assert {kind: reader(kind) for kind in readers()} == dict(readers())


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
def test_a_quantization_that_is_no_object_is_refused(key: str) -> None:
    with pytest.raises(BadFile, match=rf"{key} = a list; give an object, or null"):
        reading({key: [4]})


def test_an_error_in_a_quantization_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**LLAMA, "quantization_config": {"quant_method": "gptq", "bits": -1}}))
    with pytest.raises(BadFile, match=r"mine.json: quantization_config.bits = -1"):
        storage_of(read_config(path))
