"""What a plan has to spend: which limit binds, how many chips, for how long, and whether the state fits on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.ask.solver import system
from isoflop.book import memory
from isoflop.errors import BadInput, MissingData
from isoflop.quantity import quantity, unit, write
from isoflop.relation import Ledger, Term, solve_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.ask.bind import Question
    from isoflop.relation import Answer

LONGEST = 30 * 86400.0
"""Seconds: with neither chips nor deadline given, as many chips are taken as finish within 30 days, unless they would
be so many that they wait for each other (`utilisation.settle`)."""

STATE = (
    (memory.weight_bytes, "weights"),
    (memory.gradient_bytes, "gradients"),
    (memory.master_bytes, "master weights"),
    (memory.optimizer_bytes, "optimizer (Adam's two moments)"),
)
"""The terms of the training state: the book's rules, each bytes per parameter times parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What fixed the work: "budget", "deadline", "work" (model and tokens), "loss", or a quantity that was given.

    `spare` names a limit that was given too and is not used up, with the part of it that is used.
    """

    by: str
    budget: float | None = None
    deadline: float | None = None
    spare: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Chips in whole units as they are rented, for `time` seconds. `chosen` where nobody gave their number."""

    chips: int
    unit_chips: int
    unit_name: str
    time: float
    chosen: bool

    @property
    def units(self) -> int:
        """How many slices, nodes or chips are rented."""
        return self.chips // self.unit_chips


_FIXING = (("work", ("params", "tokens")), ("loss", ("loss",)), ("given", ("train_flops",)))
"""Knowns that fix the work, so that budget and deadline can only be kept or not."""


def decide(question: Question) -> tuple[Question, Limit]:
    """The question with only what binds left in it: limits that do not bind would contradict what does."""
    budget, deadline = _stated(question, "train_cost"), _stated(question, "train_time")
    fixed = next((by for by, keys in _FIXING if all(question.given(key) for key in keys)), "")
    if fixed:
        return question.without("train_cost", "train_time"), Limit(by=fixed, budget=budget, deadline=deadline)
    if budget is not None and deadline is not None and question.given("chips"):
        return _tighter(question, budget, deadline)
    if budget is not None:
        return question.without("train_time"), Limit(by="budget", budget=budget, deadline=deadline)
    if deadline is not None:
        return question, Limit(by="deadline", deadline=deadline)
    return question, Limit(by="given")


def _stated(question: Question, key: str) -> float | None:
    fact = question.fact(key)
    return fact.spread.median if fact is not None and fact.rank == "given" else None


def _tighter(question: Question, budget: float, deadline: float) -> tuple[Question, Limit]:
    """Money or time, whichever runs out first on the chips that were given."""
    in_time = question.without("train_cost")
    cost = solve_all(system(question.relations), in_time.facts, ("train_cost",), samples=100).get("train_cost")
    if cost is None:
        raise MissingData(
            "a budget needs a price: none is known for these chips. Give price='$2/chip/h', or leave the budget out."
        )
    if cost.value <= budget:
        return in_time, Limit(by="deadline", budget=budget, deadline=deadline, spare=("budget", cost.value / budget))
    used = budget / cost.value
    return question.without("train_time"), Limit(
        by="budget", budget=budget, deadline=deadline, spare=("deadline", used)
    )


def fleet(question: Question, values: Mapping[str, float], longest: float = LONGEST) -> Fleet | None:
    """The chips of the plan: those given, or whole units enough for the deadline (else `longest` seconds), if known."""
    if "chip_time" not in values:
        return None
    chip_time = values["chip_time"]
    size, name = _unit(question)
    given, deadline = _stated(question, "chips"), _stated(question, "train_time")
    if given is not None:
        chips = _whole(given)
        return Fleet(chips=chips, unit_chips=1, unit_name="chip", time=chip_time / chips, chosen=False)
    room, least = question.fact("memory"), 1.0
    if room is not None:
        least = state_bytes(values["params"], question) / room.spread.median
    chips = size * _round_number(max(1, ceil(max(chip_time / (deadline or longest), least) / size - 1e-9)))
    return Fleet(chips=chips, unit_chips=size, unit_name=name, time=chip_time / chips, chosen=True)


_EVEN = (8, 9, 10, 12, 15, 16)
"""Numbers of 2, 3 and 5 alone, from 8 to 16: stages and ranks divide them."""


def _round_number(units: int) -> int:
    """Above 15 units a number of 2, 3 and 5 alone, at most a quarter larger: 2,363 nodes have hardly any layout."""
    step = 1 << max(0, units.bit_length() - 4)
    return units if step == 1 else next(one * step for one in _EVEN if one * step >= units)


def _whole(chips: float) -> int:
    if chips != round(chips):
        raise BadInput(f"{chips:g} chips were given; a plan needs a whole number of them")
    return round(chips)


def _unit(question: Question) -> tuple[int, str]:
    """What is rented at once: what the price is for, or the device's usual node, or single chips."""
    for noun, tied in question.ties.items():
        if tied.same_kind(unit("chip")) and tied.scale > 1:
            return round(tied.scale), noun
    if question.price is not None and question.price.price.sale.chips > 1:
        sale = question.price.price.sale
        return sale.chips, sale.name or sale.noun
    if question.device is not None and question.device.name in hardware.devices():
        chips = _node_chips(question.device.name)
        return chips, "node" if chips > 1 else "chip"
    return 1, "chip"  # a device of the user's own stands in no catalogued node


@cache
def _node_chips(device: str) -> int:
    """Chips of the smallest catalogued node of a device; 1 where none is."""
    return min((node.chips for node in hardware.nodes_of(device)), default=1)


def state_bytes(params: float, question: Question) -> float:
    """Bytes of weights, gradients, master weights and optimizer for `params` parameters, by the book's rules."""
    return state(params, None, question).total


def state(params: float, on: Fleet | None, question: Question) -> Ledger:
    """The training state as a ledger, held against the memory of the fleet. Activations and buffers come on top."""
    given = {fact.quantity: fact.spread.median for fact in question.facts if fact.rank == "given"}
    terms = tuple(
        Term(name=label, value=float(rule(params, **{key: given[key] for key in rule.defaults if key in given})))
        for rule, label in STATE
    )
    room = question.fact("memory")
    return Ledger(
        quantity="train_state_bytes",
        title="Training state on all chips; activations and buffers come on top",
        terms=terms,
        limit=room.spread.median * on.chips if room is not None and on is not None else None,
        sources=("rajbhandari2020",),
    )


def check_limits(limit: Limit, answers: Mapping[str, Answer], on: Fleet | None) -> tuple[str, ...]:
    """Which limits the work does not keep, in words; empty where it keeps them all."""
    broken = []
    cost = answers.get("train_cost")
    if limit.budget is not None and cost is not None and cost.value > limit.budget * (1 + 1e-9):
        entry = quantity("train_cost")
        broken.append(f"it costs {write(cost.value, entry)}, the budget is {write(limit.budget, entry)}")
    if limit.deadline is not None and on is not None and on.time > limit.deadline * (1 + 1e-9):
        entry = quantity("train_time")
        enough = on.unit_chips * ceil(on.time * on.chips / limit.deadline / on.unit_chips - 1e-9)
        chips = f"{on.chips:,} chip{'s' if on.chips > 1 else ''}"
        broken.append(
            f"it takes {write(on.time, entry)} on {chips}, the deadline is {write(limit.deadline, entry)}; "
            f"{enough:,} chips keep it at the same MFU"
        )
    return tuple(broken)
