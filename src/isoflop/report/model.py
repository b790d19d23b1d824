"""A model as text, Markdown and HTML: what it is, a table by component, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.report import model_words as words
from isoflop.report.blocks import Blocks, Section, blocks_html, blocks_markdown, blocks_text
from isoflop.report.layout import Paper, wrap
from isoflop.report.markup import markdown_text
from isoflop.report.model_derivation import model_steps, steps_table
from isoflop.report.table import Cell, Column, table_html, table_markdown, table_text
from isoflop.report.words import percent

if TYPE_CHECKING:
    from isoflop.model.sheet import Sheet

Table = tuple[tuple[Column, ...], list[tuple[Cell, ...]]]

_FLOPS = "forward_flops_per_token"


def model_head(sheet: Sheet) -> Blocks:
    """What the model is."""
    return Blocks(title=words.title(sheet), rows=words.head_rows(sheet))


def model_body(sheet: Sheet) -> tuple[Blocks, ...]:
    """What follows from the components: counts, FLOP, state, bytes; and what to mind."""
    named = (
        ("Parameters", words.count_rows(sheet), ()),
        ("FLOP of matrix products", words.work_rows(sheet), ()),
        (f"State of one sequence, cache in {sheet.at.kv_dtype}", words.state_rows(sheet), ()),
        ("Bytes of the weights", words.weight_rows(sheet), words.weight_notes(sheet)),
        (
            "Memory of training, not sharded: two rules of bytes a parameter, and activations",
            words.training_rows(sheet),
            (words.training_note(sheet),),
        ),
    )
    found = tuple(Blocks(title=title, rows=tuple(rows), notes=notes) for title, rows, notes in named)
    minded = words.minded(sheet)
    if not minded:
        return found
    return (*found, Blocks(sections=(Section(heading="Mind", lines=minded, loud=not sheet.described.verified),)))


def component_table(sheet: Sheet, *, exact: bool = False) -> Table:
    """The components with their shares, and the total last; `exact` for scripts: no total, nothing left out."""
    mixed = exact or sheet.counts.active_params != sheet.counts.params
    columns = [
        Column(name="part"),
        Column(name="params", title="parameters", right=True, written=lambda value: f"{value:,.0f}" if value else "-"),
        Column(name="share", right=True, written=percent),
        Column(name="active_params", title="active", quantity="" if exact else "active_params", right=True),
        Column(name="flops", title="FLOP/token", quantity=_FLOPS, shown="FLOP/token", right=True),
        Column(name="bytes", title=sheet.stored_as, quantity="weight_bytes", right=True),
    ]
    total = sheet.counts.params
    rows: list[tuple[Cell, ...]] = [
        (
            one.part,
            float(one.params),
            one.params / total if one.params or exact else None,
            float(one.active_params) if one.params or exact else None,
            one.flops if one.flops or exact else None,
            one.bytes if one.params or exact else None,
        )
        for one in sheet.components
    ]
    if not exact:
        flops, size = (sum(getattr(one, name) for one in sheet.components) for name in ("flops", "bytes"))
        rows.append(("total", float(total), 1.0, float(sheet.counts.active_params), flops, size))
    kept = [place for place in range(len(columns)) if mixed or columns[place].name != "active_params"]
    return tuple(columns[place] for place in kept), [tuple(row[place] for place in kept) for row in rows]


def model_text(
    sheet: Sheet, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The model for a terminal of `width` columns; `explain` adds the derivation."""
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    parts = [_under(paper, model_head(sheet)), _set_in(paper, component_table(sheet))]
    parts += [_under(paper, blocks) for blocks in model_body(sheet)]
    for title, table in _derivation(sheet, explain=explain):
        heading = "\n".join(map(paper.strong, wrap(paper.text(title), paper.columns)))
        parts.append(f"{heading}\n{_set_in(paper, table)}")
    return "\n\n".join(parts)


def _set_in(paper: Paper, table: Table) -> str:
    text = table_text(*table, width=paper.width - 2, color=paper.color, ascii_only=paper.ascii_only)
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _derivation(sheet: Sheet, *, explain: bool) -> list[tuple[str, Table]]:
    """A table of steps for every section of the derivation."""
    steps = model_steps(sheet) if explain else ()
    sections = dict.fromkeys(step.section for step in steps)
    return [(title, steps_table([step for step in steps if step.section == title])) for title in sections]


def _under(paper: Paper, blocks: Blocks) -> str:
    """Blocks right under their title."""
    body = blocks_text(replace(blocks, title=""), width=paper.width, color=paper.color, ascii_only=paper.ascii_only)
    if not blocks.title:
        return body
    return "\n".join([*map(paper.strong, wrap(paper.text(blocks.title), paper.columns)), body])


def model_markdown(sheet: Sheet, *, explain: bool = False) -> str:
    """The model in Markdown."""
    parts = [blocks_markdown(model_head(sheet)), table_markdown(*component_table(sheet))]
    parts += map(blocks_markdown, model_body(sheet))
    for title, table in _derivation(sheet, explain=explain):
        parts += [f"### {markdown_text(title)}", table_markdown(*table)]
    return "\n\n".join(parts)


def model_html(sheet: Sheet, *, explain: bool = False) -> str:
    """The model as an HTML fragment."""
    parts = [blocks_html(model_head(sheet)), table_html(*component_table(sheet))]
    parts += map(blocks_html, model_body(sheet))
    parts += [table_html(*table, caption=title) for title, table in _derivation(sheet, explain=explain)]
    return "".join(parts)
