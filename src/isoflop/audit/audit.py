"""The audit itself: a document in, a report out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.audit.engine import recalculate
from isoflop.audit.judge import judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.audit.document import Check, Document, Evaluated, Finding
    from isoflop.audit.engine import Recalculated


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an audit found; `findings` in the document's order, `evaluated` every step recomputed."""

    document: Document
    findings: tuple[Finding, ...]
    evaluated: Evaluated

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; notes and what is inherited do not count."""
        return not any(finding.is_wrong for finding in self.findings)


def audit_document(document: Document, checks: Sequence[Check] = ()) -> Report:
    """Recompute every step, judge it, and hold the document against the world by `checks`."""
    steps: Mapping[str, Recalculated] = {}
    findings: list[Finding] = []
    for found, done in recalculate(document):
        judged = list(judge(found, done, document))
        found.wrong = any(finding.is_wrong for finding in judged)
        findings += judged
        steps = done
    evaluated = {key: found.outcome() for key, found in steps.items()}
    for check in checks:
        findings += check(document, evaluated)
    return Report(document=document, findings=in_order(findings, document), evaluated=evaluated)


def in_order(findings: Sequence[Finding], document: Document) -> tuple[Finding, ...]:
    """Findings by the place of their steps, the second of a step and class dropped."""
    places = {step.number: place for place, step in enumerate(document.steps)}
    unique = {(finding.step, finding.kind, finding.level): finding for finding in reversed(findings)}
    return tuple(sorted(unique.values(), key=lambda finding: places.get(finding.step, len(places))))
