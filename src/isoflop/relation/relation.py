"""A relation: an ordinary function, named for the quantity it gives, with the quantities it needs as parameters."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Generic, Literal, ParamSpec, overload

from isoflop.relation.expr import Expr, name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from isoflop.quantity import Real

P = ParamSpec("P")
Kind = Literal["identity", "ledger", "empirical", "rule"]
KINDS: tuple[Kind, ...] = ("identity", "ledger", "empirical", "rule")
"""Kinds of relation, most trusted first: true by definition; a count over parts; fitted to runs; a rule of thumb."""

_SOURCE_LINE = re.compile(r"^\s*Source:\s*(.*)$", re.MULTILINE)
_SOURCE_KEY = re.compile(r"\[([a-z0-9-]+)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relation(Generic[P]):
    """`gives` = body(inputs), all in base units of the glossary.

    `defaults` are named assumptions: an input that nobody gives and nothing determines takes its default, and the
    answer says so. A `policy` is a choice (train compute-optimally) rather than a truth: it is used only where nothing
    else determines the target and never contradicts anybody. `opaque` bodies are called but not read (empirical laws,
    ledgers). `draw(rng, n)` gives the body with its fitted constants drawn jointly n times; None where they are taken
    as exact. `limits` are ranges outside which the relation was not fitted.
    """

    name: str
    gives: str
    inputs: tuple[str, ...]
    body: Callable[P, Real]
    defaults: Mapping[str, float] = field(default_factory=dict)
    kind: Kind = "identity"
    policy: bool = False
    opaque: bool = False
    doc: str = ""
    sources: tuple[str, ...] = ()
    draw: Callable[[np.random.Generator, int], Callable[..., Real]] | None = None
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Real:
        """The quantity it gives, in base units: a relation is still the function it was made of."""
        return self.body(*args, **kwargs)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Every quantity the relation ties together, the one it gives first."""
        return (self.gives, *self.inputs)


@overload
def relation(body: Callable[P, Real], /) -> Relation[P]: ...
@overload
def relation(
    *, gives: str = "", kind: Kind = "identity", policy: bool = False
) -> Callable[[Callable[P, Real]], Relation[P]]: ...
def relation(
    body: Callable[P, Real] | None = None, /, *, gives: str = "", kind: Kind = "identity", policy: bool = False
) -> Relation[P] | Callable[[Callable[P, Real]], Relation[P]]:
    """Make a relation of a function: its name is what it gives (or `gives`), its parameters are what it needs.

    Source keys are read from the docstring's line "Source: [key §x] [key2]"; they must stand in book/sources.toml.
    """

    def make(function: Callable[P, Real]) -> Relation[P]:
        parameters = inspect.signature(function).parameters
        doc = inspect.getdoc(function) or ""
        return Relation(
            name=function.__name__,
            gives=gives or function.__name__,
            inputs=tuple(parameters),
            body=function,
            defaults={key: float(p.default) for key, p in parameters.items() if p.default is not p.empty},
            kind=kind,
            policy=policy,
            doc=doc,
            sources=tuple(key for line in _SOURCE_LINE.findall(doc) for key in _SOURCE_KEY.findall(line)),
        )

    return make(body) if body is not None else make


@cache
def tree(relation: Relation[...]) -> Expr | None:
    """What the body computes, as a tree over its inputs; None for an opaque body."""
    if relation.opaque:
        return None
    result = relation.body(**{key: name(key) for key in relation.inputs})
    if not isinstance(result, Expr):
        msg = f"{relation.name}: the body must compute from its inputs"
        raise TypeError(msg)
    return result
