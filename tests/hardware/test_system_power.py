"""Whole machines over the TDP of their chips, as owners measured them."""

from __future__ import annotations

import pytest

import isoflop
from isoflop import hardware
from isoflop.hardware.system_power import MEASURED, system_power
from isoflop.model import published
from isoflop.training import Terms
from isoflop.training.footprint import machine_power, ratio_of


@pytest.mark.parametrize("name", list(MEASURED))
def test_the_ratio_is_that_of_the_published_rows(name: str) -> None:
    tdp = hardware.device(name).power().value
    powers = [
        run.footprint.chip_power / tdp
        for run in published.table("energy")
        if run.use.device.startswith(name.removesuffix("-16gb")) and run.footprint.chip_power
    ]
    assert powers
    held = MEASURED[name]
    assert held.low <= min(powers) + 0.01
    assert max(powers) - 0.01 <= held.high
    assert held.low <= held.ratio <= held.high
    assert min(powers) - 0.01 <= held.ratio <= max(powers) + 0.01


def test_a_plan_and_an_account_take_it_and_a_given_one_beats_it() -> None:
    device = hardware.device("tpu-v4")
    assert ratio_of(device, Terms())[0] == 1.97
    assert machine_power(device, Terms(), 1.0) == pytest.approx(378.2, rel=0.01)
    assert ratio_of(device, Terms(power_ratio=1.2)) == (1.2, "as given")
    assert ratio_of(hardware.device("h100-sxm"), Terms())[0] == 1.1
    usual = isoflop.plan(budget="$4k", on="tpu-v4", mfu=0.4, samples=200)
    given = isoflop.plan(budget="$4k", on="tpu-v4", mfu=0.4, power_ratio=1.1, samples=200)
    assert usual.value("train_energy") / given.value("train_energy") == pytest.approx(1.97 / 1.1)
    assert system_power(hardware.device("h100-sxm")) is None
