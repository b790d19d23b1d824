"""The chain put right: forward from the roots with nouns tied and amendments applied, on floats or on draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from isoflop.audit.amounts import tie, tie_factor
from isoflop.relation.expr import FUNCTIONS
from isoflop.relation.sweep import ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from isoflop.audit.document import Amendment, Document, Finding
    from isoflop.audit.engine import Recalculated
    from isoflop.quantity import Real, Spread, Unit, Value
    from isoflop.relation.expr import Expr

AMENDS = "amend:"
"""How names of what findings change begin, among the roots of a chain."""

_MOST_NUMBERS, _FEWEST = 4_000_000, 400

SAMPLES = 20_000
"""Draws behind an interval: its ends are known to about 1 % of its width."""


@dataclass(frozen=True, slots=True)
class Line:
    """One computed step: `leaves` are names in the tree and the steps or amounts behind them."""

    number: str
    tree: Expr
    steps: tuple[tuple[str, str], ...]
    amounts: Mapping[str, float]
    amends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A document's steps as one computation.

    `roots` are what goes in, by the step's number, or by "amend:" and a place for what findings change; `names` say
    what people call them. Values are in base units with nouns tied.
    """

    lines: tuple[Line, ...]
    roots: Mapping[str, Spread]
    names: Mapping[str, str]
    root_amends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def run(self, given: Mapping[str, Real]) -> dict[str, Real]:
        """Every step's value, roots included; floats and arrays broadcast as in NumPy."""
        values: dict[str, Real] = {}
        for key, value in given.items():
            for amend in self.root_amends.get(key, ()):
                value = value * given[amend]  # noqa: PLW2901 - a product over what amends this root
            values[key] = value
        for line in self.lines:
            leaves: dict[str, Real] = {**line.amounts}
            for name, number in line.steps:
                leaves[name] = values[number]
            found, _ = _evaluated(line.tree, leaves)
            for amend in line.amends:
                found = found * given[amend]
            values[line.number] = found
        return values

    def medians(self) -> dict[str, float]:
        """The point at which everything is at its median; NumPy's floats, which divide by zero without an error."""
        return {key: np.float64(spread.median) for key, spread in self.roots.items()}

    def behind(self, step: str) -> frozenset[str]:
        """The roots that the value of a step rests on, amendments among them."""
        lines = {line.number: line for line in self.lines}
        seen: set[str] = set()
        waiting = [step]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            seen.update(self.root_amends.get(number, ()))
            if number in lines:
                waiting += [one for _, one in lines[number].steps]
                waiting += lines[number].amends
        return frozenset(seen & self.roots.keys())

    def loose(self) -> tuple[str, ...]:
        """Those of the roots that are uncertain."""
        return tuple(key for key, spread in self.roots.items() if not spread.is_point)

    def draws(self, samples: int = SAMPLES, seed: int = 0) -> dict[str, Real]:
        """Roots drawn; points stay floats, for a chain of floats costs nothing per sample.

        Long chains get fewer draws (a hundred steps still 20,000), so that memory stays bounded.
        """
        rng = np.random.default_rng(seed)
        samples = min(samples, max(_FEWEST, _MOST_NUMBERS // (len(self.lines) + len(self.roots) + 1)))
        return {
            key: np.float64(spread.median) if spread.is_point else spread.sample(rng, samples)
            for key, spread in self.roots.items()
        }


def _evaluated(tree: Expr, leaves: Mapping[str, Real]) -> tuple[Real, bool]:
    """The value of a tree, and whether it is an array that nobody else holds.

    As `relation.expr.evaluate`, but what is only passed on is written over, as NumPy does in a written-out formula: on
    100,000 samples making room takes longer than the arithmetic.
    """
    if tree.op == "name":
        return leaves[tree.name], False
    if tree.op == "const":
        return tree.value, False
    parts = [_evaluated(arg, leaves) for arg in tree.args]
    values = [value for value, _ in parts]
    for value, own in parts:
        if own and all(np.ndim(other) == 0 or np.shape(other) == np.shape(value) for other in values):
            return FUNCTIONS[tree.op](*values, out=value), True
    found = FUNCTIONS[tree.op](*values)
    return found, isinstance(found, np.ndarray) and found.dtype == np.float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A step's value in the chain put right, with its 90 % interval, and what the document says instead."""

    step: str
    label: str
    value: float
    low: float
    high: float
    unit: Unit | None
    says: float | None
    changed: bool

    @property
    def factor(self) -> float | None:
        """Says / value."""
        return self.says / self.value if self.says is not None and self.value else None


def build(
    steps: Mapping[str, Recalculated],
    findings: Iterable[Finding],
    document: Document,
    *,
    instead: Mapping[str, Value] | None = None,
) -> Chain:
    """The chain of a document with what its findings amend; `instead` replaces values of roots, by number."""
    amends = [amendment for finding in findings for amendment in finding.amends]
    at = _places(amends, steps)
    roots: dict[str, Spread] = {}
    names: dict[str, str] = {}
    lines: list[Line] = []
    computed: set[str] = set()
    for number, found in steps.items():
        inputs = found.step.inputs
        behind = {key: one.step for key, one in inputs.items() if one.step in computed or one.step in roots}
        known = all(key in behind or one.written is not None for key, one in inputs.items())
        if found.tree is not None and found.own is not None and known:
            lines.append(_line(number, found, behind, tuple(key for key, _ in at.get(number, ()))))
            computed.add(number)
        elif found.value is not None and found.step.says is not None:
            says = (instead or {}).get(number, found.step.says)
            roots[number] = says.spread.scaled(tie_factor(says.unit, document.nouns))
            names[number] = found.step.label or number
        else:
            continue
        for key, amendment in at.get(number, ()):
            roots[key], names[key] = amendment.factor, amendment.words
    return Chain(
        lines=tuple(lines),
        roots=roots,
        names=names,
        root_amends={n: tuple(key for key, _ in found) for n, found in at.items() if n in roots},
    )


def _places(amends: Sequence[Amendment], steps: Mapping[str, Recalculated]) -> dict[str, list[tuple[str, Amendment]]]:
    """Amendments by step; one of the same words applies once along a chain, where it comes first."""
    found: dict[str, list[tuple[str, Amendment]]] = {}
    for place, amendment in enumerate(dict.fromkeys(amends)):
        if amendment.step in steps:
            found.setdefault(amendment.step, []).append((f"{AMENDS}{place}", amendment))
    return found


def _line(number: str, found: Recalculated, behind: Mapping[str, str], amends: tuple[str, ...]) -> Line:
    """One computed step; what is not `behind` it is an amount written in its place."""
    assert found.tree is not None
    return Line(
        number=number,
        tree=found.tree,
        steps=tuple(behind.items()),
        amounts={key: np.float64(value) for key, value in found.values.items() if key not in behind},
        amends=amends,
    )


def corrected(
    chain: Chain,
    steps: Mapping[str, Recalculated],
    document: Document,
    draws: Mapping[str, Real],
    *,
    only: str = "",
) -> tuple[Corrected, ...]:
    """Every computed step put right (or `only` one); an interval only where something is uncertain."""
    with np.errstate(all="ignore"):
        point = chain.run(chain.medians())
        spread = chain.run(draws) if chain.loose() else point
    found = []
    for line in chain.lines:
        if only and line.number != only:
            continue
        value = float(point[line.number])
        low, high = _interval(spread[line.number], value)
        recalculated = steps[line.number]
        differs = recalculated.wrong_unit and not line.amends
        unit = (recalculated.unit if differs else None) or recalculated.said_unit or recalculated.unit
        said = recalculated.said
        off = abs(said / value - 1) if said is not None and value else 0.0
        found.append(
            Corrected(
                step=line.number,
                label=recalculated.step.label or line.number,
                value=value,
                low=low,
                high=high,
                unit=None if unit is None else tie(unit, document.nouns),
                says=None if differs else said,
                changed=differs or off > recalculated.tolerance,
            )
        )
    return tuple(found)


def _interval(column: Real, value: float) -> tuple[float, float]:
    kept = np.asarray(column, dtype=np.float64)
    kept = kept[np.isfinite(kept)] if kept.ndim else kept
    return ends(kept) if kept.ndim and kept.size > 1 else (value, value)
