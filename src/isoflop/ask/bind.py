"""A question in the user's words becomes facts and relations: devices, prices, models, laws, grids by name.

Ranks say who is believed: what is given, then what can be computed, then the catalogue, then defaults. A value that
the user gives beats the catalogue, and the answer shows by how much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isoflop.ask import assumptions
from isoflop.ask.catalogue import (
    PRICE_CHOICES,
    device_facts,
    grid_fact,
    law_relations,
    model_facts,
    price_fact,
    tokenizer_facts,
)
from isoflop.errors import BadInput, UnknownName, shorten
from isoflop.quantity import quantities, quantity, read, read_cluster, read_tie, unknown_quantity, write
from isoflop.quantity.unit_words import NOUNS
from isoflop.relation import Fact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.hardware import Choice, Device, Grid
    from isoflop.laws import Published
    from isoflop.model import ModelSpec
    from isoflop.quantity import FloatArray, Unit
    from isoflop.relation import Answer, Relation

    Known = str | float | FloatArray

_CHIPS_OF_A_DEVICE = re.compile(r"\s*[\d.,_]+\s*[kKM]?\s*[x×*]?\s*(?!chips?\b)[A-Za-z]+[-\w ]*\d[-\w ]*")
_COUNT_AND_FILE = re.compile(r"\s*(?:(?P<count>[\d,]+)\s*[x×*]\s*)?(?P<file>\S.*\.toml)\s*")

CHOICES = {
    "device": "a device by name or the path of a device.toml; with a count it gives chips too (64xH100-SXM)",
    "on": "the same as device",
    "dtype": "the number format whose dense peak counts (bf16 where there is one); sparse by name: bf16-sparse",
    "model": "a model by preset, size (7B), path of a config.json or hf:org/name: gives its parameters",
    "law": "a scaling law by name or path: gives loss, and the compute-optimal split as a policy",
    "allocation": "optimal (the law's own split, the default with law=), none, or tokens per parameter (20)",
    "grid": "the electricity grid by name: gives grid_intensity",
    "tokenizer": "which tokenizer, as llama-3: with language= it gives tokens_per_byte, for text_bytes=",
    "language": "of the text: en, de, zh, code; English where only a tokenizer is named",
    "provider": "who sells the chips",
    "commitment": "on-demand, 1y, 3y or spot",
    "region": "where the chips stand",
    "as_of": "the date of the price, as 2023-03-29; else the latest known",
    "prices": "a folder of price files of your own, as isoflop prices update writes; beside those of the catalogue",
}
"""Words beside quantities that a question may use, and what each takes."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is taken where a question leaves something open: a value in the value grammar, and who says so."""

    value: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a question comes down to: facts, the relations it brings, and what was chosen from the catalogues.

    `warnings` are what every answer to it has to say: a model whose shape is not verified.
    """

    facts: tuple[Fact, ...]
    relations: tuple[Relation[...], ...] = ()
    device: Device | None = None
    dtype: str = ""
    price: Choice | None = None
    model: ModelSpec | None = None
    law: Published | None = None
    grid: Grid | None = None
    ties: Mapping[str, Unit] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def fact(self, key: str) -> Fact | None:
        """What is known of a quantity before anything is computed."""
        return next((fact for fact in self.facts if fact.quantity == key), None)

    def given(self, key: str) -> bool:
        """Whether the user stated this quantity."""
        fact = self.fact(key)
        return fact is not None and fact.rank == "given"

    def warned(self, answer: Answer) -> Answer:
        """An answer to this question with what it has to say beside its own warnings."""
        return replace(answer, warnings=(*self.warnings, *answer.warnings)) if self.warnings else answer

    def without(self, *keys: str) -> Question:
        """The same question with some facts left out."""
        return replace(self, facts=tuple(fact for fact in self.facts if fact.quantity not in keys))

    def with_facts(self, *facts: Fact) -> Question:
        """The same question with facts added; they replace what stood for the same quantity."""
        kept = self.without(*(fact.quantity for fact in facts))
        return replace(kept, facts=(*kept.facts, *facts))


def bind(knowns: Mapping[str, Known], settings: Mapping[str, Usual] | None = None) -> Question:
    """Read every known, in the value grammar, and look up what is named; `settings` stand in for what is not said.

    A setting for a quantity is a default that names its origin: it gives way to whatever the knowns determine.
    Raises: UnknownName for a word that is neither a quantity, a choice nor a tied noun; whatever `read` and the
    catalogues raise.
    """
    words = {key.replace("-", "_"): value for key, value in knowns.items()}
    ties = _ties(words)
    choices = {key: str(words.pop(key)) for key in CHOICES if key in words}
    if str(words.get("price", "")).lower().endswith(".toml"):
        choices["price_file"] = str(words.pop("price"))
    facts: dict[str, Fact] = _cluster(choices, words)
    for key, value in words.items():
        if key not in ties:
            fact = _given(key, value, ties)
            if fact.quantity in facts:
                both = f"{shorten(facts[fact.quantity].text)} and {shorten(str(value))}"
                raise BadInput(f"'{fact.quantity}' is given twice, also under another name: {both}")
            facts[fact.quantity] = fact
    usual = {
        key: _usual(key, setting, ties)
        for key, setting in (settings or {}).items()
        if key not in CHOICES and not (key == "price" and choices.keys() & {*PRICE_CHOICES, "price_file"})
    }
    for key, setting in (settings or {}).items():
        if key in CHOICES and key != "on" and not _clashes(key, choices, {**facts, **usual}):
            choices.setdefault(key, setting.value)
    return _look_up(choices, facts, usual, ties)


def _usual(key: str, setting: Usual, ties: Mapping[str, Unit]) -> Fact:
    """A setting as a default that names its origin, in what goes wrong too."""
    try:
        fact = _given(key, setting.value, ties)
    except BadInput as error:
        raise BadInput(f"{setting.origin}: {key} = {shorten(setting.value)}: {error}") from error
    note = f"{setting.origin}: {fact.note}" if fact.note else setting.origin
    return replace(fact, rank="default", source=setting.origin, note=note)


def _clashes(key: str, choices: Mapping[str, str], facts: Mapping[str, Fact]) -> bool:
    """Whether a setting has nothing to choose here: a provider where the price is given or no device is named."""
    beaten = {"grid": "grid_intensity", **dict.fromkeys(PRICE_CHOICES, "price")}
    needs_device = key in PRICE_CHOICES or key == "dtype"
    return beaten.get(key) in facts or (needs_device and "device" not in choices)


def _look_up(
    choices: Mapping[str, str], facts: dict[str, Fact], usual: Mapping[str, Fact], ties: Mapping[str, Unit]
) -> Question:
    """Catalogue figures and relations for the choices; the user's usual values, then ours, for what is still open."""
    device, dtype, found = device_facts(choices.get("device"), choices.get("dtype"))
    price, price_facts = price_fact(device, choices, given="price" in facts or "price" in usual)
    spec, named, warnings = model_facts(choices.get("model"))
    _refuse_other_size(spec, named, facts)
    text_facts = tokenizer_facts(choices.get("tokenizer"), choices.get("language"))
    grid, grid_facts = grid_fact(choices.get("grid"), given="grid_intensity" in facts)
    law, relations = law_relations(choices.get("law"), choices.get("allocation"))
    if law is not None:
        law = law.bound(**{key: facts[key].spread.median for key in law.further if key in facts})
    for fact in (*named, *usual.values(), *found, *price_facts, *grid_facts, *text_facts, *assumptions.facts()):
        facts.setdefault(fact.quantity, fact)
    return Question(
        facts=tuple(facts.values()),
        relations=relations,
        device=device,
        dtype=dtype,
        price=price,
        model=spec,
        law=law,
        grid=grid,
        ties=ties,
        choices=dict(choices),
        warnings=warnings,
    )


