"""What all charts share: the altair module, titles, legends, axes. The extra `plot` brings what they need.

A chart is made once and serves page, notebook, report and file. Data go in as plain floats: Vega refuses an integer
above 2^64, and 1e20 FLOP is one. Nothing here imports altair before a chart is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadInput, MissingData
from isoflop.report.chart_theme import POWER_LABELS, power_ticks, theme
from isoflop.report.layout import clean, wrap
from isoflop.report.words import finite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import altair as alt

    from isoflop.report.chart_theme import Mode

NARROW = 480  # pixels; below this, panels stand one under the other
MARGIN = 90  # pixels that axis and padding of a panel take
CHARACTER = 7.2  # pixels, a little more than a character of 12 px takes on average
TITLE_CHARACTER = 9.2  # the same for titles: 15 px, bold

Datum = dict[str, str | float | list[str]]
"""One row of a chart's data."""


def library() -> ModuleType:
    """The altair module; MissingData where the extra is not installed."""
    try:
        import altair as alt
    except ImportError:
        raise MissingData("charts need the extra 'plot': pip install 'isoflop[plot]'; text and JSON do not") from None
    module: ModuleType = alt
    return module


def finished(chart: alt.TopLevelMixin, mode: Mode) -> alt.TopLevelMixin:
    """The chart with the configuration of a mode."""
    chart.config = library().Config.from_dict(theme(mode))
    return chart


def floats(values: Sequence[float], what: str) -> list[float]:
    """Values as plain finite floats; `what` names them in the message where one is not."""
    return [finite(float(value), what) for value in values]


def padded(values: Sequence[float], share: float) -> tuple[float, float]:
    """Least and largest of positive values, moved apart by a share of their distance in logs."""
    low, high = min(values), max(values)
    if low <= 0:
        raise BadInput(f"a logarithmic axis starts above 0, and {low:g} was given; leave such points out")
    grow = (high / low) ** share if high > low else 2.0
    return low / grow, high * grow


def log_axis(field: str, title: str, domain: tuple[float, float], width: int) -> alt.X:
    """A logarithmic x axis with ticks written as powers of ten, as many as `width` pixels hold."""
    alt = library()
    ticks = power_ticks(*domain, most=max(2, width // 60))
    return alt.X(
        f"{field}:Q",
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
        axis=alt.Axis(values=ticks, labelExpr=POWER_LABELS, title=title, grid=True),
    )


def loss_axis(field: str, values: Sequence[float], *, below: float = 0.06) -> alt.Y:
    """A linear axis of losses with a little room above, and the share `below` of room below."""
    alt = library()
    low, high = min(values), max(values)
    span = high - low or 0.1 * abs(high) or 1.0
    scale = alt.Scale(domain=[low - below * span, high + 0.06 * span], zero=False, nice=False)
    return alt.Y(f"{field}:Q", scale=scale, axis=alt.Axis(title="loss (nats/token)", tickCount=6, format="~g"))


def titled(title: str, subtitle: str, width: int) -> alt.TitleParams:
    """A title and subtitle in as many lines as the width asks for."""
    return library().Title(
        wrap(clean(title), int(width // TITLE_CHARACTER)), subtitle=wrap(clean(subtitle), int(width // CHARACTER))
    )


def legend(names: Sequence[str], width: int, symbol: str) -> alt.Legend:
    """A legend below the chart, in as many columns as the longest name leaves."""
    columns = max(1, int(width // (CHARACTER * max(map(len, names), default=1) + 45)))
    return library().Legend(orient="bottom", direction="vertical", columns=columns, title=None, symbolType=symbol)
