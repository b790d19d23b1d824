"""A chart as SVG inside a page: one drawing whose colours follow the reader's light or dark mode, without script.

The chart is drawn once for each mode; the two differ in colours only, so that the colours of the light one become
variables of the style sheet. Two widths are drawn: a screen of 390 pixels gets a drawing made for it, not a small one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.report.chart_save import chart_svg
from isoflop.report.markup import html_escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.report.drawings import Draw

USUAL_WIDTH = 720
NARROW_WIDTH = 350

_COLOUR = re.compile(r"(#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b)")
_CLIP = re.compile(r"\bclip\d+\b")
_NAMED = re.compile(r'(\bid="|url\(#|href="#)')


def figure(draw: Draw, name: str, caption: str = "") -> str:
    """The chart as a `<figure>`; `name` begins its ids, so that several charts can share a page."""
    drawings = "".join(
        f'<div class="{kind}">{_both(draw, f"{name}-{kind}", width)}</div>'
        for kind, width in (("at-wide", USUAL_WIDTH), ("at-narrow", NARROW_WIDTH))
    )
    told = f"<figcaption>{html_escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="chart" id="{html_escape(name)}">{drawings}{told}</figure>'


def _both(draw: Draw, name: str, width: int) -> str:
    """One SVG for both modes."""
    light, dark = (_COLOUR.split(_numbered(chart_svg(draw(width, mode)))) for mode in ("light", "dark"))
    if len(light) != len(dark) or light[::2] != dark[::2]:  # a chart that says more in one mode than in the other
        return f'<div class="in-light">{"".join(light)}</div><div class="in-dark">{"".join(dark)}</div>'
    met = dict.fromkeys(zip(light[1::2], dark[1::2], strict=True))
    pairs = {pair: f"--{name}-{number}" for number, pair in enumerate(met)}
    parts = [f"var({pairs[part, dark[place]]})" if place % 2 else part for place, part in enumerate(light)]
    svg = _NAMED.sub(rf"\g<1>{name}-", "".join(parts)).replace("<svg ", f'<svg id="{name}-svg" ', 1)
    return f"<style>{_variables(name, pairs)}</style>{svg}"


def _numbered(svg: str) -> str:
    """The same with its clips numbered from 0: Vega counts on from drawing to drawing."""
    found: dict[str, str] = {}
    return _CLIP.sub(lambda met: found.setdefault(met.group(), f"clip{len(found)}"), svg)


def _variables(name: str, pairs: Mapping[tuple[str, str], str]) -> str:
    """The colours of each mode; paper is light."""
    light, dark = ("".join(f"{var}:{pair[place]};" for pair, var in pairs.items()) for place in (0, 1))
    return f"#{name}-svg{{{light}}}@media screen and (prefers-color-scheme: dark){{#{name}-svg{{{dark}}}}}"
