"""Things of one kind beside each other: every figure that any has, and how far each is from the first's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isclose
from typing import TYPE_CHECKING

from isoflop.report.json import SCHEMA_VERSION
from isoflop.report.lines import SAME, Line
from isoflop.report.table import Column, table_html, table_markdown, table_text

if TYPE_CHECKING:
    from isoflop.report.drawings import Drawn
    from isoflop.report.json import Json
    from isoflop.report.table import Cell

    Table = tuple[list[Column | str], list[tuple[Cell, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Two to four things of one `kind`, their names, their figures, and what to mind of them.

    With `all_rows` people see a row for what is the same, too.
    """

    kind: str
    names: tuple[str, ...]
    lines: tuple[Line, ...]
    minds: tuple[str, ...] = ()
    all_rows: bool = False

    @property
    def differing(self) -> tuple[Line, ...]:
        """The figures that are not alike, or all of them where all rows are wanted."""
        return tuple(line for line in self.lines if self.all_rows or not line.is_same)

    @property
    def alike(self) -> tuple[Line, ...]:
        """The others."""
        return tuple(line for line in self.lines if line.is_same and not self.all_rows)


def beside_text(found: Beside, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """The figures that differ as a table with ratios to the first; the others in one sentence.

    A table too wide for four things and their ratios stacks its rows, as every table of the house does.
    """
    from isoflop.report.layout import hang

    columns, rows = next(
        (table for brief in (0, 1) if not _too_wide(table := _people(found, brief), width)), _people(found, 2)
    )
    parts = [table_text(columns, rows, width=width, color=color, ascii_only=ascii_only)] if rows else []
    if not rows:
        parts.append(f"All {len(found.lines)} figures are the same.")
    elif found.alike:
        same = "; ".join(f"{line.title} {line.texts[0]}" for line in found.alike if line.texts[0])
        parts.append("\n".join(hang(f"The same: {same}.", width, "", "  ")))
    parts += ["\n".join(hang(f"Mind: {mind}", width, "", "  ")) for mind in found.minds]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _people(found: Beside, brief: int = 0) -> Table:
    """A row for each figure that differs: texts, and for all but the first its ratio.

    Two things have a column for the ratio; where there are more it stands behind the text. `brief` leaves intervals
    and marks out (1), then of more than two also the values that a ratio says (2).
    """
    columns: list[Column | str] = [Column(name=found.kind), *(Column(name=name, right=True) for name in found.names)]
    is_pair = len(found.names) == 2
    columns += [Column(name="ratio", right=True)] if is_pair else []
    rows: list[tuple[Cell, ...]] = []
    for line in found.differing:
        texts = [_brief(text) if brief else text for text in line.texts]
        ratios = ["" if ratio is None else _times(ratio) for ratio in line.ratios]
        if is_pair:
            rows.append((line.title, *(text or "-" for text in texts), ratios[1]))
            continue
        behind = [
            ratio if ratio and brief > 1 else f"{text or '-'} {ratio}".rstrip()
            for text, ratio in zip(texts[1:], ratios[1:], strict=True)
        ]
        rows.append((line.title, texts[0] or "-", *behind))
    return columns, rows


def _brief(text: str) -> str:
    """A text without its interval and marks.

    >>> _brief("75 TFLOP/s (60 to 80 TFLOP/s) [D4]"), _brief("15 (13.3 to 16.9) s")
    ('75 TFLOP/s', '15 s')
    """
    return " ".join(re.sub(r"\([^()]* to [^()]*\)|\[\w+\]", "", text).split())


def _too_wide(table: Table, width: int) -> bool:
    """Whether the texts of a table need more than `width` side by side."""
    columns, rows = table
    heads = [one.name if isinstance(one, Column) else one for one in columns]
    widest = [max(map(len, map(str, cells))) for cells in zip(heads, *rows, strict=True)]
    return sum(widest) + 2 * (len(widest) - 1) > width


def _times(ratio: float) -> str:
    return "=" if isclose(ratio, 1.0, rel_tol=SAME) else f"x{_digits(ratio)}"


def _digits(ratio: float) -> str:
    """A ratio as people compare: 1.8, 0.42, 1.003, 25."""
    return f"{ratio:.4g}" if isclose(ratio, 1.0, rel_tol=0.02) else f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.2e}"


def beside_table(found: Beside) -> Table:
    """Every figure in base units, a column a thing, then the ratios to the first: for scripts and sheets."""
    ratios = [f"{name} / {found.names[0]}" for name in found.names[1:]]
    columns: list[Column | str] = ["figure", "unit", *found.names, *ratios]
    return columns, [(line.name, line.unit, *line.cells, *line.ratios[1:]) for line in found.lines]


def beside_markdown(found: Beside) -> str:
    """The figures that differ as a Markdown table, the others below."""
    text = table_markdown(*_people(found)) if found.differing else f"All {len(found.lines)} figures are the same."
    same = "; ".join(f"{line.title} {line.texts[0]}" for line in found.alike if line.texts[0])
    minds = "".join(f"\n\nMind: {mind}" for mind in found.minds)
    return f"{text}\n\nThe same: {same}.{minds}\n" if same and found.differing else f"{text}{minds}\n"


def beside_html(found: Beside) -> str:
    """The same as HTML."""
    from html import escape

    texts = [f"{line.title} {line.texts[0]}" for line in found.alike if line.texts[0]]
    below = "".join(f"<p>{escape(text)}</p>" for text in [*found.minds])
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    same = f"<details><summary>The same in all</summary><ul>{items}</ul></details>"
    return f"{table_html(*_people(found))}{same if texts else ''}{below}"


def beside_json(found: Beside) -> dict[str, Json]:
    """Everything, in base units; a text or null where a thing has no number."""
    return {
        "schema_version": SCHEMA_VERSION,
        "compared": found.kind,
        "names": list(found.names),
        "figures": [
            {
                "name": line.name,
                "title": line.title,
                "unit": line.unit,
                "values": list(line.cells),
                "texts": list(line.texts),
                "ratios": list(line.ratios),
                "same": line.is_same,
            }
            for line in found.lines
        ],
        "warnings": list(found.minds),
    }


def drawn(found: Beside) -> Drawn:
    """Every form of things side by side."""
    from isoflop.report.chart_beside import beside_chart
    from isoflop.report.drawings import Drawn, Story

    title = " and ".join(found.names)
    return Drawn(
        text=lambda **paper: beside_text(found, **{key: value for key, value in paper.items() if key != "explain"}),
        json=lambda: beside_json(found),
        markdown=lambda _: beside_markdown(found),
        story=lambda: Story(title=title, answer=beside_html(found)),
        table=lambda: beside_table(found),
        charts={"ratios": lambda width, mode: beside_chart(found, width=width, mode=mode)},
    )
