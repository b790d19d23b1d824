"""The utilisation of a plan: predicted by the best of the usual layouts where model, devices and chips are known.

Predicted is the share of the peak that the plan's own work (6 FLOP a parameter and token, or what was said) comes to
over the whole time: of the step, times the goodput. It stands at the rank of a default, so that whatever the knowns
determine beats it, and carries the spread of the profile that the time is from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, NamedTuple

from isoflop import hardware
from isoflop.ask import alternatives, resources
from isoflop.ask.assumptions import MFU_SOURCE
from isoflop.ask.draw import with_power
from isoflop.ask.solver import system
from isoflop.errors import BadInput, MissingData
from isoflop.quantity import Centred, Point
from isoflop.quantity.spread import Z95
from isoflop.relation import Fact, solve_point

if TYPE_CHECKING:
    from isoflop.ask.bind import Question
    from isoflop.hardware import Device
    from isoflop.kernel import Chip, Profile
    from isoflop.model import ModelSpec
    from isoflop.training.spec import Layout, Recipe, Run

SOURCE = "llama2024"
"""Who says what the goodput is; the step time is the profile's."""
SEQUENCE = 4096
DOMAIN = 8
ROUNDS, STILL = 6, 0.02
"""Price -> FLOP -> allocation -> shape -> layout -> utilisation: so often at most, or until it moves by less."""

CROWDED = 4096
"""Tokens of a batch for each chip below which a longer time on fewer chips is looked at. Llama 3.1 405B had 1,000 on
each of 16,384 H100 [llama2024 table 4], DeepSeek-V3 30,000 on each of 2,048 H800."""

LEAST_TOKENS, LARGER = 1024, 3.0
"""Where each chip would have fewer tokens of the law's batch than so many, as it was in Llama 3.1 405B, the batch is
larger, up to three times: DeepSeek-V3 took 63M tokens where the law gives 19M."""

LONGER = (60 * 86400.0, 90 * 86400.0, 120 * 86400.0)
"""Seconds: none of 44 published runs whose days are known took longer than 120."""

ENOUGH = 0.95
"""Of the best utilisation among the times: what more chips may cost for being done sooner."""

PRACTICE = 2025
"""The year whose habits a plan is held against."""

_NEEDED = ("train_flops", "params", "tokens", "chip_time")
SPREAD_OF_GOODPUT = 1.1
"""5 to 95 % of the goodput, as a factor; capped at 1."""

MATMUL = {"fp8": "fp8", "fp4": "fp4", "nvfp4": "fp4", "mxfp8": "fp8"}
"""Number formats of a plan whose products are narrower than what they are summed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """The layout that a plan's utilisation is from: `run` and `layout`, seconds of a step with 5 and 95 %.

    `memory` is what a chip needs [bytes, 95 %], of `capacity`; `profile` names whose times they are, `measured` whether
    they were measured on this architecture. `goodput` is assumed. `practice` is the utilisation, of the plan's own peak
    and work, that runs like it reach over the whole time where nobody states their settings.
    """

    run: Run
    layout: Layout
    step: float
    low: float
    high: float
    memory: float
    capacity: float
    profile: str
    measured: bool
    goodput: float
    practice: float | None = None

    @property
    def tokens_per_second(self) -> float:
        """While steps are made."""
        return self.run.batch * self.run.sequence / self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Chips of a device that a plan may run on."""

    device: Device
    capacity: float
    domain: int
    chip: Chip
    profile: Profile
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A time [s] that a run without a deadline could take: on how many chips, and the utilisation that they reach."""

    time: float
    chips: int
    mfu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A question with its utilisation, the layout that is from (None: it is not predicted), and the time it may take.

    `longest` [s] counts where neither chips nor a deadline are given; `tried` holds the times it was chosen among,
    empty where the usual one leaves the chips enough to do.
    """

    question: Question
    predicted: Predicted | None
    longest: float
    tried: tuple[Duration, ...] = ()


