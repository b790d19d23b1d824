"""Findings of all levels put together: each slip once, in the document's order."""

from __future__ import annotations

from bisect import bisect
from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.audit.document import LEVELS
from isoflop.audit.library import inverse, utilisation_words
from isoflop.audit.order import refers_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.audit.document import Document, Finding
    from isoflop.quantity import Spread


def merged(findings: Sequence[Finding], world: Sequence[Finding], document: Document) -> list[Finding]:
    """All findings by the place of their steps.

    A world finding that mends the chain is dropped where one of its class stands at the same step or along the same
    chain already, for it would mend twice. One that says what a bare unit mismatch of its step is takes its place.
    """
    lines = _ancestors(document)
    kept: list[Finding] = []
    for finding in world:
        if not (finding.amends and any(_same_slip(finding, other, lines) for other in kept)):
            kept.append(finding)
    explained = {finding.step for finding in kept if finding.level == "world"}
    rest = [one for one in findings if not (one.kind == "unit_mismatch" and one.step in explained)]
    places = {step.number: place for place, step in enumerate(document.steps)}
    unique = {(one.step, one.kind, one.level in {"note", "inherits"}): one for one in reversed([*rest, *kept])}
    starts = [step.span.line for step in document.steps] if document.lines else []

    def place(one: Finding) -> tuple[int, int]:
        """Of a line that holds no step: after the steps above it."""
        there = places.get(one.step)
        return (bisect(starts, one.span.line) - 1 if there is None else there), LEVELS.index(one.level)

    ordered = sorted(unique.values(), key=place)
    wrong = {one.step for one in ordered if one.is_wrong}
    return [one for one in ordered if not (one.level == "inherits" and one.step in wrong)]


def _same_slip(one: Finding, other: Finding, lines: dict[str, frozenset[str]]) -> bool:
    if one.kind != other.kind or not other.amends:
        return False
    mine, its = lines.get(one.step, frozenset()), lines.get(other.step, frozenset())
    return one.step == other.step or other.step in mine or one.step in its


_MOST = 300


def _ancestors(document: Document) -> dict[str, frozenset[str]]:
    """What each step is computed from, directly or not; nothing for documents too long for that to be cheap."""
    if len(document.steps) > _MOST:
        return {}
    inputs = {step.number: refers_to(step) for step in document.steps}
    found: dict[str, frozenset[str]] = {}
    for number, given in inputs.items():
        seen: set[str] = set()
        waiting = list(given)
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += inputs.get(one, ())
        found[number] = frozenset(seen)
    return found


def with_utilisation(finding: Finding, mfu: Spread | None) -> Finding:
    """The finding that a utilisation is missing, mended by this one instead of what is usual."""
    if mfu is None or finding.kind != "utilisation_missing" or not finding.amends:
        return finding
    amends = tuple(
        replace(one, factor=mfu if one.factor.median < 1 else inverse(mfu), words=utilisation_words("mfu", mfu))
        for one in finding.amends
    )
    recomputed = None if finding.says is None else finding.says * amends[0].factor.median
    return replace(finding, amends=amends, recomputed=recomputed, factor=1 / amends[0].factor.median)
