"""An Answer and a Ledger as HTML: fragments without style, styled fragments for notebooks, whole pages for files.

Nothing is loaded from outside and there is no script. Light and dark follow the reader's setting.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from isoflop.report.citations import link, references
from isoflop.report.markup import html_escape
from isoflop.report.outline import (
    check_words,
    groups,
    groups_of,
    headline,
    interval_words,
    movers,
    stands_on,
)
from isoflop.report.table import table_html
from isoflop.report.terms import LEDGER_COLUMNS, ledger_rows, limit_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.relation.answer import Answer, Ledger, Step
    from isoflop.report.outline import Group, Line


def answer_html(
    answer: Answer,
    explain: bool = True,  # noqa: FBT001, FBT002 - the one choice there is
    *,
    anchor: str = "",
) -> str:
    """The answer as a fragment; the derivation folds out, and stands open where `explain` is true.

    `anchor` begins the ids of the steps, so that several answers can share a page.
    """
    interval = interval_words(answer)
    spread = f' <span class="interval">{html_escape(interval)}</span>' if interval else ""
    parts = [f'<p class="result"><strong>{html_escape(headline(answer))}</strong>{spread}</p>']
    if answer.warnings:
        parts.append(f'<div class="warning" role="note"><h4>Mind</h4>{_listing(answer.warnings)}</div>')
    summary = [(heading, text) for heading, text in (*stands_on(answer), ("What moves it", movers(answer))) if text]
    if summary:
        terms = "".join(f"<dt>{html_escape(head)}</dt><dd>{html_escape(text)}</dd>" for head, text in summary)
        parts.append(f"<dl>{terms}</dl>")
    if answer.steps:
        unfolded = " open" if explain else ""
        body = _derivation(groups(answer), anchor or answer.quantity) + _references(answer.sources)
        parts.append(f"<details{unfolded}><summary>Derivation</summary>{body}</details>")
    if answer.checks:
        parts.append(f"<h4>Checks</h4>{_listing(map(check_words, answer.checks))}")
    return f'<section class="isoflop answer">{"".join(parts)}</section>'


def steps_html(steps: Iterable[Step], *, anchor: str) -> str:
    """A derivation as a fragment: a table, each step with its formula, the steps that go in, and its source."""
    return f'<section class="isoflop">{_derivation(groups_of(steps), anchor)}</section>'


def _listing(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{html_escape(line)}</li>" for line in lines) + "</ul>"


def _derivation(parts: tuple[Group, ...], anchor: str) -> str:
    heads = ("step", "quantity", "value", "follows from", "source")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    bodies = "".join(
        f'<tbody><tr><th colspan="{len(heads)}" scope="rowgroup">{html_escape(group.heading)}</th></tr>'
        + "".join(_step(line, anchor) for line in group.lines)
        + "</tbody>"
        for group in parts
    )
    return f'<div class="wide"><table class="derivation"><thead><tr>{head}</tr></thead>{bodies}</table></div>'


def _step(line: Line, anchor: str) -> str:
    links = ", ".join(f'<a href="#{step_id(anchor, number)}">[{number}]</a>' for number in line.inputs)
    formula = f"<code>{html_escape(line.formula)}</code>" if line.formula else ""
    origin = " from ".join(part for part in (formula, links) if part)
    remark = f'<span class="remark">{html_escape(line.remark)}</span>' if line.remark else ""
    cells = (
        f"[{line.number}]",
        f"<code>{html_escape(line.quantity)}</code>",
        html_escape(line.value),
        " ".join(part for part in (origin, remark) if part),
        "; ".join(map(source_html, line.sources)),
    )
    return f'<tr id="{step_id(anchor, line.number)}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def source_html(cited: str) -> str:
    """A source, as a link where its address is known; the page itself loads nothing from there."""
    address = link(cited)
    text = html_escape(cited)
    return f'<a href="{html_escape(address)}" rel="noreferrer">{text}</a>' if address else text


def _references(cited: Iterable[str]) -> str:
    works = (
        f"<li>{html_escape(work.key)}: {html_escape(work.text)}, "
        f'<a href="{html_escape(work.url)}" rel="noreferrer">{html_escape(work.url)}</a></li>'
        for work in references(cited)
    )
    listed = "".join(works)
    return f"<h4>Sources</h4><ul>{listed}</ul>" if listed else ""


def step_id(anchor: str, number: int) -> str:
    """The id of a step on a page."""
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in anchor)
    return f"{safe}-step-{number}"


def ledger_html(ledger: Ledger) -> str:
    """The ledger as a fragment: its terms, the total, and how it stands to the limit."""
    rows, noted = ledger_rows(ledger), any(term.note for term in ledger.terms)
    shown = len(LEDGER_COLUMNS) if noted else len(LEDGER_COLUMNS) - 1
    table = table_html(LEDGER_COLUMNS[:shown], [row[:shown] for row in rows], caption=ledger.title)
    words, over = limit_words(ledger)
    kind = ' class="warning"' if over else ""
    limit = f"<p{kind}>{html_escape(words)}</p>" if words else ""
    names = html_escape(", ".join(ledger.sources))
    sources = f'<p class="remark">Sources: {names}</p>' if names else ""
    return f'<section class="isoflop ledger">{table}{limit}{sources}</section>'


@cache
def style() -> str:
    """The style sheet of all fragments; every rule stands under the class `isoflop`."""
    return files("isoflop.report").joinpath("style.css").read_text(encoding="utf-8")


def styled(*fragments: str) -> str:
    """Fragments with their style sheet inline: for a notebook, or any page that has none."""
    return f"<div><style>{style()}</style>{''.join(fragments)}</div>"


def page(title: str, *fragments: str) -> str:
    """A whole HTML document that needs nothing beside itself."""
    heading = html_escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{heading}</title>\n<style>\n{style()}</style>\n</head>\n"
        f'<body class="isoflop-page">\n<main class="isoflop">\n<h1>{heading}</h1>\n'
        + "\n".join(fragments)
        + "\n</main>\n</body>\n</html>\n"
    )
