"""Studies that somebody changed or broke: each is refused before the first step, with what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.lab.test_train import spec

from isoflop.cli.lab_page import history_rows
from isoflop.errors import BadFile, BadInput, Infeasible, IsoflopError
from isoflop.lab import (
    Corpus,
    Result,
    RunFolder,
    StudyFolder,
    make_study,
    progress,
    read_study,
    status_object,
)

TOML = """
name = "small"
budgets = ["4e8 FLOP", "8e8 FLOP"]
sizes = [8, 12]
sequence = 32
batch = 4
price = 3600.0
[schedule]
warmup = 5
[model]
layers = 1
head_width = 4
[data]
source = "{source}"
epochs = 3
"""


@pytest.fixture(scope="module")
def whole(text_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of which one run is over, one begun, one not touched."""
    base = tmp_path_factory.mktemp("whole")
    (base / "study.toml").write_text(TOML.format(source=text_folder), encoding="utf-8")
    held = make_study(base / "study", base / "study.toml")
    over, begun, *_ = held.todo()
    folder = RunFolder.made(held.runs, over)
    result = Result(
        hash=over.hash, status="done", loss=2.0, train_loss=2.0, steps=over.steps, tokens=over.tokens, flops=over.flops,
        seconds=10.0, epochs=0.1, unique_tokens=over.tokens, peak_memory=10**8, threads=1,
    )  # fmt: skip
    folder.end(result)
    RunFolder.made(held.runs, begun)
    held.history.add({"runs": [over.hash], "predicted": None, "measured": {"wall": 10.0}})
    return held.path


@pytest.fixture
def study(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "study"))


def looked(folder: Path) -> None:
    """All that looks at a study."""
    held = StudyFolder(folder)
    status_object(held)
    history_rows(held)
    progress(held)


def run(study: Path, name: str) -> Path:
    """A file of the run that is over."""
    return next((study / "runs").glob("*/result.json")).with_name(name)


BREAKS: list[tuple[str, Callable[[Path], object], str]] = [
    ("no corpus", lambda at: shutil.rmtree(at / "corpus"), "has lost its text; make the study again"),
    ("shard", lambda at: (at / "corpus/tokens-0000.bin").write_bytes(b"x"), "the shards hold 1 bytes"),
    ("corpus", lambda at: (at / "corpus/corpus.json").write_text("{}"), "missing required field.*make the study again"),
    ("corpus JSON", lambda at: (at / "corpus/corpus.json").write_text("x"), "make the study again"),
    ("spec", lambda at: changed(run(at, "spec.json"), '"batch": 4', '"batch": 8'), "the file was changed"),
    ("result JSON", lambda at: run(at, "result.json").write_text("{"), "delete it, and the run is done again"),
    ("result", lambda at: run(at, "result.json").write_text("{}"), "`hash`; delete it, and the run is done again"),
    ("other result", lambda at: changed(run(at, "result.json"), '"hash": "', '"hash": "a'), "is the result of run a"),
    ("history", lambda at: (at / "history.jsonl").write_text("[1]\n"), "was not written by the laboratory"),
    ("expected", lambda at: (at / "expected.json").write_text('{"a": 1}'), "not what the laboratory wrote; delete it"),
    (
        "text",
        lambda at: changed(at / "study.toml", "epochs", 'tokenizer = "bpe"\nepochs'),
        "tokenizer under .data. was",
    ),
    ("toml", lambda at: (at / "study.toml").write_text("["), "not valid TOML"),
]


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(("breaks", "said"), [one[1:] for one in BREAKS], ids=[one[0] for one in BREAKS])
def test_what_is_broken_is_named_with_what_to_do(study: Path, breaks: Callable[[Path], object], said: str) -> None:
    looked(study)
    breaks(study)
    with pytest.raises(IsoflopError, match=said):
        looked(study)


def test_what_may_be_changed_is_taken(study: Path) -> None:
    changed(study / "study.toml", "epochs = 3", "epochs = 9")
    changed(study / "study.toml", 'name = "small"', 'name = "other"\nseeds = 4')
    (study / "history.jsonl").write_text('{"other": 1}\n{"torn', encoding="utf-8")
    (study / "runs" / "stray").mkdir()
    looked(study)
    assert len(StudyFolder(study).wanted().specs) == 2 * 2 * 4


def test_progress_counts_what_is_over_and_what_is_left(study: Path) -> None:
    held = StudyFolder(study)
    found = progress(held)
    assert (found.runs, found.done, found.going) == (12, 1, ())
    assert found.cost == 10.0  # a dollar a second
    over = next(iter(held.results().values()))
    left = sum(one.flops for one in held.todo())
    assert found.flops_done == pytest.approx(found.flops - left)
    assert found.left == pytest.approx(10.0 * left / over.flops)
    begun = next(one for one in held.folders() if one.result is None)
    begun.log.add({"step": begun.spec.steps // 2, "losses": [2.0] * 10, "grad_norm": 1.0, "seconds": 0.5})
    with begun.held():
        (going,) = progress(held).going
    assert going.done == begun.spec.steps // 2
    assert going.tokens_per_second == pytest.approx(10 / 0.5 * 4 * 32)
    begun.log.add({"attempt": 0, "together": 4})  # then a record's seconds are a fourth of those on the clock
    with begun.held():
        now = progress(held)
    assert now.tokens_per_second == pytest.approx(going.tokens_per_second / 4)
    assert now.left == pytest.approx((now.flops - now.flops_done) / now.flops_per_second)
    assert progress(held).flops_done == pytest.approx(found.flops_done + begun.spec.flops / 2, rel=0.01)


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        ("sizes = [8, 12]", "sizes = [8, 8]", BadInput, "sizes: one stands there twice"),
        ("batch = 4", "batch = 4\nlearning_rates = [0.1, 0.1]", BadInput, "learning_rates: one stands there twice"),
        ("sizes = [8, 12]", 'sizes = "all"', BadFile, "'all'. Give auto, or a list"),
        ("batch = 4", 'batch = 4\nprecision = "fp8"', BadFile, "'fp8'. Give one of: fp32, bf16"),
    ],
)
def test_what_a_study_cannot_say_is_named(old: str, new: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        read_study(TOML.format(source="text").replace(old, new), "study")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("warmup = 5", "warmup = 500", r"and 1000 are the fewest \(twice the warm-up of 500\)"),
        ('"4e8 FLOP"', '"3 PF-days"', "give more text or smaller budgets"),
        ("epochs = 3", "epochs = 0.01", "epochs = 1 under .data., allow it"),
    ],
)
def test_what_cannot_be_trained_is_refused_when_the_study_is_made(
    whole: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (whole / "study.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "study.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(Infeasible, match=said):
        make_study(tmp_path / "out", tmp_path / "study.toml")
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_made_are_named(whole: Path) -> None:
    toml = whole / "study.toml"
    with pytest.raises(BadInput, match=r"cannot be made .*name a folder that you may write to"):
        make_study(toml / "below", toml)
    with pytest.raises(BadInput, match="is not empty"):
        make_study(toml, toml)


def test_a_run_of_another_corpus_is_refused(corpus: Corpus) -> None:
    other = replace(spec(corpus), shape=replace(spec(corpus).shape, vocabulary=300))
    with pytest.raises(BadInput, match="must be the same"):
        corpus.check(other.tokens, length=other.sequence, epochs=1, vocabulary=other.shape.vocabulary)
