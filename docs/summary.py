"""One table of how far each kind of answer has been off, taken from the tables of the accuracy pages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent

Row = dict[str, str]


class Line(NamedTuple):
    """A line of the summary: where it is taken from, and which columns are what; an empty name is a blank cell."""

    said: str
    page: str
    where: Row
    apart: str
    heading: str = ""
    fitted: Row | str = ""
    median: str = "median"
    inside: str = "inside"
    rows: str = "n"


def lines() -> list[Line]:
    """The lines of summary.toml."""
    return [Line(**line) for line in tomllib.loads((HERE / "summary.toml").read_text(encoding="utf-8"))["line"]]


HEAD = (
    "what",
    "rows",
    "median error, rows fitted",
    "median error, rows kept apart",
    "in the 80 % interval",
    "kept apart",
)


def rows_of(text: str, heading: str) -> list[Row]:
    """Every row of the tables under a heading of a page (before the first one where it is empty)."""
    start = text.index(f"\n## {heading}\n") if heading else 0
    body = re.split(r"\n##+ ", text[start + 1 :].removeprefix("## "))[0]
    found: list[Row] = []
    for table in re.findall(r"(?:^\|.*\n)+", body + "\n", flags=re.MULTILINE):
        head, _, *rest = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines())
        found += [dict(zip(head, cells, strict=False)) for cells in rest]
    return found


def line_of(line: Line, text: str) -> tuple[str, ...]:
    """One line of the summary; raises LookupError where its row is no longer there."""
    rows = rows_of(text, line.heading)

    def row(where: Row) -> Row:
        for one in rows:
            if all(one.get(name) == value for name, value in where.items()):
                return one
        raise LookupError(f"{line.page}.md has no row {where} under '{line.heading}': mend docs/summary.toml")

    here = row(line.where)
    fitted = row(line.fitted)[line.median] if isinstance(line.fitted, dict) else here.get(line.fitted, "")
    count = here[line.rows].rpartition(", ")[2] if line.rows else ""
    median = here[line.median].rpartition(" / ")[2]  # mean / median
    anchor = re.sub(r"[^a-z0-9 -]", "", line.heading.lower()).replace(" ", "-")
    what = f"[{line.said}]({line.page}.md{'#' if anchor else ''}{anchor})"
    return (what, count, fitted, median, here[line.inside] if line.inside else "", line.apart)


def summary() -> list[tuple[str, ...]]:
    """Every line, from the pages as they stand."""
    wanted = lines()
    texts = {line.page: (HERE / f"{line.page}.md").read_text(encoding="utf-8") for line in wanted}
    return [line_of(line, texts[line.page]) for line in wanted]
