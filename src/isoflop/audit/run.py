"""The audit itself: a document in, a report out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop.audit.amounts import amount
from isoflop.audit.corrected import build, corrected
from isoflop.audit.devices import check_devices
from isoflop.audit.drivers import sensitivity
from isoflop.audit.engine import recalculate
from isoflop.audit.judge import judge
from isoflop.audit.library import check_library
from isoflop.audit.merged import merged, with_utilisation
from isoflop.audit.napkin import find_quantity, parse_napkin
from isoflop.audit.reconciled import reconciled
from isoflop.audit.subjects import check_subjects
from isoflop.errors import BadFile, BadInput, UnitError, UnknownName, shorten
from isoflop.quantity import quantity, read_text
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    from isoflop.ask import CheckResult
    from isoflop.audit.corrected import Chain, Corrected
    from isoflop.audit.document import Check, Document, Evaluated, Finding, Step
    from isoflop.audit.drivers import Sensitivity
    from isoflop.audit.engine import Recalculated
    from isoflop.quantity import Real, Spread


@dataclass(frozen=True, kw_only=True)
class Report(Shown):
    """What an audit found.

    `findings` stand in the document's order; `evaluated` is every step recomputed; `chain` the document as one
    computation, put right; `corrected` every computed step of it, with an interval where something is uncertain;
    `alternatives` its result for the other values that the document names; `claims` what the document takes for granted
    held against each other, None where that says nothing.
    """

    document: Document
    findings: tuple[Finding, ...]
    evaluated: Evaluated
    chain: Chain
    corrected: tuple[Corrected, ...]
    alternatives: tuple[tuple[str, Corrected], ...] = ()
    claims: CheckResult | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; notes and what is inherited do not count."""
        return not any(finding.is_wrong for finding in self.findings)

    @property
    def result(self) -> Corrected | None:
        """The step that the document is after, put right; None where nothing is computed."""
        found = [one for one in self.corrected if one.step == self.document.result] or self.corrected[-1:]
        return found[0] if found else None

    @cached_property
    def draws(self) -> Mapping[str, Real]:
        """The draws behind the intervals, made again when asked for: the same each time."""
        return self.chain.draws()

    @cached_property
    def sensitivity(self) -> Sensitivity | None:
        """What drives the result; None where nothing is computed."""
        return None if self.result is None else sensitivity(self.chain, self.result.step, self.draws)


def audit(
    path: str | PathLike[str],
    *,
    mfu: str | float | None = None,
    given: Mapping[str, str | float] | None = None,
) -> Report:
    """Audit a file: a napkin (TOML), a table of claims (CSV), or prose (Markdown, text). Values in base units.

    `mfu` is what the corrected chain takes where the document forgot utilisation ("0.4", "32% to 49%"); unsaid, what
    published runs reach. `given` puts other values in the place of the document's roots, by name or number.
    Raises: BadFile for what cannot be read, UnknownName for a name that is no root.
    """
    return audit_text(read_text(path), str(path), mfu=mfu, given=given)


def audit_text(
    text: str,
    name: str = "napkin.toml",
    *,
    mfu: str | float | None = None,
    given: Mapping[str, str | float] | None = None,
) -> Report:
    """`audit` of a text; whether it is a napkin, a table or prose is told from the ending of `name`."""
    document = read_document(text, name)
    utilisation = None if mfu is None else amount(mfu, of=quantity("mfu")).spread
    if utilisation is not None and not utilisation.median > 0:
        raise BadInput(f"an MFU of {shorten(str(mfu))} does no work; give a share above 0 %, as 0.4 or '32% to 49%'")
    return audit_document(with_values(document, given or {}), world_checks(), mfu=utilisation)


def read_document(text: str, name: str) -> Document:
    """The document of a text: a napkin (.toml), a table of claims (.csv), else prose. Raises: BadFile."""
    ending = Path(name).suffix.lower()
    if ending == ".toml":
        return parse_napkin(text, name)
    if ending == ".csv":
        from isoflop.audit.world.table import table_document

        return table_document(text, name)
    from isoflop.audit.prose import read_prose

    return read_prose(text, name)


def world_checks() -> tuple[Check, ...]:
    """The checks against what the library knows of the world, loaded when they are first used."""
    from isoflop.audit.world import CHECKS

    return CHECKS


def audit_document(document: Document, checks: Sequence[Check] = (), *, mfu: Spread | None = None) -> Report:
    """Recompute every step, judge it, hold it against the library, and the document against the world by `checks`."""
    with np.errstate(all="ignore"):  # what is not finite is found, and said
        return _audited(document, checks, mfu)


def _audited(document: Document, checks: Sequence[Check], mfu: Spread | None) -> Report:
    steps, findings = _judged(document)
    evaluated = {key: found.outcome() for key, found in steps.items()}
    claims, contradictions = reconciled(steps, document)
    world = [
        *check_library(steps, document),
        *check_devices(steps, document),
        *check_subjects(steps, document),
        *contradictions,
    ]
    for check in checks:
        world += check(document, evaluated)
    found = [with_utilisation(finding, mfu) for finding in merged(findings, world, document)]
    chain = build(steps, found, document)
    draws = chain.draws()
    report = Report(
        document=document,
        findings=tuple(found),
        evaluated=evaluated,
        chain=chain,
        corrected=corrected(chain, steps, document, draws),
        claims=claims,
    )
    report = replace(report, alternatives=tuple(_alternatives(report, steps)))
    vars(report)["draws"] = draws  # what the cached property would make again
    return report


def _judged(document: Document) -> tuple[dict[str, Recalculated], list[Finding]]:
    steps: dict[str, Recalculated] = {}
    findings: list[Finding] = []
    try:
        for found, done in recalculate(document):
            judged = list(judge(found, done, document))
            found.wrong = any(finding.is_wrong for finding in judged)
            findings += judged
            steps = done
    except BadInput as error:
        raise BadFile(f"{document.name}: {error}") from error
    return steps, findings


def _alternatives(report: Report, steps: Mapping[str, Recalculated]) -> Iterator[tuple[str, Corrected]]:
    """The result for each other value that the document names, one at a time."""
    if report.result is None:
        return
    for step in report.document.steps:
        for label, value in step.alternatives.items():
            chain = build(steps, report.findings, report.document, instead={step.number: value})
            found = corrected(chain, steps, report.document, chain.draws(), only=report.result.step)
            for one in found:
                yield f"{step.label}: {label}, {value.text}", one


def with_values(document: Document, given: Mapping[str, str | float]) -> Document:
    """The document with other values for some of its roots, by name or number; the claims stay as they are.

    Raises: UnknownName for what is no root, UnitError for a value of another kind.
    """
    roots = {step.label: step for step in document.steps if step.expr is None and step.says is not None}
    roots |= {step.number: step for step in roots.values()}
    changed: dict[str, Step] = {}
    for name, text in given.items():
        if name not in roots:
            raise UnknownName("root of this document", name, roots)
        step = roots[name]
        assert step.says is not None
        found = amount(text, of=find_quantity(step.quantity), unit=step.says.unit, nouns=_nouns(document))
        if not found.unit.same_kind(step.says.unit):
            raise UnitError(f"{name} = '{text}' is in {found.unit}, the document has it in {step.says.unit}.")
        changed[step.number] = replace(step, says=found)
    if not changed:
        return document
    return replace(document, steps=tuple(changed.get(step.number, step) for step in document.steps))


def _nouns(document: Document) -> set[str]:
    units = [step.says.unit for step in document.steps if step.says is not None]
    return {name for unit in units for name, _ in unit.dims if name.islower() and name in document.nouns}
