"""An Answer and a Ledger as terminal text. Every function returns a str; printing is the command line's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.blocks import Blocks, Section, blocks_text
from isoflop.report.citations import looked_up, references
from isoflop.report.layout import Paper, flow, hang, pad
from isoflop.report.outline import (
    check_words,
    groups,
    headline,
    interval_words,
    movers,
    stands_on,
)
from isoflop.report.table import table_text
from isoflop.report.terms import LEDGER_COLUMNS, ledger_rows, limit_words
from isoflop.report.words import bracketed

if TYPE_CHECKING:
    from isoflop.relation.answer import Answer, Ledger
    from isoflop.report.outline import Line

_INDENT = "  "
_GAP = "   "


def answer_text(
    answer: Answer,
    explain: bool = False,  # noqa: FBT001, FBT002 - the one choice there is
    *,
    width: int = 80,
    color: bool = False,
    ascii_only: bool = False,
) -> str:
    """The answer for a terminal: result and interval, what it stands on, what moves it, warnings, other roots.

    `explain` puts the whole derivation in the place of the summary: numbered steps, leaves first, each with the steps
    it follows from and its sources.
    """
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    parts = [_headline(answer, paper)]
    if explain:
        parts += [_group(group.heading, group.lines, paper) for group in groups(answer)]
    around = Blocks(sections=_sections(answer, explain=explain))
    if around.sections:
        parts.append(blocks_text(around, width=width, color=color, ascii_only=ascii_only))
    return "\n\n".join(parts)


def _headline(answer: Answer, paper: Paper) -> str:
    result = paper.text(headline(answer))
    lines = flow([("", result), (_GAP, paper.text(interval_words(answer)))], paper.columns, indent=_INDENT)
    if lines[0].startswith(result):
        lines[0] = paper.strong(result) + lines[0][len(result) :]
    return "\n".join(lines)


def _sections(answer: Answer, *, explain: bool) -> tuple[Section, ...]:
    """What stands below the result, in the order in which people need it."""
    parts = [] if explain else [Section(heading=heading, lines=(text,)) for heading, text in stands_on(answer)]
    moving = movers(answer)
    if moving:
        parts.append(Section(heading="What moves it", lines=(moving,)))
    if answer.checks and explain:
        parts.append(Section(heading="Checks", lines=tuple(map(check_words, answer.checks))))
    if answer.warnings:
        parts.append(Section(heading="Mind", lines=answer.warnings, loud=True))
    if explain:
        lines = tuple(f"{work.key}: {work.text}, {work.url}" for work in references(answer.sources))
    else:
        lines = (", ".join(looked_up(answer.sources)),)
    if any(lines):
        parts.append(Section(heading="Sources", lines=lines))
    return tuple(parts)


def _group(heading: str, lines: tuple[Line, ...], paper: Paper) -> str:
    size = max(len(str(line.number)) for line in lines) + 2
    return "\n".join([paper.strong(_INDENT + heading), *(text for line in lines for text in _step(line, size, paper))])


def _step(line: Line, size: int, paper: Paper) -> list[str]:
    """One step: number, equation, where it comes from, how it was written, sources; in as few lines as fit."""
    chunks = [
        ("", f"{line.quantity} = {line.formula}" if line.formula else line.quantity),
        (" ", f"= {line.value}"),
        (_GAP, f"from {bracketed(line.inputs)}" if line.inputs else ""),
        (_GAP, line.remark),
        (_GAP, f"[{'; '.join(line.sources)}]" if line.sources else ""),
    ]
    lead = _INDENT * 2 + pad(f"[{line.number}]", size) + " "
    lines = flow([(gap, paper.text(text)) for gap, text in chunks], paper.columns - len(lead), indent=_INDENT)
    return [(lead if index == 0 else " " * len(lead)) + one for index, one in enumerate(lines)]


def ledger_text(ledger: Ledger, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """The ledger for a terminal: its terms, their sum, and what is left below the limit."""
    paper = Paper(width=width, color=color, ascii_only=ascii_only)
    rows = ledger_rows(ledger)
    shown = [index for index in range(len(LEDGER_COLUMNS)) if any(row[index] for row in rows)]
    table = table_text(
        [LEDGER_COLUMNS[index] for index in shown],
        [[row[index] for index in shown] for row in rows],
        width=paper.columns - len(_INDENT),
        color=color,
        ascii_only=ascii_only,
    )
    lines = hang(paper.text(ledger.title), paper.columns)
    lines = [paper.strong(line) for line in lines] if ledger.title else []
    lines += [_INDENT + line if line else "" for line in table.split("\n")]
    words, over = limit_words(ledger)
    if words:
        paint = paper.loud if over else str
        lines += ["", *(paint(line) for line in hang(paper.text(words), paper.columns, _INDENT))]
    if ledger.sources:
        sources = paper.text("Sources: " + ", ".join(ledger.sources))
        lines += ["", *(paper.faint(line) for line in hang(sources, paper.columns, _INDENT))]
    return "\n".join(lines)
