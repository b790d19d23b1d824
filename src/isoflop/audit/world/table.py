"""Tables of runs: each row held against itself by the library's relations, and the rows that cannot be true.

Columns are recognised by their headers, as people write them: `N`, `params (B)`, `gpu_hours`, `cost_usd`, `energy_mwh`.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from io import StringIO
from math import exp
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.ask.rows import Column, RowResult, check_rows
from isoflop.audit.document import Document, Finding, Span, Step, Unread
from isoflop.audit.world.columns import outliers
from isoflop.errors import BadFile, BadInput, shorten
from isoflop.quantity import quantity, read, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Class, Evaluated, Level

LEAST_MFU = 0.03
USUAL_MFU = 0.38

IMPOSSIBLE = 1.45
"""A factor below which rows of good sources miss each other: recomputation and attention are counted or not."""

MOST_ROWS = 3_000
MOST_COLUMNS = 200

_HEADERS: tuple[tuple[str, str, str], ...] = (
    # pattern of the whole header in lower case, quantity, unit where the header names none
    (r"n|params?|parameters|(?:total_?)?params?(?:_total)?|params?_total|model_size|size", "params", ""),
    (r"n_?active|params?_active|active(?:_params?(?:eters)?)?|activated(?:_params)?", "active_params", ""),
    (r"d|tokens|train(?:ing)?_tokens|data(?:set)?(?:_size)?|dataset_tokens", "tokens", ""),
    (r"c|flops?|train(?:ing)?_flops?(?:_published)?|compute|train(?:ing)?_compute", "train_flops", ""),
    (r"pf_?days?", "train_flops", "PF-day"),
    (r"chips?|gpus?|n_?gpus?|num_gpus|accelerators|tpus?|number_of_(?:gpus|chips)", "chips", ""),
    (r"days?|duration_days|train(?:ing)?_days", "train_time", "day"),
    (r"hours?|train(?:ing)?_hours|wall_?(?:clock)?_?hours?", "train_time", "h"),
    (r"weeks?", "train_time", "week"),
    (r"(?:train(?:ing)?_)?time|duration", "train_time", ""),
    (r"(?:chip|gpu|tpu|a100|h100|accelerator|device)_?(?:h|hours?)", "chip_time", "h"),
    (r"mfu(?:_reported)?|utili[sz]ation", "mfu", ""),
    (r"cost(?:_usd)?(?:_published)?|train(?:ing)?_cost|price_total|usd", "train_cost", "$"),
    (r"price(?:_per_(?:gpu|chip)_?hour)?|usd_per_(?:gpu|chip)_?hour|rate", "price", "$/chip/h"),
    (r"energy|energy_used|electricity", "train_energy", ""),
    (r"co2e?|emissions|carbon|tco2e?(?:_published)?", "train_emissions", "t CO2e"),
    (r"pue", "pue", ""),
    (r"grid_kg_per_kwh|grid_intensity", "grid_intensity", "kg CO2e/kWh"),
    (r"tokens_per_param|ratio", "tokens_per_param", ""),
    (r"hardware|device|gpu_?type|chip_?type|accelerator(?:_type)?|gpu_model", "device", ""),
)
_UNITS = {
    "mwh": "MWh",
    "kwh": "kWh",
    "gwh": "GWh",
    "usd": "$",
    "m_usd": "M$",
    "b": "B",
    "m": "M",
    "t": "T",
    "days": "day",
    "d": "day",
    "hours": "h",
    "h": "h",
    "hrs": "h",
    "k": "k",
    "pf-days": "PF-day",
    "pfdays": "PF-day",
    "flop": "FLOP",
    "flops": "FLOP",
    "zflop": "ZFLOP",
    "eflop": "EFLOP",
    "1e21": "ZFLOP",
    "1e24": "YFLOP",
    "%": "%",
    "percent": "%",
    "$": "$",
    "musd": "M$",
    "$m": "M$",
    "million": "M",
    "billion": "B",
    "trillion": "T",
    "tco2e": "t CO2e",
    "tonnes": "t CO2e",
    "tons": "t CO2e",
    "weeks": "week",
}
_CLASSES: tuple[tuple[str, Class], ...] = (
    ("forward pass alone", "forward_for_training"),
    ("sparse peak", "sparse_for_dense"),
    ("peak twice as high", "sparse_for_dense"),
    ("words counted", "words_for_tokens"),
    ("hours written", "time_unit"),
    ("days written", "time_unit"),
    ("minutes written", "time_unit"),
    ("months written", "time_unit"),
    ("machines of", "noun_left_out"),
    ("slices of", "noun_left_out"),
    ("cores counted", "noun_left_out"),
    ("decimal slip", "decimal_slip"),
    ("slip of a thousand", "prefix"),
    ("bits", "bits_for_bytes"),
    ("mixture of experts", "active_for_total"),
    ("multiply-accumulate", "mac_for_flop"),
    ("trillion tokens", "input_missing"),
    ("GiB", "gb_for_gib"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows as they are written, the line each stands on, and which column holds which quantity."""

    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]
    columns: Mapping[str, Column]
    ignored: tuple[str, ...] = ()


