"""Bytes for each token, and what follows for text: tokens, epochs, sizes."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest
from click.testing import CliRunner

import isoflop
from isoflop.cli import isoflop as cli
from isoflop.errors import BadInput, MissingData, UnknownName
from isoflop.model.tokenizers import language_code, languages, nearest_tokenizer, tokenizer, tokenizers


def test_every_entry_is_whole() -> None:
    for one in tokenizers():
        assert one.source.startswith("measured with ")
        assert one.vocabulary > 10_000
        assert set(one.densities) <= set(languages())
        assert {"en", "de", "zh", "code"} <= set(one.densities)
        for dense in one.densities.values():
            assert 1 < dense.low <= dense.bytes_per_token <= dense.high < 10
            assert dense.high / dense.low < 1.1


def test_more_words_and_words_for_a_language_make_fewer_tokens() -> None:
    for language in ("de", "ru", "ko", "ja"):
        old, middle, new = (tokenizer(name).density(language) for name in ("gpt2", "cl100k", "o200k"))
        assert old.bytes_per_token < middle.bytes_per_token < new.bytes_per_token


@pytest.mark.parametrize(
    ("asked", "found"),
    [("llama-3", "llama-3"), ("Llama 3.1", "llama-3"), ("qwen2.5", "qwen"), ("GPT-4o", "o200k"), ("OPT", "gpt2")],
)
def test_a_tokenizer_is_found_by_the_models_that_have_it(asked: str, found: str) -> None:
    assert tokenizer(asked).name == found


def test_the_nearest_vocabulary_stands_in() -> None:
    assert nearest_tokenizer(128_256).name == "llama-3"
    assert nearest_tokenizer(50_257).name == "gpt2"
    assert nearest_tokenizer(32_000).vocabulary == 32_000


def test_unknown_names_are_refused_with_close_ones() -> None:
    with pytest.raises(UnknownName, match="llama-3"):
        tokenizer("lama-3")
    with pytest.raises(UnknownName, match="german"):
        language_code("germn")
    short = next(iter(tokenizers()))
    with pytest.raises(MissingData, match="tokens_per_byte"):
        type(short)(
            name="own", title="own", vocabulary=1, models="", densities={}, source="", date=short.date
        ).density("en")  # fmt: skip


def test_a_text_is_so_many_tokens_by_every_door() -> None:
    dense = tokenizer("llama-3").density("de")
    by_name = isoflop.solve("unique_tokens", text_bytes="2 TB", tokenizer="llama-3", language="german")
    assert by_name.low < by_name.value < by_name.high
    assert by_name.value == pytest.approx(2e12 / dense.bytes_per_token, rel=1e-3)
    epochs = isoflop.solve("epochs", tokens="1T", text_bytes="2 TB", tokenizer="llama-3", language="de")
    assert epochs.value == pytest.approx(1e12 / by_name.value, rel=1e-3)
    with pytest.raises(BadInput, match="needs a tokenizer"):
        isoflop.solve("unique_tokens", text_bytes="2 TB", language="de")
    out = CliRunner().invoke(cli, ["data", "2 TB", "--language", "de", "--tokens", "1T", "--json"])
    row = next(row for row in json.loads(out.output)["rows"] if row["tokenizer"] == "llama-3")
    assert row["unique_tokens"] == pytest.approx(by_name.value, rel=1e-3)
    assert row["epochs"] == pytest.approx(epochs.value, rel=1e-3)


def test_the_table_as_csv_holds_all_that_was_measured() -> None:
    out = CliRunner().invoke(cli, ["data", "--format", "csv"]).output
    assert len(list(csv.DictReader(StringIO(out)))) == sum(len(one.densities) for one in tokenizers())
    assert len(CliRunner().invoke(cli, ["data"]).output.splitlines()) < 20


def test_a_cost_says_how_often_a_text_is_seen() -> None:
    words = ["cost", "llama-3.1-8b", "--on", "512xh100-sxm", "--tokens", "1T", "--text", "2TB", "--language", "de"]
    out = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)
    lines = {line["name"]: line for line in out["parts"]["data"]}
    assert lines["different tokens"]["value"] == pytest.approx(
        2e12 / tokenizer("llama-3").density("de").bytes_per_token
    )
    assert "1.95 times" in lines["different tokens"]["note"]
    assert lines["as text"]["value"] == pytest.approx(2e12)
    both = CliRunner().invoke(cli, [*words, "--epochs", "2"])
    assert isinstance(both.exception, BadInput)
