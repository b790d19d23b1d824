"""`isoflop.plan`: from any of budget, deadline, hardware, model, tokens, loss and demand to the whole run.

A plan decides before it predicts. Budget and deadline are limits: the one that binds fixes the work, unless model and
tokens, or a loss, fix it first. A policy (the law's own split) decides between parameters and tokens where nobody did.
Everything else follows along one derivation that all numbers of the plan share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.ask import alternatives, resources, utilisation
from isoflop.ask.bind import Usual, bind
from isoflop.ask.solver import check_draws, system
from isoflop.errors import Undetermined
from isoflop.relation import SAMPLES, solve_all
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.ask.alternatives import Elsewhere, Repeats, Rule
    from isoflop.ask.bind import Known, Question
    from isoflop.ask.resources import Fleet, Limit
    from isoflop.ask.utilisation import Duration, Predicted
    from isoflop.laws import Settings, Verdict
    from isoflop.model import ModelSpec
    from isoflop.relation import Answer, Ledger, Step

DEFAULT_LAW = "besiroglu2024"
DEFAULT_GRID = "usa"

TARGETS = (
    "train_flops",
    "params",
    "tokens",
    "tokens_per_param",
    "loss",
    "chip_time",
    "train_cost",
    "train_energy",
    "train_emissions",
)
"""What a plan works out, as far as its knowns reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Shown):
    """A training run decided and predicted.

    `answers` holds TARGETS by name (those that could be reached), sharing one numbered derivation. `limit` is what
    fixed the work, `fleet` the chips it runs on and for how long, `shape` a concrete model of about the planned size,
    `memory` its training state held against the fleet's memory. `valley` is the range of params within `laws.WITHIN` of
    the best loss for the same FLOP. `beyond_settings` is the model's size over the largest that the law behind
    `settings` was fitted on. `rules` are the splits of other laws, `elsewhere` what other devices and
    commitments would do for the same money. `broken` says which limits the work does not keep. `predicted` is the
    layout that the utilisation is from, None where it was given, follows from the knowns, or is assumed. `longest` is
    the time that chose the chips where nobody said a number or a deadline, `durations` what it was chosen among.
    `active_loss` is the loss of a dense model of a mixture's active parameters, `repeats` what seeing data again comes
    to. Values in base units.
    """

    question: Question
    limit: Limit
    answers: Mapping[str, Answer]
    fleet: Fleet | None
    shape: ModelSpec
    memory: Ledger
    valley: tuple[float, float] | None
    verdict: Verdict | None
    settings: Settings
    beyond_settings: float
    rules: tuple[Rule, ...]
    elsewhere: tuple[Elsewhere, ...]
    broken: tuple[str, ...]
    predicted: Predicted | None = None
    longest: float = resources.LONGEST
    durations: tuple[Duration, ...] = ()
    active_loss: float | None = None
    repeats: Repeats | None = None

    @property
    def fits(self) -> bool:
        """Whether the chips hold the training state; True where their memory is not known."""
        return self.memory.limit is None or self.memory.total <= self.memory.limit

    @property
    def steps(self) -> tuple[Step, ...]:
        """The derivation that all answers share."""
        return self.answers["train_flops"].steps

    def value(self, quantity: str) -> float:
        """The point value of one of the answers, in base units."""
        return self.answers[quantity].value


def plan(
    *, samples: int = SAMPLES, seed: int = 0, settings: Mapping[str, Usual] | None = None, **knowns: Known
) -> Plan:
    """Plan a training run from any of budget, deadline, on, model, params, tokens, loss, demand and what `solve` takes.

    `on` is a device, with a count ("64xh100-sxm") or without; `law` defaults to the Besiroglu et al. refit, `grid` to
    the United States.
    Raises: Undetermined with what is missing; Infeasible where the limits cannot be met; the rest of `isoflop.errors`.

    >>> p = plan(budget="$4k", on="tpu-v4", commitment="3y", mfu=0.4)
    >>> round(p.value("params") / 1e9, 1), round(p.value("tokens") / 1e9)
    (2.9, 63)
    """
    own = {key: Usual(value, "isoflop.plan") for key, value in (("law", DEFAULT_LAW), ("grid", DEFAULT_GRID))}
    return plan_question(bind(knowns, {**own, **(settings or {})}), samples=samples, seed=seed)


def plan_question(question: Question, *, samples: int = SAMPLES, seed: int = 0) -> Plan:
    """`plan` for a question that is already bound."""
    check_draws(samples, seed)
    settled = utilisation.settle(question, TARGETS)
    question = settled.question
    decided, limit = resources.decide(question)
    decided = alternatives.for_demand(decided)
    found = solve_all(system(decided.relations), decided.facts, TARGETS, samples=samples, seed=seed)
    answers = {key: question.warned(answer) for key, answer in found.items()}
    _refuse_half_plans(question, answers)
    params, tokens, flops = (answers[key].value for key in ("params", "tokens", "train_flops"))
    each = flops / (params * tokens)
    fleet = resources.fleet(question, {key: answer.value for key, answer in answers.items()}, settled.longest)
    shape = alternatives.shape(question, params)
    return Plan(
        question=question,
        limit=limit,
        answers=answers,
        fleet=fleet,
        shape=shape,
        memory=resources.state(params, fleet, question),
        valley=alternatives.valley(question, flops, each),
        verdict=alternatives.verdict(question, params, tokens, each),
        settings=alternatives.settings(shape, tokens, flops),
        beyond_settings=alternatives.beyond_settings(shape),
        rules=alternatives.rules(question, flops, each),
        elsewhere=alternatives.elsewhere(decided),
        broken=resources.check_limits(limit, answers, fleet),
        predicted=settled.predicted,
        longest=settled.longest,
        durations=settled.tried,
        active_loss=alternatives.active_loss(question, params, tokens),
        repeats=alternatives.repeats(question, params, tokens, (flops, each)),
    )


def _refuse_half_plans(question: Question, answers: Mapping[str, Answer]) -> None:
    """A plan needs work, size and data; say what would give the missing one."""
    lacking = [key for key in ("train_flops", "params", "tokens") if key not in answers]
    if not lacking:
        return
    known = ", ".join(fact.text or fact.quantity for fact in question.facts if fact.rank == "given")
    ways = []
    if question.device is None:
        ways.append("devices (--on 64xh100-sxm)")
    if not question.given("train_cost"):
        ways.append("a budget (--budget '$4k')")
    elif question.device is not None and question.fact("price") is None:
        ways.append(f"a price, for none is known of {question.device.title} (--price '$2/chip/h')")
    if not (question.given("chips") and question.given("train_time")):
        ways.append("a number of chips and a deadline (--on 64xh100-sxm --deadline '30 days')")
    ways += ["a model and its tokens (--model 7B --tokens 1T)", "a target loss (--loss 2.2)"]
    raise Undetermined(
        f"{known or 'a question without knowns'} does not fix the size of a run: "
        f"{', '.join(lacking)} cannot be worked out. Give one more of: {'; '.join(ways)}.",
        completes=("train_cost", "train_time", "params", "tokens", "loss"),
    )
