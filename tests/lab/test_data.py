"""The corpus: every token once, nothing held out is trained on, nothing repeated without being asked."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import BadFile, BadInput, Infeasible, MissingData, UnknownName
from isoflop.lab import Corpus, DataSpec, build_corpus
from isoflop.lab.data import BLOCK
from isoflop.lab.tokens import Pairs


def test_the_shards_hold_the_text(corpus: Corpus, text_folder: Path) -> None:
    text = b"".join(path.read_bytes() + b"\0" for path in sorted(text_folder.iterdir()))
    assert corpus.tokens == len(text)
    assert bytes(corpus._read(0, len(text)).astype(np.uint8)) == text
    assert corpus.bytes_per_token == pytest.approx(1, rel=1e-3)


@settings(max_examples=20)
@given(length=st.integers(7, 300), sequences=st.integers(1, 9), seed=st.integers(0, 5))
def test_an_epoch_reads_every_sequence_once_and_nothing_held_out(
    corpus: Corpus, length: int, sequences: int, seed: int
) -> None:
    total = corpus.sequences(length)
    order = corpus._order(0, length, seed)
    assert sorted(order) == list(range(total))
    assert not set(corpus.train_blocks) & set(corpus.held_out_blocks)
    step = total // sequences // 2
    block, within = divmod(int(order[step * sequences]), (BLOCK - 1) // length)
    start = int(corpus.train_blocks[block]) * BLOCK + within * length
    batch = corpus.batch(step, sequences=sequences, length=length, seed=seed)
    assert (batch[0] == corpus._read(start, length + 1)).all()
    assert (batch == Corpus(corpus.folder).batch(step, sequences=sequences, length=length, seed=seed)).all()


def test_the_second_pass_has_another_order(corpus: Corpus) -> None:
    assert (corpus._order(0, 64, 1) != corpus._order(1, 64, 1)).any()
    assert (corpus._order(0, 64, 1) != corpus._order(0, 64, 2)).any()


def test_text_is_not_repeated_unasked(corpus: Corpus) -> None:
    there = corpus.train_tokens(64)
    corpus.check(there, length=64, epochs=1, vocabulary=256)
    with pytest.raises(Infeasible, match=r"1\.50 times.*epochs = 2"):
        corpus.check(1.5 * there, length=64, epochs=1, vocabulary=256)
    corpus.check(1.5 * there, length=64, epochs=2, vocabulary=256)
    with pytest.raises(BadInput, match="must be the same"):
        corpus.check(1, length=64, epochs=1, vocabulary=300)


def test_all_kinds_of_files_give_the_same_tokens(corpus: Corpus, text_folder: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    texts = [path.read_text(encoding="utf-8") for path in sorted(text_folder.iterdir())]
    lines = tmp_path / "all.jsonl"
    lines.write_text("".join(json.dumps({"body": text}) + "\n" for text in texts), encoding="utf-8")
    parquet.write_table(pa.table({"body": texts}), tmp_path / "all.parquet")
    for name in ("all.jsonl", "all.parquet"):
        made = build_corpus(DataSpec(source=str(tmp_path / name), field="body"), tmp_path / name.replace(".", "-"))
        assert made.fingerprint == corpus.fingerprint


def test_byte_pairs_are_trained_and_read_again(text_folder: Path, tmp_path: Path) -> None:
    made = build_corpus(DataSpec(source=str(text_folder), tokenizer="bpe", vocabulary=310), tmp_path / "a")
    assert made.vocabulary == 310
    assert made.bytes_per_token > 1.2
    own = str(tmp_path / "a" / "tokenizer.json")
    again = build_corpus(DataSpec(source=str(text_folder), tokenizer=own), tmp_path / "b")
    assert again.fingerprint == made.fingerprint
    with pytest.raises(BadInput, match="do not match"):
        build_corpus(DataSpec(source=str(text_folder), tokenizer=own, vocabulary=400), tmp_path / "c")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The library `datasets`, with a home of its own, and a network that refuses."""
    found: ModuleType = pytest.importorskip("datasets")
    monkeypatch.setattr(found.config, "HF_DATASETS_CACHE", tmp_path / "home")
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    found.disable_progress_bars()
    return found


