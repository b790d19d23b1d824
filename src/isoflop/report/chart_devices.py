"""Chips by what they multiply and what they read: dense peak against memory bandwidth, by maker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.chart import MARGIN, finished, legend, library, padded, titled
from isoflop.report.chart_theme import power_ticks
from isoflop.report.words import finite, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    import altair as alt

    from isoflop.hardware import Device
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_HEIGHT = 360
_INTENSITIES = (50.0, 150.0, 450.0)
"""FLOP a byte along the lines: above one, a chip waits for memory sooner."""

_MOST_MAKERS = 4


def roof_chart(
    devices: Iterable[Device], dtype: str = "bf16", *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """Every device with a dense peak in `dtype` and a bandwidth; named where no other has more of both.

    Raises: MissingData where there is none.
    """
    alt = library()
    rows = [row for one in devices if (row := _row(one, dtype)) is not None]
    if not rows:
        raise MissingData(f"no device here has both a dense peak in {dtype} and a bandwidth")
    _grouped(rows)
    makers = sorted({str(row["maker"]) for row in rows}, key=lambda name: (name == "others", name))
    inner = max(200, width - MARGIN)
    ends = [padded([float(str(row[key])) for row in rows], 0.05) for key in ("bandwidth", "peak")]
    x = alt.X("bandwidth:Q", scale=alt.Scale(type="log", domain=list(ends[0]), nice=False),
              axis=alt.Axis(title="memory bandwidth (TB/s)", values=power_ticks(*ends[0]), format="~g"))  # fmt: skip
    title_y = f"dense peak in {dtype} (TFLOP/s)"
    y = alt.Y("peak:Q", scale=alt.Scale(type="log", domain=list(ends[1]), nice=False),
              axis=alt.Axis(title=title_y, values=power_ticks(*ends[1]), format="~g"))  # fmt: skip
    tint = alt.Color("maker:N", sort=makers, scale=alt.Scale(domain=makers, range="category"),
                     legend=legend(makers, inner, "circle"))  # fmt: skip
    tip = [alt.Tooltip(f"{name}:N") for name in ("device", "year", "reads", "multiplies", "memory")]
    base, named = alt.Chart(alt.Data(values=rows)), alt.Chart(alt.Data(values=_unbeaten(rows)))
    text = named.encode(x=x, y=y, text="device:N")
    layers = [
        *_lines(ends[0], ends[1], (x, y)),
        base.mark_point(filled=True, size=60, opacity=0.75).encode(x=x, y=y, color=tint, tooltip=tip),
        text.mark_text(style="halo", align="right", dx=-8, dy=-6),
        text.mark_text(style="label", align="right", dx=-8, dy=-6),
    ]
    title = titled(
        "What chips multiply, and what they read", "named: no other has more of both; lines: FLOP a byte", inner
    )
    return finished(alt.layer(*layers).properties(width=inner, height=_HEIGHT, title=title), mode)


def _row(one: Device, dtype: str) -> Datum | None:
    peak, bandwidth = one.peak_rates.get(dtype), one.memory.bandwidth
    memory = one.memory.usable or one.memory.physical or one.memory.labelled
    if peak is None or bandwidth is None or not peak.value or not bandwidth.value:
        return None
    return {
        "device": one.name,
        "maker": one.vendor,
        "year": str(one.year),
        "bandwidth": finite(bandwidth.value, one.name) / 1e12,
        "peak": finite(peak.value, one.name) / 1e12,
        "reads": say(bandwidth.value, "memory_bandwidth"),
        "multiplies": say(peak.value, "peak_rate"),
        "memory": "" if memory is None else say(memory.value, "memory"),
    }


def _grouped(rows: list[Datum]) -> None:
    """Makers of the fewest devices are drawn as one: more colours than these cannot be told apart."""
    count: dict[str, int] = {}
    for row in rows:
        count[str(row["maker"])] = count.get(str(row["maker"]), 0) + 1
    kept = sorted(count, key=lambda name: -count[name])[:_MOST_MAKERS]
    for row in rows:
        row["maker"] = row["maker"] if row["maker"] in kept else "others"


def _unbeaten(rows: list[Datum]) -> list[Datum]:
    """The rows that no other beats in both, from the one that reads most on."""
    found: list[Datum] = []
    for row in sorted(rows, key=lambda row: (-float(str(row["bandwidth"])), -float(str(row["peak"])))):
        if not found or float(str(row["peak"])) > float(str(found[-1]["peak"])):
            found.append(row)
    return found


def _lines(across: tuple[float, float], up: tuple[float, float], axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    """Straight lines of as many FLOP a byte, with their number where they leave the picture."""
    alt = library()
    x, y = axes
    lines: list[Datum] = []
    ends: list[Datum] = []
    for one in _INTENSITIES:
        low, high = max(across[0], up[0] / one), min(across[1], up[1] / one)
        if low < high:
            lines += [{"at": f"{one:g}", "bandwidth": end, "peak": end * one} for end in (low, high)]
            ends.append({"at": f"{one:g}", "bandwidth": low * 1.06, "peak": low * 1.06 * one})
    base, last = alt.Chart(alt.Data(values=lines)), alt.Chart(alt.Data(values=ends))
    return [
        base.mark_line(strokeDash=[2, 4], strokeWidth=1, opacity=0.5).encode(x=x, y=y, detail="at:N"),
        last.mark_text(align="left", dy=-7, opacity=0.8).encode(x=x, y=y, text="at:N"),
    ]
