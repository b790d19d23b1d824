"""Answers, ledgers and tables as JSON objects that scripts can rely on; `isoflop schema` prints their form.

Numbers are in base units and finite; what is not known is null or absent, never 0 or NaN.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from isoflop.report.table import column
from isoflop.report.words import base_unit, finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from isoflop.relation.answer import Answer, Check, Ledger, Step
    from isoflop.report.table import Cell, Column

SCHEMA_VERSION = 1
"""Grows by one when a field is removed or changes its meaning; added fields do not count."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def answer_json(answer: Answer) -> dict[str, Json]:
    """One answer: value with unit and interval, its steps down to the leaves, and what it depends on."""
    return {"schema_version": SCHEMA_VERSION, **_answer(answer)}


def answers_json(answers: Mapping[str, Answer]) -> dict[str, Json]:
    """Several answers, under their quantities' names."""
    return {"schema_version": SCHEMA_VERSION, "answers": {name: _answer(one) for name, one in answers.items()}}


def _answer(answer: Answer) -> dict[str, Json]:
    name = answer.quantity
    return {
        "quantity": name,
        **_amounts(name, answer.value, answer.low, answer.high),
        "interval": finite(answer.interval, f"the level of {name}"),
        "hard": answer.hard,
        "steps": [_step(step) for step in answer.steps],
        "assumptions": [_step(step) for step in answer.assumptions],
        "sources": list(answer.sources),
        "warnings": list(answer.warnings),
        "checks": [_check(check) for check in answer.checks],
        "alternatives": [_answer(other) for other in answer.alternatives],
        "elasticities": _numbers(answer.elasticities, f"an elasticity of {name}"),
        "shares": _numbers(answer.shares, f"a share of the variance of {name}"),
    }


def _amounts(name: str, value: float, low: float, high: float) -> dict[str, Json]:
    return {
        "value": finite(value, name),
        "unit": base_unit(name),
        "low": finite(low, name),
        "high": finite(high, name),
    }


def _step(step: Step) -> dict[str, Json]:
    return {
        "number": step.number,
        "quantity": step.gives,
        "kind": step.kind,
        "formula": step.formula,
        "latex": step.latex,
        "inputs": [{"quantity": name, "step": number} for name, number in step.inputs],
        **_amounts(step.gives, step.value, step.low, step.high),
        "sources": list(step.sources),
        "text": step.text,
        "note": step.note,
    }


def _check(check: Check) -> dict[str, Json]:
    ratio = finite(check.ratio, f"a check of {check.quantity}")
    return {"quantity": check.quantity, "formula": check.formula, "ratio": ratio, "note": check.note}


def _numbers(parts: Mapping[str, float], what: str) -> dict[str, Json]:
    return {name: finite(value, what) for name, value in parts.items()}


def ledger_json(ledger: Ledger) -> dict[str, Json]:
    """A ledger: its terms in order, their total, and the limit where there is one."""
    name = ledger.quantity
    return {
        "schema_version": SCHEMA_VERSION,
        "quantity": name,
        "title": ledger.title,
        "unit": base_unit(name),
        "terms": [
            {"name": term.name, "value": finite(term.value, term.name), "note": term.note} for term in ledger.terms
        ],
        "total": finite(ledger.total, name),
        "limit": None if ledger.limit is None else finite(ledger.limit, f"the limit of {name}"),
        "sources": list(ledger.sources),
    }


def table_json(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]]) -> dict[str, Json]:
    """A table: its columns with their units, and one object a row."""
    given = [column(one) for one in columns]
    heads: list[Json] = [{"name": of.name, "unit": base_unit(of.quantity) if of.quantity else ""} for of in given]
    return {
        "schema_version": SCHEMA_VERSION,
        "columns": heads,
        "rows": [{of.name: _cell(cell, of) for cell, of in zip(row, given, strict=True)} for row in rows],
    }


def _cell(cell: Cell, of: Column) -> Json:
    return finite(cell, of.name) if isinstance(cell, float) else cell


def dumps(content: Mapping[str, Json]) -> str:
    """The object as strict JSON text, Unicode as it is, two spaces a level."""
    return json.dumps(content, allow_nan=False, ensure_ascii=False, indent=2)


def schema() -> dict[str, Json]:
    """The published schema (JSON Schema 2020-12) of everything that --json prints."""
    from isoflop.report.schemas import schema as whole

    return whole()
