"""Figures of named models against the catalogues: parameters, tokens, FLOP, chip-hours, energy, layers."""

from __future__ import annotations

import re
from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.boards import devices_of
from isoflop.audit.prose.names import names
from isoflop.audit.world.found import finding, is_denied, middle, near, of_fact, one_of, power_of_ten, shown, slip_of
from isoflop.audit.world.known import Variant, of_name, sizes_are_known
from isoflop.audit.world.words import other_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.facts import Fact, Told
    from isoflop.audit.prose.names import Name

SIZE_SLACK = 0.045
TOKENS_SLACK = 0.13
WORK = (0.72, 1.45)
"""FLOP in print over 6 N D: attention and recomputation are counted by some, embeddings left out by others."""

COARSE = 3.0
"""Energy, emissions and money of one run differ by convention up to this factor between good sources."""

WORDS_PER_TOKEN = 0.75
_SAME_SIZE = 0.055

_AGAINST = re.compile(
    r"\bagainst the (?:published|reported)\b|\bper trillion tokens\b|\bgives? \S+ against\b", re.IGNORECASE
)


def model_figures(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Facts of named models that the catalogues have otherwise."""
    for told in text:
        yield from _sizes_in_names(told)
        sizes = {
            fact.subject.key: fact.amount.value for fact in told.facts if fact.role == "params" and fact.subject.key
        }
        for fact in told.facts:
            if fact.subject.name is None or not fact.near or is_denied(fact) or _AGAINST.search(told.sentence.text):
                continue
            found = _checked(fact, sizes.get(fact.subject.key))
            if found is not None:
                yield found


def _checked(fact: Fact, size: float | None) -> Finding | None:
    assert fact.subject.name is not None
    known = of_name(fact.subject.name)
    sized = tuple(one for one in known if size and one.params and abs(log(one.params / size)) < 0.15)
    check = _CHECKS.get(fact.role)
    if check is None or not known:
        return None
    if fact.role in {"params", "active_params"}:
        return check(fact, known)
    return check(fact, sized or known)


def _sizes_in_names(told: Told) -> Iterator[Finding]:
    """As in "Llama 3 65B": a size in a name that the family does not have."""
    for name in told.read.names:
        if name.kind != "model" or name.size is None or not sizes_are_known(name) or _has_size(name):
            continue
        if any(abs(log(size / name.size)) < 0.06 for size in other_sizes(name.key)):
            continue
        family = [one for one in of_name(_without_size(name)) if one.params and not one.rumoured]
        if family and told.sentence.kind != "heading":
            nearest = _nearest(name.size, [one.params for one in family if one.params])
            reason = f"there is no {name.text}: the family's sizes are {_sizes(family)}"
            yield finding(told.sentence, None, "model_figure", reason, says=name.size, recomputed=nearest)


def _has_size(name: Name) -> bool:
    """Whether the family has a size that goes by this one: Llama 2 has 70B, not 65B."""
    size = name.size or 0.0
    return any(
        known and abs(log(known / size)) < _SAME_SIZE for one in of_name(name) for known in (one.label, one.params)
    )


def _without_size(name: Name) -> Name:
    return replace(name, size=None)


def _sizes(family: Iterable[Variant]) -> str:
    values = sorted({float(f"{one.params:.2g}") for one in family if one.params})
    return ", ".join(shown(value, "params").removesuffix(" params").removesuffix(" param") for value in values)


def _params(fact: Fact, known: tuple[Variant, ...]) -> Finding | None:
    amount, role = fact.amount, fact.role
    sure = [one for one in known if not one.rumoured and one.params]
    if not sure or (
        fact.subject.name
        and fact.subject.name.size is None
        and not sizes_are_known(fact.subject.name)
        and len(sure) < 2
        and not sure[0].is_mixture
        and not _single(sure[0])
    ):
        return None
    values = {value for one in sure for value in _sizes_of(one, role)}
    assert fact.subject.name is not None
    if fact.subject.name.size is None and not fact.subject.name.words:
        values |= set(other_sizes(fact.subject.name.key))
    if not values or any(abs(log(_off(fact, value))) < SIZE_SLACK for value in values):
        return None
    mixture = next((one for one in sure if one.is_mixture), None)
    wrong_one = {
        value for one in sure for value in _sizes_of(one, "params" if role == "active_params" else "active_params")
    }
    if mixture and any(abs(log(_off(fact, value))) < SIZE_SLACK for value in wrong_one):
        due = mixture.active_params if role == "active_params" else mixture.params
        return of_fact(fact, "active_for_total", _active_words(mixture, role), due)
    nearest = _nearest(middle(amount), values)
    if (
        not sizes_are_known(fact.subject.name)
        and not power_of_ten(middle(amount) / nearest)
        and fact.subject.name.size is None
    ):
        return None
    own = [one for one in sure if one.family == fact.subject.name.key] or sure
    slip = slip_of(middle(amount) / nearest)
    meant = [one for one in own if slip and nearest in _sizes_of(one, role)] or own
    reason = f"{fact.subject.name.text} has {_or_sizes(meant, role)} parameters by its makers' tables"
    return of_fact(fact, slip[0] if slip else "model_figure", f"{reason}; {slip[1]}" if slip else reason, nearest)


def _nearest(said: float, values: Collection[float]) -> float:
    """The value that a figure is meant to be: a decimal slip away, else the nearest."""
    slipped = [
        value
        for value in values
        if power_of_ten(said / value) and abs(log(said / value) - power_of_ten(said / value) * log(10)) < 0.02
    ]
    return slipped[0] if slipped else min(values, key=lambda value: abs(log(said / value)))


def _single(one: Variant) -> bool:
    return one.run is not None


def _active_words(one: Variant, role: str) -> str:
    total, active = shown(one.params or 0, "params"), shown(one.active_params or 0, "active_params")
    said = "active" if role == "active_params" else "in all"
    return (
        f"{one.name} is a mixture of experts with {total} of which {active} work on each token; "
        f"the other figure stands here as those {said}"
    )


def _or_sizes(sure: Iterable[Variant], role: str) -> str:
    values = sorted(
        {
            float(f"{value:.3g}")
            for one in sure
            if (value := one.active_params if role == "active_params" else one.params)
        }
    )
    return " or ".join(
        f"{value:.4g}" if value < 1e6 else f"{value / 1e9:g}B" if value >= 1e9 else f"{value / 1e6:g}M"
        for value in values[:8]
    )


def _sizes_of(one: Variant, role: str) -> tuple[float, ...]:
    if role == "active_params" and one.is_mixture:
        return tuple(value for value in (one.active_params,) if value)
    label = None if one.is_mixture and one.params and not near(one.params / (one.label or 1.0), 1.0) else one.label
    return tuple(value for value in (one.params, label) if value)  # 8x7B is a name, not 56B parameters


def _off(fact: Fact, value: float) -> float:
    return fact.amount.off(value)


_OF_ONES_OWN = re.compile(
    r"\b(?:(?:re)?train(?:ing)?|pre-?train(?:ing)?|reproduc\w*|replicat\w*)\s+(?:of\s+)?(?:an?\s+|the\s+|your\s+own\s+)?$",
    re.IGNORECASE,
)
_IN_THE_PAST = re.compile(r"\b(?:was|were|took|cost|used|required|consumed|lasted|ran|saw)\b")


def _is_ones_own(fact: Fact) -> bool:
    """As in "training GPT-2 small on 10B tokens takes": no word on the run that was published."""
    name, text = fact.subject.name, fact.sentence.text
    if name is None or not text[name.start :].startswith(name.text):
        return False
    return bool(_OF_ONES_OWN.search(text[: name.start])) and not _IN_THE_PAST.search(text)


def _tokens(fact: Fact, known: tuple[Variant, ...]) -> Finding | None:
    if _is_ones_own(fact):
        return None
    values = {value for one in known if one.tokens for value in (one.tokens, *one.also)}
    rumoured = all(one.rumoured for one in known if one.tokens)
    if not values:
        return None
    slack = log(5) if rumoured else TOKENS_SLACK
    if any(abs(log(_off(fact, value))) < slack for value in values):
        return None
    nearest = _nearest(middle(fact.amount), values)
    ratio = middle(fact.amount) / nearest
    slip = slip_of(ratio) or one_of(
        ratio, ((WORDS_PER_TOKEN, "words_for_tokens", "likely words, at three to four tokens"),)
    )
    reason = (
        f"{fact.subject.name.text if fact.subject.name else ''} saw {shown(nearest, 'tokens')} in "
        f"training, as published"
    )
    return of_fact(fact, slip[0] if slip else "model_figure", f"{reason}; {slip[1]}" if slip else reason, nearest)


def _words(fact: Fact, known: tuple[Variant, ...]) -> Finding | None:
    values = {one.tokens for one in known if one.tokens and not one.rumoured}
    if (
        not values
        or fact.amount.number.digits == 0
        or any(near(_off(fact, value * WORDS_PER_TOKEN), 1.0, 0.2) for value in values)
    ):
        return None
    same = next((value for value in values if abs(log(_off(fact, value))) < 0.04), None)
    if same is None:
        return None
    reason = f"these are tokens: {shown(same, 'tokens')} as published, about {shown(same * WORDS_PER_TOKEN, 'words')}"
    return of_fact(fact, "words_for_tokens", reason, same * WORDS_PER_TOKEN)


def _work(fact: Fact, known: tuple[Variant, ...]) -> Finding | None:
    known = _flagships(known, fact)
    values = [value for one in known for value in one.flops()] if not _is_ones_own(fact) else []
    if not values:
        return None
    values += [2 * value for one in known if one.run and one.run.work.counts == "3nd" for value in one.flops()]
    low, high = (0.2, 5.0) if all(one.rumoured for one in known) else WORK
    if any(low <= _off(fact, value) <= high for value in values):
        return None
    nearest = _nearest(middle(fact.amount), values)
    printed = next((one.flops()[0] for one in known if nearest in one.flops()), nearest)
    ratio, nearest = middle(fact.amount) / printed, printed
    slip = one_of(
        ratio,
        (
            (1 / 3, "forward_for_training", "likely the forward pass alone, 2 N D"),
            (3.0, "constant", "likely counted three times"),
        ),
    ) or slip_of(ratio)
    name = fact.subject.name.text if fact.subject.name else ""
    reason = (
        f"{name} took {shown(nearest, 'train_flops')} to train, as {'reported' if known[0].rumoured else 'published'}"
    )
    return of_fact(fact, slip[0] if slip else "model_figure", f"{reason}; {slip[1]}" if slip else reason, nearest)


def _flagships(known: tuple[Variant, ...], fact: Fact) -> tuple[Variant, ...]:
    """Of a family that is named without a size, the largest: "GPT-3" took what the 175B took, not the 13B."""
    name = fact.subject.name
    if name is None or name.size is not None or name.words:
        return known
    own = [one.params for one in known if one.params and one.family == name.key]
    return tuple(one for one in known if one.family != name.key or not one.params or one.params > max(own) / 5) or known


def _on_other_chips(fact: Fact, known: tuple[Variant, ...]) -> bool:
    """Whether hours are those of other devices than the run was on: "on H100s it would take"."""
    named = [name for name in names(fact.sentence.text) if name.kind == "device"]
    used = {one.run.use.device for one in known if one.run}
    return any(used.isdisjoint(board.name for board in devices_of(name.key, name.words)) for name in named)


def _coarse(
    get: Callable[[Variant], float | None], within: float, what: str
) -> Callable[[Fact, tuple[Variant, ...]], Finding | None]:
    """A check of a figure that good sources give differently up to a factor."""

    def check(fact: Fact, known: tuple[Variant, ...]) -> Finding | None:
        values = [value for one in _flagships(known, fact) if not one.rumoured and (value := get(one))]
        if fact.role == "chip_time" and _on_other_chips(fact, known):
            return None
        sizes = {one.params or 0.0 for one in known if one.run and get(one)}
        if len(sizes) > 1:  # "cumulative": all sizes together
            values = [
                *values,
                sum(
                    max(value for one in known if one.params == size and (value := get(one))) for size in sizes if size
                ),
            ]
        if not values or any(1 / within <= _off(fact, value) <= within for value in values):
            return None
        nearest = min(values, key=lambda value: abs(log(middle(fact.amount) / value)))
        slip = slip_of(middle(fact.amount) / nearest)
        reason = f"{fact.subject.name.text if fact.subject.name else ''}: {shown(nearest, fact.role)} {what}"
        kind: Class = slip[0] if slip else "model_figure"
        return of_fact(fact, kind, f"{reason}; {slip[1]}" if slip else reason, nearest)

    return check


_CHECKS: dict[str, Callable[[Fact, tuple[Variant, ...]], Finding | None]] = {
    "params": _params,
    "active_params": _params,
    "tokens": _tokens,
    "words": _words,
    "train_flops": _work,
    "train_energy": _coarse(
        lambda one: one.run.footprint.energy if one.run else None, COARSE, "of electricity as published"
    ),
    "train_emissions": _coarse(lambda one: one.run.footprint.emissions if one.run else None, 5.0, "as published"),
    "chip_time": _coarse(lambda one: one.run.use.chip_time if one.run else None, 1.6, "as published"),
    "train_cost": _coarse(lambda one: one.run.cost if one.run else None, 5.0, "as published"),
}
