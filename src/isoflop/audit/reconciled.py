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

_FEWEST = 3
"""Claims below which nothing can be over-determined that the steps themselves do not say."""


def reconciled(steps: Mapping[str, Recalculated], document: Document) -> tuple[CheckResult | None, tuple[Finding, ...]]:
    """The roots that name a library quantity, reconciled; a finding where they cannot all be true."""
    roots = _roots(steps)
    if len(roots) < _FEWEST:
        return None, ()
    knowns: dict[str, Spread | str] = {name: _tied(step, document) for name, step in roots.items()}
    knowns.update({key: value for key, value in document.choices.items() if key not in knowns})
    try:
        result = check(**cast("dict[str, Known]", knowns))  # a spread is read as it is
    except IsoflopError:  # claims that are no claims of one run: nothing to hold against each other
        return None, ()
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


def _roots(steps: Mapping[str, Recalculated]) -> dict[str, Step]:
    """Roots by the quantity they are; one that two roots claim is of two runs, and left out."""
    found: dict[str, Step] = {}
    twice: set[str] = set()
    for one in steps.values():
        entry = find_quantity(one.step.quantity)
        if not one.is_root or one.said is None or entry is None:
            continue
        if entry.name in found:
            twice.add(entry.name)
        found[entry.name] = one.step
    return {name: step for name, step in found.items() if name not in twice}


def _tied(step: Step, document: Document) -> Spread:
    assert step.says is not None
    return step.says.spread.scaled(tie_factor(step.says.unit, document.nouns))


def _off(result: CheckResult, name: str) -> float | None:
    """Says / what the other claims imply."""
    claim, implied = result.found.claim(name), result.implied(name)
    return claim.said / implied[0] if claim is not None and implied is not None and implied[0] else None


def _one_of(names: list[str]) -> str:
    return f"{names[0]} is" if len(names) == 1 else f"one of {', '.join(names[:-1])} and {names[-1]} is"
