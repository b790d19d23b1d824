"""What every question ends in: an Answer (one quantity, derived) or a Ledger (named terms that add up)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity import FloatArray, Spread

Rank = Literal["given", "computed", "catalogue", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A quantity that is known before anything is computed: who says so, and with what spread.

    `spread` is in base units. `text` is how it was written ("$4k"), `note` how it was read when that is not obvious
    ("bare number: taken as tokens"). `slack` is the relative half-width within which a stated figure may be off: half
    a unit of its last written digit, and the calendar's share for months.
    """

    quantity: str
    spread: Spread
    rank: Rank = "given"
    source: str = ""
    text: str = ""
    note: str = ""
    slack: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a derivation: `gives` = `formula` applied to the steps that `inputs` points to.

    `kind` is "given", "catalogue" or "default" for a leaf, else the relation's kind or "solve" for a joint solution.
    `value`, `low` and `high` are in base units; `text` is how a leaf was written. `inputs` pairs each quantity with
    the number of the step that gives it.
    """

    number: int
    gives: str
    kind: str
    formula: str
    latex: str
    inputs: tuple[tuple[str, int], ...]
    value: float
    low: float
    high: float
    sources: tuple[str, ...] = ()
    text: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A relation the derivation did not use, evaluated on its result: `ratio` = derived value / the relation's own."""

    quantity: str
    formula: str
    ratio: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Shown):
    """One quantity with its interval, its derivation down to sourced leaves, and what moves it.

    All values are in base units of `quantity` (see the glossary). `low` and `high` are the 5 and 95 % points, or hard
    bounds where `hard` is true; a point answer has low == value == high. `elasticities[x]` is d ln(value) / d ln(x) at
    the point; `shares[x]` is the part of the variance that x brings. `alternatives` are other roots, in order.

    >>> import isoflop
    >>> answer = isoflop.solve("params", train_flops="6e22 to 6e22", tokens="1T")
    >>> f"{answer.value:.0f}", [step.gives for step in answer.steps if step.kind == "default"]
    ('10000000000', ['flops_per_param_token', 'active_share'])
    """

    quantity: str
    value: float
    low: float
    high: float
    hard: bool = False
    interval: float = 0.9
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    alternatives: tuple[Answer, ...] = ()
    elasticities: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    samples: FloatArray | None = None

    @property
    def assumptions(self) -> tuple[Step, ...]:
        """The leaves nobody gave: defaults and catalogue figures this answer stands on."""
        return tuple(step for step in self.steps if step.kind in {"default", "catalogue"})

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of every source used, each once, in order of use."""
        return tuple(dict.fromkeys(key for step in self.steps for key in step.sources))

    @property
    def is_point(self) -> bool:
        """True where nothing uncertain went in."""
        return self.low == self.value == self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One named line of a Ledger, in base units of the ledger's quantity."""

    name: str
    value: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger(Shown):
    """Ordered named terms that add up to `total`, a glossary quantity in base units.

    `limit` is what the total is held against (a device's memory), None where there is no such thing.

    >>> terms = (Term(name="weights", value=16e9), Term(name="cache", value=4e9))
    >>> memory = Ledger(quantity="memory", title="A chip", terms=terms, limit=80e9)
    >>> memory.total, memory.limit - memory.total
    (20000000000.0, 60000000000.0)
    """

    quantity: str
    title: str
    terms: tuple[Term, ...]
    limit: float | None = None
    sources: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """The sum of all terms, in base units."""
        return sum(term.value for term in self.terms)
