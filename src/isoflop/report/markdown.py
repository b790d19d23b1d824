"""An Answer and a Ledger as Markdown (CommonMark with tables), for notebooks, documents and pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.citations import looked_up, references
from isoflop.report.markup import markdown_cell, markdown_text
from isoflop.report.outline import (
    check_words,
    groups,
    headline,
    interval_words,
    movers,
    stands_on,
)
from isoflop.report.table import table_markdown
from isoflop.report.terms import LEDGER_COLUMNS, ledger_rows, limit_words
from isoflop.report.words import bracketed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.relation.answer import Answer, Ledger
    from isoflop.report.outline import Group


def answer_markdown(
    answer: Answer,
    explain: bool = True,  # noqa: FBT001, FBT002 - the one choice there is
) -> str:
    """The answer with its derivation as one table; without `explain`, what it stands on as a list."""
    interval = interval_words(answer)
    parts = [f"**{markdown_text(headline(answer))}**" + (f" ({markdown_text(interval)})" if interval else "")]
    if explain and answer.steps:
        parts.append(_derivation(groups(answer)))
    elif answer.steps:
        parts.append(_listing(f"**{markdown_text(head)}:** {markdown_text(text)}" for head, text in stands_on(answer)))
    moving = movers(answer)
    if moving:
        parts.append(f"**What moves it:** {markdown_text(moving)}")
    for heading, texts in (
        ("Checks", tuple(map(check_words, answer.checks)) if explain else ()),
        ("Mind", answer.warnings),
    ):
        if texts:
            parts.append(f"**{heading}:**\n\n" + _listing(map(markdown_text, texts)))
    works = references(answer.sources) if explain else ()
    if works:
        lines = (f"{markdown_text(f'{work.key}: {work.text}')}, <{work.url}>" for work in works)
        parts.append("**Sources:**\n\n" + _listing(lines))
    elif not explain and looked_up(answer.sources):
        parts.append("**Sources:** " + ", ".join(map(markdown_text, looked_up(answer.sources))))
    return "\n\n".join(part for part in parts if part)


def _listing(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _derivation(parts: tuple[Group, ...]) -> str:
    lines = ["| step | quantity | value | follows from | source |", "|---:|---|---|---|---|"]
    for group in parts:
        for line in group.lines:
            origin = f"{line.formula} with {bracketed(line.inputs)}" if line.inputs else line.formula or group.heading
            origin = f"{origin}; {line.remark}" if line.remark else origin
            cells = (f"[{line.number}]", line.quantity, line.value, origin, "; ".join(line.sources))
            lines.append("| " + " | ".join(map(markdown_cell, cells)) + " |")
    return "\n".join(lines)


def ledger_markdown(ledger: Ledger) -> str:
    """The ledger as a table, with what is left below the limit."""
    parts = [f"**{markdown_text(ledger.title)}**"] if ledger.title else []
    parts.append(table_markdown(LEDGER_COLUMNS, ledger_rows(ledger)))
    words, over = limit_words(ledger)
    if words:
        parts.append(f"**{markdown_text(words)}**" if over else markdown_text(words))
    if ledger.sources:
        parts.append("Sources: " + ", ".join(map(markdown_text, ledger.sources)))
    return "\n\n".join(parts)
