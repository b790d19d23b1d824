"""How charts look: one light and one dark configuration, and the ticks of logarithmic axes.

Charts name roles ("limit", "plan", "halo", ...), never colours; the configuration says what a role looks like. So one
chart serves both modes, and a page can change the mode by changing the configuration alone.
"""

from __future__ import annotations

from math import ceil, floor, log10
from typing import Literal

Mode = Literal["light", "dark"]
Config = dict[str, object]

FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"

# Okabe and Ito's colours, which most kinds of colour-blindness tell apart; on white some are darkened to reach 3:1.
_LINES_LIGHT = ("#0072B2", "#C24E00", "#007D5A", "#A8517F", "#946600", "#1F78B4", "#5F6770", "#6A3D9A")
_LINES_DARK = ("#56B4E9", "#F0955A", "#2EC49A", "#E09BC0", "#E6B93C", "#9CCBF2", "#B4BCC5", "#C3A5E8")
# Fills carry dark figures in both modes: each has at least 4.5:1 against BAR_INK.
BAR_FILLS = (
    "#56B4E9",
    "#E69F00",
    "#2FB58D",
    "#D58BB4",
    "#F0E442",
    "#E9814A",
    "#A9B4C0",
    "#A9D18E",
    "#C9B2E6",
    "#D9C4A0",
)
BAR_INK = "#111418"

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"

POWER_LABELS = (
    f"(abs(datum.value / pow(10, {{e}}) - 1) < 1e-6 ? '' : format(datum.value / pow(10, {{e}}), '.3~g') + '×') + '10'"
    f" + ({{e}} < 0 ? '⁻' : '') + (abs({{e}}) >= 10 ? substring('{_SUPERSCRIPTS}', floor(abs({{e}}) / 10),"
    f" floor(abs({{e}}) / 10) + 1) : '') + substring('{_SUPERSCRIPTS}', abs({{e}}) % 10, abs({{e}}) % 10 + 1)"
).replace("{e}", "floor(log(datum.value) / LN10 + 1e-9)")
"""Vega expression that writes a tick as 10²¹ or 5×10²¹, in functions that Vega's interpreter has."""

DOLLARS = (
    "'$' + (datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + 'M' :"
    " datum.value >= 1e3 ? format(datum.value / 1e3, '~r') + 'k' : format(datum.value, '~r'))"
)
"""Vega expression that writes dollars as people do."""


def power_text(value: float) -> str:
    """A number above 0 as people write large ones.

    >>> power_text(5.31e18), power_text(1e21), power_text(0.002)
    ('5.3×10¹⁸', '10²¹', '2×10⁻³')
    """
    lead, _, power = f"{value:.1e}".partition("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻" + _SUPERSCRIPTS))
    short = lead.removesuffix(".0")
    return f"10{raised}" if short == "1" else f"{short}×10{raised}"


def power_ticks(low: float, high: float, *, most: int = 8) -> list[float]:
    """Ticks for a logarithmic axis over `low` to `high`, at most `most`: powers of ten; 1, 2, 5 within few decades.

    >>> power_ticks(2e18, 5e23, most=4)
    [1e+19, 1e+21, 1e+23]
    >>> power_ticks(4e20, 6e21)
    [5e+20, 1e+21, 2e+21, 5e+21]
    """
    first, last = ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9)
    powers = range(first, last + 1)
    if len(powers) >= 3:
        stride = ceil(len(powers) / most)
        return [float(f"1e{power}") for power in powers[::stride]]
    dense = ((1, 1.5, 2, 3, 5, 7),) if high < 10 * low else ()
    for leads in (*dense, (1, 2, 5), (1, 3), (1,)):
        between = [float(f"{lead}e{power}") for power in range(first - 1, last + 1) for lead in leads]
        shown = [tick for tick in between if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(shown) <= most:
            break
    return shown or [low, high]


def theme(mode: Mode = "light") -> Config:
    """The Vega-Lite configuration of a mode: fonts, colours, axes, and the roles that charts name."""
    dark = mode == "dark"
    ink, faint, grid = ("#E6E9ED", "#A3ACB6", "#2C333B") if dark else ("#1B1F24", "#57606A", "#E4E8EC")
    paper = "#14181D" if dark else "#FFFFFF"
    lines = _LINES_DARK if dark else _LINES_LIGHT
    text = {"labelFont": FONT, "titleFont": FONT, "labelColor": faint, "titleColor": ink, "labelFontSize": 12}
    return {
        "background": paper,
        "font": FONT,
        "padding": 12,
        "range": {"category": list(lines), "ordinal": list(BAR_FILLS)},
        "view": {"stroke": None},
        "title": {
            "color": ink,
            "subtitleColor": faint,
            "fontSize": 15,
            "subtitleFontSize": 12,
            "anchor": "start",
            "frame": "group",
        }
        | {"font": FONT, "subtitleFont": FONT, "fontWeight": 600, "offset": 12},
        "axis": text
        | {"titleFontSize": 12, "titleFontWeight": 500, "titlePadding": 10, "gridColor": grid, "domainColor": faint}
        | {"tickColor": faint, "labelPadding": 6, "labelFlush": False},
        "legend": text | {"title": None, "symbolStrokeWidth": 2.5, "labelLimit": 0, "columnPadding": 18},
        "mark": {"color": lines[0]},
        "line": {"strokeWidth": 2.2},
        "area": {"opacity": 0.16},
        "text": {"font": FONT, "fontSize": 12, "color": ink},
        "style": _roles(ink, faint, paper, dark=dark),
    }


def _roles(ink: str, faint: str, paper: str, *, dark: bool) -> Config:
    """What each role that charts name looks like."""
    limit, plan = ("#FF8A80", "#FFFFFF") if dark else ("#B3261E", "#1B1F24")
    return {
        "plan": {"color": plan, "stroke": paper, "strokeWidth": 1.5, "size": 110, "opacity": 1},
        "plan-interval": {"color": plan, "strokeWidth": 2.5},
        "halo": {"color": paper, "stroke": paper, "strokeWidth": 4, "strokeJoin": "round", "fontWeight": 600},
        "label": {"color": ink, "fontWeight": 600},
        "valley": {"color": faint, "opacity": 0.2},
        "limit": {"color": limit, "strokeWidth": 2.5},
        "limit-label": {"color": limit, "fontWeight": 600},
        "free": {"color": faint, "filled": False, "strokeDash": [4, 3], "strokeWidth": 1.2},
        "bar-label": {"color": BAR_INK, "fontSize": 12},
    }
