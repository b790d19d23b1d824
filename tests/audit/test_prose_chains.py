"""Chains in prose through the whole audit: numbered lines that refer to each other, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.audit.examples import wrong

from isoflop.audit import audit

CHAINS = Path(__file__).parent / "chains"


@pytest.mark.parametrize("name", ["energy", "serving", "training"])
def test_a_clean_chain_in_prose_raises_no_alarm(name: str) -> None:
    report = audit(CHAINS / f"{name}.md")
    assert wrong(report) == []
    assert sum(step.expr is not None for step in report.document.steps) >= 5


def test_a_slip_in_prose_is_found_and_later_lines_inherit() -> None:
    report = audit(CHAINS / "rent_with_a_slip.md")
    assert wrong(report) == [("7", "arithmetic", "decimal_slip")]
    assert [finding.step for finding in report.findings if finding.level == "inherits"] == ["8"]
