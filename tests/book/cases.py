"""Golden cases as data: chains of relations run from what is known, each settling its one unknown."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.book import BOOK
from isoflop.quantity import quantity, unit
from isoflop.relation.expr import evaluate
from isoflop.relation.readings import inverse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.relation import Relation

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "claims_book.toml"
BY_NAME = {relation.name: relation for relation in BOOK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known, the chain to run, what must come out; values in base units."""

    name: str
    source: str
    relations: tuple[str, ...]
    known: Mapping[str, float]
    expected: Mapping[str, float]
    tolerance: float


@cache
def cases() -> tuple[Case, ...]:
    """Every case of the file, table rows one by one."""
    tables = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))
    return (
        *(_case(entry, entry) for entry in tables["case"]),
        *(row for table in tables["table"] for row in _rows(table)),
    )


def _case(entry: dict[str, object], values: dict[str, dict[str, object]]) -> Case:
    return Case(
        name=entry["name"],
        source=entry["source"],
        relations=tuple(entry["relations"]),
        known=_base(values["known"]),
        expected=_base(values["expected"]),
        tolerance=entry["tolerance"],
    )


def _rows(table: dict[str, object]) -> Iterator[Case]:
    for row in table["rows"]:
        pairs = dict(zip(table["columns"], row, strict=True))
        known = {key: value for key, value in pairs.items() if not key.startswith("=")}
        expected = {key[2:]: value for key, value in pairs.items() if key.startswith("= ")}
        yield _case(table, {"known": known, "expected": expected})


def _base(values: Mapping[str, object]) -> dict[str, float]:
    return {key: _in_base_units(key, value) for key, value in values.items()}


def _in_base_units(key: str, value: object) -> float:
    if not isinstance(value, str):
        return float(value)
    number, written = value.split(" ", 1)
    read = unit(written)
    assert read.same_kind(quantity(key).unit), f"{key} is in {quantity(key).unit_text}, not {written}"
    return float(number) * read.scale


def run(case: Case) -> dict[str, float]:
    """Everything known after the chain."""
    values = dict(case.known)
    for name in case.relations:
        settle(BY_NAME[name], values)
    return values


def settle(relation: Relation[...], values: dict[str, float]) -> None:
    """Add the one quantity of `relation` that `values` lacks: a default only where all else is known."""
    lacking = [key for key in relation.quantities if key not in values]
    unknown = [key for key in lacking if key not in relation.defaults] or lacking
    assert len(unknown) == 1, f"{relation.name} has {len(unknown)} unknowns: {unknown}"
    at = {**relation.defaults, **values}
    tree = inverse(relation, unknown[0])
    assert tree is not None, f"{relation.name} cannot be solved for {unknown[0]}"
    values[unknown[0]] = float(evaluate(tree, at))