def settle(question: Question, targets: tuple[str, ...]) -> Settled:
    """The question with the utilisation of the best layout as its default, gone round until it stands still.

    `targets` are those of the plan: each round takes the plan's own route, which is then searched for once.
    The question as it was, without a layout, where utilisation is given, follows from the knowns, or cannot be
    predicted. Where the chips are ours to choose and those of the usual time would have too few tokens of a batch each,
    longer times are tried, and the shortest is taken that reaches `ENOUGH` of the best utilisation among them.
    """
    first, found = _settled(question, targets, resources.LONGEST)
    if not _open(question) or (found is not None and not _crowded(found)):
        return _settled_so(first, found, resources.LONGEST, ())
    tried = [(resources.LONGEST, first, found)] if found is not None else []
    for longest in LONGER:
        further, layout = _settled(question, targets, longest)
        if layout is not None:
            tried.append((longest, further, layout))
    if not tried:
        return _settled_so(first, found, _uncrowded(question, targets), ())
    most = max(_mfu(one) for _, one, _ in tried)
    longest, best, layout = next(one for one in tried if _mfu(one[1]) >= ENOUGH * most)
    durations = tuple(Duration(time=time, chips=held.layout.chips, mfu=_mfu(one)) for time, one, held in tried)
    return _settled_so(best, layout, longest, durations)


def _settled_so(
    question: Question, found: Predicted | None, longest: float, tried: tuple[Duration, ...]
) -> Settled:  # fmt: skip
    """With what runs reach in practice in the interval."""
    if found is not None:
        question, found = in_practice(question, found)
    question = with_power(question, place_of(question), found.goodput if found is not None else 1.0)
    return Settled(question=question, predicted=found, longest=longest, tried=tried)


def in_practice(question: Question, found: Predicted) -> tuple[Question, Predicted]:
    """The question whose utilisation reaches down to what runs like it reach in practice, and what it is from.

    The best layout stays the point: it is what the plan says how to run. Published runs whose settings nobody states
    take longer (`training.practice_of`): other layouts, smaller batches, steps that take longer than predicted.
    """
    from isoflop.model import counts
    from isoflop.training.practice import TO_80, Asked, practice_of

    best, place = question.fact("mfu"), place_of(question)
    if best is None or place is None or not isinstance(best.spread, Centred):
        return question, found
    matmul = found.run.recipe.matmul
    run = found.run
    asked = Asked(model=run.model, tokens=1.0, year=PRACTICE, matmul=matmul, sequence=run.sequence, batch=run.batch)
    usual = practice_of(asked, place.device, found.layout.chips, found.goodput)
    if usual is None or usual.steps is None:
        return question, found
    work = 6.0 * counts(found.run.model).active_params * found.tokens_per_second
    share = usual.mfu / (found.goodput * work / (found.layout.chips * place.chip.rate("16")))
    value, low, high = best.spread.median * share, best.spread.low, best.spread.high
    if value > high:  # what such chips reached elsewhere says nothing of a fleet too large for its batch
        return question, found
    slow = (usual.high / usual.chip_time) ** (Z95 / TO_80)  # its 80 % interval as wide as 90 %, like all of a fact
    least = min(low, value / slow)
    note = f"{best.note}; runs whose settings nobody states reach {value:.0%} in practice"
    wider = replace(best, spread=Centred(best.spread.median, least, high, "logit"), note=note)
    return question.with_facts(wider), replace(found, practice=value)


def _open(question: Question) -> bool:
    """Whether the number of chips is ours to choose, and the utilisation to be predicted."""
    usual = question.fact("mfu")
    if usual is None or usual.source != MFU_SOURCE or question.device is None:
        return False
    return not (question.given("chips") or question.given("train_time"))


def _crowded(found: Predicted) -> bool:
    """Whether each chip has so few tokens of a batch that fewer chips for longer are worth a look."""
    return found.run.batch * found.run.sequence < CROWDED * found.layout.chips


