"""The one table: columns and rows to terminal, Markdown, HTML, CSV, LaTeX and JSON.

A cell holds what it is (a number in base units, a text, None for "no figure"); the column says how people read it. So
the terminal shows `$3.22`, and JSON and CSV the number in base units with the unit in the header.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from isoflop.report.layout import Paper, hang, pad, width_of, wrap
from isoflop.report.markup import html_escape, latex_text, latex_value, markdown_cell
from isoflop.report.words import finite, number, say, say_bare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Cell = str | float | bool | None

_GAP = "  "
_MISSING = "-"
_THINNEST = 8  # a text column is not wrapped narrower than this
_LONG_WORD = 16  # and a word up to this is not cut
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: `name` for scripts, `title` for people (else the name), `quantity` for numbers that have a unit.

    `shown` is the unit that people read the numbers in, where the head names it and the cells leave it out. `written`
    writes them where no unit does, like a share that is a difference.
    """

    name: str
    title: str = ""
    quantity: str = ""
    right: bool = False
    shown: str = ""
    written: Callable[[float], str] | None = None

    @property
    def head(self) -> str:
        """What stands above the column for people."""
        return self.title or self.name


def column(given: Column | str) -> Column:
    """A plain name as a Column."""
    return given if isinstance(given, Column) else Column(name=given)


def cell_text(cell: Cell, of: Column) -> str:
    """`cell` as people read it."""
    if cell is None:
        return _MISSING
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    if of.written is not None:
        return of.written(float(cell))
    if of.shown:
        return say_bare(float(cell), of.quantity, of.shown)
    return say(float(cell), of.quantity) if of.quantity else number(float(cell))


def table_text(
    columns: Sequence[Column | str],
    rows: Iterable[Sequence[Cell]],
    *,
    width: int = 80,
    color: bool = False,
    ascii_only: bool = False,
) -> str:
    """The table for a terminal: texts wrap to fit `width`; where even that is too wide, one block a row.

    Nothing is dropped or cut short: a narrow terminal gets more lines.
    """
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    heads, texts, rights = _written(columns, rows, paper)
    if not heads:
        return ""
    widths = _fit([heads, *texts], rights, paper.columns)
    if widths is None:
        return _records(heads, texts, paper)
    lines = [paper.strong(line) for line in _line(heads, widths, rights)]
    lines.append(paper.faint(_GAP.join("-" * size for size in widths)))
    lines += [line for row in texts for line in _line(row, widths, rights)]
    return "\n".join(lines)


def _written(
    columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]], paper: Paper
) -> tuple[list[str], list[list[str]], list[bool]]:
    """Heads, cells as text, and which columns are flush right (numbers)."""
    given = [column(one) for one in columns]
    table = [list(row) for row in rows]
    texts = [[paper.text(cell_text(cell, of)) for cell, of in zip(row, given, strict=True)] for row in table]
    rights = [
        of.right or _is_numeric([row[index] for row in table], [row[index] for row in texts])
        for index, of in enumerate(given)
    ]
    return [paper.text(of.head) for of in given], texts, rights


def _is_numeric(cells: list[Cell], texts: list[str]) -> bool:
    """Numbers, or texts that read as numbers with a unit ("$3.22", "80 GiB"), all of them."""
    shown = [text for cell, text in zip(cells, texts, strict=True) if cell is not None and text]
    starts = all(text.lstrip("$~-+")[:1].isdigit() and len(text.split()) <= 2 for text in shown)
    dates = any(text.count("-") == 2 for text in shown)
    return bool(shown) and starts and not dates


def _fit(rows: list[list[str]], rights: list[bool], width: int) -> list[int] | None:
    """Column widths that fit, narrowing the widest text columns; None where no widths do."""
    widths = [max(1, *(width_of(row[index]) for row in rows)) for index in range(len(rights))]
    floors = [
        size if right else min(size, max(_THINNEST, *(_longest_word(row[index]) for row in rows)))
        for index, (size, right) in enumerate(zip(widths, rights, strict=True))
    ]
    room = width - len(_GAP) * (len(widths) - 1)
    if sum(floors) > room:
        return None
    while sum(widths) > room:
        widest = max(
            (index for index in range(len(widths)) if widths[index] > floors[index]), key=lambda index: widths[index]
        )
        widths[widest] -= 1
    return widths


def _longest_word(text: str) -> int:
    """Columns below which a word would be cut; of very long words the first part is enough."""
    return min(_LONG_WORD, max(map(width_of, text.split()), default=0))


def _line(cells: list[str], widths: list[int], rights: list[bool]) -> list[str]:
    wrapped = [wrap(cell, size) for cell, size in zip(cells, widths, strict=True)]
    lines = []
    for index in range(max(map(len, wrapped))):
        parts = [
            pad(cell[index] if index < len(cell) else "", size, right=right)
            for cell, size, right in zip(wrapped, widths, rights, strict=True)
        ]
        lines.append(_GAP.join(parts).rstrip())
    return lines


def _records(heads: list[str], texts: list[list[str]], paper: Paper) -> str:
    """One block a row, `head: cell` a line; without rows, the heads."""
    if not texts:
        return "\n".join(wrap(", ".join(heads), paper.columns))
    size = min(max(map(width_of, heads)), paper.columns // 3)
    blocks = []
    for row in texts:
        lines: list[str] = []
        for head, cell in zip(heads, row, strict=True):
            label = wrap(head, size)
            lead = [pad(part, size) + _GAP for part in label]
            body = hang(cell, paper.columns, " " * (size + len(_GAP)))
            lines += [part.rstrip() for part in lead[:-1]]
            lines += [lead[-1] + body[0].lstrip(), *body[1:]]
        blocks.append("\n".join(line.rstrip() for line in lines))
    return "\n\n".join(blocks)


def table_markdown(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]]) -> str:
    """The table in Markdown, numbers flush right."""
    heads, texts, rights = _written(columns, rows, Paper())
    lines = [
        "| " + " | ".join(map(markdown_cell, heads)) + " |",
        "|" + "|".join("---:" if right else "---" for right in rights) + "|",
    ]
    lines += ["| " + " | ".join(map(markdown_cell, row)) + " |" for row in texts]
    return "\n".join(lines)


def table_html(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]], *, caption: str = "") -> str:
    """The table as an HTML fragment."""
    heads, texts, rights = _written(columns, rows, Paper())
    marks = [' class="number"' if right else "" for right in rights]
    head = "".join(f'<th scope="col"{mark}>{html_escape(text)}</th>' for text, mark in zip(heads, marks, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{html_escape(cell)}</td>" for cell, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in texts
    )
    title = f"<caption>{html_escape(caption)}</caption>" if caption else ""
    table = f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="isoflop wide">{table}</div>'


def table_csv(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]]) -> str:
    """The table as CSV: numbers in base units to the last bit, nothing for "no figure".

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    names = [column(one).name for one in columns]
    written = StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_csv_cell(cell) for cell, _ in zip(row, names, strict=True)] for row in rows])
    return written.getvalue()


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str):
        return "'" + cell if cell.startswith(_FORMULA_STARTS) and len(cell) > 1 else cell
    return repr(finite(cell, "a cell of the table"))


def table_latex(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]]) -> str:
    """The table as a LaTeX tabular with the rules of booktabs, as people read it; numbers flush right."""
    heads, texts, rights = _written(columns, rows, Paper())
    lines = [
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in rights)}}}",
        r"\toprule",
        " & ".join(map(latex_text, heads)) + r" \\",
        r"\midrule",
        *(" & ".join(map(latex_value, row)) + r" \\" for row in texts),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)
