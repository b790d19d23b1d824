"""The command line as people use it: what it prints, where, and how it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from isoflop.cli import COMMANDS, isoflop, main


def run(*words: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command, run as a process of its own."""
    full = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "XDG_CONFIG_HOME": "/nonexistent", **(env or {})}
    done = subprocess.run(
        [sys.executable, "-m", "isoflop", *words], capture_output=True, text=True, env=full, cwd=cwd, check=False
    )
    return done.returncode, done.stdout, done.stderr


def quick(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The same inside this process."""
    with pytest.raises(SystemExit) as left:
        main(words)
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


GOOD = 'unit = "FLOP/s/chip", source = "us", date = "2024", dense = true'
DEVICE = f"""
title = "A chip of our own"
vendor = "Us"
kind = "ASIC"
year = 2024

[peak_rate]
bf16 = {{ value = 100e12, {GOOD} }}
"""
PRICE = """
devices = ["ours"]

[[price]]
provider = "Us"
commitment = "on-demand"
date = 2024-01-01
amount = "$1.50/h/chip"
source = "our contract"
"""

SEED = ("train_cost=$100m", "tokens=4T", "device=tpu-v4", "price=$33,849/month/slice", "slice=32 chip")


def test_solve_prints_the_answer_and_its_derivation(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = quick(capsys, "solve", "params", *SEED, "mfu=0.4", "--explain")
    assert (code, err) == (0, "")
    assert out.startswith("params = 1.14T")
    assert "train_flops / (flops_per_param_token · tokens)" in out
    assert max(map(len, out.splitlines())) <= 80


def test_json_is_one_object_in_base_units(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = quick(capsys, "solve", "params", *SEED, "mfu=0.3 to 0.5", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["unit"] == "param"
    assert answer["low"] < answer["value"] < answer["high"]
    assert answer["interval"] == 0.9
    assert [step["number"] for step in answer["steps"]] == list(range(1, len(answer["steps"]) + 1))


@pytest.mark.parametrize("form", ["text", "json", "md", "html", "latex", "mermaid"])
def test_every_format_of_an_answer(capsys: pytest.CaptureFixture[str], form: str) -> None:
    code, out, err = quick(capsys, "solve", "params", *SEED, "mfu=0.4", "--format", form)
    assert (code, err) == (0, "")
    assert "params" in out or "N" in out


@pytest.mark.parametrize("form", ["text", "json", "md", "html"])
def test_every_format_of_a_plan(capsys: pytest.CaptureFixture[str], form: str) -> None:
    code, out, err = quick(capsys, "plan", "--budget", "$4k", "--on", "tpu-v4", "--commitment", "3y", "--format", form)
    assert (code, err) == (0, "")
    assert "train_flops" in out or "PF-days" in out


def test_a_plan_fits_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = quick(capsys, "plan", "--budget", "$4k", "--on", "tpu-v4", "--explain")
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("chart", ["loss", "memory"])
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_charts_go_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, chart: str) -> None:
    pytest.importorskip("vl_convert")
    path = tmp_path / f"plan.{kind}"
    words = ("plan", "--budget", "$4k", "--on", "tpu-v4", "--format", kind, "--chart", chart, "--out", str(path))
    assert quick(capsys, *words)[0] == 0
    assert path.read_bytes()[:4] in {b"<svg", b"\x89PNG"}


def test_check_leaves_with_one_where_the_run_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plan", "--model", "7B", "--tokens", "1T", "--on", "8xh100-sxm", "--budget", "$1k")
    assert quick(capsys, *words)[0] == 0
    code, out, _ = quick(capsys, *words, "--check")
    assert code == 1
    assert "the budget is $1,000" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("solve", "params", "tokens=4T", "device=h100-sxn"), 2, "Did you mean"),
        (("solve", "parms", "tokens=4T"), 2, "Did you mean 'params'"),
        (("solve", "params", "tokens"), 2, "is not name=value"),
        (("solve", "params", "tokens=1T", "tokens=2T"), 2, "given twice"),
        (("solve", "params", "tokens=4T", "train_cost=$100m"), 3, "Any one of these completes it"),
        (("solve", "params", "loss=1.9", "train_flops=1e22", "law=hoffmann2022-rounded"), 4, "2.139"),
        (("solve", "params", "train_flops=1e400", "tokens=1T"), 2, "1e400"),
        (("solve", "train_time", "chips=-5", "chip_time=100 chip-hours"), 2, "-5"),
        (("plan", "--budget", "$4k"), 3, "--on"),
        (("plan", "--bugdet", "$4k"), 2, "--budget"),
        (("plan", "--budget", "$4k", "--on", "tpu-v4", "--format", "svg", "--out", "x.png"), 2, "disagree"),
        (("plan", "--budget", "$4k", "--on", "tpu-v4", "budget=$5k"), 2, "given twice"),
        (("devices", "h100-sxn"), 2, "h100-sxm"),
        (("quantities", "mfuu"), 2, "mfu"),
        (("formulas", "mfuu"), 2, "mfu"),
        (("sovle",), 2, "solve"),
    ],
)
def test_bad_input_gets_one_paragraph(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, says: str
) -> None:
    left, out, err = quick(capsys, *words)
    assert (left, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(isoflop, [name, "--help"])
    assert result.exit_code == 0
    assert len(result.output) > 200


@pytest.mark.parametrize("name", ["devices", "prices", "quantities", "formulas"])
@pytest.mark.parametrize("form", ["text", "json", "md", "html", "csv"])
def test_every_listing_in_every_format(capsys: pytest.CaptureFixture[str], name: str, form: str) -> None:
    code, out, err = quick(capsys, name, "--format", form)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) > 10
    if form == "json":
        assert json.loads(out)["rows"]


def test_settings_stand_in_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "isoflop.toml").write_text('[defaults]\nmfu = "40%"\ncommitment = "3y"\n', encoding="utf-8")
    code, out, _ = run("config", "--origin", env={"ISOFLOP_MFU": "0.45"}, cwd=tmp_path)
    assert code == 0
    assert "ISOFLOP_MFU" in out
    assert "isoflop.toml" in out
    words = ("solve", "params", "train_cost=$4k", "tokens=60B", "device=tpu-v4", "--explain")
    code, out, _ = run(*words, cwd=tmp_path)
    assert code == 0
    assert "mfu = 40 %" in out
    assert "3y" in out
    code, out, _ = run(*words, "mfu=0.5", cwd=tmp_path)
    assert "mfu = 50 %" in out


def test_a_setting_never_answers_the_question(tmp_path: Path) -> None:
    (tmp_path / "isoflop.toml").write_text('[defaults]\nmfu = "40%"\n', encoding="utf-8")
    words = ("solve", "mfu", "chips=25000", "device=a100-sxm-80gb", "train_time=95 days", "train_flops=2.15e25")
    code, out, _ = run(*words, cwd=tmp_path)
    assert (code, out.split("\n")[0][:12]) == (0, "mfu = 33.6 %")


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "isoflop.toml").write_text("[defaults]\nmfuu = 0.4\n", encoding="utf-8")
    code, _, err = run("solve", "params", "train_flops=1e22", "tokens=1T", cwd=tmp_path)
    assert code == 2
    assert "isoflop.toml" in err
    assert "mfu" in err


def test_own_device_and_price_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device, price = tmp_path / "chip.device.toml", tmp_path / "chip.price.toml"
    device.write_text(DEVICE, encoding="utf-8")
    price.write_text(PRICE, encoding="utf-8")
    words = ("solve", "chip_time", "train_flops=1e20", f"device={device}", "mfu=0.5", "--json")
    code, out, _ = quick(capsys, *words)
    assert (code, json.loads(out)["value"]) == (0, pytest.approx(1e20 / 100e12 / 0.5))
    words = ("solve", "train_cost", "chip_time=100 chip-hours", f"price={price}", f"device={device}", "--json")
    code, out, _ = quick(capsys, *words)
    assert (code, json.loads(out)["value"]) == (0, pytest.approx(150.0))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ('unit = "FLOP/s/chip"', "source"),
        ('unit = "GB", source = "us", date = "2024", dense = true', "GB"),
        ('unit = "FLOP/s/chip", source = "us", date = "2024"', "dense"),
    ],
)
def test_a_broken_device_file_is_refused_by_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: str, says: str
) -> None:
    path = tmp_path / "chip.device.toml"
    path.write_text(DEVICE.replace(GOOD, broken), encoding="utf-8")
    code, _, err = quick(capsys, "solve", "chip_time", "train_flops=1e20", f"device={path}", "mfu=0.5")
    assert code == 2
    assert "chip.device.toml" in err
    assert says in err


def test_a_closed_pipe_is_no_error() -> None:
    words = [sys.executable, "-m", "isoflop", "quantities", "--format", "csv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