def _uncrowded(question: Question, targets: tuple[str, ...]) -> float:
    """Without a layout: the shortest time [s] whose chips have enough tokens of a batch each, else the longest."""
    for longest in (resources.LONGEST, *LONGER):
        wanted = _wanted(question, targets, longest)
        if wanted is None:
            return resources.LONGEST
        if wanted.batch >= CROWDED * wanted.chips:
            return longest
    return LONGER[-1]


def _mfu(question: Question) -> float:
    found = question.fact("mfu")
    assert found is not None
    return found.spread.median


def _settled(question: Question, targets: tuple[str, ...], longest: float) -> tuple[Question, Predicted | None]:
    """The question with its utilisation and the layout, for a run that takes so long where nobody says."""
    usual = question.fact("mfu")
    if usual is None or usual.source != MFU_SOURCE:
        return question, None
    place = place_of(question)
    if place is None:
        return question, None
    found: Predicted | None = None
    safe: tuple[float, Predicted, Fact] | None = None
    refused: _Wanted | None = None
    low, high, assumed = 0.0, float("inf"), usual.spread.median
    for _ in range(ROUNDS):
        wanted = _wanted(question.with_facts(_at(usual, assumed)), targets, longest)
        if wanted is None or wanted == refused:
            break
        if found is not None:  # one kind of layout is enough to see that it stands still
            found = predict(question, place, wanted.shape, wanted.chips, wanted.batch, found)
            new = fact(question, found)
            if new is not None and abs(new.spread.median / assumed - 1) < STILL:
                return question.with_facts(new), found
        found = predict(question, place, wanted.shape, wanted.chips, wanted.batch)
        new = fact(question, found)
        refused = wanted if new is None else None
        value = new.spread.median if new is not None else 0.5 * assumed  # a smaller model may fit
        if new is not None and abs(value / assumed - 1) < STILL:
            return question.with_facts(new), found
        if value > assumed and found is not None and new is not None:
            low, safe = max(low, assumed), (assumed, found, new) if safe is None or assumed > safe[0] else safe
        else:
            high = min(high, assumed)
        # where a layout no longer fits it jumps: then it is looked for between both sides
        assumed = value if low < value < high else (max(low, 0.5 * min(high, value)) * high) ** 0.5
    if safe is None:
        return question, None
    return question.with_facts(_lowered(safe[2], safe[0])), safe[1]


def _at(usual: Fact, value: float) -> Fact:
    """The usual fact at another value: a point on the way, without its spread."""
    return replace(usual, spread=Point(value))


def _lowered(new: Fact, value: float) -> Fact:
    """A utilisation that its layout surpasses: with the value that was assumed to get there, its spread beside it."""
    spread = new.spread
    assert isinstance(spread, Centred)
    share = value / spread.median
    return replace(new, spread=Centred(value, spread.low * share, spread.high * share, "logit"))


class _Wanted(NamedTuple):
    """What a question comes to at a utilisation: a shape on chips, and tokens of a batch."""

    shape: ModelSpec
    chips: int
    batch: float


def _wanted(question: Question, targets: tuple[str, ...], longest: float) -> _Wanted | None:
    """At the point; None where a utilisation is not what decides, or there is no number of chips."""
    decided, _ = resources.decide(question)
    decided = alternatives.for_demand(decided)
    values, leaves = solve_point(system(decided.relations), decided.facts, targets)
    if any(key not in values for key in _NEEDED):
        return None
    used = decided.fact("mfu")
    if "mfu" not in leaves or used is None or used.rank != "default":
        return None
    fleet = resources.fleet(question, values, longest)
    if fleet is None:
        return None
    shape = alternatives.shape(question, values["params"])
    batch = float(alternatives.settings(shape, values["tokens"], values["train_flops"]).batch_tokens)
    return _Wanted(shape, fleet.chips, min(LARGER * batch, max(batch, LEAST_TOKENS * fleet.chips)))


