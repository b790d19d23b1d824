"""From what is known to what is asked: which relations to use, in which order.

A route depends on *which* quantities are known, never on their values, so it is found once and run on floats, on
samples, on arrays. Order of attack: (a) relations with one unknown, cheapest derivation first (a shortest path in a
hypergraph, so the route uses the fewest assumptions, then catalogue figures, then the most trusted kinds of relation,
then the fewest steps); (b) the monomial relations that are left, solved together by rank; (c, d) what is not monomial,
by search along the directions still free.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from isoflop.relation import block
from isoflop.relation.expr import evaluate
from isoflop.relation.readings import inverse
from isoflop.relation.relation import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from isoflop.quantity import Real
    from isoflop.relation.answer import Rank
    from isoflop.relation.expr import Expr
    from isoflop.relation.relation import Relation
    from isoflop.relation.system import System

CONSTANT, ASSUMPTION = 1, 10
"""What a default weighs: a constant of a relation (6 FLOP per parameter and token), a guess or a policy (an MFU)."""

Cost = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Direct:
    """One relation with one unknown: the body itself, or its inverse as a tree."""

    target: str
    relation: Relation[...]
    inputs: tuple[str, ...]
    tree: Expr | None

    @property
    def gives(self) -> tuple[str, ...]:
        """The quantity it gives."""
        return (self.target,)

    @property
    def relations(self) -> tuple[Relation[...], ...]:
        """The relation behind it."""
        return (self.relation,)

    def run(self, values: Mapping[str, Real]) -> Real:
        """The quantity from its inputs, in base units."""
        if self.target == self.relation.gives:
            return self.relation.body(**{key: values[key] for key in self.inputs})
        assert self.tree is not None
        return evaluate(self.tree, values)


RouteStep = Direct | block.Joint | block.Search


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """How to get to `targets`: `leaves` are the knowns used, `steps` run in order; `missing` are out of reach.

    `conflicts` are relations that the givens alone determine twice, `doubts` fitted laws that they determine twice and
    relations that rest on a constant or a catalogue figure too, `implied` constants of relations that the knowns
    determine instead; `closure` derives what these need, on the way or not. `checks` are relations the route did not
    need, over quantities it determines anyway.
    """

    targets: tuple[str, ...]
    missing: tuple[str, ...]
    leaves: tuple[str, ...]
    steps: tuple[RouteStep, ...]
    closure: tuple[RouteStep, ...] = ()
    conflicts: tuple[Relation[...], ...] = ()
    doubts: tuple[Relation[...], ...] = ()
    implied: tuple[str, ...] = ()
    checks: tuple[Relation[...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """How a quantity was reached and what it stands on: assumptions with weights, catalogue figures, relations."""

    step: RouteStep | None
    assumed: frozenset[tuple[str, int]] = frozenset()
    catalogued: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    kind: int = 0

    @property
    def cost(self) -> Cost:
        return sum(weight for _, weight in self.assumed), len(self.catalogued), self.kind, len(self.used)


@lru_cache(maxsize=512)
def find_route(system: System, known: frozenset[tuple[str, Rank]], targets: tuple[str, ...]) -> Route:
    """The cheapest route from `known` (pairs of quantity and rank) to all of `targets` that can be reached."""
    finder = _Finder(system, dict(known), targets)
    finder.start()
    finder.reach()
    return finder.route()


class _Finder:
    """One search: what has been reached so far, cheapest first."""

    def __init__(self, system: System, known: Mapping[str, Rank], targets: tuple[str, ...]) -> None:
        self.system, self.known, self.targets = system, known, targets
        self.found: dict[str, _Found] = {}
        self.queue: list[tuple[Cost, int, str, _Found]] = []
        self.count = 0
        self.policies = False

    def start(self) -> None:
        """Put what is given and what the catalogue says into the queue."""
        for key, rank in sorted(self.known.items()):
            if rank == "catalogue":
                self.push(key, _Found(None, catalogued=frozenset({key})))
            elif rank != "default":
                self.push(key, _Found(None))

    def reach(self) -> bool:
        """Knowns first; then assumptions; then policies; at each stage joint solutions where single steps are stuck."""
        return self.advance() or self.assume() or self.adopt_policies()

    def advance(self) -> bool:
        """All that follows from the queue; joint solutions until the targets are reached or nothing new comes."""
        self.propagate()
        for target in self.targets:
            while target not in self.found:
                steps = block.solve(self.open_relations(), frozenset(self.found), target)
                if not steps:
                    break
                for step in steps:
                    self.push_all(step)
                self.propagate()
        return all(target in self.found for target in self.targets)

    def assume(self) -> bool:
        """Admit defaults, except for what is asked: an assumption is no answer."""
        weights = dict.fromkeys(self.system.defaults, CONSTANT)
        weights.update({key: ASSUMPTION for key, rank in self.known.items() if rank == "default"})
        for key, weight in sorted(weights.items()):
            if key not in self.found and key not in self.targets:
                self.push(key, _Found(None, assumed=frozenset({(key, weight)})))
        return self.advance()

    def adopt_policies(self) -> bool:
        """Let policies (train compute-optimally) take part."""
        self.policies = True
        for key in list(self.found):
            self.relax(key)
        return self.advance()

    def open_relations(self) -> list[Relation[...]]:
        """Relations that may still bring something: not all of their quantities are known."""
        return [
            relation
            for relation in self.system.relations
            if (self.policies or not relation.policy) and not all(key in self.found for key in relation.quantities)
        ]

    def push(self, key: str, found: _Found) -> None:
        self.count += 1
        heapq.heappush(self.queue, (found.cost, self.count, key, found))

    def push_all(self, step: RouteStep) -> None:
        found = self.combine(step)
        for key in step.gives:
            self.push(key, found)

    def combine(self, step: RouteStep) -> _Found:
        """What a quantity stands on when it comes out of `step`."""
        below = [self.found[key] for key in step.inputs]
        policies = {(relation.name, ASSUMPTION) for relation in step.relations if relation.policy}
        return _Found(
            step,
            frozenset(policies).union(*(found.assumed for found in below)),
            frozenset().union(*(found.catalogued for found in below)),
            frozenset(relation.name for relation in step.relations).union(*(found.used for found in below)),
            max([KINDS.index(relation.kind) for relation in step.relations] + [found.kind for found in below]),
        )

    def propagate(self) -> None:
        """Settle quantities in order of cost; each settled quantity may leave a relation with one unknown."""
        while self.queue:
            _, _, key, found = heapq.heappop(self.queue)
            if key not in self.found:
                self.found[key] = found
                self.relax(key)

    def relax(self, key: str) -> None:
        for relation in self.system.touching.get(key, ()):
            if relation.policy and not self.policies:
                continue
            unknown = [other for other in relation.quantities if other not in self.found]
            if len(unknown) == 1:
                step = direct(relation, unknown[0])
                if step is not None:
                    self.push_all(step)

    def route(self) -> Route:
        """What has been found, cut down to what the target needs, in an order in which it can be run."""
        targets = tuple(target for target in self.targets if target in self.found)
        steps = tuple(self.needed(targets))
        self.settle_constants()
        given = {key for key, found in self.found.items() if found.cost[:2] == (0, 0)}
        settled = [key for key, found in self.found.items() if found.cost[0] < ASSUMPTION]
        inputs = [key for step in steps for key in step.inputs] + list(targets)
        leaves = tuple(dict.fromkeys(key for key in inputs if self.found[key].step is None))
        on_route = set(leaves).union(*(step.gives for step in steps))
        # A rule of thumb contradicts nobody: off by a factor, it is a second opinion.
        opinions = self.unused(self.needed(settled), set(settled))
        second = [relation for relation in opinions if relation.kind != "rule"]
        constants = set(self.system.defaults).difference(self.targets)
        firmly = [key for key in settled if KINDS[self.found[key].kind] != "rule"]
        implied = tuple(key for key in firmly if key in constants and self.found[key].step is not None)
        firm = [relation for relation in second if relation.kind != "empirical"]  # a fitted law is only nearly true
        conflicts = tuple(relation for relation in firm if given.issuperset(relation.quantities))
        return Route(
            targets=targets,
            missing=tuple(target for target in self.targets if target not in self.found),
            leaves=leaves,
            steps=steps,
            closure=tuple(self.needed([*implied, *(key for relation in second for key in relation.quantities)])),
            conflicts=conflicts,
            implied=implied,
            doubts=tuple(relation for relation in second if relation not in conflicts),
            checks=tuple(relation for relation in self.unused(steps, on_route) if relation not in conflicts),
        )

    def settle_constants(self) -> None:
        """After the targets: what else follows with the constants of relations, to hold the knowns against."""
        for key in self.system.defaults:
            if key not in self.found and key not in self.targets and self.known.get(key) != "default":
                self.push(key, _Found(None, assumed=frozenset({(key, CONSTANT)})))
        self.propagate()

    def needed(self, targets: Iterable[str]) -> Iterator[RouteStep]:
        """Steps behind `targets`, each once, inputs before outputs."""
        seen: set[int] = set()

        def visit(key: str) -> Iterator[RouteStep]:
            step = self.found[key].step
            if step is None or id(step) in seen:
                return
            seen.add(id(step))
            for inner in step.inputs:
                yield from visit(inner)
            yield step

        for target in targets:
            yield from visit(target)

    def unused(self, steps: Iterable[RouteStep], quantities: set[str]) -> tuple[Relation[...], ...]:
        """Relations wholly over `quantities` that `steps` do not use: each is a second opinion."""
        used = {relation.name for step in steps for relation in step.relations}
        return tuple(
            relation
            for relation in self.system.relations
            if not relation.policy and relation.name not in used and quantities.issuperset(relation.quantities)
        )


@lru_cache(maxsize=4096)
def direct(relation: Relation[...], unknown: str) -> Direct | None:
    """`unknown` from all the others of one relation, where that is the body or has a closed inverse."""
    inputs = tuple(dict.fromkeys(key for key in relation.quantities if key != unknown))
    if unknown == relation.gives:
        return Direct(target=unknown, relation=relation, inputs=relation.inputs, tree=None)
    tree = inverse(relation, unknown)
    return None if tree is None else Direct(target=unknown, relation=relation, inputs=inputs, tree=tree)
