"""Figures of one run, gathered: by named model, by size, or by paragraph; and arithmetic on their bounds."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import TYPE_CHECKING

from isoflop.audit.world.found import by, is_denied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Fact, Told
    from isoflop.audit.prose.names import Name
    from isoflop.quantity import Real


_ROLES = (
    "params",
    "active_params",
    "tokens",
    "train_flops",
    "chips",
    "train_time",
    "chip_time",
    "mfu",
    "train_cost",
    "price",
    "train_energy",
    "train_emissions",
    "grid_intensity",
    "power",
    "throughput",
    "throughput_per_chip",
)


@dataclass(slots=True)
class Frame:
    """What a text says of one run: facts by role, and the devices that are named with it."""

    facts: dict[str, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    devices: dict[str, Name] = field(default_factory=dict)
    name: Name | None = None
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds of a product, zero and infinite where the text says "at most" or "at least"; `said` is as written."""

    low: float
    high: float
    said: float = 0.0

    def __mul__(self, other: Span) -> Span:
        return Span(self.low * other.low, _times(self.high, other.high), self.said * other.said)

    def __truediv__(self, other: Span) -> Span:
        low, high = self.low / other.high if other.high else inf, self.high / other.low if other.low else inf
        return Span(low, high, self.said / other.said if other.said else 0.0)

    def meets(self, low: float, high: float) -> bool:
        """Whether any of it lies between two bounds."""
        return self.low <= high and self.high >= low

    @property
    def middle(self) -> float:
        """What the numbers as written give, else its geometric middle, or the end that is known."""
        if self.said:
            return self.said
        if self.low > 0 and self.high < inf:
            return sqrt(self.low * self.high)
        return self.high if self.low <= 0 else self.low


def over(relation: Callable[..., Real], *inputs: Span) -> Span:
    """What a rising formula of the book gives over the bounds of its inputs, and on them as written."""
    ends = (by(relation, *(getattr(one, end) for one in inputs)) for end in ("low", "high", "middle"))
    return Span(*ends)


def _times(one: float, other: float) -> float:
    return 0.0 if 0.0 in {one, other} else one * other


def span_of(amount: Amount) -> Span:
    """What an amount may be: its bounds, widened by the digits written."""
    low, high = amount.low * (1 - amount.slack), amount.high * (1 + amount.slack)
    if amount.number.bound == ">":
        high = amount.high * 1.5  # "over 10,000" is not meant as a million
    if amount.number.bound == "<":
        low = amount.low / 1.5
    return Span(low, high, sqrt(amount.low * amount.high) if amount.low > 0 else 0.0)


def _merged(found: dict[tuple[object, ...], Frame]) -> list[Frame]:
    """Frames, with what a paragraph says of no model added to the one model that it names."""
    named: dict[int, list[Frame]] = {}
    for key, frame in found.items():
        if key[0]:
            for scope in {fact.subject.scope for facts in frame.facts.values() for fact in facts}:
                named.setdefault(scope, []).append(frame)
    for key, frame in list(found.items()):
        owners = named.get(int(str(key[1])), []) if not key[0] else []
        if len(owners) == 1 and frame.facts.keys().isdisjoint(owners[0].facts):
            for role, facts in frame.facts.items():
                owners[0].facts[role] += facts
            owners[0].devices.update(frame.devices)
            owners[0].texts += frame.texts
            del found[key]
    return list(found.values())


_DISPUTED = re.compile(
    r"\b(?:claims?|claimed|reports?|reported|says?|said|alleged\w*|supposed\w*)\b.*\b(?:but|"
    r"however|actually|in fact|yet|"
    r"though|whereas)\b",
    re.IGNORECASE,
)
"""A figure that the text quotes in order to take it apart."""


def frames(text: tuple[Told, ...]) -> list[Frame]:
    """Facts grouped by what they are about: a named model, a sized one, or a paragraph about one run."""
    found: dict[tuple[object, ...], Frame] = {}
    for told in text:
        for fact in told.facts:
            subject = fact.subject
            if fact.role not in _ROLES or subject.key == "?" or is_denied(fact) or _DISPUTED.search(told.sentence.text):
                continue
            key = (subject.key, subject.size, told.sentence.section) if subject.key else ("", told.scope)
            frame = found.setdefault(key, Frame(name=subject.name))
            frame.facts[fact.role].append(fact)
            for name in told.read.names:
                if name.kind == "device":
                    frame.devices.setdefault(f"{name.key} {' '.join(name.words)}".strip(), name)
            frame.texts.append(told.sentence.text)
    return _merged(found)


def picks(frame: Frame) -> Iterator[dict[str, Fact]]:
    """One value of each role: of the whole frame where it has one only, else of one sentence at a time."""
    alone = {role: facts[0] for role, facts in frame.facts.items() if _agree(facts)}
    if len(alone) == len(frame.facts):
        yield alone
        return
    places = sorted({fact.sentence.place for facts in frame.facts.values() for fact in facts})
    for place in places[:200]:
        here = {role: [fact for fact in facts if fact.sentence.place == place] for role, facts in frame.facts.items()}
        own = {role: facts[0] for role, facts in here.items() if facts and _agree(facts)}
        mixed = {role for role, facts in here.items() if len(facts) > 1 and not _agree(facts)}
        if own:
            yield {**{role: fact for role, fact in alone.items() if role not in mixed}, **own}


def _agree(facts: list[Fact]) -> bool:
    first = span_of(facts[0].amount)
    return all(first.meets(one.low * 0.97, one.high * 1.03) for one in (span_of(fact.amount) for fact in facts[1:]))
