"""What a model may be called, what is known of it, and what a name that means nothing gets."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadFile, BadInput, IsoflopError, MissingData, UnknownName
from isoflop.model import counts, describe, model, model_names
from isoflop.model.names import bare_tensors

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "rms_norm_eps": 1e-5,
    "torch_dtype": "float16",
}


def write_config(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps({**CONFIG, **changes}), encoding="utf-8")
    return path


def write_weights(folder: Path, name: str = "model.safetensors") -> Path:
    header = json.dumps({"w": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}}).encode()
    path = folder / name
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(24))
    return path


def test_a_config_is_found_by_its_path_or_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config(tmp_path / "tiny")
    found = describe(path)
    assert (found.spec.name, found.origin, found.model_type) == ("tiny", "config", "llama")
    assert (found.verified, found.dtype, found.warning) == (True, "float16", "")
    assert describe(str(path)).spec == describe(str(path.parent)).spec == model(path.parent) == found.spec
    monkeypatch.chdir(path.parent)
    for near in ("config.json", ".", "./config.json", "../tiny"):
        assert describe(near).spec.name == "tiny"
    monkeypatch.chdir(tmp_path)
    assert describe("tiny").spec == found.spec


def test_a_preset_beats_a_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(tmp_path / "gpt2")
    monkeypatch.chdir(tmp_path)
    assert describe("gpt2").origin == "preset"
    assert describe("./gpt2").origin == "config"


def test_an_unverified_model_is_a_model_and_says_so(tmp_path: Path) -> None:
    found = describe(write_config(tmp_path / "odd", model_type="oddity", flux=3))
    assert counts(found.spec).params > 0
    assert not found.verified
    assert found.not_understood == ("flux",)
    assert "the shape of odd is not verified" in found.warning
    assert "'oddity' is not known" in found.warning
    assert "not understood: flux" in found.warning


@pytest.mark.parametrize("name", model_names())
def test_every_preset_is_verified(name: str) -> None:
    found = describe(name)
    assert found.verified, found.why
    assert found.origin == "preset"


def test_sizes_and_specs_say_what_they_are() -> None:
    assert describe("7B").origin == describe(7e9).origin == "size"
    assert describe(model("gpt2")).origin == "spec"
    assert describe("gpt2").published_params == 124_439_808


def test_a_preset_may_hold_the_fields_of_a_config(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    fields = "\n".join(f"{key} = {json.dumps(value)}" for key, value in CONFIG.items())
    own.write_text(f'name = "own"\nsource = "ourselves"\nnull = ["head_dim"]\n\n[config]\n{fields}\n', encoding="utf-8")
    found = describe(own)
    assert (found.spec.name, found.spec.source, found.model_type) == ("own", "ourselves", "llama")
    own.write_text(own.read_text(encoding="utf-8") + "flux = 1\n", encoding="utf-8")
    assert describe(own).not_understood == ("flux",)
    own.write_text('name = "own"\nsource = "ourselves"\ncolour = 1\n\n[config]\n', encoding="utf-8")
    with pytest.raises(BadFile, match="colour"):
        describe(own)
    broken = fields.replace("hidden_size = 64", "hidden_size = 0")
    own.write_text(f'name = "own"\nsource = "ourselves"\n\n[config]\n{broken}\n', encoding="utf-8")
    with pytest.raises(BadFile, match=r"own\.toml, \[config\]: hidden_size = 0; give a whole number"):
        describe(own)


def test_weights_beside_a_config_are_listed(tmp_path: Path) -> None:
    write_config(tmp_path / "tiny")
    weights = write_weights(tmp_path / "tiny")
    for name in (weights, weights.parent):
        found = describe(name)
        assert found.tensors is not None
        assert (found.tensors.bytes, found.tensors.numbers) == (24, 12)
        assert (found.spec.width, found.origin, found.verified) == (64, "file", False)
        assert "the file lists 12 numbers" in found.warning
        assert bare_tensors(name) is None
    assert describe(weights.parent / "config.json").tensors is None


def test_weights_alone_have_no_shape(tmp_path: Path) -> None:
    weights = write_weights(tmp_path)
    found = bare_tensors(str(weights))
    assert found is not None
    assert found.bytes == 24
    assert bare_tensors(tmp_path) is not None
    with pytest.raises(MissingData, match=r"no config\.json beside the weights"):
        model(weights)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("llama-3.1-9b", UnknownName, "Did you mean 'llama-3.1-8b'"),
        ("nothing-like-it", UnknownName, "List all with: isoflop model --list"),
        (
            "meta-llama/Llama-3.1-8B",
            BadFile,
            "write hf:meta-llama/Llama-3.1-8B to look it up on the Hub, or llama-3.1-8b",
        ),
        ("./nowhere", BadFile, "no such file or folder"),
        ("nowhere.json", BadFile, "Give the path of a config.json"),
        ("nowhere.toml", BadFile, "nowhere.toml"),
        ("nowhere.safetensors", BadFile, "no such file or folder"),
        ("", UnknownName, "no model ''"),
        ("a\0b", UnknownName, "no model 'a b'"),
        ("x/" * 3000, BadFile, "no such file or folder"),
        ("7 parsecs", BadInput, "parsecs"),
    ],
)
def test_what_means_nothing_is_refused(name: str, kind: type[IsoflopError], says: str) -> None:
    with pytest.raises(kind) as caught:
        describe(name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"no config\.json in this folder"):
        describe(tmp_path)


@given(text=st.text(max_size=30).map(lambda text: text.replace("hf:", "")))
def test_any_text_is_described_or_refused(text: str) -> None:
    try:
        found = describe(text)
    except IsoflopError:
        return
    assert counts(found.spec).params > 0
