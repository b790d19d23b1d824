"""Charts to files: SVG, PNG, self-contained HTML, Vega-Lite JSON. Nothing is fetched: vl-convert carries all of it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, MissingData
from isoflop.report.chart import library
from isoflop.report.chart_theme import theme
from isoflop.report.markup import html_escape

if TYPE_CHECKING:
    from types import ModuleType

    import altair as alt

FORMATS = ("svg", "png", "html", "json")
_PNG_SCALE = 2.0

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ margin: 0; background: #ffffff; }}
main {{ padding: 0.5rem; overflow-x: auto; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14181d; }} }}
</style>
</head>
<body>
<main id="chart" role="img" aria-label="{title}"></main>
<script type="application/json" id="spec">{spec}</script>
<script type="module">
{bundle}
</script>
</body>
</html>
"""

_SNIPPET = """
const {spec, light, dark} = JSON.parse(document.getElementById("spec").textContent);
const night = window.matchMedia("(prefers-color-scheme: dark)");
const draw = () => vegaEmbed(
  "#chart", {...spec, config: night.matches ? dark : light}, {actions: false, renderer: "svg"});
night.addEventListener("change", draw);
draw();
"""


def chart_spec(chart: alt.TopLevelMixin) -> dict[str, object]:
    """The chart as a Vega-Lite object, its configuration included."""
    spec: dict[str, object] = chart.to_dict()
    return spec


def chart_svg(chart: alt.TopLevelMixin) -> str:
    """The chart as SVG text."""
    drawn: str = _converter().vegalite_to_svg(chart_spec(chart), vl_version=_version())
    return drawn


def chart_png(chart: alt.TopLevelMixin) -> bytes:
    """The chart as PNG, two pixels for each of the chart's."""
    drawn: bytes = _converter().vegalite_to_png(chart_spec(chart), vl_version=_version(), scale=_PNG_SCALE)
    return drawn


def chart_json(chart: alt.TopLevelMixin) -> str:
    """The chart as Vega-Lite JSON."""
    return json.dumps(chart_spec(chart), allow_nan=False, ensure_ascii=False, indent=2) + "\n"


def chart_html(chart: alt.TopLevelMixin, title: str = "isoflop") -> str:
    """The chart as a page that loads nothing from outside and follows the reader's light or dark mode."""
    spec = {key: part for key, part in chart_spec(chart).items() if key != "config"}
    data = json.dumps({"spec": spec, "light": theme("light"), "dark": theme("dark")}, allow_nan=False)
    for char in "<>&":  # no text of a chart may close the script element
        data = data.replace(char, f"\\u{ord(char):04x}")
    return _PAGE.format(title=html_escape(title), spec=data, bundle=_bundle())


def save(chart: alt.TopLevelMixin, path: str | Path) -> Path:
    """Write the chart to `path`; its suffix chooses among svg, png, html and json."""
    path = Path(path)
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise BadInput(f"a chart cannot be written as '{path.name}'; end the name in .{', .'.join(FORMATS)}")
    texts = {"svg": chart_svg, "html": chart_html, "json": chart_json}
    content = chart_png(chart) if suffix == "png" else texts[suffix](chart).encode("utf-8")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BadFile(
            f"cannot write '{path}': {error.strerror}; choose a folder that exists and can be written"
        ) from None
    return path


def _converter() -> ModuleType:
    try:
        import vl_convert
    except ImportError:
        raise MissingData("drawing a chart needs the extra 'plot': pip install 'isoflop[plot]'") from None
    return vl_convert


@cache
def _version() -> str:
    """The Vega-Lite version that altair writes, as vl-convert names it ("6.1")."""
    major, minor, *_ = library().SCHEMA_VERSION.lstrip("v").split(".")
    return f"{major}.{minor}"


@cache
def _bundle() -> str:
    script: str = _converter().javascript_bundle(_SNIPPET, vl_version=_version())
    return script.replace("</script", "<\\/script")
