"""A Ledger as rows: the same in text, Markdown and HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.words import percent, say

if TYPE_CHECKING:
    from isoflop.relation.answer import Ledger

LEDGER_COLUMNS = ("term", "amount", "share", "note")


def ledger_rows(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    """One row a term (name, amount, share of the total, note) and the total last."""
    total = ledger.total
    shares = total > 0 and all(term.value >= 0 for term in ledger.terms)
    rows = [
        (term.name, say(term.value, ledger.quantity), percent(term.value / total) if shares else "", term.note)
        for term in ledger.terms
    ]
    return [*rows, ("total", say(total, ledger.quantity), "100 %" if shares else "", "")]


def limit_words(ledger: Ledger) -> tuple[str, bool]:
    """How the total stands to the limit, and whether it is over; nothing where there is no limit."""
    if ledger.limit is None:
        return "", False
    limit, total = say(ledger.limit, ledger.quantity), say(ledger.total, ledger.quantity)
    gap = say(abs(ledger.limit - ledger.total), ledger.quantity)
    share = f" ({percent(ledger.total / ledger.limit)})" if ledger.limit > 0 else ""
    if ledger.total > ledger.limit:
        return f"{total} needed, {limit} there{share}: {gap} too much", True
    return f"{total} of {limit} used{share}, {gap} free", False
