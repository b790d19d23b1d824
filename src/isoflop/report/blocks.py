"""Rows of label, value, remark and reference, with sections below: the layout that a plan is drawn in.

`Blocks` says what stands there, the functions draw it: terminal text, Markdown, HTML. All texts are written already;
nothing here formats a number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop.report.layout import Paper, hang, pad, width_of, wrap
from isoflop.report.markup import html_escape, markdown_cell, markdown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_INDENT = "  "
_GAP = 3
_WIDEST_LABEL = 18
_NARROW = 56  # below this, columns would be too thin to read: everything goes under its label


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what (`label`), how much (`value`), why (`remark`), and where it is derived (`ref`, such as "[1]")."""

    label: str
    value: str
    remark: str = ""
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading in the label column with one or more texts beside it. `loud` ones warn."""

    heading: str
    lines: tuple[str, ...]
    loud: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A titled set of rows, the sections under them, and closing notes."""

    title: str = ""
    rows: tuple[Row, ...] = ()
    sections: tuple[Section, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Where the columns start and how wide they are."""

    label: int
    value: int
    remark: int
    ref: int

    @property
    def start(self) -> int:
        """Column in which values begin."""
        return len(_INDENT) + self.label + _GAP

    @property
    def body(self) -> int:
        """Columns of value and remark together."""
        return self.value + _GAP + self.remark if self.remark else self.value


def blocks_text(blocks: Blocks, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """The blocks for a terminal of `width` columns; no line is longer."""
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    blocks = _on_paper(blocks, paper)
    columns = _columns(blocks, paper.columns)
    parts: list[list[str]] = []
    if blocks.title:
        parts.append([paper.strong(line) for line in wrap(blocks.title, paper.columns)])
    if blocks.rows:
        parts.append([line for row in blocks.rows for line in _row_lines(row, columns, paper)])
    if blocks.sections:
        parts.append([line for section in blocks.sections for line in _section_lines(section, columns, paper)])
    if blocks.notes:
        parts.append([line for note in blocks.notes for line in hang(note, paper.columns, _INDENT)])
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts)


def _on_paper(blocks: Blocks, paper: Paper) -> Blocks:
    """The same blocks with every text made safe to measure and print."""
    safe = paper.text
    return Blocks(
        title=safe(blocks.title),
        rows=tuple(
            Row(label=safe(row.label), value=safe(row.value), remark=safe(row.remark), ref=safe(row.ref))
            for row in blocks.rows
        ),
        sections=tuple(
            Section(heading=safe(part.heading), lines=tuple(map(safe, part.lines)), loud=part.loud)
            for part in blocks.sections
        ),
        notes=tuple(map(safe, blocks.notes)),
    )


def _columns(blocks: Blocks, width: int) -> _Columns:
    """The label column fits the labels, the value column the values that have a remark beside them, within reason."""
    labels = [row.label for row in blocks.rows] + [part.heading for part in blocks.sections]
    label = min(max(map(width_of, labels), default=0), _WIDEST_LABEL)
    longest = max((width_of(row.ref) for row in blocks.rows), default=0)
    ref = min(longest + _GAP if longest else 0, width // 4)
    body = width - len(_INDENT) - label - _GAP - ref
    if width < _NARROW:
        return _Columns(label=0, value=max(4, width - len(_INDENT) - _GAP - ref), remark=0, ref=ref)
    value = max((width_of(row.value) for row in blocks.rows if row.remark), default=0)
    remark = max((width_of(row.remark) for row in blocks.rows), default=0)
    if not remark or value + _GAP + remark > body:  # one form for all rows: a mixture is hard to read
        return _Columns(label=label, value=body, remark=0, ref=ref)
    return _Columns(label=label, value=value, remark=remark, ref=ref)


def _row_lines(row: Row, columns: _Columns, paper: Paper) -> list[str]:
    body, strong = _body_lines(row, columns)
    labels = wrap(row.label, columns.label) if columns.label else []
    lines = []
    if not columns.label:
        lines += hang(row.label, paper.columns, _INDENT)
    lead = " " * (columns.start if columns.label else len(_INDENT) + _GAP)
    size = columns.body
    refs = wrap(row.ref, columns.ref - 1) if columns.ref and row.ref else []
    for index in range(max(len(labels), len(body), len(refs))):
        label = _INDENT + pad(labels[index], columns.label) + " " * _GAP if index < len(labels) else lead
        text = pad(body[index] if index < len(body) else "", size)
        cut = strong[index] if index < len(strong) else 0
        ref = paper.faint(pad(refs[index], columns.ref, right=True)) if index < len(refs) else ""
        lines.append(label + paper.strong(text[:cut]) + text[cut:] + ref)
    return lines


def _body_lines(row: Row, columns: _Columns) -> tuple[list[str], list[int]]:
    """The lines of value and remark, and how many characters of each belong to the value."""
    if columns.remark and row.remark:
        return [pad(row.value, columns.value) + " " * _GAP + row.remark], [width_of(row.value)]
    if columns.remark:
        lines = wrap(row.value, columns.body)
        return lines, [len(line) for line in lines]
    value = wrap(row.value, columns.value)
    under = hang(row.remark, columns.value, "  ", "  ") if row.remark else []
    return value + under, [len(line) for line in value]


def _section_lines(section: Section, columns: _Columns, paper: Paper) -> list[str]:
    paint = paper.loud if section.loud else str
    if not columns.label:
        lines = [paper.strong(line) for line in hang(section.heading, paper.columns, _INDENT)]
        return lines + [
            paint(line) for text in section.lines for line in hang(text, paper.columns, _INDENT + " " * _GAP)
        ]
    heading = wrap(section.heading, columns.label)
    body = [line for text in section.lines for line in hang(text, paper.columns - columns.start, "", "  ")]
    lines = []
    for index in range(max(len(heading), len(body))):
        left = pad(heading[index] if index < len(heading) else "", columns.label)
        right = body[index] if index < len(body) else ""
        lines.append(_INDENT + paper.strong(left) + " " * _GAP + paint(right))
    return lines


def blocks_markdown(blocks: Blocks) -> str:
    """The blocks as a Markdown table followed by its sections."""
    parts = [f"### {markdown_text(blocks.title)}"] if blocks.title else []
    if blocks.rows:
        lines = ["|  |  |  |  |", "|---|---|---|---|"]
        for row in blocks.rows:
            cells = (markdown_cell(row.label), _bold(row.value), markdown_cell(row.remark), markdown_cell(row.ref))
            lines.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    for section in blocks.sections:
        texts = [markdown_text(line) for line in section.lines]
        parts.append(f"**{markdown_text(section.heading)}**  \n" + "  \n".join(texts))
    parts += [markdown_text(note) for note in blocks.notes]
    return "\n\n".join(parts)


def _bold(text: str) -> str:
    cell = markdown_cell(text)
    return f"**{cell}**" if cell else ""


def blocks_html(blocks: Blocks, *, anchor: str = "") -> str:
    """The blocks as an HTML section; the style sheet is `style()` of isoflop.report.html.

    `anchor` is what the ids of the derivation's steps begin with, where it stands on the same page: refs lead there.
    """
    rows = "".join(_row_html(row, anchor) for row in blocks.rows)
    title = f"<h3>{html_escape(blocks.title)}</h3>" if blocks.title else ""
    table = f'<table class="blocks"><tbody>{rows}</tbody></table>' if rows else ""
    sections = "".join(_section_html(section) for section in blocks.sections)
    notes = "".join(f"<p>{html_escape(note)}</p>" for note in blocks.notes)
    return f'<section class="isoflop">{title}{table}{sections}{notes}</section>'


def _ref_html(ref: str, anchor: str) -> str:
    if not anchor or not ref:
        return html_escape(ref)
    return f'<a href="#{anchor}-step-{html_escape(ref.strip("[]"))}">{html_escape(ref)}</a>'


def referring(blocks: Blocks, refs: Mapping[str, int]) -> Blocks:
    """The blocks with references to steps, by the rows' labels; of several rows with one label the first gets it."""
    first = {row.label: place for place, row in reversed(tuple(enumerate(blocks.rows)))}
    rows = (
        replace(row, ref=f"[{refs[row.label]}]") if row.label in refs and first[row.label] == place else row
        for place, row in enumerate(blocks.rows)
    )
    return replace(blocks, rows=tuple(rows))


def _row_html(row: Row, anchor: str) -> str:
    value, remark = html_escape(row.value), html_escape(row.remark)
    middle = (
        f'<td class="value">{value}</td><td>{remark}</td>' if remark else f'<td class="value" colspan="2">{value}</td>'
    )
    ref = _ref_html(row.ref, anchor)
    return f'<tr><th scope="row">{html_escape(row.label)}</th>{middle}<td class="ref">{ref}</td></tr>'


def _section_html(section: Section) -> str:
    lines = "".join(f"<li>{html_escape(line)}</li>" for line in section.lines)
    kind = ' class="warning"' if section.loud else ""
    return f"<div{kind}><h4>{html_escape(section.heading)}</h4><ul>{lines}</ul></div>"
