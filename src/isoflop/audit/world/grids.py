"""Tables inside of prose: rows of models and runs held against themselves and the catalogues, rows of devices too."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop.audit.document import Finding, Span
from isoflop.audit.prose.facts import told
from isoflop.audit.prose.names import names
from isoflop.audit.prose.text import clean
from isoflop.audit.world.devices import device_figures
from isoflop.audit.world.models import model_figures
from isoflop.audit.world.runs import ENCODER_DECODERS
from isoflop.audit.world.table import Table, audit_rows, columns_of, finding_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Document, Evaluated

MOST_ROWS = 1_000
_PIECE = 100
_RULE = re.compile(r"[\s|:+-]+")
_UNIT = re.compile(r"[\[(]\s*([^\])]{1,20})\s*[\])]")
_SAYS = {
    "params": "has {} parameters",
    "active_params": "has {} active parameters",
    "tokens": "was trained on {} tokens",
    "train_flops": "took {} FLOP to train",
    "chip_time": "took {} GPU-hours to train",
    "train_energy": "took {} of electricity to train",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of a text: its header, its rows, and the line of each."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


def grids_of(lines: tuple[str, ...]) -> list[Grid]:
    """The tables of a text that are drawn with bars."""
    found: list[Grid] = []
    held: list[tuple[int, tuple[str, ...]]] = []
    for number, line in enumerate((*lines, ""), 1):
        bare = line.strip().removeprefix(">").strip()
        if bare.count("|") >= 2 and (bare.startswith("|") or bare.endswith("|")):
            if not _RULE.fullmatch(bare):
                held.append((number, tuple(clean(cell) for cell in bare.strip("|").split("|"))))
            continue
        if len(held) > 1:
            (_, header), *rows = held
            cells, places = tuple(row for _, row in rows), tuple(place for place, _ in rows)
            found.append(Grid(header=header, rows=cells, lines=places))
        held = []
    return found


def grid_rows(document: Document, evaluated: Evaluated) -> Iterator[Finding]:
    """Rows of tables in prose that cannot be true, or that the catalogues have otherwise."""
    del evaluated
    if document.name.lower().endswith((".toml", ".csv", ".tsv")):
        return
    left = MOST_ROWS
    for grid in _pieces(grids_of(document.lines)):
        if left <= 0:
            span = Span(line=grid.lines[0])
            reason = f"Tables of more than {MOST_ROWS} rows are not audited from here on; save them as CSV."
            yield Finding(step=f"L{span.line}", span=span, level="note", kind="unsupported", reason=reason)
            return
        left -= len(grid.rows)
        seen: set[int] = set()
        for finding in (*_of_runs(grid), *_of_names(grid)):
            if not (finding.is_wrong and finding.span.line in seen):
                seen |= {finding.span.line} if finding.is_wrong else set()
                yield finding


def _pieces(grids: list[Grid]) -> Iterator[Grid]:
    """Long tables in pieces, so that what is left of a document's share of rows is used up evenly."""
    for grid in grids:
        for begin in range(0, len(grid.rows), _PIECE):
            part = slice(begin, begin + _PIECE)
            yield Grid(header=grid.header, rows=grid.rows[part], lines=grid.lines[part])


def _of_runs(grid: Grid) -> Iterator[Finding]:
    """Rows held against themselves, where the header names quantities."""
    columns = columns_of(list(grid.header))
    if len(columns) < 2:
        return
    work = columns["train_flops"].header if "train_flops" in columns else ""
    rows = tuple(
        {title: "" if title == work and _halves(row) else cell for title, cell in zip(grid.header, row, strict=False)}
        for row in grid.rows
    )
    table = Table(rows=rows, lines=grid.lines, columns=columns)
    for line, result in zip(grid.lines, audit_rows(table), strict=True):
        found = finding_of(result, line)
        if found is not None and found.is_wrong:
            yield found


def _halves(row: tuple[str, ...]) -> bool:
    """Whether a row is of an encoder-decoder, where a token meets half of the parameters."""
    return any(name.key in ENCODER_DECODERS for cell in row[:2] for name in names(cell))


def _of_names(grid: Grid) -> Iterator[Finding]:
    """Cells beside the name of a model or device, put into a sentence that says the same."""
    columns = {column.header: key for key, column in columns_of(list(grid.header)).items()}
    for line, row in zip(grid.lines, grid.rows, strict=True):
        cells = dict(zip(grid.header, row, strict=False))
        for sentence in (*_of_model(cells, columns), *_of_device(cells)):
            text = told((sentence,))
            for found in (*model_figures(text), *device_figures(text)):
                yield replace(found, step=f"L{line}", span=Span(line=line))


def _of_model(cells: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[str]:
    named = next((cell for cell in [*cells.values()][:2] if _is_named(cell, "model")), None)
    if named is None:
        return
    for title, cell in cells.items():
        says = _SAYS.get(columns.get(title, ""))
        if says and re.search("[0-9]", cell) and cell != named and len(cell) < 60:
            yield f"{named} {says.format(_with_unit(title, cell, columns[title]))}."


def _of_device(cells: Mapping[str, str]) -> Iterator[str]:
    named = next((cell for cell in [*cells.values()][:2] if _is_named(cell, "device")), None)
    if named is None or any("spars" in cell.lower() for cell in cells.values()):
        return
    for title, cell in cells.items():
        if cell != named and re.fullmatch(r"[~≈]?\s*[0-9][0-9,.]*\s*[A-Za-z/]{0,12}", cell):
            unit = _UNIT.search(title)
            what = _UNIT.sub(" ", title).strip()
            bare = re.fullmatch(r"[~≈]?\s*[0-9][0-9,.]*", cell)
            yield f"The {named} peaks at {cell} {unit[1] if unit and bare else ''} {what}."


def _is_named(cell: str, kind: str) -> bool:
    """Whether a cell holds the name of one model or device and little else."""
    found = [name for name in names(cell) if name.kind == kind]
    return len(found) == 1 and len(cell) < len(found[0].text) + 14


def _with_unit(title: str, cell: str, key: str) -> str:
    """A cell with the unit that its header gives, without a noun that the sentence says again."""
    unit = _UNIT.search(title)
    bare = re.fullmatch(r"[~≈]?\s*[0-9][0-9,.]*(?:e[0-9]+)?", cell)
    short = {"billion": "B", "trillion": "T", "million": "M"}
    scale = f" {unit[1]}" if unit and bare and key in {"params", "active_params", "tokens", "train_energy"} else ""
    said = f"{cell}{short.get(scale.strip(), scale)}"
    return re.sub(r"(?i)\s*(?:parameters|params|tokens|FLOPs?|GPU[- ]?hours)$", "", said)
