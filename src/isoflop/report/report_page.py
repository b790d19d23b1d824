"""A report of an answer as one self-contained HTML page: question, answer, charts, derivation, Methods, sources.

Nothing is loaded from outside and there is no script; light and dark follow the reader's setting, and paper is light.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.citations import references
from isoflop.report.html import page, source_html
from isoflop.report.markup import html_escape
from isoflop.report.methods import methods_sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.report.drawings import Draw, Drawn, Story

_WIDE = re.compile(r'<div class="((?:isoflop )?wide)">')


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How an answer came about: the command that gives it again ("" where it was not asked by one), version, day."""

    command: str = ""
    version: str = ""
    date: str = ""


def document(drawn: Drawn, origin: Origin | None = None) -> str:
    """The page. Where charts cannot be drawn, for want of the extra `plot` or of data, it says so in their place."""
    story = drawn.story()
    parts = [
        _question(story),
        _part("Answer", story.answer),
        _part("Charts", _charts(drawn.charts)),
        _part("Derivation", story.derivation),
        _part("Assumptions", _listing(story.assumptions)),
        _part("Methods", _methods(story)),
        _part("Sources", _sources(story)),
        _part("Reproduce", _reproduce(origin)),
    ]
    return page(story.title, *filter(None, parts))


def _part(heading: str, body: str) -> str:
    """A part under its heading: no level of headings is left out, and what scrolls sideways takes the keyboard."""
    if not body:
        return ""
    if "<h3" not in body:
        body = body.replace("<h4", "<h3").replace("</h4>", "</h3>")
    places = 0

    def reachable(found: re.Match[str]) -> str:
        nonlocal places
        places += 1
        return f'<div class="{found[1]}" tabindex="0" role="region" aria-label="{heading}, table {places}">'

    body = _WIDE.sub(reachable, body)
    return f'<section id="{heading.lower()}" class="part"><h2>{heading}</h2>{body}</section>'


def _question(story: Story) -> str:
    if not story.question:
        return ""
    terms = "".join(f"<dt>{html_escape(name)}</dt><dd>{html_escape(words)}</dd>" for name, words in story.question)
    return _part("Question", f"<dl>{terms}</dl>")


def _charts(charts: Mapping[str, Draw]) -> str:
    from isoflop.report.chart_inline import figure

    drawings, without = [], []
    for kind, draw in charts.items():
        try:
            drawings.append(figure(draw, f"chart-{kind}"))
        except MissingData as missing:
            without.append(f"No chart '{kind}': {missing}")
    return "".join(drawings) + _listing(dict.fromkeys(without))


def _listing(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{html_escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _methods(story: Story) -> str:
    if story.methods is None:
        return ""
    return f"<p>{html_escape(' '.join(methods_sentences(story.methods)))}</p>"


def _sources(story: Story) -> str:
    cited = (*story.sources, *(story.methods.cited if story.methods is not None else ()))
    works = references(cited)
    known = {work.key for work in works}
    items = [
        f'<li id="source-{html_escape(work.key)}">{html_escape(work.key)}: {html_escape(work.text)}, '
        f'<a href="{html_escape(work.url)}" rel="noreferrer">{html_escape(work.url)}</a></li>'
        for work in works
    ]
    others = (one for one in dict.fromkeys(cited) if one.partition(" ")[0] not in known | {"definition"})
    items += [f"<li>{source_html(one)}</li>" for one in others]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _reproduce(origin: Origin | None) -> str:
    if origin is None:
        return ""
    asked = f"<pre><code>{html_escape(origin.command)}</code></pre>" if origin.command else ""
    made = ", ".join(filter(None, (f"isoflop {origin.version}" if origin.version else "", origin.date)))
    return f"{asked}<p>{html_escape(made)}</p>" if asked or made else ""
