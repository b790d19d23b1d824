"""Every check of running text, in one: each finding once, at the line it stands on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.audit.prose.reader import running
from isoflop.audit.world.devices import device_figures
from isoflop.audit.world.formats import format_figures
from isoflop.audit.world.laws import law_figures
from isoflop.audit.world.memory import memory_figures
from isoflop.audit.world.models import model_figures
from isoflop.audit.world.runs import runs
from isoflop.audit.world.sums import sums
from isoflop.audit.world.units import unit_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isoflop.audit.document import Document, Evaluated, Finding
    from isoflop.audit.prose.facts import Told

_OF_TEXT: tuple[Callable[[tuple[Told, ...]], Iterator[Finding]], ...] = (
    unit_words,
    sums,
    model_figures,
    device_figures,
    runs,
    memory_figures,
    format_figures,
    law_figures,
)


def prose_claims(document: Document, evaluated: Evaluated) -> Iterator[Finding]:
    """What the running text of a document says that the library knows otherwise."""
    del evaluated
    text = running(document)
    if not text:
        return
    yield from claims_of(text)


def claims_of(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Findings of sentences; the same slip at the same place is said once, by the first check that sees it."""
    text = tuple(one for one in text if one.sentence.kind not in {"code", "row"})
    seen: set[tuple[int, int, str]] = set()
    for check in _OF_TEXT:
        for finding in check(text):
            line_has = {kind for line, _, kind in seen if line == finding.span.line}
            key = (finding.span.line, finding.span.start, finding.kind)
            if key in seen or (
                finding.kind == "utilisation_above_one" and line_has & {"device_figure", "sparse_for_dense"}
            ):
                continue
            seen.add(key)
            yield replace(finding, reason=_sentence(finding.reason))


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if text.endswith(".") else f"{text}."