def place_of(question: Question) -> Place | None:
    """What layouts are timed on; None where no device is named or its figures do not reach."""
    device = question.device
    if device is None:
        return None
    from isoflop.kernel import chip_of, profile_of

    try:
        chip = chip_of(device)
        memory = device.memory
        figure = memory.usable or memory.labelled
    except MissingData:
        return None
    if figure is None:
        return None
    name, profile = profile_of(chip)
    nodes = hardware.nodes_of(device.name) if device.name in hardware.devices() else ()
    domain = max((node.fabric.domain for node in nodes), default=DOMAIN)
    return Place(device=device, capacity=figure.value, domain=domain, chip=chip, profile=profile, name=name)


def predict(
    question: Question, place: Place, shape: ModelSpec, chips: int, batch_tokens: float, before: Predicted | None = None
) -> Predicted | None:
    """The best of the usual layouts of `shape` on so many chips; None where none fits. `before`: of its kind alone."""
    from isoflop.training.goodput import GOODPUT
    from isoflop.training.spec import Run
    from isoflop.training.usual import alike, usual_layout

    if shape.encoder is not None:
        return None
    sequence = min(SEQUENCE, shape.context or SEQUENCE)
    recipe = _recipe(question.dtype)
    try:
        place.chip.rate("16")
        run = Run(model=shape, sequence=sequence, batch=_batch(batch_tokens / sequence, chips), recipe=recipe)
    except (MissingData, BadInput):
        return None
    asked = (shape, run.batch, chips)
    if before is not None and asked == (before.run.model, before.run.batch, before.layout.chips):
        return before
    if before is not None:
        found = alike(before.run, before.layout, run, chips, (place.domain, place.capacity, place.chip, place.profile))
    else:
        found = usual_layout(run, chips, place.domain, place.capacity, (place.chip, place.profile))
    if found is None:
        return None
    return Predicted(
        run=found.run,
        layout=found.layout,
        step=found.step,
        low=found.low,
        high=found.high,
        memory=found.memory,
        capacity=place.capacity,
        profile=place.name,
        measured=place.name != "generic",
        goodput=GOODPUT,
    )


def _recipe(dtype: str) -> Recipe:
    """Megatron's mixed precision; fp32 and narrow formats where the plan names them."""
    from isoflop.training.spec import RECIPES, Recipe

    if dtype in {"fp32", "tf32"}:
        return replace(RECIPES["fp32"], compute=dtype)
    narrow = MATMUL.get(dtype, "")
    return Recipe(matmul=narrow) if narrow else Recipe()


def _batch(sequences: float, chips: int) -> int:
    """About so many sequences, a multiple of many of the divisors of the chips: of their odd part and powers of two."""
    wanted = max(1, round(sequences))
    odd = chips // (chips & -chips)
    if odd > wanted:
        step = max(one for one in _divisors(chips) if one <= wanted)
        return step * max(1, round(wanted / step))
    doubled = [odd * times << power for times in (1, 3) for power in range(wanted.bit_length() + 1)]
    return min(doubled, key=lambda one: abs(log(one / wanted)))


def _divisors(number: int) -> set[int]:
    small = [one for one in range(1, int(number**0.5) + 1) if number % one == 0]
    return {*small, *(number // one for one in small)}


def fact(question: Question, found: Predicted | None) -> Fact | None:
    """The utilisation as a default of the question; None without a layout, or where its peak is not known."""
    from isoflop.model import counts

    peak = question.fact("peak_rate")
    if peak is None or found is None:
        return None
    each = question.fact("flops_per_param_token")
    flops = (each.spread.median if each is not None else 6.0) * counts(found.run.model).active_params
    step = flops * found.tokens_per_second / (found.layout.chips * peak.spread.median)
    value = min(0.95, step * found.goodput)
    slow, fast = found.high / found.step * SPREAD_OF_GOODPUT, found.step / found.low
    high = min((1 + value) / 2, value * fast * min(SPREAD_OF_GOODPUT, 1 / found.goodput))
    own = "" if found.measured else f", the {found.profile} profile: none of its own"
    note = f"predicted: {found.layout.words()}: {step:.0%} of the peak in steps, {found.goodput:.0%} of the time{own}"
    spread = Centred(value, value / slow, high, "logit")
    return Fact(quantity="mfu", spread=spread, rank="default", source=SOURCE, note=note)
