"""Charts as the page needs them: Vega-Lite for the browser, SVG by the server where there is no JavaScript."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from isoflop.errors import MissingData, UnknownName
from isoflop.report import chart_svg, theme

if TYPE_CHECKING:
    from isoflop.report.chart_theme import Mode
    from isoflop.web.fields import Shown

WIDEST, NARROWEST, USUAL = 1100, 260, 720

_DRAW = """
window.isoflopDraw = async (place, {spec, light, dark}, night) => {
  const before = place.drawn;
  place.drawn = await vegaEmbed(place, {...spec, config: night ? dark : light}, {
    actions: false, renderer: "svg", ast: true, defaultStyle: false,
    tooltip: {disableDefaultStyle: true, theme: "isoflop"},
  });
  before?.finalize();
};
window.dispatchEvent(new Event("isoflop-draws"));
"""


def width_of(text: str) -> int:
    """The width that a page asks for, within what can be read."""
    return min(max(int(text), NARROWEST), WIDEST) if text.isascii() and text.isdigit() and len(text) < 6 else USUAL


def spec_json(shown: Shown, kind: str, width: int) -> str:
    """A chart for the browser: the Vega-Lite object, and the configuration of light and dark pages beside it."""
    # Whether a chart follows the schema of Vega-Lite is tested with the chart; checking takes half the time.
    made = _drawn(shown, kind)("light", width).to_dict(validate=False)
    spec = {key: part for key, part in made.items() if key != "config"}
    return json.dumps({"spec": spec, "light": theme("light"), "dark": theme("dark")}, allow_nan=False)


def svg(shown: Shown, kind: str, mode: Mode, width: int = USUAL) -> str:
    """The same chart as SVG. Raises: MissingData where there is nothing to draw."""
    return chart_svg(_drawn(shown, kind)(mode, width))


def _drawn(shown: Shown, kind: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - altair has no types of its own
    if kind not in shown.charts:
        if not shown.charts:
            raise MissingData("this answer has no chart")
        raise UnknownName("chart", kind, shown.charts, hint=f"There are: {', '.join(shown.charts)}.")
    return shown.charts[kind]


@cache
def script() -> bytes:
    """Vega, Vega-Lite and its interpreter in one module, as vl-convert carries them; nothing is fetched."""
    try:
        import vl_convert
    except ImportError:
        raise MissingData("drawing a chart needs the extra 'plot': pip install 'isoflop[plot]'") from None
    made: str = vl_convert.javascript_bundle(_DRAW)
    return made.encode()
