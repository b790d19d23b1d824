"""Plans side by side: the same question with one or two of its knowns varied, and what no other beats.

Precision, devices, mixtures of experts, deadlines, budgets, commitments, laws: whatever `plan` takes can be varied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.ask.bind import Usual, bind
from isoflop.ask.planner import DEFAULT_GRID, DEFAULT_LAW, plan_question
from isoflop.errors import BadInput, IsoflopError
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.ask.bind import Known
    from isoflop.ask.planner import Plan

MOST = 100
"""Plans that are made at once: a tenth of a second each."""

DRAWS = 1000
"""Draws behind the intervals of each."""

PRICED = "priced"
"""Instead of devices: all that have a price in the catalogue and the links and memory that training needs."""

SAME = 1e-4
"""Times, costs and losses that differ by less, relatively, count as equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """One of the plans: what was varied in it, as it was said; `refused` says why there is none.

    `best`: no other of them is at least as good in loss, cost and time and better in one. Where loss cannot be compared
    (`Beside.loss_differs`) it does not count.
    """

    values: Mapping[str, str]
    plan: Plan | None
    refused: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside(Shown):
    """Plans side by side, in the order asked for; `names` are what was varied.

    `loss_differs` says in words why their losses cannot be compared, "" where they can.
    """

    names: tuple[str, ...]
    every: tuple[Varied, ...]
    loss_differs: str


def plans(
    vary: Mapping[str, Sequence[str | float]],
    *,
    samples: int = DRAWS,
    seed: int = 0,
    settings: Mapping[str, Usual] | None = None,
    **knowns: Known,
) -> Beside:
    """Plan the same run with each of the values of `vary`; of two names, with each pair.

    What cannot be planned stands there with its reason. Raises: BadInput for nothing to vary or more than 100 plans;
    where none of them can be planned, what is wrong with the first.

    >>> found = plans({"dtype": ["bf16", "fp8"]}, budget="$100k", on="h100-sxm")
    >>> [round(one.plan.fleet.chips) for one in found.every]
    [64, 64]
    """
    return plans_of(vary, knowns, samples=samples, seed=seed, settings=settings)


def plans_of(
    vary: Mapping[str, Sequence[str | float]],
    knowns: Mapping[str, Known],
    *,
    samples: int = DRAWS,
    seed: int = 0,
    settings: Mapping[str, Usual] | None = None,
) -> Beside:
    """`plans` with its knowns in a mapping."""
    named = {name.replace("-", "_"): _values(name, values) for name, values in vary.items()}
    _check(named, knowns)
    usual = {
        **{key: Usual(value, "isoflop.plan") for key, value in (("law", DEFAULT_LAW), ("grid", DEFAULT_GRID))},
        **(settings or {}),
    }
    every: list[Varied] = []
    wrong: IsoflopError | None = None
    for values in product(*named.values()):
        chosen = dict(zip(named, values, strict=True))
        said = {name: str(value) for name, value in chosen.items()}
        try:
            found = plan_question(bind({**knowns, **chosen}, usual), samples=samples, seed=seed)
        except IsoflopError as error:
            wrong = wrong or error
            every.append(Varied(values=said, plan=None, refused=str(error)))
        else:
            every.append(Varied(values=said, plan=found))
    if wrong is not None and all(one.plan is None for one in every):
        raise wrong
    differs = _loss_differs([one.plan for one in every if one.plan is not None])
    return Beside(names=tuple(named), every=_marked(every, with_loss=not differs), loss_differs=differs)


def _values(name: str, values: Sequence[str | float]) -> tuple[str | float, ...]:
    if name in {"on", "device"} and tuple(values) == (PRICED,):
        return tuple(one for one in hardware.devices() if _priced(one))
    return tuple(values)


def _priced(name: str) -> bool:
    device = hardware.device(name)
    try:
        return any(one.is_exact for one in hardware.find_prices(device)) and device.memory.bandwidth is not None
    except IsoflopError:
        return False


def _check(named: Mapping[str, tuple[str | float, ...]], knowns: Mapping[str, Known]) -> None:
    empty = [name for name, values in named.items() if not values]
    if not named or empty:
        raise BadInput(f"nothing to vary{f' in {empty[0]}' if empty else ''}: give values, as in dtype=bf16,fp8")
    twice = sorted(named.keys() & {name.replace("-", "_") for name in knowns})
    if twice:
        raise BadInput(f"'{twice[0]}' is varied and given too; leave one of them out")
    count = 1
    for values in named.values():
        count *= len(values)
    if count > MOST:
        raise BadInput(f"{count:,} plans are asked for; up to {MOST} are made at once. Vary fewer values.")


def _loss_differs(every: Sequence[Plan]) -> str:
    """Why losses of these plans cannot be held against each other; "" where they can."""
    if len({one.question.law.name for one in every if one.question.law is not None}) > 1:
        return "losses of different laws do not compare"
    if len({one.active_loss is not None for one in every}) > 1:
        return "no published law covers dense models and mixtures of experts: a mixture's lies between its two columns"
    return ""


def figures(of: Plan) -> tuple[float | None, float | None, float | None]:
    """(loss, cost in dollars, time in seconds) of a plan, None for what it does not reach."""
    loss, cost = of.answers.get("loss"), of.answers.get("train_cost")
    return (
        loss.value if loss is not None else None,
        cost.value if cost is not None else None,
        of.fleet.time if of.fleet is not None else None,
    )


def _marked(every: Sequence[Varied], *, with_loss: bool) -> tuple[Varied, ...]:
    """Each with whether no other beats it in loss, cost and time."""
    found = [None if one.plan is None or not one.plan.fits else _held(one.plan, with_loss=with_loss) for one in every]
    return tuple(
        replace(one, best=own is not None and not any(_beats(other, own) for other in found if other is not None))
        for one, own in zip(every, found, strict=True)
    )


def _held(of: Plan, *, with_loss: bool) -> tuple[float, ...]:
    own = figures(of) if with_loss else figures(of)[1:]
    return tuple(float("inf") if value is None else value for value in own)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether the first is nowhere worse and somewhere better."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b * (1 + SAME) for a, b in pairs) and any(a < b * (1 - SAME) for a, b in pairs)
