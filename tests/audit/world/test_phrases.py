"""Claims made from numbers: no right one is a finding, and every slip is one, with its factor."""

from __future__ import annotations

from math import log
from random import Random

import pytest
from tests.audit.world.phrases import KINDS

from isoflop.audit import audit_text

EACH = 12


@pytest.mark.parametrize("kind", KINDS)
def test_right_claims_are_left_alone(kind: str) -> None:
    rng = Random(kind)  # noqa: S311 (numbers for a test)
    for _ in range(EACH):
        claim = KINDS[kind](rng, wrong=False)
        assert not [one for one in audit_text(claim.text, "claim.md").findings if one.is_wrong], claim.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_slip_is_found_with_its_factor(kind: str) -> None:
    rng = Random(kind)  # noqa: S311 (numbers for a test)
    for _ in range(EACH):
        claim = KINDS[kind](rng, wrong=True)
        if claim.factor is None:
            continue
        found = [one.factor for one in audit_text(claim.text, "claim.md").findings if one.is_wrong]
        assert any(one is not None and abs(log(one / claim.factor)) < 0.2 for one in found), (claim, found)
