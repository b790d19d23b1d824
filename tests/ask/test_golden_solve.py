"""Questions with known answers, and questions that must be refused: tests/golden/solve.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import isoflop
from isoflop import errors

CASES = tomllib.loads((Path(__file__).parents[1] / "golden" / "solve.toml").read_text(encoding="utf-8"))["case"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, object]) -> None:
    target, knowns = str(case["target"]), dict(case["knowns"])
    if "error" in case:
        with pytest.raises(getattr(errors, str(case["error"]))) as caught:
            isoflop.solve(target, **knowns)
        assert str(case["says"]) in str(caught.value)
        return
    answer = isoflop.solve(target, **knowns)
    tolerance = float(case.get("tolerance", 0.01))
    if "roots" in case:
        found = [answer.value, *(other.value for other in answer.alternatives)]
        assert found == pytest.approx(case["roots"], rel=tolerance)
        return
    assert answer.value == pytest.approx(case["value"], rel=tolerance)
    for end in ("low", "high"):
        if end in case:
            assert getattr(answer, end) == pytest.approx(case[end], rel=tolerance)
    assert {step.number for step in answer.steps} == set(range(1, len(answer.steps) + 1))
    assert all(number < step.number for step in answer.steps for _, number in step.inputs)
