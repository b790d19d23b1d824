"""How far the constants behind formulas may be off when claims are held against each other: priors.toml as facts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated

import msgspec

from isoflop.ask import assumptions
from isoflop.errors import BadFile
from isoflop.quantity import Centred, Point, parse_toml
from isoflop.relation import Fact

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from isoflop.relation import System

_FILE = "priors.toml"


class Prior(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One constant: its 90 % interval is x/`within`; a `choice` gives way to claims that settle it."""

    within: Annotated[float, msgspec.Meta(ge=1)]
    source: str
    note: str = ""
    choice: bool = False


@cache
def priors() -> Mapping[str, Prior]:
    """Every prior by quantity. Raises: BadFile."""
    text = files("isoflop.ask").joinpath(_FILE).read_text(encoding="utf-8")
    try:
        return msgspec.convert(parse_toml(text, _FILE), dict[str, Prior], strict=True)
    except msgspec.ValidationError as error:
        raise BadFile(f"{_FILE}: {error}") from error


def prior_facts(system: System, given: Collection[str]) -> tuple[Fact, ...]:
    """The constants of `system` that nobody gave, as facts of rank "default" with their spread.

    Choices that the claims settle are left out.
    """
    own = {fact.quantity: fact for fact in assumptions.facts()}
    settled = settled_choices(system, given)
    found = []
    for key, value in system.defaults.items():
        if key in given or key in settled:
            continue
        prior = priors().get(key)
        if key in own:
            found.append(own[key])
        elif prior is not None:
            spread = Point(value) if prior.within == 1 else Centred(value, value / prior.within, value * prior.within)
            found.append(Fact(quantity=key, spread=spread, rank="default", source=prior.source, note=prior.note))
    return tuple(found)


def settled_choices(system: System, given: Collection[str]) -> frozenset[str]:
    """Choices that the claims settle: some relation holds one and, beside it, only what is given."""
    return frozenset(
        key
        for key, prior in priors().items()
        if prior.choice and key not in given
        for relation in system.touching.get(key, ())
        if all(other in given for other in relation.quantities if other != key)
    )
