"""The order in which the steps of a document can be computed; a step that depends on itself is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadInput, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Document, Step

_SHOWN = 6


def in_order(document: Document) -> tuple[Step, ...]:
    """The steps, each after those it refers to, in the document's order otherwise; linear in time, no recursion.

    Raises: BadInput for a circle, with the steps on it, and for a reference to a step that is not there.
    """
    steps = document.by_number()
    if len(steps) != len(document.steps):
        raise BadInput("two steps have the same number; give each its own.")
    done: dict[str, Step] = {}
    for first in document.steps:
        _visit(first, steps, done)
    return tuple(done.values())


def _visit(first: Step, steps: Mapping[str, Step], done: dict[str, Step]) -> None:
    path: dict[str, Iterator[str]] = {}
    stack = [first]
    while stack:
        step = stack[-1]
        if step.number in done:
            stack.pop()
            continue
        waiting = path.setdefault(step.number, iter(refers_to(step)))
        for number in waiting:
            if number not in steps:
                raise BadInput(f"step {shorten(step.number)} refers to {shorten(number)}, which is not there.")
            if number in path and number not in done:
                raise BadInput(_circle(list(path), number))
            if number not in done:
                stack.append(steps[number])
                break
        else:
            done[step.number] = step
            stack.pop()


def refers_to(step: Step) -> tuple[str, ...]:
    """The steps that the expression of a step is computed from."""
    return tuple(given.step for given in step.inputs.values() if given.step)


def _circle(path: list[str], number: str) -> str:
    round_trip = [*path[path.index(number) :], number]
    shown = round_trip if len(round_trip) <= _SHOWN else [*round_trip[: _SHOWN - 1], "...", number]
    return f"steps depend on each other in a circle: {' from '.join(shown)}. One of them must be given a value."
