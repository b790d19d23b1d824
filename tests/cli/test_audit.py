"""`isoflop audit` as people call it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from tests.architecture.house import ROOT

import isoflop as library
from isoflop.cli import isoflop
from isoflop.errors import BadFile, BadInput, IsoflopError, MissingData, UnitError, UnknownName
from isoflop.report import schema

if TYPE_CHECKING:
    from pathlib import Path

PRICE = ROOT / "examples" / "gpt4_price.toml"
CLEAN = ROOT / "examples" / "gpt3_cost.toml"
SPREAD = ROOT / "examples" / "gpt4_run.toml"


def run(line: str, code: int = 0) -> str:
    done = CliRunner().invoke(isoflop, ["audit", *shlex.split(line)])
    if isinstance(done.exception, IsoflopError):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_a_clean_document_ends_with_0() -> None:
    out = run(str(CLEAN))
    assert "15 steps, nothing wrong" in out
    assert "WRONG" not in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_slip_ends_with_1_and_is_marked() -> None:
    out = run(f"{PRICE} --mfu '40% (32% to 49%)'", code=1)
    for said in (
        "work_per_dollar = peak / rent = 2.12e16 FLOP/$",
        "1 slice = 32 chip left out",
        "likely a decimal slip of 10^2",
        "params = 1.14T parameters",
        "on demand, $103.04/h/slice: params = 512B parameters",
        "inherits",
    ):
        assert said in " ".join(out.split())
    assert all(len(line) <= 80 for line in out.splitlines())


def test_json_is_as_the_schema_says() -> None:
    found = json.loads(run(f"{PRICE} --mfu 0.4 --within 10% --json", code=1))
    Draft202012Validator(schema()).validate(found)
    by_step = {(one["step"], one["class"]): one for one in found["findings"]}
    assert by_step["18", "decimal_slip"]["factor"] == pytest.approx(100, rel=0.01)
    assert by_step["16", "noun_left_out"]["level"] == "units"
    assert by_step["16", "noun_left_out"]["line"] == 29
    assert found["clean"] is False
    assert found["corrected"]["20"]["value"] == pytest.approx(1.14e12, rel=0.01)
    assert found["result"]["step"] == "20"
    assert json.loads(run(f"{CLEAN} --json"))["findings"] == []


def test_markdown_and_html_say_the_same() -> None:
    assert "**WRONG** 18: work\\_per\\_token" in run(f"{PRICE} --format md", code=1)
    html = run(f"{PRICE} --format html", code=1)
    assert html.startswith("<!DOCTYPE html>")
    assert html.count('class="warning"') == len({"6", "13", "16", "18", "20"})


@pytest.mark.parametrize("chart", ["tornado", "shares"])
def test_charts_go_to_a_file(chart: str, tmp_path: Path) -> None:
    out = tmp_path / "chart.svg"
    run(f"{SPREAD} --chart {chart} --out {out}")
    assert "duration" in out.read_text(encoding="utf-8")
    with pytest.raises(MissingData, match="nothing to draw"):
        run(f"{CLEAN} --chart {chart} --out {out}")


def test_another_value_for_a_root() -> None:
    found = json.loads(run(f"{PRICE} --mfu 0.4 --set rent=$103.04/h/slice --json".replace("$", "\\$"), code=1))
    assert found["result"]["value"] == pytest.approx(0.512e12, rel=0.01)
    with pytest.raises(UnknownName, match="Did you mean 'rent'"):
        run(f"{PRICE} --set rnet=3")
    with pytest.raises(UnitError, match="the document has it in"):
        run(f"{PRICE} --set 'rent=3 FLOP'")
    with pytest.raises(BadInput, match="write NAME=VALUE"):
        run(f"{PRICE} --set rent")


def test_what_cannot_be_read_ends_with_2(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="not there") as caught:
        run(str(tmp_path / "none.toml"))
    assert caught.value.exit_code == 2
    broken = tmp_path / "broken.toml"
    broken.write_text("[imply]\n1 = { expr = 'a +' }\n", encoding="utf-8")
    with pytest.raises(BadFile, match=r"line 2, step 1: expression 'a \+', character 4"):
        run(str(broken))
    with pytest.raises(BadInput, match="give a FILE to audit, or one sentence"):
        run("")


def test_the_library_says_the_same_word() -> None:
    report = library.audit(CLEAN)  # type: ignore[operator,unused-ignore]
    assert report.is_clean
    assert library.audit.Report is type(report)  # type: ignore[attr-defined,unused-ignore]
