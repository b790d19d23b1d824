"""Published claims come out of the formulas as they should."""

from __future__ import annotations

import pytest
from tests.book.cases import BY_NAME, Case, cases, run


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_claim(case: Case) -> None:
    found = run(case)
    for key, expected in case.expected.items():
        assert found[key] == pytest.approx(expected, rel=case.tolerance), key


def test_every_case_has_a_source_and_checks_something() -> None:
    assert all(case.source and case.expected for case in cases())


def test_sparse_peaks_are_what_makes_two_a100_of_eight_v100() -> None:
    eight_v100 = BY_NAME["fleet_peak_rate"](8, 125e12)
    assert BY_NAME["fleet_peak_rate"](2, 312e12) < eight_v100 < BY_NAME["fleet_peak_rate"](2, 624e12)


def test_the_slips_of_the_blog_partly_cancel() -> None:
    """x1/100 (decimal), x32 (chips), x1/3 (6 N for 2 N), x0.4 (utilisation): 26.5T becomes 1.14T."""
    peak, month, tokens, cost = 275e12, 730.5 * 3600, 4e12, 100e6
    price = 33849 / 32 / month
    mended = BY_NAME["flops_per_usd"](0.4, peak, price) * cost / tokens / 6
    assert mended == pytest.approx(2.655e13 / 100 * 32 / 3 * 0.4, rel=0.01)
    assert mended == pytest.approx(1.14e12, rel=0.01)
