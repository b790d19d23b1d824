"""The account of many runs in every form."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.quantity import quantity, write
from isoflop.report.account import TITLES
from isoflop.report.blocks import Blocks, Row, blocks_html, blocks_markdown, blocks_text
from isoflop.report.table import Column, table_html, table_markdown, table_text
from isoflop.report.words import percent

if TYPE_CHECKING:
    from isoflop.report.drawings import Drawn
    from isoflop.report.json import Json
    from isoflop.report.table import Cell
    from isoflop.training.many import Many

SHOWN = 12
"""Runs that the table for a terminal lists: the longest; other forms have all."""


def drawn(found: Many) -> Drawn:
    """Every form of the account."""
    from isoflop.report.drawings import Drawn, Story

    def page() -> str:
        parts = [blocks_html(blocks) for blocks in _blocks(found)]
        return "\n".join((*parts, table_html(*runs_table(found))))

    return Drawn(
        text=lambda **look: many_text(found, **{key: value for key, value in look.items() if key != "explain"}),
        json=partial(many_json, found),
        markdown=lambda _: many_markdown(found),
        story=lambda: Story(title=_title(found), answer=page()),
        table=partial(runs_table, found),
    )


def _title(found: Many) -> str:
    runs = len(found.every)
    return f"{runs:,} run{'s' if runs > 1 else ''} on {found.chips:,} x {found.title}"


def _blocks(found: Many) -> list[Blocks]:
    blocks = [Blocks(title=_title(found), rows=())]
    for name, lines in found.parts.items():
        rows = tuple(
            Row(label=one.name, value=one.words or write(one.value, quantity(one.quantity)), remark=one.note)
            for one in lines
        )
        blocks.append(Blocks(title=TITLES[name], rows=rows))
    return blocks


def runs_table(found: Many) -> tuple[list[Column], list[tuple[Cell, ...]]]:
    """A row a run, the longest first, in base units."""
    columns = [
        Column(name="run"), Column(name="params", quantity="params"), Column(name="tokens", quantity="tokens"),
        Column(name="chips", right=True, written=lambda value: f"{value:,.0f}"),
        Column(name="chip_time", title="chip-hours", quantity="chip_time", shown="chip-hours"),
        Column(name="mfu", title="MFU", quantity="mfu"), Column(name="energy", quantity="train_energy"),
        Column(name="share", right=True, written=percent),
    ]  # fmt: skip
    whole = found.chip_time
    every = sorted(found.every, key=lambda one: -one.chip_time)
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, one.params, one.tokens, float(one.chips), one.chip_time, one.mfu, one.energy or None,
            one.chip_time / whole,
        )
        for one in every
    ]  # fmt: skip
    return columns, rows


def many_text(found: Many, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """For a terminal: the sums, then the longest runs."""
    columns, rows = runs_table(found)
    parts = [blocks_text(one, width=width, color=color, ascii_only=ascii_only) for one in _blocks(found)]
    parts.append(table_text(columns, rows[:SHOWN], width=width, color=color, ascii_only=ascii_only).rstrip("\n"))
    if len(rows) > SHOWN:
        parts.append(f"The longest {SHOWN} of {len(rows):,}; --format csv has all.")
    return "\n\n".join(part for part in parts if part.strip())


def many_markdown(found: Many) -> str:
    """As Markdown, every run."""
    return "\n\n".join((*(blocks_markdown(one) for one in _blocks(found)), table_markdown(*runs_table(found))))


def many_json(found: Many) -> dict[str, Json]:
    """For scripts: base units, quantity names."""
    return {
        "schema_version": 1,
        "device": found.device,
        "chips": found.chips,
        "chip_time": found.chip_time,
        "train_time": found.time,
        "parts": {
            name: [
                {"name": one.name, "value": one.value, "quantity": one.quantity, "words": one.words, "note": one.note}
                for one in lines
            ]
            for name, lines in found.parts.items()
        },
        "runs": [{name: getattr(one, name) for name in one.__dataclass_fields__} for one in found.every],
        "assumptions": {name: getattr(found.terms, name) for name in type(found.terms).__dataclass_fields__},
    }
