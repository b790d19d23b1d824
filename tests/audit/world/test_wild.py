"""Short documents in the style of blogs, papers, tweets and press: what is wrong in them is found, and nothing else."""

from __future__ import annotations

import tomllib
from math import log
from pathlib import Path
from typing import TypedDict

import pytest

from isoflop.audit import Finding, audit_text

HERE = Path(__file__).parent


class Slip(TypedDict):
    at: str
    factor: float
    kinds: list[str]


class Doc(TypedDict, total=False):
    style: str
    text: str
    slips: list[Slip]


def docs(name: str) -> list[Doc]:
    found: list[Doc] = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))["doc"]
    return found


def wrong_in(text: str) -> list[Finding]:
    return [finding for finding in audit_text(text, "document.md").findings if finding.is_wrong]


def hits(text: str, slip: Slip, found: list[Finding]) -> list[Finding]:
    """Findings at the line of a slip."""
    line = next(number for number, line in enumerate(text.split("\n"), 1) if slip["at"] in line)
    return [finding for finding in found if finding.span.line == line]


def is_right(finding: Finding, slip: Slip) -> bool:
    """Whether it names the class and the factor."""
    factor = slip["factor"]
    near = factor == 0 or (finding.factor is not None and abs(log(finding.factor / factor)) < 0.15)
    return finding.kind in slip["kinds"] and near


OPEN = [
    *docs("wild_blind"),
    *docs("wild_open"),
    *docs("wild_open2"),
    *docs("wild_clean"),
    *docs("wild_clean2"),
    *docs("wild_kept"),
    *docs("wild_kept2"),
    *docs("wild_kept3"),
    *docs("wild_kept4"),
    *docs("wild_kept5"),
    *docs("wild_long"),
    *docs("wild_long2"),
    *docs("wild_sentences"),
    *docs("wild_pairs"),
    *docs("wild_pairs2"),
    *docs("wild_clean3"),
]


@pytest.mark.parametrize("doc", OPEN, ids=lambda doc: f"{doc['style']}: {doc['text'].strip()[:40]}")
def test_what_is_wrong_is_found_and_nothing_else(doc: Doc) -> None:
    text = doc["text"].strip("\n")
    found = wrong_in(text)
    slips = doc.get("slips", [])
    for slip in slips:
        assert any(is_right(finding, slip) for finding in hits(text, slip, found)), (slip, found)
    explained = [finding for slip in slips for finding in hits(text, slip, found)]
    assert not [finding for finding in found if finding not in explained]


def test_the_figure_that_is_wrong_is_the_one_marked() -> None:
    text = "We trained on 512 A100s for 30 days. That is 15,360 GPU-hours; at $1.80 per GPU-hour it cost us $27,600."
    report = audit_text(text, "document.md")
    wrong = [finding for finding in report.findings if finding.is_wrong]
    labels = {step.number: step.label for step in report.document.steps}
    assert [labels[finding.step] for finding in wrong] == ["chip-hours"]


def test_a_sum_that_does_not_come_out_is_one_finding() -> None:
    text = "OPT-175B saw 180B tokens, so 6 x 175e9 x 180e9 = 1.89e24 FLOPs on 992 A100 80GB GPUs in two months."
    assert [(one.kind, one.level) for one in wrong_in(text)] == [("decimal_slip", "arithmetic")]
