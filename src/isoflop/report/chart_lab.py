"""Pictures of a study of real runs: loss over compute of every run, and the valley of each budget with its noise."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import MissingData
from isoflop.report.chart import finished, library, log_axis, loss_axis, padded, titled
from isoflop.report.chart_theme import power_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.lab import Bracket
    from isoflop.lab.store import RunFolder
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_POINTS = 40
"""Points of a curve from its tenth step on, each the mean of the losses between it and the one before."""

_NARROW = 500
"""Below this width a legend stands under the picture, not beside it."""

_SEEN = (0.3, 0.88)  # of viridis, what stands out from dark paper and from white
_HEIGHT = 300
_GAP = 70


def curves_chart(folders: Sequence[RunFolder], *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Training loss over compute, a line a run, coloured by parameters.

    Raises: MissingData while there is no record of any run.
    """
    alt = library()
    rows = [row for one in folders for row in _curve(one)]
    if not rows:
        raise MissingData("no run has a record yet, so there is no curve to draw")
    inner, place = _inner(width)
    x = log_axis("flops", "training compute (FLOP)", padded([float(row["flops"]) for row in rows], 0.02), inner)  # type: ignore[arg-type]  # numbers
    y = loss_axis("loss", [float(row["loss"]) for row in rows])  # type: ignore[arg-type]  # numbers
    scale = alt.Scale(type="log", scheme=alt.SchemeParams(name="viridis", extent=_SEEN))
    legend = alt.Legend(title="parameters", format="~s", tickCount=3, **place)
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(clip=True, strokeWidth=1.2)
        .encode(x=x, y=y, detail="run:N", color=alt.Color("params:Q", scale=scale, legend=legend))
    )
    said = f"{len({row['run'] for row in rows})} runs; each point is the mean of the losses since the one before"
    return finished(lines.properties(width=inner, height=_HEIGHT, title=titled("Training loss", said, inner)), mode)


def _inner(width: int) -> tuple[int, dict[str, str | int]]:
    """Width of the picture without axes and legend, and where the legend stands."""
    if width < _NARROW:
        return max(200, width - _GAP), {"orient": "bottom", "columns": 1, "gradientLength": 160}
    return max(200, width - _GAP - 110), {}


def _curve(folder: RunFolder) -> list[Datum]:
    """A run's losses as means over stretches that are even in the logarithm of steps; its first steps are left out.

    A branch, which has only the end of its steps, gets as many points of them as a whole run there.
    """
    held = sorted((step, loss) for step, loss in folder.losses().items() if loss is not None)
    if len(held) < 20:
        return []
    steps = np.array([step + 1 for step, _ in held])
    losses = np.array([loss for _, loss in held])
    first = max(10, steps[0])
    share = np.log(steps[-1] / first) / np.log(max(folder.spec.steps, 20) / 10)
    edges = np.unique(np.geomspace(first, steps[-1], max(2, round(_POINTS * share) + 1)).round().astype(int))
    each = folder.spec.flops / folder.spec.steps
    rows: list[Datum] = []
    for low, high in itertools.pairwise(edges):
        inside = losses[(steps > low) & (steps <= high)]
        if len(inside):
            found: Datum = {
                "flops": float(high * each),
                "loss": float(inside.mean()),
                "run": folder.spec.hash,
                "params": float(folder.spec.params),
            }
            rows.append(found)
    return rows


def valleys_chart(brackets: Sequence[Bracket], *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Loss over parameters at each budget: means over seeds with twice their standard error.

    Raises: MissingData while no budget is through.
    """
    alt = library()
    rows = [row for one in brackets for row in _valley(one)]
    if not rows:
        raise MissingData("no budget has all its runs yet, so there is no valley to draw")
    inner, place = _inner(width)
    x = log_axis("params", "parameters", padded([float(row["params"]) for row in rows], 0.04), inner)  # type: ignore[arg-type]  # numbers
    y = loss_axis("loss", [float(row[name]) for row in rows for name in ("low", "high")])  # type: ignore[arg-type]  # numbers
    names = [_name(one) for one in brackets]
    scale = alt.Scale(scheme=alt.SchemeParams(name="viridis", extent=_SEEN), domain=names)
    color = alt.Color("budget:N", sort=names, scale=scale, legend=alt.Legend(title="budget", **place))
    base = alt.Chart(alt.Data(values=rows))
    parts = (
        base.mark_line(strokeWidth=1.2).encode(x=x, y=y, color=color),
        base.mark_point(filled=True, size=30).encode(x=x, y=y, color=color),
        base.mark_rule().encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color),
    )
    shut = sum(one.enclosed for one in brackets)
    said = f"{shut} of {len(brackets)} budgets have their best size enclosed; bars: two standard errors of the mean"
    layered = alt.layer(*parts).properties(width=inner, height=_HEIGHT, title=titled("Valleys", said, inner))
    return finished(layered, mode)


def _name(one: Bracket) -> str:
    return f"{power_text(one.budget)} FLOP" + ("" if one.enclosed else ", open")


def _valley(one: Bracket) -> list[Datum]:
    error = 2 * one.noise / max(one.seeds, 1) ** 0.5
    return [
        {
            "params": float(size),
            "loss": float(loss),
            "low": float(loss - error),
            "high": float(loss + error),
            "budget": _name(one),
        }
        for size, loss in zip(one.params, one.losses, strict=True)
        if np.isfinite(loss)
    ]
