"""A derivation written down beside an estimate that walks over layers: leaves, and the book's relations over them.

What a search or a ledger finds (a step time, a memory) enters as a computed leaf; from there on every figure is one
relation of the book over figures before it, so that a report can link each number to its formula and source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isoflop.relation.answer import Step

if TYPE_CHECKING:
    from isoflop.relation.relation import Relation


@dataclass(slots=True)
class Chain:
    """Steps as they are added; a quantity stands once, and later relations find it by its name."""

    steps: list[Step] = field(default_factory=list)

    def leaf(
        self, gives: str, value: float, kind: str, *, ends: tuple[float, float] | None = None, note: str = "",
        source: str = "",
    ) -> None:  # fmt: skip
        """A figure that nothing here computes: "given", "catalogue", "default", or "computed" by a search or ledger."""
        low, high = ends or (value, value)
        sources = (source,) if source else ()
        self._add(Step(
            number=len(self.steps) + 1, gives=gives, kind=kind, formula="", latex="", inputs=(), value=float(value),
            low=float(low), high=float(high), sources=sources, note=note,
        ))  # fmt: skip

    def follows(self, relation: Relation[...], *, gives: str = "", note: str = "") -> None:
        """What a relation of the book gives over the steps before; its other inputs keep their defaults.

        Ends are those of the relation at the ends of its inputs: exact where all uncertain inputs push one way.
        """
        from isoflop.relation.derivation import describe

        held = {step.gives: step for step in self.steps}
        used = [name for name in relation.inputs if name in held]
        value, low, high = (
            float(relation(**{name: getattr(held[name], end) for name in used})) for end in ("value", "low", "high")
        )
        self._add(Step(
            number=len(self.steps) + 1, gives=gives or relation.gives, kind=relation.kind, formula=describe(relation),
            latex="", inputs=tuple((name, held[name].number) for name in used), value=value, low=min(low, high),
            high=max(low, high), sources=relation.sources, note=note,
        ))  # fmt: skip

    def worked(
        self, gives: str, formula: str, inputs: tuple[str, ...], values: tuple[float, float, float], note: str = ""
    ) -> None:
        """A line of arithmetic that the book has the other way round: value, low and high are given."""
        held = {step.gives: step.number for step in self.steps}
        self._add(Step(
            number=len(self.steps) + 1, gives=gives, kind="identity", formula=formula, latex="",
            inputs=tuple((name, held[name]) for name in inputs if name in held), value=values[0], low=values[1],
            high=values[2], note=note,
        ))  # fmt: skip

    def _add(self, step: Step) -> None:
        self.steps.append(step)

    def find(self, gives: str) -> Step | None:
        """The step that gives a quantity."""
        return next((step for step in self.steps if step.gives == gives), None)

    @property
    def sources(self) -> tuple[str, ...]:
        """Everything cited, each once."""
        return tuple(dict.fromkeys(source for step in self.steps for source in step.sources))
