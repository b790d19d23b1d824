"""What a document takes for granted, held against itself: claims that over-determine each other, and the suspects."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from isoflop.ask import check
from isoflop.audit.amounts import tie_factor
from isoflop.audit.document import Finding
from isoflop.audit.napkin import find_quantity
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.ask import CheckResult
    from isoflop.ask.bind import Known
    from isoflop.audit.document import Document, Step
    from isoflop.audit.engine import Recalculated
    from isoflop.quantity import Spread

_MOST = 20
"""Runs or models whose claims are held against each other; a document has one or two."""

_FEWEST = 3
"""Claims below which nothing can be over-determined that the steps themselves do not say."""


def reconciled(steps: Mapping[str, Recalculated], document: Document) -> tuple[CheckResult | None, tuple[Finding, ...]]:
    """The roots that name a library quantity, reconciled; a finding where they cannot all be true."""
    groups = [roots for roots in _groups(steps) if len(roots) >= _FEWEST][:_MOST]
    results = [one for one in (_checked(roots, document) for roots in groups) if one is not None]
    if not results:
        return None, ()
    result, roots = max(results, key=lambda one: (one[0].verdict == "contradictory", len(one[1])))
    if result.verdict != "contradictory":
        return result, ()
    named = [name for name in result.suspects if name in roots] or list(roots)
    likely = f"; likely {result.reasons[0]}" if result.reasons else ""
    reason = f"The claims cannot all be true: {_one_of(named)} off by about x{result.factor:.3g}{likely}."
    step = roots[named[0]]
    found = Finding(
        step=step.number,
        span=step.span,
        level="world",
        kind="contradiction",
        reason=reason,
        factor=_off(result, named[0]),
        says=None if step.says is None else step.says.spread.median,
    )
    return result, (found,)


def _checked(roots: Mapping[str, Step], document: Document) -> tuple[CheckResult, Mapping[str, Step]] | None:
    """The roots held against each other; None where they are no claims of one run."""
    knowns: dict[str, Spread | str] = {name: _tied(step, document) for name, step in roots.items()}
    knowns.update({key: value for key, value in document.choices.items() if key not in knowns})
    try:
        return check(**cast("dict[str, Known]", knowns)), roots  # a spread is read as it is
    except IsoflopError:
        return None


def _groups(steps: Mapping[str, Recalculated]) -> list[dict[str, Step]]:
    """Roots by what they are about, and then by the quantity they are; one claimed twice is of two runs: left out."""
    groups: dict[str, dict[str, Step]] = {}
    twice: set[tuple[str, str]] = set()
    for one in steps.values():
        entry = find_quantity(one.step.quantity)
        if not one.is_root or one.said is None or entry is None:
            continue
        group = groups.setdefault(one.step.subject, {})
        if entry.name in group:
            twice.add((one.step.subject, entry.name))
        group[entry.name] = one.step
    return [
        {name: step for name, step in group.items() if (subject, name) not in twice}
        for subject, group in groups.items()
    ]


def _tied(step: Step, document: Document) -> Spread:
    assert step.says is not None
    return step.says.spread.scaled(tie_factor(step.says.unit, document.nouns))


def _off(result: CheckResult, name: str) -> float | None:
    """Says / what the other claims imply."""
    claim, implied = result.found.claim(name), result.implied(name)
    return claim.said / implied[0] if claim is not None and implied is not None and implied[0] else None


def _one_of(names: list[str]) -> str:
    return f"{names[0]} is" if len(names) == 1 else f"one of {', '.join(names[:-1])} and {names[-1]} is"