def read_table(text: str, name: str = "table.csv") -> Table:
    """The table of a CSV or TSV text. Raises: BadFile for one without columns that are known, or too large."""
    lines = text.split("\n")
    if len(lines) > MOST_ROWS + 1:
        raise BadFile(f"{name}: {len(lines):,} rows; {MOST_ROWS:,} are read. Audit it in parts.")
    delimiter = max((",", "\t", ";", "|"), key=lines[0].count) if lines else ","
    try:
        reader = csv.reader(StringIO(text), delimiter=delimiter, strict=True)
        header = [cell.strip() for cell in next(reader, [])]
        if len(header) > MOST_COLUMNS:
            raise BadFile(f"{name}: {len(header):,} columns; {MOST_COLUMNS} are read.")
        rows, places = [], []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(dict(zip(header, (cell.strip() for cell in cells), strict=False)))
                places.append(reader.line_num)
    except csv.Error as error:
        raise BadFile(f"{name}: it is no table: {error}. Save it as CSV with a header.") from error
    columns = columns_of(header)
    if len(columns) < 2:
        known = "model, N, D, C, chips, device, days, gpu_hours, mfu, cost, energy_mwh"
        raise BadFile(
            f"{name}: fewer than two columns are known of {shorten(', '.join(header))}. Headers look like: {known}."
        )
    ignored = tuple(one for one in header if one not in {column.header for column in columns.values()})
    return Table(rows=tuple(rows), lines=tuple(places), columns=columns, ignored=ignored)


def columns_of(header: list[str]) -> dict[str, Column]:
    """Which header is which quantity; the first where two are the same.

    >>> {key: (one.header, one.unit) for key, one in columns_of(["model", "N (B)", "gpu_hours", "energy_mwh"]).items()}
    {'params': ('N (B)', 'B'), 'chip_time': ('gpu_hours', 'chip h'), 'train_energy': ('energy_mwh', 'MWh')}
    """
    found: dict[str, Column] = {}
    for title in header:
        known = _recognised(title)
        if known is not None and known[0] not in found:
            found[known[0]] = Column(header=title, unit=known[1])
    return found


def _recognised(title: str) -> tuple[str, str] | None:
    bare = title.strip().lower()
    inside = re.search(r"[\[(]\s*([^\])]{1,20})\s*[\])]", bare)
    plain = re.sub(r"[\s-]+", "_", re.sub(r"[\[(].*?[\])]", "", bare).strip()).strip("_")
    unit = _UNITS.get(inside[1].strip(), "") if inside else ""
    for candidate, suffix in ((plain, unit), *_split(plain)):
        for pattern, key, usual in _HEADERS:
            if re.fullmatch(pattern, candidate):
                return key, _unit_of(key, suffix or usual)
    return None


def _split(plain: str) -> Iterator[tuple[str, str]]:
    """A header with its unit as a last word: "energy_mwh_published" is energy in MWh."""
    words = [word for word in plain.split("_") if word not in {"published", "reported", "claimed", "est", "estimated"}]
    for size in (1, 2):
        unit = _UNITS.get("_".join(words[-size:]))
        if unit and len(words) > size:
            yield "_".join(words[:-size]), unit


def _unit_of(key: str, unit: str) -> str:
    if key == "chip_time":
        return f"chip {unit or 'h'}"
    if key in {"price", "device"}:
        return unit if key == "price" else ""
    if key == "train_cost" and unit == "M$":
        return "M USD"
    return unit


def audit_rows(table: Table) -> tuple[RowResult, ...]:
    """Every row against itself. Devices that no catalogue has are left out, with what hangs on them."""
    rows = [_usable(row, table.columns) for row in table.rows]
    return check_rows(rows, table.columns)


def _usable(row: Mapping[str, str], columns: Mapping[str, Column]) -> dict[str, str]:
    """A row whose device is known or left out, and whose cells are numbers or empty."""
    found = dict(row)
    for key, column in columns.items():
        cell = found.get(column.header, "")
        if cell.strip().lower() in {"", "-", "–", "n/a", "na", "nan", "none", "?", "unknown", "null"}:
            found[column.header] = ""
        elif key == "device":
            found[column.header] = cell if _is_device(cell) else ""
        elif key == "mfu" and re.fullmatch(r"[0-9.]+", cell.strip()) and 1.5 < float(cell) <= 100 and not column.unit:
            found[column.header] = f"{cell}%"
    active = columns.get("active_params")
    total = columns.get("params")
    if active and total and found.get(active.header) and found.get(active.header) == found.get(total.header):
        found[active.header] = ""
    return found


def _is_device(name: str) -> bool:
    try:
        hardware.device(name)
    except BadInput:
        return False
    return True


