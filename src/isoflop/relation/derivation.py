"""A route written down as numbered steps: leaves first, then each implication with the steps it rests on."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from isoflop.quantity import quantity
from isoflop.relation.answer import Step
from isoflop.relation.block import Joint, Search
from isoflop.relation.notation import latex, text
from isoflop.relation.readings import Monomial, power_product
from isoflop.relation.relation import tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.relation.answer import Fact
    from isoflop.relation.relation import Relation
    from isoflop.relation.route import Route, RouteStep


def steps(
    route: Route,
    leaves: Mapping[str, Fact],
    point: Mapping[str, float],
    low: Mapping[str, float],
    high: Mapping[str, float],
) -> tuple[Step, ...]:
    """The numbered derivation of a route at `point`: given facts, catalogue figures, defaults, then implications."""
    found: list[Step] = []
    numbers: dict[str, int] = {}
    order = {"given": 0, "computed": 0, "catalogue": 1, "default": 2}
    for key in sorted(route.leaves, key=lambda leaf: order[leaves[leaf].rank]):
        numbers[key] = len(found) + 1
        found.append(_leaf(numbers[key], leaves[key], point[key], low[key], high[key]))
    for step in route.steps:
        inputs = tuple((key, numbers[key]) for key in step.inputs)
        for key in _shown(step, route):
            numbers[key] = len(found) + 1
            formula, symbols, note = written(step)
            found.append(
                Step(
                    number=numbers[key],
                    gives=key,
                    kind=step.relations[-1].kind if not isinstance(step, Joint | Search) else "solve",
                    formula=formula,
                    latex=symbols,
                    inputs=inputs,
                    value=point[key],
                    low=low[key],
                    high=high[key],
                    sources=tuple(dict.fromkeys(key for relation in step.relations for key in relation.sources)),
                    note=note,
                )
            )
    return tuple(found)


def _leaf(number: int, fact: Fact, value: float, low: float, high: float) -> Step:
    return Step(
        number=number,
        gives=fact.quantity,
        kind=fact.rank,
        formula="",
        latex=quantity(fact.quantity).latex,
        inputs=(),
        value=value,
        low=low,
        high=high,
        sources=(fact.source,) if fact.source else (),
        text=fact.text,
        note=fact.note,
    )


def _shown(step: RouteStep, route: Route) -> tuple[str, ...]:
    """What a step gives, less what a search settles that nobody needs."""
    if not isinstance(step, Search):
        return step.gives
    wanted = {key for other in route.steps if other is not step for key in other.inputs} | set(route.targets)
    return tuple(key for key in step.gives if key in wanted)


def written(step: RouteStep) -> tuple[str, str, str]:
    """A step's formula as text and LaTeX, and a note on how a joint solution came about."""
    if isinstance(step, Search):
        equations = [f"{relation.gives} = {describe(relation)}" for relation in step.relations]
        symbols = r",\; ".join(
            f"{quantity(relation.gives).latex} = {_body_latex(relation)}" for relation in step.relations
        )
        return f"root of {'; '.join(equations)}", rf"\text{{root of }} {symbols}", ""
    if isinstance(step, Joint):
        form = power_product(_rounded(step.form))
        cancel = (
            f"; {', '.join(step.eliminated)} cancel{'s' if len(step.eliminated) == 1 else ''}"
            if step.eliminated
            else ""
        )
        equations = [f"{relation.gives} = {describe(relation)}" for relation in step.relations]
        return text(form), latex(form), f"from {'; '.join(equations)}{cancel}"
    if step.tree is not None:
        return text(step.tree), latex(step.tree), ""
    return describe(step.relation), _body_latex(step.relation), _first_line(step.relation)


def _first_line(relation: Relation[...]) -> str:
    return relation.doc.partition("\n")[0]


def describe(relation: Relation[...]) -> str:
    """A relation's body as text: its formula, or its name and inputs where the body is opaque."""
    body = tree(relation)
    return f"{relation.name}({', '.join(relation.inputs)})" if body is None else text(body)


def _body_latex(relation: Relation[...]) -> str:
    body = tree(relation)
    if body is not None:
        return latex(body)
    inputs = ", ".join(quantity(key).latex for key in relation.inputs)
    return rf"{quantity(relation.gives).latex}\left({inputs}\right)"


def _rounded(form: Monomial) -> Monomial:
    """A joint solution's numbers to four digits: they come from fitted exponents and stand here to be read."""
    exponents = {key: Fraction(f"{float(power):.4g}") for key, power in form.exponents.items()}
    return Monomial(float(f"{form.coefficient:.4g}"), exponents)


def origins(steps: Iterable[RouteStep]) -> dict[str, set[str]]:
    """For each quantity that the steps give, the leaves it rests on."""
    found: dict[str, set[str]] = {}
    for step in steps:
        below: set[str] = set().union(*(found.get(key, {key}) for key in step.inputs))
        found.update(dict.fromkeys(step.gives, below))
    return found
