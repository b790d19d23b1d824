"""`isoflop.check`: claims held against each other, in the words of `solve`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isoflop.ask.bind import bind
from isoflop.ask.catalogue import PRICE_CHOICES
from isoflop.ask.priors import prior_facts, settled_choices
from isoflop.ask.reasons import likely
from isoflop.ask.solver import system
from isoflop.errors import BadInput
from isoflop.quantity import Centred, quantity, write
from isoflop.relation.reconcile import reconcile
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from isoflop.ask.bind import Known, Question
    from isoflop.relation import Fact
    from isoflop.relation.reconciliation import Implied, Reconciliation, Verdict
    from isoflop.relation.system import System

USUAL = "usual"
"""The value that takes a prior in the place of a claim: mfu=usual is what published runs reach."""

LIST_PRICE = 1.5
"""What a listed price may be off by at 90 %, either way: large buyers negotiate, small ones pay more."""

MAIN = (
    "train_flops",
    "mfu",
    "train_time",
    "chip_time",
    "chips",
    "tokens",
    "price",
    "train_cost",
    "tokens_per_param",
    "params",
    "active_params",
    "active_share",
    "weight_bytes_per_param",
    "hardware_overhead",
    "train_energy",
    "train_emissions",
    "weight_bytes",
    "train_state_bytes",
    "hardware_flops",
    "tokens_per_second",
)
"""What people ask about: shown among what follows, and proposed where claims do not meet."""

_ALLOWED = 1 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult(Shown):
    """Claims and what became of them.

    `found` is the reconciliation, `reasons` are slips that would explain the factor ("likely ..."), `warnings` say what
    lies outside of anything seen, `completes` are quantities any one of which, claimed too, would put untested claims
    to the test.
    """

    question: Question = field(repr=False)
    found: Reconciliation
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    completes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """consistent, contradictory (chance alone gives as much less than once in a hundred), or untested."""
        return self.found.verdict

    @property
    def chi2(self) -> float:
        """The squared misfit; by chance alone about as large as `dof`."""
        return self.found.chi2

    @property
    def dof(self) -> int:
        """How many independent ways there were to catch the claims out."""
        return self.found.dof

    @property
    def p(self) -> float:
        """How often chance alone gives so large a misfit."""
        return self.found.p

    @property
    def suspects(self) -> tuple[str, ...]:
        """The confounded set: one of these is wrong, and the claims themselves cannot say which."""
        return self.found.suspects

    @property
    def factor(self) -> float:
        """By how much the most suspect claim is off, at least 1."""
        return self.found.factor

    def implied(self, key: str) -> tuple[float, float, float] | None:
        """What the other claims imply for a quantity, with its 90 % interval, in base units; None where they do not."""
        name = quantity(key).name
        claim = self.found.claim(name)
        if claim is not None:
            return claim.implied
        return next(((one.value, one.low, one.high) for one in self.found.implied if one.quantity == name), None)


def check(**knowns: Known) -> CheckResult:
    """Hold claims against each other: by how much they disagree, which are suspect, what the others imply.

    `knowns` are the words of `solve`; what is given is a claim, a value of "usual" (mfu=, pue=, power_ratio=, price=)
    takes a prior instead. No `law` is needed. Values in base units.

    >>> found = check(train_flops="3.14e23", params="175B", tokens="300B")
    >>> found.verdict, found.dof
    ('consistent', 1)
    >>> check(train_flops="3.14e23", params="175B", tokens="30B").suspects
    ('train_flops', 'params', 'tokens', 'active_share', 'flops_per_param_token')
    """
    words = {key.replace("-", "_"): value for key, value in knowns.items()}
    usual = {quantity(key).name for key, value in words.items() if _is_usual(value)}
    question = bind({key: value for key, value in words.items() if not _is_usual(value)})
    return check_question(question, usual=frozenset(usual))


def _is_usual(value: Known) -> bool:
    return isinstance(value, str) and value.strip().lower() == USUAL


def check_question(question: Question, *, usual: frozenset[str] = frozenset()) -> CheckResult:
    """`check` for a question that is already bound; `usual` are quantities to take as they usually are."""
    relations = system(question.relations)
    claims = claims_of(question, relations, usual)
    given = {fact.quantity for fact in question.facts if fact.rank == "given"}
    found = reconcile(relations, claims, free=settled_choices(relations, given))
    nouns = {noun: unit.scale for noun, unit in question.ties.items()}
    suspicious = found.verdict == "contradictory"
    return CheckResult(
        question=question,
        found=found,
        reasons=likely(found, nouns) if suspicious else (),
        warnings=tuple(_warnings(found)),
        completes=tuple(one.quantity for one in _main(found.implied)) if found.verdict == "untested" else (),
    )


def claims_of(question: Question, relations: System, usual: frozenset[str]) -> tuple[Fact, ...]:
    """What is claimed, what the catalogue says of the chosen device, and the priors, each quantity once."""
    given = {fact.quantity: fact for fact in question.facts if fact.rank == "given"}
    listed = {fact.quantity: fact for fact in question.facts if fact.rank == "catalogue"}
    facts = {fact.quantity: fact for fact in prior_facts(relations, given.keys())}
    facts.update({key: fact for key, fact in listed.items() if key != "price"})
    if "price" in listed and (question.choices.keys() & set(PRICE_CHOICES) or "price" in usual):
        facts["price"] = _list_price(question, listed["price"])
    for key in usual - {"price"}:
        facts[key] = _usual(question, key)
    if "price" in usual and "price" not in facts:
        raise BadInput("price=usual takes the prices listed for a device: give device= too, or price='$1 to $3/chip/h'")
    return (*given.values(), *(fact for key, fact in facts.items() if key not in given))


def _list_price(question: Question, listed: Fact) -> Fact:
    """A list price as a prior: what providers ask spans a range, and few pay exactly that."""
    assert question.price is not None
    spread = question.price.spread()
    return replace(
        listed,
        rank="default",
        spread=Centred(spread.median, spread.low / LIST_PRICE, spread.high * LIST_PRICE),
        note=f"list price x/{LIST_PRICE:g}: {listed.note}",
    )


def _usual(question: Question, key: str) -> Fact:
    found = question.fact(key)
    if found is None or found.rank != "default":
        known = ", ".join(sorted(fact.quantity for fact in question.facts if fact.rank == "default"))
        raise BadInput(f"nothing is known of how {key} usually is; '{USUAL}' is understood for {known} and price")
    return found


def _main(implied: tuple[Implied, ...]) -> list[Implied]:
    """Those of what follows that people ask about, in the order of MAIN."""
    return sorted((one for one in implied if one.quantity in MAIN), key=lambda one: MAIN.index(one.quantity))


def _warnings(found: Reconciliation) -> list[str]:
    """What is claimed, or follows, although nothing like it has been seen."""
    alarmed = {alarm.quantity for alarm in found.alarms}
    values = {claim.quantity: claim.said for claim in found.claims if claim.rank == "given"}
    values.update({one.quantity: one.value for one in found.implied if one.quantity in MAIN})
    warnings = []
    for key, value in values.items():
        entry = quantity(key)
        low, high = entry.plausible
        if key not in alarmed and not low / _ALLOWED <= value <= high * _ALLOWED:
            seen = f"{write(low, entry)} to {write(high, entry)}"
            warnings.append(f"{key} = {write(value, entry)} is outside what has been seen: {seen}")
    return warnings
