"""The napkins that tests audit: those of examples/, and chains/ in other styles."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.audit import audit_document, parse_napkin
from isoflop.quantity import quantity, read

if TYPE_CHECKING:
    from isoflop.audit import Document, Report

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WITH_SLIPS = frozenset({"gpt4_price", "model_sizes", "own_budget", "petaflop_days", "training_memory"})
"""Examples that quote chains with slips in them; all others are clean."""

NAPKINS = {path.stem: path for path in sorted([*EXAMPLES.glob("*.toml"), *Path(__file__).parent.glob("chains/*.toml")])}
CLEAN = tuple(name for name in NAPKINS if name not in WITH_SLIPS)


@cache
def document(name: str) -> Document:
    """A napkin by the name of its file."""
    path = NAPKINS[name]
    return parse_napkin(path.read_text(encoding="utf-8"), path.name)


@cache
def audited(name: str, mfu: str = "") -> Report:
    """A napkin, recomputed and held against the library's formulas."""
    return audit_document(document(name), mfu=read(mfu, quantity("mfu")).spread if mfu else None)


def napkin(text: str) -> Report:
    """A napkin given as text."""
    return audit_document(parse_napkin(text))


def wrong(report: Report) -> list[tuple[str, str, str]]:
    """Step, level and class of what is wrong."""
    return [(finding.step, finding.level, finding.kind) for finding in report.findings if finding.is_wrong]