def _refuse_other_size(spec: ModelSpec | None, named: list[Fact], facts: Mapping[str, Fact]) -> None:
    """A model states its parameters; a second size beside it would make a run of two models."""
    for fact in named:
        if spec is not None and fact.quantity in facts:
            said, entry = facts[fact.quantity].text, quantity(fact.quantity)
            raise BadInput(
                f"model={spec.name} has {write(fact.spread.median, entry)} {fact.quantity}, and {fact.quantity}={said} "
                "is given too; leave one of them out"
            )


def _ties(words: Mapping[str, Known]) -> dict[str, Unit]:
    """`slice='32 chip'`: a noun tied to another for this question. A new word is a tie where another value uses it."""
    found = {}
    for key, value in words.items():
        used = any(re.search(rf"\b{re.escape(key)}s?\b", str(other)) for name, other in words.items() if name != key)
        if key in NOUNS or (used and key not in CHOICES and key not in quantities()):
            found[key] = read_tie(str(value))
    return found


def _cluster(choices: dict[str, str], words: dict[str, Known]) -> dict[str, Fact]:
    """The device and the number of chips, however they were said: device=, on=, chips='25000 A100'."""
    if "on" in choices:
        if "device" in choices:
            both = f"device={shorten(choices['device'])} and on={shorten(choices['on'])}"
            raise BadInput(f"{both} say the same thing; give one of them")
        choices["device"] = choices.pop("on")
    if "device" not in choices and _CHIPS_OF_A_DEVICE.fullmatch(str(words.get("chips", ""))):
        choices["device"] = str(words.pop("chips"))
    if "device" not in choices:
        return {}
    text = choices["device"]
    own_file = _COUNT_AND_FILE.fullmatch(text)
    cluster = None if own_file else read_cluster(text)
    choices["device"] = cluster.device if cluster else str(own_file and own_file["file"])
    count = cluster.count if cluster else own_file and own_file["count"]
    if not count:
        return {}
    if "chips" in words:
        both = f"device={shorten(text)} and chips={shorten(str(words['chips']))}"
        raise BadInput(f"the number of chips is said twice: {both}")
    return {"chips": replace(_given("chips", count, {}), text=text)}


def _given(key: str, value: Known, ties: Mapping[str, Unit]) -> Fact:
    try:
        entry = quantity(key)
    except UnknownName:
        raise unknown_quantity(key, CHOICES) from None
    got = read(value, entry, ties)
    return Fact(quantity=entry.name, spread=got.spread, text=got.text, note="; ".join(got.notes), slack=got.slack)
