from __future__ import annotations

import numpy as np
import pytest

from isoflop.accuracy.published_energy import energies
from isoflop.accuracy.published_hours import all_hours, costs
from isoflop.accuracy.run_tables import rumour_table


def test_every_run_is_counted_or_left_out_with_a_reason() -> None:
    every = all_hours()
    counted = [one for one in every if one.use == "counted"]
    assert len(counted) >= 36
    assert all(one.chips and one.stated and one.point for one in counted)
    assert all(one.reason for one in every if one.use == "left out")
    assert all(one.stated and not one.chips for one in every if one.use == "chips unknown")


def test_chip_hours_are_nearer_than_any_constant_utilisation() -> None:
    counted = [one for one in all_hours() if one.use == "counted"]
    ours = np.median([abs((one.point or 0) / (one.stated or 1) - 1) for one in counted])
    for share in np.linspace(0.2, 0.6, 41).tolist():
        theirs = [abs((one.flops or 0) / ((one.peak or 1) * share) / (one.stated or 1) - 1) for one in counted]
        assert ours < np.median(theirs)


def test_the_interval_of_chip_hours_holds_what_it_says() -> None:
    rows = [one for one in all_hours() if one.use != "left out"]
    inside = []
    for one in rows:
        assert (one.low or 0) < (one.point or 0) < (one.high or 0)
        inside.append((one.low or 0) <= (one.stated or 0) <= (one.high or 0))
    assert 0.7 <= np.mean(inside) <= 0.9


@pytest.mark.parametrize("name", ["LLaMA-65B", "LLaMA-7B"])
def test_no_stated_hours_reach_a_prediction(name: str) -> None:
    """Hours enter a run's prediction nowhere, whether chips are stated or not: with others it would be the same."""
    from dataclasses import replace

    from isoflop.accuracy.published_hours import hours_of
    from isoflop.model import published

    run = next(one for one in published.table("history") if one.model == name)
    other = replace(run, model="another", use=replace(run.use, chip_time=1.0, time=2.0, mfu=0.9), cost=1.0)
    other = replace(other, preset=run.preset, organisation="nobody")
    assert hours_of(other).point == hours_of(run).point


def test_energy_from_stated_hours_is_near_what_owners_print() -> None:
    errors = [abs(one.from_hours / one.printed - 1) for one in energies() if one.from_hours]
    assert len(errors) >= 8
    assert np.median(errors) < 0.12


def test_energy_from_model_hardware_and_site_is_within_a_fifth() -> None:
    errors = [abs(one.predicted / one.printed - 1) for one in energies()]
    assert len(errors) >= 15
    assert np.median(errors) <= 0.2


def test_the_rumoured_figures_of_gpt4_close() -> None:
    text = rumour_table()
    for said in ("35.4%", "31.9%", "$1.17", "$1.05", "276B"):
        assert said in text


def test_costs_of_others_name_runs_with_hours() -> None:
    hours = {one.name for one in all_hours() if one.stated}
    assert {one.run for one in costs()} <= hours
