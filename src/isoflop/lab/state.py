"""A study's state as plain data, for scripts."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING

from isoflop.errors import IsoflopError
from isoflop.lab.export import line_of_study, rows
from isoflop.lab.progress import progress

if TYPE_CHECKING:
    from isoflop.lab.operate import StudyFolder


def status_object(held: StudyFolder) -> dict[str, object]:
    """Runs done and to do, how far, every budget's verdict, the law or the refusal, predicted against measured."""
    asked = held.wanted()
    done = held.results()
    brackets = [asdict(one) | {"losses": [x if isfinite(x) else None for x in one.losses]} for one in asked.brackets]
    law: dict[str, object]
    try:
        line = line_of_study(held)
        low, high = line.interval(0.9)
        law = {"exponent": line.exponent, "low": low, "high": high, "interval": 0.9, "budgets": len(line.profiles)}
    except IsoflopError as error:
        law = {"refused": type(error).__name__, "why": str(error)}
    return {
        "schema_version": 1,
        "name": held.study.name,
        "wanted": len(asked.specs),
        "flops": asked.flops,
        "done": sum(one.hash in done for one in asked.specs),
        "runs": rows(held),
        "budgets": brackets,
        "stopped": list(asked.stopped),
        "law": law,
        "progress": asdict(progress(held)),
        "history": list(held.history.read()),
    }
