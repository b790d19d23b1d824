"""Names turned into facts: what is kept of them is kept by what they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import isoflop

if TYPE_CHECKING:
    from pathlib import Path

LAW = """
form = "chinchilla"
coefficients = {{ ln_E = {floor}, A = 400, B = 410.7, alpha = 0.34, beta = 0.28 }}
source = "our own runs"
"""


def test_a_law_that_was_fitted_again_is_another_law(tmp_path: Path) -> None:
    path = tmp_path / "law.toml"
    losses = []
    for floor in (0.5, 0.25):
        path.write_text(LAW.format(floor=floor), encoding="utf-8")
        losses.append(isoflop.solve("loss", params="1B", tokens="20B", law=str(path)).value)
    assert losses[0] > losses[1] + 0.3
