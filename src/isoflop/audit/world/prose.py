"""Every check of running text, in one: each finding once, at the line it stands on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.audit.prose.reader import running
from isoflop.audit.world.caches import caches
from isoflop.audit.world.changes import changes
from isoflop.audit.world.devices import device_figures
from isoflop.audit.world.divided import divided
from isoflop.audit.world.flows import flows
from isoflop.audit.world.formats import format_figures
from isoflop.audit.world.laws import law_figures
from isoflop.audit.world.memory import memory_figures
from isoflop.audit.world.models import model_figures
from isoflop.audit.world.products import products
from isoflop.audit.world.proportions import proportions
from isoflop.audit.world.runs import runs
from isoflop.audit.world.sums import sums
from isoflop.audit.world.units import unit_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isoflop.audit.document import Document, Evaluated, Finding, Step
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
    flows,
    caches,
    proportions,
    changes,
    divided,
    products,
)


def prose_claims(document: Document, evaluated: Evaluated) -> Iterator[Finding]:
    """What the running text of a document says that the library knows otherwise."""
    del evaluated
    text = running(document)
    if not text:
        return
    steps: dict[tuple[int, int, int], list[Step]] = {}
    for step in document.steps:
        steps.setdefault((step.span.line, step.span.start, step.span.end), []).append(step)
    for finding in claims_of(text):
        place = finding.span.line, finding.span.start, finding.span.end
        here = [one for one in steps.get(place, []) if one.kind == "claim"]
        yield replace(finding, step=here[0].number) if len(here) == 1 else finding


def claims_of(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Findings of sentences; the same slip at the same place is said once, by the first check that sees it."""
    text = tuple(one for one in text if one.sentence.kind not in {"code", "row"})
    seen: set[tuple[int, int, str]] = set()
    summed: set[tuple[int, int]] = set()
    wrong: set[int] = set()
    kinds: dict[int, set[str]] = {}
    for check in _OF_TEXT:
        for finding in check(text):
            line_has = kinds.setdefault(finding.span.line, set())
            key = (finding.span.line, finding.span.start, finding.kind)
            if (finding.span.line, finding.span.start) in summed:
                continue  # what a sum that does not come out is held against next, it is off by the same slip
            if check is products and finding.span.line in wrong:
                continue  # somebody has said what is wrong there
            if key in seen or (
                finding.kind == "utilisation_above_one" and line_has & {"device_figure", "sparse_for_dense"}
            ):
                continue
            seen.add(key)
            line_has.add(finding.kind)
            wrong |= {finding.span.line} if finding.is_wrong else set()
            if finding.level == "arithmetic":
                summed.add((finding.span.line, finding.span.start))
            yield replace(finding, reason=_sentence(finding.reason))


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if text.endswith(".") else f"{text}."
