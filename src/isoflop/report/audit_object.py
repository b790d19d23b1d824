"""An audit as one JSON object: findings with levels and classes from closed lists, and the chain put right."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from isoflop.report.json import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.audit import Corrected, Finding, Needed, Report
    from isoflop.quantity import Unit
    from isoflop.report.json import Json


def audit_json(report: Report, needed: Sequence[Needed] = ()) -> dict[str, Json]:
    """The audit: `clean`, `findings`, `corrected` by step, `result`, `alternatives`, `sensitivity`, `unread`."""
    result = report.result
    return {
        "schema_version": SCHEMA_VERSION,
        "document": report.document.name,
        "clean": report.is_clean,
        "steps": len(report.document.steps),
        "findings": [finding_json(finding) for finding in report.findings],
        "corrected": {one.step: _corrected(one) for one in report.corrected},
        "result": None if result is None else {"step": result.step, **_corrected(result)},
        "alternatives": [{"if": label, "step": one.step, **_corrected(one)} for label, one in report.alternatives],
        "sensitivity": _sensitivity(report),
        "needed": [
            {"input": one.key, "label": one.label, "now": _plain(one.now), "factor": _plain(one.factor)}
            for one in needed
        ],
        "claims": None if report.claims is None else report.claims.verdict,
        "unread": [{"line": one.span.line, "text": one.text, "why": one.why} for one in report.document.unread],
    }


def finding_json(finding: Finding) -> dict[str, Json]:
    """One finding: `factor` is says / recomputed; amounts in base units, null where there is none."""
    return {
        "step": finding.step,
        "line": finding.span.line,
        "start": finding.span.start,
        "end": finding.span.end,
        "level": finding.level,
        "class": finding.kind,
        "factor": _plain(finding.factor),
        "says": _plain(finding.says),
        "recomputed": _plain(finding.recomputed),
        "unit": _unit(finding.unit),
        "reason": finding.reason,
        "others": list(finding.others),
    }


def _corrected(one: Corrected) -> dict[str, Json]:
    return {
        "label": one.label,
        "value": _plain(one.value),
        "low": _plain(one.low),
        "high": _plain(one.high),
        "interval": 0.9,
        "unit": _unit(one.unit),
        "says": _plain(one.says),
        "factor": _plain(one.factor),
        "changed": one.changed,
    }


def _sensitivity(report: Report) -> Json:
    found = report.sensitivity
    if found is None:
        return None
    return {
        "step": found.step,
        "drivers": [
            {
                "input": one.key,
                "label": one.label,
                "elasticity": _plain(one.elasticity),
                "low": _plain(one.low),
                "high": _plain(one.high),
                "share": _plain(one.share),
                "left": _plain(one.left),
            }
            for one in found.drivers
        ],
    }


def _plain(value: float | None) -> float | None:
    """A finite number, or null: JSON has no infinity."""
    return float(value) if value is not None and isfinite(value) else None


def _unit(unit: Unit | None) -> str | None:
    return None if unit is None else unit.base.text
