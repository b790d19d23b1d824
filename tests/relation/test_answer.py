"""Answers and ledgers are plain data with a few readings of their own."""

from __future__ import annotations

import dataclasses

import pytest
from tests.relation import small
from tests.relation.small import fact, facts

from isoflop.relation import Answer, Ledger, Term, solve


def test_assumptions_are_the_leaves_nobody_gave() -> None:
    known = [*facts(params=1e9, chip_time=1e6), fact("peak_rate", 3e14, "catalogue"), fact("mfu", 0.3, "default")]
    answer = solve(small.BASE, known, "tokens")
    assert {step.gives for step in answer.assumptions} == {"peak_rate", "flops_per_param_token", "mfu"}


def test_a_point_is_a_point() -> None:
    assert Answer(quantity="params", value=1.0, low=1.0, high=1.0).is_point
    assert not Answer(quantity="params", value=1.0, low=0.5, high=1.0).is_point


def test_a_ledger_adds_up() -> None:
    ledger = Ledger(
        quantity="train_state_bytes",
        title="State",
        terms=(Term(name="weights", value=2e9), Term(name="optimizer", value=8e9, note="Adam")),
        limit=80e9,
    )
    assert ledger.total == 1e10
    with pytest.raises(dataclasses.FrozenInstanceError):
        ledger.limit = 1.0  # type: ignore[misc]
