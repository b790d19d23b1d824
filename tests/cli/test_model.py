"""`isoflop model`: what it prints, in every form, for what it is given, and how it leaves."""

from __future__ import annotations

import csv
import json
import struct
from io import StringIO
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from isoflop.cli import main
from isoflop.model import model_names
from isoflop.report import schema

SCHEMA = schema()
MODEL = Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": "#/$defs/model"}]})
ANY = Draft202012Validator(SCHEMA)

CONFIG = {
    "model_type": "qwen3",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 100,
    "torch_dtype": "bfloat16",
    "max_position_embeddings": 512,
}
MODELS = ("gpt2", "bert-base", "t5-small", "mixtral-8x7b", "deepseek-v3", "gemma-3-1b", "gpt-oss-20b", "7B")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `isoflop model`."""
    with pytest.raises(SystemExit) as left:
        main(("model", *words))
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    return out


def object_of(capsys: pytest.CaptureFixture[str], *words: str) -> dict:  # type: ignore[type-arg]
    found: dict = json.loads(printed(capsys, *words, "--json"), parse_constant=pytest.fail)  # type: ignore[type-arg]
    ANY.validate(found)
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    return path


def write_weights(path: Path, *tensors: tuple[str, str, list[int], int]) -> None:
    listed, at = {}, 0
    for name, dtype, shape, size in tensors:
        listed[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(listed).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(at))


@pytest.mark.parametrize("name", MODELS)
def test_the_page_of_a_model(capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = printed(capsys, name, "--explain")
    assert max(map(len, out.splitlines())) <= 80
    for word in ("total", "active", "non-embedding", "FLOP/token", "16 bytes", "24 bytes", "batch x sequence"):
        assert word in out
    assert out.startswith(f"{name}: ")


def test_three_counts_stand_apart_and_the_parts_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "mixtral-8x7b")
    assert "46,702,792,704   tied matrices once" in out
    assert "12,879,925,248   28 % of them for each token" in out
    assert "46,440,648,704   less input embedding" in out
    assert "128 KiB/token" in out
    found = object_of(capsys, "mixtral-8x7b")
    assert sum(one["params"] for one in found["components"]) == found["params"]["total"] == 46_702_792_704
    assert sum(one["active_params"] for one in found["components"]) == found["params"]["active"]
    assert sum(one["bytes"] for one in found["components"]) == found["weights"]["bytes"]["bf16"]


def test_stored_and_apart_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "deepseek-v3")
    assert "671,026,404,352" in out
    assert "671,026,419,200   with 14,848 that no optimizer trains" in out
    assert "multi-token prediction, in none of these" in out
    found = object_of(capsys, "deepseek-v3")["params"]
    assert (found["total"], found["stored"]) == (671_026_404_352, 671_026_419_200)
    assert [one["name"] for one in found["apart"]] == ["multi-token prediction"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("convention", ["model", "full-attention", "6nd"])
def test_json_is_whole_and_keeps_to_its_schema(capsys: pytest.CaptureFixture[str], name: str, convention: str) -> None:
    found = object_of(capsys, name, "--convention", convention)
    MODEL.validate(found)
    flops = found["flops"]
    forward = flops["forward_per_token"][convention]
    assert sum(one["flops_per_token"] for one in found["components"]) == pytest.approx(forward, rel=1e-12)
    assert flops["training_per_token"][convention] == pytest.approx(3 * forward, rel=1e-12)
    assert flops["prefill"]["flops"] == pytest.approx(forward * flops["prefill"]["tokens"], rel=1e-12)
    assert flops["prefill"]["flops_head_once"] <= flops["prefill"]["flops"]
    assert sum(found["state"]["by_kind"].values()) == found["state"]["bytes"]
    assert sum(found["activations"]["by_part"].values()) == pytest.approx(found["activations"]["bytes_per_token"])
    assert [step["number"] for step in found["steps"]] == list(range(1, len(found["steps"]) + 1))
    assert all(
        rule["bytes"] == rule["bytes_per_param"] * found["params"]["total"] for rule in found["training"]["rules"]
    )


def test_the_derivation_multiplies_out(capsys: pytest.CaptureFixture[str]) -> None:
    steps = object_of(capsys, "gpt-oss-20b", "--explain")["steps"]
    for step in steps:
        factors = [word for word in step["formula"].replace("experts", "").split(" x ") if word.strip().isdigit()]
        if step["unit"] == "param" and len(factors) == step["formula"].count(" x ") + 1:
            product = 1
            for factor in factors:
                product *= int(factor)
            assert product == step["value"], step
    named = {step["gives"]: step["value"] for step in steps if step["unit"] == "param"}
    assert (named["total"], named["active"]) == (20_914_757_184, 4_187_440_704)
    sums = [step["value"] for step in steps if step["section"].startswith("Forward FLOP")]
    assert sum(sums[:-2]) == pytest.approx(sums[-2], rel=1e-12)


def test_lengths_and_the_cache_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    found = object_of(capsys, "llama-3.1-8b", "--sequence", "1024", "--context", "32Ki", "--kv-dtype", "fp8")
    assert found["flops"]["sequence"] == 1024
    assert found["state"]["context"] == 32_768
    assert found["state"]["bytes_per_token"] == 65_536
    assert found["state"]["bytes"] == 65_536 * 32_768
    assert object_of(capsys, "bert-base")["flops"]["sequence"] == 512
    assert object_of(capsys, "llama-3.1-8b")["flops"]["sequence"] == 4096


def test_a_window_stops_growing(capsys: pytest.CaptureFixture[str]) -> None:
    state = object_of(capsys, "gpt-oss-20b", "--context", "131072")["state"]
    each = 2 * 8 * 64 * 2
    assert state["bytes_per_token"] == 24 * each
    assert state["bytes_per_further_token"] == 12 * each
    assert state["bytes"] == 12 * each * (131_072 + 128)


def test_a_model_that_does_not_write_keeps_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = object_of(capsys, "bert-base")
    assert found["flops"]["decode"] is None
    assert found["state"]["bytes"] == found["state"]["bytes_per_token"] == 0
    assert "the model does not write" in printed(capsys, "bert-base")


@pytest.mark.parametrize("form", ["md", "html", "csv"])
def test_other_forms(capsys: pytest.CaptureFixture[str], form: str) -> None:
    out = printed(capsys, "mixtral-8x7b", "--format", form, "--explain")
    assert "router" in out
    if form == "csv":
        rows = list(csv.DictReader(StringIO(out)))
        assert sum(float(row["params"]) for row in rows) == 46_702_792_704
        assert {"part", "share", "active_params", "flops", "bytes"} <= set(rows[0])
    else:
        assert "12,879,925,248" in out
        assert "32 x 8 experts x 4096 x 14336" in out


def test_a_config_and_its_folder(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    out = printed(capsys, str(config))
    assert out == printed(capsys, str(config.parent))
    assert "tiny: 123k parameters (qwen3)" in out or "(qwen3)" in out.splitlines()[0]
    assert "yes: every field that matters was understood" in out
    assert "as stored" in out
    found = object_of(capsys, str(config))
    assert (found["model_type"], found["verified"], found["dtype"]) == ("qwen3", True, "bfloat16")
    assert found["weights"]["stored"]["bytes"] == 2 * found["params"]["total"]


def test_what_was_not_understood_is_said(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    config.write_text(json.dumps({**CONFIG, "model_type": "oddity", "flux": 3}), encoding="utf-8")
    out = printed(capsys, str(config))
    assert "no: model_type 'oddity' is not known" in out
    assert "not understood: flux" in " ".join(out.split())
    found = object_of(capsys, str(config))
    assert (found["verified"], found["not_understood"]) == (False, ["flux"])
    assert "oddity" in found["doubts"][0]
    assert "is not verified" in found["warnings"][0]
    with pytest.raises(SystemExit):
        main(("solve", "train_flops", f"model={config}", "tokens=1B", "--json"))
    assert "is not verified" in json.loads(capsys.readouterr().out)["warnings"][0]


def test_weights_beside_a_config_and_alone(capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path) -> None:
    beside, alone = config.parent / "model.safetensors", tmp_path / "alone.safetensors"
    for path in (beside, alone):
        write_weights(path, ("a", "BF16", [3, 4], 24), ("b", "F32", [5], 20))
    files = object_of(capsys, str(beside))["weights"]["files"]
    assert (files["bytes"], files["numbers"], files["tensors"]) == (44, 17, 2)
    assert files["by_dtype"]["BF16"] == {"tensors": 1, "numbers": 12, "bytes": 24}
    assert "In the files: BF16 24 bytes, F32 20 bytes." in printed(capsys, str(beside.parent))
    out = printed(capsys, str(alone))
    assert "Exact, from the headers" in out
    assert "44" in out
    assert object_of(capsys, str(alone))["bytes"] == 44
    assert "F32,1.0,5.0,20.0" in printed(capsys, str(alone), "--format", "csv")


def test_models_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "mixtral-8x7b", "bert-base")
    assert max(map(len, out.splitlines())) <= 80
    assert "46,702,792,704" in out
    assert "109,482,240" in out
    assert "4,096 or 512 tokens" in out
    found = object_of(capsys, "mixtral-8x7b", "bert-base")
    assert [one["name"] for one in found["models"]] == ["mixtral-8x7b", "bert-base"]
    rows = list(csv.DictReader(StringIO(printed(capsys, "gpt2", "gpt2-xl", "--format", "csv"))))
    assert next(row for row in rows if row["figure"] == "params.total")["gpt2"] == "124439808.0"


@pytest.mark.parametrize("words", [(), ("--list",)])
def test_the_list_of_presets(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    out = printed(capsys, *words)
    assert max(map(len, out.splitlines())) <= 80
    found = object_of(capsys, *words)
    assert [row["model"] for row in found["rows"]] == list(model_names())


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("llama-3.1-9b",), 2, "Did you mean 'llama-3.1-8b'"),
        (("llama-2-",), 2, "begins the names of 3 models"),
        (("nowhere/config.json",), 2, "no such file or folder"),
        (("gpt2", "--convention", "7nd"), 2, "6nd"),
        (("gpt2", "--kv-dtype", "fp7"), 2, "fp8"),
        (("gpt2", "--context", "0"), 2, "context"),
        (("gpt2", "--sequence", "many"), 2, "cannot be read"),
        (("hf:no/such/name",), 2, "is no name on the Hub"),
        (("gpt2", "--oracle"), 3, "give the path of a config.json"),
    ],
)
def test_what_is_wrong_is_said_in_one_paragraph(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, says: str
) -> None:
    left, out, err = run(capsys, *words)
    assert (left, out) == (code, "")
    assert says in err
    assert "Traceback" not in err
    assert err.startswith("Usage: ") or err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("[]", "no JSON object"),
        ("{" * 100_000, "nested deeper|not valid JSON"),
        ('{"a": 1, "a": 2}', "stands in one object twice"),
        ('{"model_type": "llama", "hidden_size": "64"}', "hidden_size = '64'"),
        ('{"model_type": "llama", "hidden_size": -64}', "hidden_size = -64"),
        ('{"model_type": "odd", "hidden_size": 64}', "no field"),
        ('{"model_type": "llama", "hidden_size": NaN}', "numbers must be finite"),
        ('{"model_type": 7}', "model_type = 7"),
    ],
)
def test_a_broken_config_is_refused_with_file_and_key(
    capsys: pytest.CaptureFixture[str], config: Path, text: str, says: str
) -> None:
    import re

    config.write_text(text, encoding="utf-8")
    code, out, err = run(capsys, str(config))
    assert (code, out) == (2, "")
    assert re.search(says, err)
    assert "config.json" in err
    assert err.count("\n") == 1
    assert len(err) < 600


def test_a_broken_header_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    code, out, err = run(capsys, str(path))
    assert (code, out) == (2, "")
    assert "model.safetensors" in err
    assert err.count("\n") == 1


def test_the_library_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    import isoflop

    described = isoflop.describe("gpt2")
    assert str(described) == printed(capsys, "gpt2").rstrip("\n")
    assert "124,439,808" in described._repr_html_()
    assert "124,439,808" in described._repr_markdown_()


@pytest.mark.oracle
def test_the_oracle_says_whether_and_where_it_differs(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    pytest.importorskip("transformers")
    out = printed(capsys, str(config), "--oracle")
    assert "the same." in out.splitlines()[-1]
    found = object_of(capsys, str(config), "--oracle")
    assert found["oracle"]["same"]
    assert found["oracle"]["params"] == found["params"]["total"]