def test_datasets_reads_what_it_saved_and_builds_what_it_did_not(
    corpus: Corpus, text_folder: Path, tmp_path: Path, library: ModuleType
) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(text_folder.iterdir())]
    whole = library.Dataset.from_dict({"body": texts})
    whole.save_to_disk(str(tmp_path / "saved"))
    library.DatasetDict({"train": whole.select(range(3)), "all": whole}).save_to_disk(str(tmp_path / "splits"))
    (tmp_path / "files").mkdir()
    lines = "".join(json.dumps({"body": text}) + "\n" for text in texts)
    (tmp_path / "files" / "all.jsonl").write_text(lines, encoding="utf-8")
    sources = (("saved", "train"), ("splits", "all"), ("files", "train"), ("files/all.jsonl", "train"))
    for number, (source, split) in enumerate(sources):
        spec = DataSpec(source=str(tmp_path / source), reader="datasets", split=split, field="body")
        made = build_corpus(spec, tmp_path / f"made{number}")
        assert made.fingerprint == corpus.fingerprint, source
        assert {path.name for path in made.folder.iterdir()} == {"corpus.json", "tokens-0000.bin"}
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("source", "field", "split", "kind", "said"),
    [
        ("allenai/c4", "text", "train", BadInput, "nothing is fetched.*save_to_disk"),
        ("saved", "body", "train", UnknownName, 'column .* "text", "n"'),
        ("saved", "n", "train", BadFile, 'record 1 has no text under "n"'),
        ("splits", "text", "tran", UnknownName, '"train", "test"'),
        ("lines", "text", "validation", BadFile, "cannot open split 'validation'"),
        ("broken", "text", "train", BadFile, "stops after 0 records"),
        ("empty", "text", "train", BadFile, "cannot open split"),
    ],
)
def test_what_datasets_cannot_read_is_named(  # noqa: PLR0917 - a case and where it happens
    tmp_path: Path, library: ModuleType, source: str, field: str, split: str, kind: type[Exception], said: str
) -> None:
    small = library.Dataset.from_dict({"text": ["a", "b"], "n": [1, 2]})
    small.save_to_disk(str(tmp_path / "saved"))
    library.DatasetDict({"train": small, "test": small}).save_to_disk(str(tmp_path / "splits"))
    for name, text in (("lines", '{"text": "a"}\n'), ("broken", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(text, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    spec = DataSpec(source=str(tmp_path / source), reader="datasets", field=field, split=split)
    with pytest.raises(kind, match=said):
        build_corpus(spec, tmp_path / "out")


def test_without_datasets_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingData, match=r"isoflop\[lab\].*leave reader out"):
        build_corpus(DataSpec(source=str(tmp_path), reader="datasets"), tmp_path / "out")
    with pytest.raises(BadInput, match="files, datasets"):
        DataSpec(source="text", reader="dataset")  # type: ignore[arg-type]  # what a study may say


def test_a_tokenizer_made_for_other_text_is_refused(text_folder: Path, tmp_path: Path) -> None:
    import tokenizers

    words = {"[UNK]": 0, "</s>": 1, "house": 2, "street": 7}
    other = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))  # noqa: S106 - a word
    other.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    other.save(str(tmp_path / "words.json"))
    assert Pairs(tmp_path / "words.json").vocabulary == 8  # numbers left out have rows too
    with pytest.raises(BadInput, match=r"100\.0% of the text is unknown .*bpe to train one"):
        build_corpus(DataSpec(source=str(text_folder), tokenizer=str(tmp_path / "words.json")), tmp_path / "out")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no file in"),
        ({"a.txt": " \n"}, "every file is empty"),
        ({"a.txt": "word " * 100_000}, "is one document"),
        ({"a.txt": "word", "b.txt": "word"}, "Give more text"),
    ],
)
def test_too_little_text_is_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        build_corpus(DataSpec(source=str(source)), tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "said"), [("{", "line 1 is no JSON"), ('{"body": 1}', 'no text under "text"'), ("[1]", "no object")]
)
def test_broken_lines_are_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(BadFile, match=said):
        build_corpus(DataSpec(source=str(tmp_path / "a.jsonl")), tmp_path / "out")


def test_a_missing_source_and_a_lost_shard_are_named(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there"):
        build_corpus(DataSpec(source="nowhere"), tmp_path)
    (tmp_path / "corpus.json").write_bytes((corpus.folder / "corpus.json").read_bytes())
    with pytest.raises(BadFile, match="the shards hold 0 bytes"):
        Corpus(tmp_path)
