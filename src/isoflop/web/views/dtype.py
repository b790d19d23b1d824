"""Number formats: what a value becomes in each, and how far it is off."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.flags.numbers import next_power, number_of, stored_in
from isoflop.quantize import FORMATS, number_format
from isoflop.report import Blocks, Row, page, table_csv, table_html
from isoflop.report.chart_numbers import stored_chart
from isoflop.report.quantize import (
    FORMAT_COLUMNS,
    STORED_COLUMNS,
    error_text,
    format_notes,
    format_rows,
    formats_json,
    number_text,
    stored_json,
    stored_rows,
)
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.quantize import NumberFormat, Stored

CHARTS = {"errors": "How far it is off in each format"}
NAMES = tuple(one.name for one in FORMATS)


def answer(given: Mapping[str, str]) -> Shown:
    """What the value becomes; without one, the formats."""
    guarded(given)
    chosen = (number_format(given["format"]),) if "format" in given else FORMATS
    if "value" not in given:
        return _formats(chosen)
    number = number_of(given["value"])
    most = number_of(given["absmax"]) if "absmax" in given else next_power(number)
    return _stored(stored_in(number, chosen, most), number, most)


def _formats(chosen: Sequence[NumberFormat]) -> Shown:
    table = (FORMAT_COLUMNS, format_rows(chosen))
    row = Row(label="formats", value=f"{len(chosen)}", remark="; ".join(format_notes(chosen)[:1]))
    return Shown(
        blocks=(Blocks(rows=(row,)),),
        json=lambda: {"schema_version": 1, "formats": formats_json(chosen)},
        parts=(table_part("Number formats", "formats", table, unfolded=True),),
        links={"formats": "formats"},
        says={"formats": "Every code of each format is known: ranges, steps and smallest values follow from its bits."},
        page=lambda: page("Number formats", table_html(*table)),
        csv=partial(table_csv, *table),
    )


def _stored(found: Sequence[Stored], number: float, most: float) -> Shown:
    table = (STORED_COLUMNS, stored_rows(found))
    rows = [
        Row(
            label=one.format.title + (" scaled" if one.scale != 1 else ""),
            value=number_text(one.read),
            remark=error_text(one) + (f"; divided by {one.scale:.5g} first" if one.scale != 1 else ""),
        )
        for one in found
    ]
    note = (
        f"Scaled rows: a tensor whose largest magnitude is {most:g}; scale = {most:g} / the format's largest value, of "
        "MX formats the power of two near it."
    )
    notes = (note,) if any(one.scale != 1 for one in found) else ()
    return Shown(
        blocks=(Blocks(title=f"{number_text(number)} in {len(rows)} ways", rows=tuple(rows), notes=notes),),
        json=lambda: {"schema_version": 1, "value": number, "absmax": most, "stored": stored_json(found)},
        parts=(table_part("Bit by bit", "bits", table),),
        links={row.label: "bits" for row in rows},
        says={row.label: f"{one.format.layout}: {one.code}" for row, one in zip(rows, found, strict=True)},
        charts={"errors": lambda mode, width: stored_chart(found, width=width, mode=mode)} if number else {},
        page=lambda: page(f"{number_text(number)} in every format", table_html(*table)),
        csv=partial(table_csv, *table),
    )


VIEW = View(
    name="dtype",
    under="model",
    title="Number formats",
    tab="Number formats",
    lead="What a value becomes in every number format: bits, what reads back, the error; alone, and with a scale.",
    button="Store it",
    groups=(
        Group(
            title="The value",
            open=True,
            fields=(
                Field(name="value", label="Value", example="3.14159", hint="Or pi, e; left empty, the formats."),
                Field(name="format", label="One format", kind="choice", choices=NAMES),
                Field(name="absmax", label="Largest magnitude of its tensor", example="10", hint="Sets the scale."),
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    examples=(("Pi", {"value": "pi"}), ("0.1 beside values up to 10", {"value": "0.1", "absmax": "10"})),
)
