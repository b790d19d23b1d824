"""`isoflop cost` over a model's life: training and serving together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop as cli
from isoflop.errors import BadInput

WORDS = ["cost", "llama-3.1-8b", "--on", "512xh100-sxm", "--tokens", "1T"]


def lines(*more: str) -> dict[str, dict[str, float]]:
    held = json.loads(CliRunner().invoke(cli, [*WORDS, *more, "--json"]).output)
    return {line["name"]: line for line in held["parts"]["life"]}


def test_training_and_serving_add_up() -> None:
    found = lines("--serve-tokens", "10T")
    assert found["both"]["value"] == pytest.approx(found["training"]["value"] + found["serving"]["value"])
    each = found["serving"]["value"] / 10e12
    assert found["equal at"]["value"] * each == pytest.approx(found["training"]["value"])
    more = lines("--serve-tokens", "20T")
    assert more["serving"]["value"] == pytest.approx(2 * found["serving"]["value"])
    assert more["best for both"]["value"] < found["best for both"]["value"] * 1.5


def test_fewer_requests_at_once_make_a_token_dearer() -> None:
    one, many = (lines("--serve-tokens", "1T", "--concurrency", count) for count in ("1", "64"))
    assert one["serving"]["value"] > 5 * many["serving"]["value"]


def test_it_is_served_on_other_devices_where_they_are_named() -> None:
    found = lines("--serve-tokens", "1T", "--serve-on", "1xl40s")
    assert "l40s" in str(found["serving"]["note"])


@pytest.mark.parametrize(
    "words",
    [
        ["cost", "llama-3.1-8b", "--tokens", "1T", "--serve-tokens", "10T"],
        [*WORDS, "--serve-on", "1xl40s"],
        [*WORDS, "--serve-tokens", "1T", "--concurrency", "many"],
        [*WORDS, "--serve-tokens", "1T", "--concurrency", "-3"],
    ],
)
def test_what_says_nothing_is_refused(words: list[str]) -> None:
    assert isinstance(CliRunner().invoke(cli, words).exception, BadInput)


def test_a_table_with_a_gap_names_the_row(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("params,tokens\n1B,20B\n,50B\n")
    found = CliRunner().invoke(cli, ["cost", str(table), "--on", "8xh100-sxm"]).exception
    assert isinstance(found, BadInput)
    assert "row 2 of 2 says no params" in str(found)


def test_a_form_that_an_answer_lacks_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("params,tokens\n1B,20B\n")
    found = CliRunner().invoke(cli, ["cost", str(table), "--on", "8xh100-sxm", "--format", "card"]).exception
    assert isinstance(found, BadInput)
    assert "no form 'card'" in str(found)
