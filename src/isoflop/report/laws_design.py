"""A design drawn: which runs to do next, what they are worth, and what the same compute does otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Row, Section, blocks_markdown, blocks_text
from isoflop.report.table import Column, table_csv, table_markdown, table_text
from isoflop.report.words import finite, percent, say

if TYPE_CHECKING:
    from isoflop.laws import Design
    from isoflop.report.json import Json
    from isoflop.report.table import Cell

MOST_SHOWN = 12


def design_blocks(found: Design) -> Blocks:
    """Rows and sections that every renderer draws."""
    before, after = float(found.track.width[0]), float(found.track.width[-1])
    target = found.targets[0]
    more = f" and {len(found.targets) - 1} more" if len(found.targets) > 1 else ""
    count = sum(cell.seeds for cell in found.cells)
    rows = (
        Row(
            label="target",
            value=f"{say(target['params'], 'params')} on {say(target['tokens'], 'tokens')}{more}",
            remark=f"loss {say(found.loss, 'loss')} today, ±{_share(before)} by what the runs leave open",
        ),
        Row(
            label="next runs",
            value=f"{count} for {say(found.flops, 'train_flops')}" if count else "none",
            remark=f"of {say(found.allowance, 'train_flops')} allowed; {found.candidates:,} cells weighed",
        ),
        Row(
            label="then",
            value=f"±{_share(after)}",
            remark=f"expected half-width at {percent(found.level)}: {_less(after, before)}",
        ),
    )
    others = tuple(_other(name, found) for name in found.others)
    sections = [Section(heading="As much spent", lines=others)] if others else []
    forms = ", ".join(f"{name} {percent(weight)}" for name, weight in found.forms.items())
    further = found.minima - len(found.forms)
    forms += f"; {further} further minim{'a' if further > 1 else 'um'} of these" if further > 0 else ""
    sections.append(Section(heading="Held possible", lines=(forms,)))
    sections += [Section(heading="Mind", lines=mind(found), loud=True)] if mind(found) else []
    return Blocks(rows=rows, sections=tuple(sections))


def mind(found: Design) -> tuple[str, ...]:
    """What makes a design weak."""
    said = []
    if not found.cells:
        said.append("no run that can be paid for lowers the interval by a thousandth: allow more, or give other cells")
    elif found.track.width[-1] > 0.9 * found.track.width[0]:
        said.append("these runs hardly narrow the interval: the target lies too far from what the allowance reaches")
    said.append("the widths are expected ones: give the new losses to the runs and design again after each batch")
    return tuple(said)


def _other(name: str, found: Design) -> str:
    width = float(found.others[name].width[-1])
    return f"{name}: ±{_share(width)}, {_less(width, float(found.track.width[0]))}"


def _less(after: float, before: float) -> str:
    return f"{percent(1.0 - after / before)} narrower" if before > 0 else "no narrower"


def _share(width: float) -> str:
    return f"{100 * width:.2g} %"


def design_table(found: Design) -> tuple[list[Column | str], list[tuple[Cell, ...]]]:
    """The cells, a row each, dearest first."""
    names = list(found.cells[0].inputs) if found.cells else ["params", "tokens"]
    columns: list[Column | str] = [
        Column(name=name, quantity=name) if name in {"params", "tokens", "unique_tokens"} else Column(name=name)
        for name in names
    ]
    columns += [Column(name="flops", title="FLOP", quantity="train_flops", shown="FLOP"), Column(name="seeds")]
    rows: list[tuple[Cell, ...]] = [
        (*(cell.inputs[name] for name in names), cell.flops, cell.seeds) for cell in found.cells
    ]
    return columns, rows


def design_text(
    found: Design, *, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The design for a terminal."""
    parts = [blocks_text(design_blocks(found), width=width, color=color, ascii_only=ascii_only)]
    if found.cells:
        columns, rows = design_table(found)
        parts.append(
            table_text(
                columns, rows[: None if explain else MOST_SHOWN], width=width, color=color, ascii_only=ascii_only
            )
        )
        hidden = len(rows) - MOST_SHOWN
        parts += [f"{hidden} more: --explain, or --out cells.csv"] if hidden > 0 and not explain else []
    if explain:
        steps = tuple(f"[{number}] {text}" for number, text in enumerate(design_steps(found), start=1))
        block = Blocks(sections=(Section(heading="It follows", lines=steps),))
        parts.append(blocks_text(block, width=width, color=color, ascii_only=ascii_only))
    return "\n\n".join(parts)


def design_steps(found: Design) -> tuple[str, ...]:
    """The derivation, a sentence a step."""
    left_open = (
        "what the runs leave open: draws of the constants from refits of resampled runs, from every minimum nearly"
    )
    far = "1 % a decade below the dearest run"
    return (
        f"{left_open} as good, of every form, weighed by how its fits to the cheaper runs foretold the dearer ones",
        "their joint covariance of ln(loss) at target and cells, and a drift of 0.6 % a decade beyond the dearest run",
        f"a run conditions it as a measurement with the scatter of a run, {_share(found.scatter)}, and {far}",
        "cells are taken one after the other by gain over compute to the power 0.85",
    )


def design_markdown(found: Design) -> str:
    """The design as Markdown."""
    parts = [blocks_markdown(design_blocks(found))]
    return "\n\n".join([*parts, table_markdown(*design_table(found))] if found.cells else parts)


def design_html(found: Design) -> str:
    """The design as one self-contained page: answer, chart, derivation."""
    from isoflop.report.drawings import drawn
    from isoflop.report.report_page import document

    return document(drawn(found))


def design_csv(found: Design) -> str:
    """The cells for a laboratory: one row a run to do, in base units."""
    return table_csv(*design_table(found))


def design_toml(found: Design) -> str:
    """The cells for a laboratory, one table each."""
    lines = []
    for cell in found.cells:
        lines += ["[[cell]]", *(f"{name} = {value!r}" for name, value in cell.inputs.items())]
        lines += [f"flops = {cell.flops!r}", f"seeds = {cell.seeds}", ""]
    return "\n".join(lines)


def design_json(found: Design) -> dict[str, Json]:
    """The design for scripts, in base units; widths are half-widths of ln(loss)."""
    from isoflop.report.json import SCHEMA_VERSION

    return {
        "schema_version": SCHEMA_VERSION,
        "cells": [{**cell.inputs, "flops": cell.flops, "seeds": cell.seeds} for cell in found.cells],
        "flops": found.flops,
        "allowance": found.allowance,
        "targets": [dict(one) for one in found.targets],
        "loss": finite(found.loss, "the loss at the target"),
        "interval": found.level,
        "width_before": float(found.track.width[0]),
        "width_after": float(found.track.width[-1]),
        "track": {"flops": found.track.flops.tolist(), "width": found.track.width.tolist()},
        "others": {
            name: {"flops": one.flops.tolist(), "width": one.width.tolist()} for name, one in found.others.items()
        },
        "scatter": found.scatter,
        "forms": dict(found.forms),
        "minima": found.minima,
        "candidates": found.candidates,
        "steps": list(design_steps(found)),
        "warnings": list(mind(found)),
    }
