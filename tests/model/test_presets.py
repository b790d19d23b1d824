"""Models by name, size and file; what is refused, and how."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import AmbiguousInput, BadFile, IsoflopError, UnknownName
from isoflop.model import counts, model, model_names, preset, read_preset
from isoflop.model.presets import FOLDER

MIXTURE = 'layer.moe = {experts = 2, active = 1, expert = {width = 8, gated = true, activation = "silu"}}'
GPT2 = (FOLDER / "gpt2.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", model_names())
def test_every_preset_is_named_after_its_file_and_has_a_source(name: str) -> None:
    found = preset(name)
    assert found.spec.name == name
    assert len(found.spec.source) > 10
    assert name == name.lower()


@pytest.mark.parametrize("name", [name for name in model_names() if preset(name).published_params])
def test_the_exact_count_is_the_published_one_or_rounds_to_it(name: str) -> None:
    found = preset(name)
    assert found.published_params is not None
    exact = counts(found.spec).params
    if found.published_params > 1e3 and found.published_params % 1e5:
        assert exact == found.published_params
    else:
        # 2.8B for T5-3B is the roughest print; table D.1 rounds the same model to 3B.
        assert exact == pytest.approx(found.published_params, rel=0.02 if name == "t5-3b" else 0.0065)
    assert found.published_source


def test_aliases_are_of_one_model_each() -> None:
    aliases = [alias for name in model_names() for alias in preset(name).aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(model_names())
    assert all(model(alias).name in model_names() for alias in aliases)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("gpt2", "gpt2"),
        ("GPT2-XL", "gpt2-xl"),
        (" gpt3 ", "gpt3-175b"),
        ("Llama 3.1 8B", "llama-3.1-8b"),
        ("meta_llama_3.1_405b", "llama-3.1-405b"),
        ("llama-3.1-4", "llama-3.1-405b"),
        ("chin", "chinchilla-70b"),
        ("t5-xxl", "t5-11b"),
    ],
)
def test_names_aliases_and_beginnings(given: str, found: str) -> None:
    assert model(given).name == found


def test_sizes_and_specs_are_models_too() -> None:
    assert model("7B").name == "7B"
    assert model(7e9) == model("7B") == model("7e9 params")
    assert model("1.3 billion") == model(1.3e9)
    assert model(model("gpt2")) is not None
    spec = model("gpt2")
    assert model(spec) is spec


def test_an_own_file_is_a_model(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(GPT2.replace('"gpt2"', '"mine"').replace("times = 12", "times = 6"), encoding="utf-8")
    spec = model(str(own))
    assert spec.name == "mine"
    assert spec.layers == 6
    assert model(own) == spec == read_preset(own).spec


def test_an_unknown_name_says_what_is_close() -> None:
    with pytest.raises(UnknownName, match=r"no model 'llama-3\.1-9b'\. Did you mean 'llama-3\.1-8b'") as caught:
        model("llama-3.1-9b")
    assert "llama-3.1-8b" in caught.value.matches
    with pytest.raises(UnknownName):
        model("")
    with pytest.raises(UnknownName):
        preset("7B")


def test_a_beginning_of_several_names_shows_them() -> None:
    with pytest.raises(AmbiguousInput, match="begins the names of 3 models: llama-2-13b, llama-2-70b, llama-2-7b"):
        model("llama-2-")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("heads = 12", "heads = 0"), "attention.heads = 0"),
        (("heads = 12", "heads = -12"), "attention.heads = -12"),
        (("heads = 12", 'heads = "12"'), "layer.attention.heads"),
        (("heads = 12", "heads = 12.5"), "layer.attention.heads"),
        (("heads = 12", "heads = true"), "layer.attention.heads"),
        (("heads = 12", "heads = nan"), "heads"),
        (("heads = 12", "haeds = 12"), "heads"),
        (("heads = 12", "heads = 12, colour = 3"), "no key 'stack.groups[0].layer.attention.colour'"),
        (("context = 1024", "context = 0"), "context = 0"),
        (("context = 1024", "context = 1024\ncolour = 3"), "colour"),
        (("times = 12", "times = 0"), "`times` of at least 1"),
        (('kind = "layer"', 'kind = "leyer"'), "leyer"),
        (("source", "sauce"), "source"),
        (
            (
                "layer.norms",
                f"{MIXTURE}\nlayer.norms",
            ),
            "both mlp and moe",
        ),
        (("[stack]", "[stack"), "TOML"),
    ],
)
def test_a_broken_file_is_refused_with_its_key(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    broken = tmp_path / "broken.toml"
    text = GPT2.replace(*change, 1)
    assert text != GPT2
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile, match=re.escape(says)) as caught:
        model(str(broken))
    assert "broken.toml" in str(caught.value)


def test_a_missing_or_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="nowhere"):
        model(str(tmp_path / "nowhere.toml"))
    huge = tmp_path / "huge.toml"
    huge.write_text("# " + "x" * 2_000_000, encoding="utf-8")
    with pytest.raises(BadFile, match=r"huge\.toml"):
        model(str(huge))


@given(text=st.text(max_size=30))
def test_any_text_is_a_model_or_an_error_of_ours(text: str) -> None:
    try:
        spec = model(text)
    except IsoflopError:
        return
    assert counts(spec).params > 0