def table_document(text: str, name: str) -> Document:
    """A table as a document: each cell that is understood is a claim of its line."""
    table = read_table(text, name)
    steps: list[Step] = []
    names = _label(table)
    ignored = [title for title in table.ignored if title != names][:50]
    unread = [Unread(span=Span(line=1), text=title, why="a column that is not known") for title in ignored]
    for line, row in zip(table.lines, table.rows, strict=True):
        found = _cells(table, row, line, names)
        steps += found
    return Document(name=name, steps=tuple(steps), unread=tuple(unread), lines=tuple(text.split("\n")))


def _label(table: Table) -> str:
    """The column that names the rows."""
    return next((title for title in table.ignored if title.strip().lower() in {"model", "name", "run", "id"}), "")


def _cells(table: Table, row: Mapping[str, str], line: int, label: str) -> list[Step]:
    steps: list[Step] = []
    for key, column in table.columns.items():
        cell = row.get(column.header, "")
        if not cell or key == "device":
            continue
        try:
            value = read(f"{cell} {column.unit}".strip(), quantity(key))
        except BadInput:
            continue
        number = f"L{line}" if not steps else f"L{line}.{len(steps) + 1}"
        steps.append(
            Step(
                number=number,
                kind="claim",
                span=Span(line=line),
                text=cell,
                label=f"{key.replace('_', ' ')} of {row.get(label, '')}".strip(),
                says=value,
                subject=row.get(label, ""),
            )
        )
    return steps


def table_rows(document: Document, evaluated: Evaluated) -> Iterator[Finding]:
    """Rows of a table that cannot be true."""
    del evaluated
    if not is_table(document.name):
        return
    table = read_table("\n".join(document.lines), document.name)
    cells = {(step.span.line, step.label.partition(" of ")[0]): step.number for step in document.steps}
    wrong: set[int] = set()
    for line, result in zip(table.lines, audit_rows(table), strict=False):
        found = finding_of(result, line)
        if found is not None:
            wrong |= {line} if found.is_wrong else set()
            suspect = result.suspects[0].replace("_", " ") if len(result.suspects) == 1 else ""
            yield replace(found, step=cells.get((line, suspect), found.step))
    for key, found in outliers(table, _label(table)):
        if found.span.line not in wrong:
            wrong.add(found.span.line)
            yield replace(found, step=cells.get((found.span.line, key.replace("_", " ")), found.step))


def is_table(name: str) -> bool:
    """Whether a document is a table, by its name."""
    return name.lower().endswith((".csv", ".tsv"))


def finding_of(result: RowResult, line: int) -> Finding | None:
    """What a row's result says; None where nothing is wrong with it."""
    if result.result is None:
        return None
    found = result.result.found
    alarm = next((alarm for alarm in found.alarms if alarm.quantity == "mfu"), None)
    idle = result.result.implied("mfu") if found.claim("mfu") is None else None
    if alarm is not None:
        words = f"takes a utilisation of {100 * alarm.value:.3g} %"
        return _of_row(result, line, _class_of(result.reason, "utilisation_above_one"), words, (alarm.value, 1.0))
    if idle is not None and idle[0] < LEAST_MFU:
        words = f"comes to a utilisation of {100 * idle[0]:.2g} %; published runs reach 20 to 60 %"
        return _of_row(result, line, _class_of(result.reason, "contradiction"), words, (idle[0], USUAL_MFU))
    if result.verdict not in {"contradictory", "off"}:
        return None
    named = [claim for key in result.suspects if (claim := found.claim(key)) is not None]
    if not named:
        return _of_row(result, line, _class_of(result.reason, "contradiction"), "contradicts itself", (None, None))
    claim = max(named, key=lambda one: abs(one.off))
    due = claim.said * exp(claim.off)
    size = exp(abs(claim.off))
    words = f"is off by a factor of {size:.3g} (the others imply {write(due, quantity(claim.quantity))})"
    kind = _class_of(result.reason, "contradiction")
    impossible = result.verdict == "contradictory" and (result.factor or 1.0) >= IMPOSSIBLE
    return _of_row(result, line, kind, words, (claim.said, due), level="world" if impossible else "note")


def _of_row(
    result: RowResult,
    line: int,
    kind: Class,
    words: str,
    values: tuple[float | None, float | None],
    level: Level = "world",
) -> Finding:
    said, due = values
    named = [key.replace("_", " ") for key in result.suspects[:4]]
    subject = f"one of {', '.join(named)} " if len(named) > 1 else f"its {named[0]} " if named else "the row "
    reason = f"{result.name}: {subject}{words}{'; ' + result.reason if result.reason else ''}."
    factor = said / due if said is not None and due else None
    return Finding(
        step=f"L{line}",
        span=Span(line=line),
        level=level,
        kind=kind,
        reason=reason,
        factor=factor,
        says=said,
        recomputed=due,
    )


def _class_of(reason: str, otherwise: Class) -> Class:
    """The class of the likely reason, else of what is seen."""
    return next((kind for words, kind in _CLASSES if words in reason), otherwise)
