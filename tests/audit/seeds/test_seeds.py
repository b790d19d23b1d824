"""The five documents that the project comes from: every claim that is wrong is a finding, and nothing else is.

They are not part of the repository; where they are not there, their slips in other words are the standing truth.
"""

from __future__ import annotations

import tomllib
from math import log
from pathlib import Path
from typing import TypedDict

import pytest

from isoflop.audit import audit_text

HERE = Path(__file__).parent
SEEDS = Path(__file__).resolve().parents[4] / "shared" / "seeds"

needs_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed documents are not part of the repository")

# document -> (row of the table of claims, step or line, class, says / right; None: there is none)
WRONG: dict[str, list[tuple[str, str, str, float | None]]] = {
    "000": [("0-5", "L24", "model_figure", 0.0136), ("0-7", "L31", "rate_for_amount", None)],
    "001": [
        ("1-3", "L23", "sparse_for_dense", 0.624),
        ("1-6", "L28", "model_figure", 2.9),
        ("1-16", "L82", "library_relation", 0.563),
    ],
    "002": [("2-2", "L6", "model_figure", 0.92)],
    "003": [("3-11", "L61", "library_relation", 0.955), ("3-15", "L78", "library_relation", 5.0)],
    "004": [
        ("6", "6", "citation", 2.0),
        ("13", "13", "information", 3202),
        ("16", "16", "noun_left_out", 1 / 32),
        ("MFU", "16", "utilisation_missing", 3.14),
        ("18", "18", "decimal_slip", 100.0),
        ("20", "20", "forward_for_training", 3.0),
    ],
}


class Rewrite(TypedDict):
    like: str
    text: str
    at: str
    factor: float
    kinds: list[str]


REWRITES: list[Rewrite] = tomllib.loads((HERE / "rewrites.toml").read_text(encoding="utf-8"))["rewrite"]


def _line_of(step: str) -> str:
    """The line of a figure in running text: "L78.2" is the second of line 78."""
    return step.partition(".")[0]


@needs_seeds
@pytest.mark.parametrize("number", WRONG)
def test_wrong_claims_are_found_and_nothing_else(number: str) -> None:
    path = next(SEEDS.glob(f"{number}_*"))
    report = audit_text(path.read_text(encoding="utf-8"), path.name)
    wrong = [finding for finding in report.findings if finding.is_wrong]
    places = {(_line_of(finding.step), finding.kind) for finding in wrong}
    assert places == {(step, kind) for _, step, kind, _ in WRONG[number]}
    for row, step, kind, factor in WRONG[number]:
        found = next(finding for finding in wrong if (_line_of(finding.step), finding.kind) == (step, kind))
        if factor is not None:
            assert found.factor is not None, row
            assert abs(log(found.factor / factor)) < 0.02, row


@needs_seeds
def test_the_chain_put_right_is_what_the_table_of_claims_says() -> None:
    """1.14T at 40 %, inside of what the document's own first statement says."""
    path = next(SEEDS.glob("004_*"))
    report = audit_text(path.read_text(encoding="utf-8"), path.name, mfu="0.4")
    params = next(one for one in report.corrected if one.step == "20")
    assert params.value == pytest.approx(1.14e12, rel=0.01)


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda one: f"{one['like']}: {one['text'][:40]}")
def test_the_same_slips_in_other_words(rewrite: Rewrite) -> None:
    text = rewrite["text"]
    line = next(number for number, line in enumerate(text.split("\n"), 1) if rewrite["at"] in line)
    wrong = [finding for finding in audit_text(text, "rewrite.md").findings if finding.is_wrong]
    here = [finding for finding in wrong if finding.span.line == line]
    assert any(_right(finding.factor, rewrite["factor"]) and finding.kind in rewrite["kinds"] for finding in here), (
        wrong
    )
    assert len(wrong) == len(here)


def _right(factor: float | None, due: float) -> bool:
    return due == 0 or (factor is not None and abs(log(factor / due)) < 0.15)


def test_every_slip_is_written_in_six_other_ways() -> None:
    slips = {row for number in ("000", "001", "002", "003") for row, *_ in WRONG[number]}
    for slip in slips:
        assert sum(one["like"] == slip for one in REWRITES) >= 6, slip
