"""A text read into a document: the steps of its chain, and its figures in running text as claims."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from isoflop.audit.document import Document, Span, Step, Unread
from isoflop.audit.prose.chain import items_of, read_chain
from isoflop.audit.prose.facts import told
from isoflop.audit.prose.values import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.prose.facts import Fact, Told

_SPELLED = re.compile(r"[A-Za-z\s]+")


def read_prose(text: str, name: str = "text") -> Document:
    """The document of a text in Markdown or plain. Raises: BadFile for one that is too large or no text.

    >>> [step.label for step in read_prose("GPT-3 has 175B parameters.").steps]
    ['params of GPT-3']
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
    )


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
        for fact in one.facts:
            if not _is_read(fact):
                why = _why_not(fact)
                if why:
                    unread.append(Unread(span=_span(fact), text=fact.amount.text, why=why))
                continue
            used[fact.line] += 1
            steps.append(_claim(fact, used[fact.line]))
    return steps, unread


def _is_read(fact: Fact) -> bool:
    return bool(fact.role) or (fact.amount.kind not in {"", "#other", "#things"})


def _why_not(fact: Fact) -> str:
    """Why a number was not understood; "" for words like "one" and counts of things that no figure hangs on."""
    if fact.amount.kind == "#things" or _SPELLED.fullmatch(fact.amount.text):
        return ""
    if fact.amount.kind == "#other":
        return "its unit is not known"
    return "a number without a unit or noun that is known"


def _span(fact: Fact) -> Span:
    return Span(line=fact.line, start=fact.amount.start, end=fact.amount.end)


def _claim(fact: Fact, count: int) -> Step:
    subject = fact.subject.name.text if fact.subject.name else ""
    what = (fact.role or fact.amount.unit.lstrip("#")).replace("_", " ")
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
