"""Chains in prose: read, recomputed and held against the world, with slips planted in other numbers and words."""

from __future__ import annotations

from math import log

import pytest
from tests.audit.prose.napkins import CLASSES, NAPKINS, STEPS, STYLES, Napkin, build

from isoflop.audit import audit_text

EVERY = frozenset(STEPS)


@pytest.mark.parametrize("style", range(len(STYLES)))
@pytest.mark.parametrize("napkin", NAPKINS, ids=lambda one: one.model)
def test_planted_slips_are_found_and_a_clean_chain_lacks_only_its_utilisation(napkin: Napkin, style: int) -> None:
    for slips in (frozenset[str](), EVERY):
        text, factors = build(napkin, style=style, slips=slips)
        wrong = [finding for finding in audit_text(text, "napkin.md").findings if finding.is_wrong]
        due = {(STEPS[slip], CLASSES[slip]) for slip in slips} | {("16", "utilisation_missing")}
        assert {(finding.step, finding.kind) for finding in wrong} == due
        for slip, factor in factors.items():
            found = next(one for one in wrong if (one.step, one.kind) == (STEPS[slip], CLASSES[slip]))
            assert found.factor is not None
            assert abs(log(found.factor / factor)) < 0.06, slip


@pytest.mark.parametrize("slip", sorted(EVERY))
def test_one_slip_alone(slip: str) -> None:
    text, factors = build(NAPKINS[0], slips=frozenset({slip}))
    wrong = [finding for finding in audit_text(text, "napkin.md").findings if finding.is_wrong]
    assert {finding.step for finding in wrong} == {STEPS[slip], "16"}
    found = next(one for one in wrong if one.kind == CLASSES[slip])
    assert found.factor == pytest.approx(factors[slip], rel=0.06)


@pytest.mark.parametrize("extra", ["", " × 32", " × 32 chips"])
def test_a_right_chain_that_counts_its_chips_is_clean(extra: str) -> None:
    """The price of a slice tied by the reader, by a bare number, or by the chips: all are right."""
    text = f"""### Assumptions

1. 64 TPUv4 cores cost $33,849 / month

2. The TPUv4 provides 275 teraflops

3. We reach 40% MFU

4. The budget is $100m

### Implications

5. 275 teraflops *(2)* × 40% MFU *(3)*{extra} × 1 month ÷ $33,849 *(1)* = 2.73e17 flops/$

6. $100m *(4)* × 2.73e17 flops/$ *(5)* = 2.73e25 flops
"""
    assert not [finding for finding in audit_text(text, "napkin.md").findings if finding.is_wrong]
