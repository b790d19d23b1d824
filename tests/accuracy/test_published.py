from __future__ import annotations

import numpy as np

from isoflop.accuracy.published_energy import energies
from isoflop.accuracy.published_hours import all_hours, costs, practice, predicted
from isoflop.accuracy.run_tables import rumour_table


def test_every_run_is_counted_left_out_with_a_reason_or_decides_the_factor() -> None:
    every = all_hours()
    counted = [one for one in every if one.use == "counted"]
    assert len(counted) >= 30
    assert all(one.chips and one.stated and one.bare for one in counted)
    assert all(one.reason for one in every if one.use == "left out")
    deciding = {one.name for one in every if one.use == "practice"}
    assert practice().rows == len(deciding)
    assert not deciding & {one.name for one in counted}


def test_the_interval_of_chip_hours_holds_what_it_says() -> None:
    counted = [one for one in all_hours() if one.use == "counted"]
    inside = []
    for one in counted:
        middle, low, high = predicted(one)
        assert low < middle < high
        inside.append(low <= (one.stated or 0) <= high)
    assert 0.7 <= np.mean(inside) <= 0.9


def test_no_counted_hours_reach_a_prediction() -> None:
    """Hours enter a counted run's prediction nowhere: with others it would be the same."""
    from dataclasses import replace

    from isoflop.accuracy.published_hours import hours_of
    from isoflop.model import published

    run = next(one for one in published.table("history") if one.model == "LLaMA-65B")
    other = replace(run, use=replace(run.use, chip_time=1.0, time=2.0, mfu=0.9), cost=1.0)
    assert hours_of(other).bare == hours_of(run).bare


def test_energy_from_stated_hours_is_near_what_owners_print() -> None:
    errors = [abs(one.from_hours / one.printed - 1) for one in energies()]
    assert len(errors) >= 8
    assert np.median(errors) < 0.12


def test_the_rumoured_figures_of_gpt4_close() -> None:
    text = rumour_table()
    for said in ("36.0%", "32.4%", "$1.17", "$1.05"):
        assert said in text


def test_costs_of_others_name_runs_with_hours() -> None:
    hours = {one.name for one in all_hours() if one.stated}
    assert {one.run for one in costs()} <= hours
