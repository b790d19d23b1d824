"""A text read into a document: the steps of its chain, and its figures in running text as claims."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from isoflop.audit.document import Document, Span, Step, Unread
from isoflop.audit.prose.amounts import MOST_NUMBERS
from isoflop.audit.prose.chain import items_of, read_chain
from isoflop.audit.prose.facts import told
from isoflop.audit.prose.values import value_of
from isoflop.errors import shorten
from isoflop.quantity import quantities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.prose.facts import Fact, Told

_WORDS = {
    "params": "parameters",
    "active_params": "active parameters",
    "tokens": "training tokens",
    "words": "training words",
    "train_flops": "training FLOP",
    "chips": "number of chips",
    "chip_time": "chip-hours",
    "train_time": "time of training",
    "mfu": "utilisation (MFU)",
    "train_cost": "cost",
    "price": "price of a chip-hour",
    "train_energy": "electricity",
    "train_emissions": "emissions",
    "memory": "bytes of memory",
}
"""What a role is called in a report."""

_FOREIGN_DIGITS = re.compile(r"(?:(?![0-9])\d)+")
_SIGNS = frozenset("×*÷/+=≈x")
_SPELLED = re.compile(r"[A-Za-z\s]+")


def read_prose(text: str, name: str = "text") -> Document:
    """The document of a text in Markdown or plain. Raises: BadFile for one that is too large or no text.

    >>> [step.label for step in read_prose("GPT-3 has 175B parameters.").steps]
    ['parameters of GPT-3']
    """
    if name.lower().endswith((".csv", ".tsv")):
        from isoflop.audit.world.table import table_document

        return table_document(text, name)
    lines = tuple(text.split("\n"))
    sentences = told(lines)
    items = items_of(sentences)
    steps, nouns, unread = read_chain(items)
    taken = {place for item in items for place in item.places}
    claims, others = _claims(tuple(one for one in sentences if one.sentence.place not in taken))
    return Document(
        name=name,
        steps=(*steps, *claims),
        nouns=nouns,
        unread=tuple(sorted((*unread, *others), key=lambda one: one.span.line)),
        lines=lines,
        result=next((step.number for step in reversed(steps) if step.expr is not None and step.quantity in _AFTER), ""),
    )


_AFTER = frozenset({
    "params", "tokens", "train_flops", "train_cost", "train_time", "chip_time", "chips", "train_energy",
    "train_emissions",
})  # fmt: skip
"""What a chain is after where it gives one of these last; ratios that follow ("$/param") are remarks."""


def running(document: Document) -> tuple[Told, ...]:
    """The sentences of a document that are no part of its chain, with their facts; () for what is no prose."""
    if not document.lines or document.name.lower().endswith((".toml", ".csv", ".tsv")):
        return ()
    sentences = told(document.lines)
    taken = {place for item in items_of(sentences) for place in item.places}
    return tuple(one for one in sentences if one.sentence.place not in taken)


def _claims(sentences: tuple[Told, ...]) -> tuple[list[Step], list[Unread]]:
    steps: list[Step] = []
    unread: list[Unread] = []
    used: Counter[int] = Counter()
    for one in sentences:
        unread += _not_read(one)
        for fact in one.facts:
            if not _is_read(fact):
                why = _why_not(fact)
                if why:
                    unread.append(Unread(span=_span(fact), text=fact.amount.text, why=why))
                continue
            used[fact.line] += 1
            steps.append(_claim(fact, used[fact.line]))
    return steps, unread


def _not_read(one: Told) -> Iterator[Unread]:
    """Digits that are not 0 to 9, and sentences with more numbers than prose has."""
    for match in _FOREIGN_DIGITS.finditer(one.sentence.text):
        line = one.sentence.line_of(match.start())
        why = "digits other than 0 to 9"
        yield Unread(span=Span(line=line, start=match.start(), end=match.end()), text=match.group(), why=why)
    if one.read.crowded:
        why = f"more than {MOST_NUMBERS} numbers in one sentence"
        yield Unread(span=Span(line=one.sentence.line), text=shorten(one.sentence.text), why=why)


def _is_read(fact: Fact) -> bool:
    return bool(fact.role) or (fact.amount.kind not in {"", "#other", "#things", "#zero"})


def _why_not(fact: Fact) -> str:
    """Why a number was not understood; "" for words like "one" and counts of things that no figure hangs on."""
    if fact.amount.kind in {"#things", "#zero"} or _SPELLED.fullmatch(fact.amount.text) or _is_in_a_sum(fact):
        return ""
    if fact.amount.kind == "#other":
        return "its unit is not known"
    return "a number without a unit or noun that is known"


def _is_in_a_sum(fact: Fact) -> bool:
    """Whether it stands beside a sign: a term of a sum, which the audit has computed."""
    text = fact.sentence.text
    before, after = text[: fact.amount.start].rstrip()[-1:], text[fact.amount.end :].lstrip()[:1]
    return before in _SIGNS or after in _SIGNS


def _span(fact: Fact) -> Span:
    return Span(line=fact.line, start=fact.amount.start, end=fact.amount.end)


def _claim(fact: Fact, count: int) -> Step:
    subject = fact.subject.name.text if fact.subject.name else ""
    what = _WORDS.get(fact.role, "") or (fact.role or fact.amount.unit.lstrip("#")).replace("_", " ")
    if what in quantities():
        what = f"{what} here"  # a name of the glossary alone would make it a root of a chain
    return Step(
        number=f"L{fact.line}" if count == 1 else f"L{fact.line}.{count}",
        kind="claim",
        span=_span(fact),
        text=fact.sentence.text,
        label=f"{what} of {subject}" if subject else what,
        says=value_of(fact.amount),
        subject=subject,
        words=fact.sentence.text,
    )


def lines_of(document: Document) -> Iterator[str]:
    """The document's text, line by line."""
    yield from document.lines
