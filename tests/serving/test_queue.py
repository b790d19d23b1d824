"""Prompts apart from decoding, and slow requests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoflop.errors import BadInput
from isoflop.hardware import device
from isoflop.model import model
from isoflop.serving import Deployment, Placement, Traffic
from isoflop.serving.disaggregate import slow, split
from isoflop.serving.pace import pace

APART = Deployment(
    model=model("llama-3.1-70b"), device=device("h100"), placement=Placement(tp=8), prefill=Placement(tp=4)
)
TRAFFIC = Traffic(concurrency=64, input_tokens=4000, output_tokens=500)


def test_prefill_instances_keep_up_with_decode_instances() -> None:
    """At the ratio, prompts read a second are those that decode instances end."""
    found = split(APART, TRAFFIC, busy=0.5)
    ended = float(np.asarray(found.output_rate)) / 500
    alone = pace(APART.at(Placement(tp=4)), replace(TRAFFIC, concurrency=1))
    read = 0.5 * float(np.asarray(found.ratio)) / float(np.asarray(alone.flow.prompt))
    assert read == pytest.approx(ended, rel=1e-6)
    assert found.chips_ratio == pytest.approx(found.ratio / 2)


def test_longer_prompts_take_more_prefill_and_leave_tokens_alone() -> None:
    short, long = (split(APART, replace(TRAFFIC, input_tokens=many)) for many in (1000, 8000))
    assert long.ratio > 4 * short.ratio
    assert long.first > short.first
    together = pace(APART, TRAFFIC)
    assert split(APART, TRAFFIC).token < together.tpot.middle


def test_busier_prefill_waits_longer_on_fewer_chips() -> None:
    calm, busy = split(APART, TRAFFIC, busy=0.3), split(APART, TRAFFIC, busy=0.9)
    assert busy.first > calm.first
    assert busy.ratio < calm.ratio
    assert busy.rate_per_chip > calm.rate_per_chip


def test_a_split_needs_a_placement_for_prompts() -> None:
    with pytest.raises(BadInput, match="is not set: give the placement"):
        split(replace(APART, prefill=None), TRAFFIC)
    with pytest.raises(BadInput, match="busy"):
        split(APART, TRAFFIC, busy=1.0)


def test_slow_requests_are_slower_the_busier_the_engine() -> None:
    calm, busy = (pace(APART, replace(TRAFFIC, concurrency=many)) for many in (1, 200))
    ratios = []
    for found in (calm, busy):
        one = slow(found, 0.99)
        assert one.ttft >= found.ttft.middle
        assert slow(found, 0.5).ttft <= one.ttft
        ratios.append(float(one.ttft) / float(np.asarray(found.ttft.middle)))
    assert ratios[1] > ratios[0]
    with pytest.raises(BadInput, match="level"):
        slow(calm, 1.0)
