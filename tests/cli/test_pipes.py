"""Standard input, pipes, locales, and isoflop alone: how the program stands among others."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.walk import contexts

from isoflop.cli import main
from isoflop.cli.kinds import STREAMED

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "src" / "isoflop" / "accuracy" / "rows"


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
    with pytest.raises(SystemExit) as left:
        main(words)
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


def first_rows(name: str) -> str:
    return "\n".join((ROWS / name).read_text(encoding="utf-8").splitlines()[:4]) + "\n"


@pytest.mark.parametrize(
    ("text", "words", "code", "says"),
    [
        ("A 7B model on 2T tokens takes 8.4e20 FLOP.", ("audit", "-"), 1, "8.4e20"),
        ((ROOT / "examples" / "gpt4_price.toml").read_text("utf-8"), ("audit", "-"), 1, "How large is GPT-4"),
        ("N,days,chips\n7e9,20,512\n", ("check", "--table", "-", "--map", "params=N,train_time=days[day]"), 0, "1 row"),
        (first_rows("training.csv"), ("validate", "training", "-"), 0, "step time"),
        (
            (ROOT / "examples" / "laws" / "study.csv").read_text("utf-8"),
            ("laws", "fit", "-", "--bootstrap", "10"),
            0,
            "172 rows",
        ),
        (
            (ROOT / "examples" / "laws" / "wsd.csv").read_text("utf-8"),
            ("laws", "running", "-", "--total", "4000"),
            0,
            "will end at",
        ),
        ("", ("audit", "-"), 2, "empty"),
        ("\x00\x01", ("laws", "fit", "-"), 2, ""),
    ],
    ids=["prose", "napkin", "rows", "measured rows", "runs", "a curve", "nothing", "rubbish"],
)
def test_a_file_may_come_on_standard_input(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    words: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    left, out, err = run(capsys, monkeypatch, text, *words)
    assert left == code, err
    assert says in out + err
    assert "Traceback" not in err


def test_every_streamed_file_is_an_argument_that_there_is() -> None:
    there = {(" ".join(ctx.command_path.split()[1:]), param.name) for ctx in contexts() for param in ctx.command.params}
    assert there >= STREAMED


def test_alone_it_says_what_there_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run(capsys, monkeypatch, "")
    assert (code, err) == (0, "")
    assert "Examples:" in out
    code, out, err = run(capsys, monkeypatch, "", "laws")
    assert (code, out) == (2, "")
    assert err.startswith("Usage: isoflop laws")
    assert "Error" not in err


@pytest.mark.parametrize("words", [("runs",), ("devices", "--json"), ("plan", "--budget", "$4k", "--on", "tpu-v4")])
def test_the_reader_of_a_pipe_may_leave(words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    done = subprocess.Popen(
        [sys.executable, "-m", "isoflop", *words], stdout=write, stderr=subprocess.PIPE, env={**os.environ}
    )
    os.close(write)
    os.close(read)
    _, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, b"")


@pytest.mark.parametrize("words", [("--help",), ("plan", "--budget", "$4k", "--on", "tpu-v4"), ("formulas", "loss")])
def test_a_terminal_of_ascii_alone(words: tuple[str, ...]) -> None:
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "isoflop", *words], capture_output=True, env=env, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_names_close_to_none_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = run(capsys, monkeypatch, "", "training", "7B", "--on", "64xh100-sxm", "--recipe", "zzz")
    assert code == 2
    assert "Give one of: mixed, " in err


def test_errors_and_answers_do_not_mix(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, err = run(capsys, monkeypatch, "", "config", "--json")
    assert json.loads(out)["schema_version"] == 1
    assert err == ""
