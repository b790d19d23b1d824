"""Where answers go and in which form: by --format, by the ending of --out, to pipes and to terminals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from isoflop.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SOLVE = ("solve", "tokens_per_param", "params=7B", "tokens=140B")
SPREAD = ("solve", "train_flops", "params=7B", "tokens=130B to 150B")


def left(*words: str) -> int:
    with pytest.raises(SystemExit) as gone:
        main(words)
    return int(gone.value.code or 0)


@pytest.mark.parametrize(
    ("ending", "starts"),
    [
        (".txt", b"tokens_per_param = 20"),
        ("", b"tokens_per_param = 20"),
        (".json", b"{"),
        (".md", b"**tokens"),
        (".html", b"<!DOCTYPE html>"),
        (".csv", b"step,quantity"),
        (".tex", rb"\begin{align*}"),
        (".mmd", b"flowchart TD"),
    ],
)
def test_the_ending_chooses_the_form(ending: str, starts: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"answer{ending}"
    assert left(*SOLVE, "--out", str(path)) == 0
    assert path.read_bytes().startswith(starts)


@pytest.mark.parametrize(("form", "starts"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_pictures_go_to_pipes_and_files_alike(
    form: str, starts: bytes, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert left(*SPREAD, "--format", form) == 0
    assert capfdbinary.readouterr().out.startswith(starts)
    assert left(*SPREAD, "--out", str(tmp_path / f"c.{form}")) == 0
    assert (tmp_path / f"c.{form}").read_bytes().startswith(starts)


def test_a_png_is_not_printed_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert left(*SPREAD, "--format", "png") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--out FILE.png" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((*SOLVE, "--format", "md", "--out", "x.html"), "disagree"),
        ((*SOLVE, "--json", "--out", "x.csv"), "disagree"),
        ((*SOLVE, "--out", "x.pdf"), "may end in .txt, .json"),
        (("quantities", "mfu", "--out", "x.svg"), "may end in"),
        (("quantities", "mfu", "--format", "svg"), "not one of"),
        (("plan", "--budget", "$4k", "--on", "tpu-v4", "--chart", "pie", "--format", "svg"), "'loss', 'memory'"),
        (("model", "--format", "svg"), "no chart"),
        ((*SOLVE, "--out", "nowhere/x.md"), "cannot write"),
    ],
)
def test_what_cannot_be_written_says_what_can(
    words: tuple[str, ...],
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert left(*words) == 2
    out, err = capsys.readouterr()
    assert (out, says in err) == ("", True), err
    assert not list(tmp_path.iterdir())


def test_an_error_writes_nothing_and_a_no_is_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "answer.md"
    assert left("solve", "params", "tokens=4T", "--out", str(path)) == 3
    assert not path.exists()
    assert left("check", "train_flops=1e25", "params=7B", "tokens=1T", "--out", str(path)) == 1
    assert "Contradictory" in path.read_text(encoding="utf-8")


def test_a_file_has_no_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for words in (SOLVE, ("quantities", "mfu")):
        path = tmp_path / "answer.txt"
        assert left(*words, "--out", str(path)) == 0
        assert "\x1b" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("quantities", "mfu"), ("prices", "tpu-v4"), ("grids", "fr"), ("devices", "tpu-v4")])
def test_tables_take_the_same_forms(words: tuple[str, ...], tmp_path: Path) -> None:
    for ending, starts in ((".json", "{"), (".csv", ""), (".tex", "\\begin{tabular}"), (".html", "<!DOCTYPE html>")):
        path = tmp_path / f"table{ending}"
        assert left(*words, "--out", str(path)) == 0
        assert path.read_text(encoding="utf-8").startswith(starts)
    json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))


def test_a_report_tells_how_to_get_it_again(tmp_path: Path) -> None:
    path = tmp_path / "answer.html"
    assert left("solve", "train_cost", "chip_time=1000 chip-hours", "price=$2/chip/h", "--out", str(path)) == 0
    page = path.read_text(encoding="utf-8")
    assert "isoflop solve train_cost &#x27;chip_time=1000 chip-hours&#x27;" in page
    assert "<script" not in page
