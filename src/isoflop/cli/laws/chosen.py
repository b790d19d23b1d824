"""What `isoflop laws fit --law auto` prints: forms with their weights, what was shed, where the blend points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.cli.output import print_table
from isoflop.cli.side_by_side import echo_wrapped

if TYPE_CHECKING:
    from isoflop.laws import Fit
    from isoflop.quantity import FloatArray
    from isoflop.report import Cell

HEAD = ("form", "rolling error", "weight")
_FURTHER = (1.0, 10.0, 100.0)  # times the dearest run


def forms(fit: Fit) -> list[tuple[Cell, ...]]:
    """What was weighed, heaviest first."""
    return [
        (one.form, None if one.error is None else f"{one.error:.2%}", f"{one.weight:.0%}" if one.weight else None)
        for one in fit.tried
    ]


def print_choice(fit: Fit, level: float) -> None:
    """What the table of forms means, the reasons, and predictions at and beyond the dearest run."""
    from isoflop.laws.choose.candidate import DEAR, LOW_LOSS

    if any(one.error is not None for one in fit.tried):
        echo_wrapped(
            "\nRolling error: fits to the cheaper 40, 55, 70 and 85 % of the runs, held against the rest; later cuts"
            " count more."
        )
    shed = [one.form for one in fit.tried if one.weight]
    if any(", low losses" in one for one in shed):
        echo_wrapped(
            f"low losses: fitted to the {LOW_LOSS:.0%} of the runs with the lowest loss, which predicted well too."
        )
    if any(", dear runs" in one for one in shed):
        echo_wrapped(f"dear runs: fitted to the {DEAR:.0%} that took the most compute, which predicted well too.")
    for note in fit.notes:
        echo_wrapped(f"Mind: {note}.")
    rows = _ahead(fit, level)
    if rows:
        echo_wrapped("")
        print_table(("flops", "best params", "tokens", "loss", f"low ({level:.0%})", "high"), rows, "text")


def _ahead(fit: Fit, level: float) -> list[tuple[Cell, ...]]:
    """The best split of one, ten and a hundred times the dearest run, where the blend follows params and tokens."""
    from isoflop.laws.surface import Surface
    from isoflop.quantity import quantity, write

    if not {"params", "tokens"} <= set(fit.shape.inputs) <= {"params", "tokens", "flops"}:
        return []
    flops = fit.origin.ranges["flops"][1] * np.array(_FURTHER)
    split = Surface(shape=fit.shape, at=fit.at).allocate(flops)
    columns: dict[str, FloatArray] = {
        "params": np.asarray(split.params), "tokens": np.asarray(split.tokens), "flops": flops
    }  # fmt: skip
    said = fit.predict_interval(columns, level)
    return [
        (
            f"{flops[k]:.3g}",
            write(float(columns["params"][k]), quantity("params")),
            write(float(columns["tokens"][k]), quantity("tokens")),
            *(f"{one[k]:.4f}" for one in said),
        )
        for k in range(len(flops))
    ]
