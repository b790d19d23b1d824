"""Intervals and sensitivities of a chain against closed forms."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pytest
from tests.audit.examples import napkin

from isoflop.audit import needed
from isoflop.errors import BadInput

Z = 1.6448536269514722
CHAIN = """
result = "cost"
[assume]
1 = { name = "work", value = "1e22 to 4e22 FLOP" }
2 = { name = "rate", value = "2e14 to 3e14 FLOP/s/chip" }
3 = { name = "price", value = "$2 to $3/chip/h" }
[imply]
4 = { name = "time", expr = "work / rate" }
5 = { name = "cost", expr = "time * price" }
"""
WIDTHS = {"work": log(4) / 2 / Z, "rate": log(1.5) / 2 / Z, "price": log(1.5) / 2 / Z}


def test_the_interval_is_that_of_a_log_normal() -> None:
    result = napkin(CHAIN).result
    assert result is not None
    middle, deviation = 2e22 / sqrt(6e28) * sqrt(6) / 3600, sqrt(sum(one**2 for one in WIDTHS.values()))
    assert result.value == pytest.approx(middle, rel=1e-9)
    assert result.low == pytest.approx(middle * exp(-Z * deviation), rel=0.03)
    assert result.high == pytest.approx(middle * exp(Z * deviation), rel=0.03)


def test_elasticities_and_shares_of_a_power_law() -> None:
    found = napkin(CHAIN).sensitivity
    assert found is not None
    total = sum(one**2 for one in WIDTHS.values())
    for driver in found.drivers:
        assert driver.elasticity == pytest.approx(-1.0 if driver.label == "rate" else 1.0, abs=1e-5)
        assert driver.share == pytest.approx(WIDTHS[driver.label] ** 2 / total, abs=0.02)
        assert driver.left == pytest.approx(1 - driver.share)
    assert found.drivers[0].label == "work"


def test_the_tornado_moves_one_input_at_a_time() -> None:
    found = napkin(CHAIN).sensitivity
    assert found is not None
    swings = {driver.label: (driver.low / found.value, driver.high / found.value) for driver in found.drivers}
    assert swings["work"] == (pytest.approx(0.5), pytest.approx(2.0))
    assert swings["rate"] == (pytest.approx(sqrt(1.5)), pytest.approx(1 / sqrt(1.5)))


def test_shares_of_a_sum_are_first_order_sobol() -> None:
    text = """
    [assume]
    1 = { name = "a", value = "0.1 to 1000 s" }
    2 = { name = "b", value = "5 to 20 s" }
    [imply]
    3 = { name = "c", expr = "a + b" }
    """
    found = napkin(text).sensitivity
    assert found is not None
    rng = np.random.default_rng(1)
    widths = {"a": (log(100) / 2, log(10000) / 2 / Z), "b": (log(100) / 2, log(4) / 2 / Z)}
    inner = {key: np.exp(mean + dev * rng.standard_normal((1000, 1))) for key, (mean, dev) in widths.items()}
    outer = {key: np.exp(mean + dev * rng.standard_normal((1, 1000))) for key, (mean, dev) in widths.items()}
    total = float(np.log(inner["a"] + outer["b"]).var())
    for driver in found.drivers:
        other = "b" if driver.label == "a" else "a"
        share = float(np.log(inner[driver.label] + outer[other]).mean(axis=1).var()) / total
        assert driver.share == pytest.approx(share, abs=0.04)


def test_how_well_an_input_must_be_known() -> None:
    report = napkin(CHAIN)
    assert report.result is not None
    within = 1.8
    answers = {one.label: one for one in needed(report.chain, report.result.step, within, report.draws)}
    others = sum(WIDTHS[key] ** 2 for key in ("rate", "price"))
    due = exp(Z * sqrt((log(within) / Z) ** 2 - others))
    assert answers["work"].factor == pytest.approx(due, rel=0.03)
    assert answers["rate"].factor is None
    assert answers["rate"].reached == pytest.approx(exp(Z * sqrt(WIDTHS["work"] ** 2 + WIDTHS["price"] ** 2)), rel=0.03)
    with pytest.raises(BadInput, match=r"above 1: 1\.1 is 10 %"):
        needed(report.chain, report.result.step, 0.9, report.draws)


def test_nothing_uncertain_gives_no_interval() -> None:
    report = napkin(CHAIN.replace("1e22 to 4e22", "2e22").replace("2e14 to 3e14", "2e14").replace("$2 to $3", "$2"))
    assert report.result is not None
    assert report.result.low == report.result.value == report.result.high
