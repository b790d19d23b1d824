"""One slip in a clean chain is found: the step, the factor, what it is. Clean chains raise no alarm."""

from __future__ import annotations

from math import log

import pytest
from tests.audit.examples import CLEAN, audited, document, wrong
from tests.audit.mutations import Planted, plant
from tests.audit.random_chains import chain

from isoflop.audit import audit_document, parse_napkin

EVERY = 12
"""Every so many slips are tried here; benchmarks/audit.py tries all of them and prints the rates."""


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_chain_raises_no_alarm(name: str) -> None:
    assert wrong(audited(name)) == []


def rates(planted: list[Planted]) -> tuple[float, float, float]:
    """The parts of slips that are found at the right step and nowhere else, with the right factor, and class."""
    place = factor = kind = 0
    for one in planted:
        findings = [finding for finding in audit_document(one.document).findings if finding.is_wrong]
        here = [finding for finding in findings if finding.step == one.step]
        if here and len(here) == len(findings):
            place += 1
            factor += any(f.factor is not None and abs(log(f.factor / one.factor)) < 0.1 for f in here)
            kind += here[0].kind in one.kinds
    return place / len(planted), factor / len(planted), kind / len(planted)


def test_planted_slips_are_found_where_they_are() -> None:
    planted = [one for name in CLEAN for one in plant(document(name))][::EVERY]
    assert len(planted) > 200
    place, factor, kind = rates(planted)
    assert place >= 0.95
    assert factor >= 0.95
    assert kind >= 0.8


def test_chains_made_by_chance_raise_no_alarm_and_their_slips_are_found() -> None:
    documents = [parse_napkin(chain(seed)) for seed in range(60)]
    alarms = [place for place, one in enumerate(documents) if not audit_document(one).is_clean]
    assert len(alarms) <= len(documents) // 10
    planted = [one for place, read in enumerate(documents) if place not in alarms for one in plant(read)][::40]
    assert len(planted) > 150
    place, factor, kind = rates(planted)
    assert place >= 0.95
    assert factor >= 0.95
    assert kind >= 0.8
