from __future__ import annotations

from pathlib import Path

from isoflop import laws
from isoflop.accuracy.law_tables import split_table

DOTS = Path(__file__).resolve().parents[1] / "laws" / "runs" / "chinchilla_dots.csv"


def test_budgets_of_a_study_are_split_by_a_law_of_smaller_ones() -> None:
    lines = split_table([DOTS]).splitlines()
    study, budgets, by_law, _, by_rule, _ = (cell.strip() for cell in lines[-1].strip("|").split("|"))
    assert study == "chinchilla_dots"
    assert int(budgets) >= 6
    shares = [float(cell.removesuffix(" %")) for cell in (by_law, by_rule)]
    assert all(0 <= share < 2 for share in shares)
    assert len(laws.read_runs(DOTS).loss) > 200
