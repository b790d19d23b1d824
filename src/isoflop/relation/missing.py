"""What to say when the knowns do not reach the target: what would complete them, and the nearest relation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import Undetermined
from isoflop.relation.route import find_route

if TYPE_CHECKING:
    from isoflop.relation.answer import Rank
    from isoflop.relation.system import System

_MOST = 8


def undetermined(system: System, known: frozenset[tuple[str, Rank]], target: str) -> Undetermined:
    """The error that names the nearest relation and every single quantity that would do (at most eight are printed)."""
    given = [key for key, rank in sorted(known) if rank in {"given", "computed"}]
    completes = completing(system, known, target)
    needs = _nearest(system, {key for key, _ in known}, target)
    start = (
        f"cannot reach '{target}' from {', '.join(given)}" if given else f"cannot reach '{target}' with nothing known"
    )
    if not completes:
        return Undetermined(f"{start}: no single quantity would complete it. {needs}".rstrip(), completes=())
    more = f" and {len(completes) - _MOST} more" if len(completes) > _MOST else ""
    return Undetermined(
        f"{start}. {needs}Any one of these completes it: {', '.join(completes[:_MOST])}{more}.", completes=completes
    )


def completing(system: System, known: frozenset[tuple[str, Rank]], target: str) -> tuple[str, ...]:
    """Quantities any one of which would determine the target, the ones that most relations know of first."""
    have = {key for key, _ in known} | {target}
    found = []
    for key in system.touching:
        if key in have:
            continue
        route = find_route(system, known | {(key, "given")}, (target,))
        if not route.missing:
            found.append((-len(system.touching[key]), len(route.steps), key))
    return tuple(key for *_, key in sorted(found))


def _nearest(system: System, known: set[str], target: str) -> str:
    """The relation over the target that lacks least."""
    best: tuple[int, str, list[str]] | None = None
    for relation in system.touching.get(target, ()):
        lacks = [
            key for key in relation.quantities if key not in known and key != target and key not in system.defaults
        ]
        if not relation.policy and (best is None or len(lacks) < best[0]):
            best = (len(lacks), relation.name, lacks)
    if best is None or not best[2]:
        return ""
    return f"The nearest relation ({best[1]}) also needs: {', '.join(best[2])}. "
