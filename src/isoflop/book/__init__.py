"""The formulas: one line of arithmetic each, with what it neglects and where it comes from.

work, rate, money, energy, memory, serving, scaling and running hold them; `BOOK` is all of them in that order.
`source("kaplan2020")` says what a citation key stands for.

    >>> from isoflop import book
    >>> book.work.train_flops(7e9, 2e12)
    8.4e+22
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.book import energy, memory, money, rate, running, scaling, serving, work
from isoflop.book.sources import Source, source, sources
from isoflop.relation import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


def _relations(*modules: ModuleType) -> Iterator[Relation[...]]:
    """Every relation of the modules, in the order in which they stand there: nobody has to list them."""
    for module in modules:
        yield from (value for value in vars(module).values() if isinstance(value, Relation))


BOOK: tuple[Relation[...], ...] = tuple(_relations(work, rate, money, energy, memory, serving, scaling, running))
"""Every formula."""

__all__ = [
    "BOOK",
    "Source",
    "energy",
    "memory",
    "money",
    "rate",
    "running",
    "scaling",
    "serving",
    "source",
    "sources",
    "work",
]
