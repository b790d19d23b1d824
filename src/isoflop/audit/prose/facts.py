"""What amounts are said of: each amount in running text as a fact, a quantity of a subject.

The subject is the model named nearest before an amount in its sentence, else the one that the paragraph, list or
heading is about; a size with an article ("a 7B model") is a subject without a name. Where that is not clear, there is
none, and nothing is checked that needs one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import Amount, Read, read_amounts
from isoflop.audit.prose.roles import purpose_of, role_of
from isoflop.audit.prose.text import Sentence, sentences

if TYPE_CHECKING:
    from isoflop.audit.prose.names import Name

_CLAUSE = re.compile(
    r"[;:()]|,\s+(?:while|whereas|but|and|compared|versus)|\b(?:while|whereas|compared (?:to|"
    r"with)|versus|unlike|than|but|if|when|where|because|since)\b",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"\b(?:an?|any|each|every|one|our|this|that|hypothetical|typical|dense)\s+(?:[\w-]+\s+){0,2}$", re.IGNORECASE
)
_GIVEN_TO = re.compile(
    r"\s*(?:parameters?|tokens?)?\s*(?:for|in|of|by|with)\s+(?:the\s+)?(?:largest\s+|"
    r"smallest\s+|original\s+|full\s+)?(?:[A-Z]\w+(?:'s)?\s+)?"
)
_BECAUSE_OF_IT = re.compile(
    r"(?:\b(?:is|was|has|had|as|becomes?|being|with)|,|:|\()\s*(?:an?|the|its)?\s*(?:[\w-]+\s+){0,2}$", re.IGNORECASE
)
_COMPARED = re.compile(
    r"(?:\b(?:than|like|unlike|versus|vs\.?|compared (?:to|with)|that of|relative to|"
    r"footprint of|(?:same|much|many)\b[^.;]{0,30}\bas)"
    r"\s+(?:the\s+|in\s+)?)$",
    re.IGNORECASE,
)
_OWN = re.compile(r"\s*(?:\([^()]{0,60}|with|at|which has|has|,\s*which has|'s)\s*(?:its\s+|about\s+|~)?")
_IT = re.compile(
    r"\b(?:it|they|this model|the model)\s+\w+|\b(?:beats?|outperform\w*|surpass\w*|match\w*|" r"exceed\w*|rival\w*)\b"
)
_RESPECTIVELY = re.compile(r"\brespectively\b")
_LIKE = re.compile(
    r"\b(?:like|such as|e\.g\.?|including|similar to|compared|than|relative to|similar|vs\.?)\b", re.IGNORECASE
)
_BACK_TO = re.compile(
    r"^(?:it|its|this|the (?:model|run|training|company|team|total|estimated|final|cost|"
    r"cluster|whole)|they|training|that|which|total|in total|altogether|overall|[A-Z][\w ]{2,"
    r"24}:)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What facts are about: a named model, or "" with the size of one ("a 7B model") or nothing known at all."""

    key: str = ""
    name: Name | None = None
    size: float | None = None
    scope: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An amount as a quantity of a subject. `role` is a word of the glossary, or a role of this module ("context").

    `near` says that the subject is named in the same sentence, or that the sentence points back to it.
    """

    role: str
    amount: Amount
    subject: Subject
    sentence: Sentence
    purpose: str = ""
    near: bool = True

    @property
    def line(self) -> int:
        """The line it stands on."""
        return self.sentence.line_of(self.amount.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A sentence with what was read in it, its subject, and its scope: a paragraph, a list with what leads to it."""

    sentence: Sentence
    read: Read
    facts: tuple[Fact, ...]
    subject: Subject
    scope: int
    heading: str = ""


@dataclass(slots=True)
class _State:
    """What the text is about at a place of it."""

    subject: Subject = field(default_factory=Subject)
    section_subject: Subject = field(default_factory=Subject)
    section: int = 0
    scope: int = 0
    block: int = -1
    lead: bool = False
    led: bool = False
    heading: str = ""
    named: dict[str, Subject] = field(default_factory=dict)


@lru_cache(maxsize=8)
def told(lines: tuple[str, ...]) -> tuple[Told, ...]:
    """Every sentence of a text with its facts; the last texts are remembered."""
    state = _State()
    return tuple(_tell(sentence, state) for sentence in sentences(lines))


def _tell(sentence: Sentence, state: _State) -> Told:
    read = read_amounts(sentence.text)
    _move(sentence, state)
    models = [name for name in read.names if name.kind == "model"]
    _go_back(sentence, state, models)
    before = state.subject
    if sentence.kind == "heading":
        state.section_subject = (
            Subject(key=models[0].key, name=models[0], size=models[0].size, scope=state.scope)
            if len(models) == 1
            else Subject(scope=state.scope)
        )
        state.subject, state.heading = state.section_subject, sentence.text
    sized = _sized(sentence.text, read, models)
    subjects = [name for name in models if not _is_compared(sentence.text, name)]
    subject = _subject(sentence, state, subjects, sized)
    facts = []
    near = bool(models) or (state.led and sentence.kind == "item") or bool(_BACK_TO.match(sentence.text))
    for amount in read.amounts if sentence.kind != "code" else ():
        whose = _whose(sentence.text, amount, models, (subject, before))
        facts.append(
            Fact(
                role=role_of(sentence.text, amount),
                amount=amount,
                subject=whose,
                sentence=sentence,
                purpose=purpose_of(sentence.text, amount),
                near=near,
            )
        )
    if models or sized is not None or sentence.kind != "heading":
        state.subject = subject
    state.named.update({name.key: _about(name, subject) for name in subjects})
    state.lead = sentence.text.rstrip().endswith(":")
    state.led = (state.led and sentence.kind == "item") or (state.lead and bool(models))
    return Told(
        sentence=sentence, read=read, facts=tuple(facts), subject=subject, scope=state.scope, heading=state.heading
    )


def _move(sentence: Sentence, state: _State) -> None:
    """A new block is a new scope, unless what came before leads into it; a new section forgets the subject."""
    if sentence.section != state.section:
        state.section, state.section_subject, state.subject, state.heading = sentence.section, Subject(), Subject(), ""
        state.named = {}
    if sentence.block != state.block:
        state.block = sentence.block
        if not state.lead:
            state.scope = sentence.place + 1
            state.subject = state.section_subject


def _go_back(sentence: Sentence, state: _State, models: list[Name]) -> None:
    """A paragraph that begins with "it" or "the run" is about the one model that the section has named."""
    alone = not models and not state.subject.key and not state.subject.size and len(state.named) == 1
    if alone and _POINTS_BACK.match(sentence.text):
        state.subject = next(iter(state.named.values()))


_POINTS_BACK = re.compile(
    r"(?:it|its|the (?:model|run|training|training run|whole run))\b|training (?:took|lasted|ran|used|cost)",
    re.IGNORECASE,
)


def _sized(text: str, read: Read, models: list[Name]) -> Amount | None:
    """The size that makes a subject without a name: "a 7B model"."""
    if models:
        return None
    for amount in read.amounts:
        if (
            amount.kind == "param"
            and amount.low >= 1e6
            and (
                _ANOTHER.search(text[: amount.start])
                or re.search(r"model|LLM|network", amount.text + text[amount.end : amount.end + 12])
            )
        ):
            return amount
    return None


def _subject(sentence: Sentence, state: _State, models: list[Name], sized: Amount | None) -> Subject:
    if models:
        first = models[0]
        return Subject(key=first.key, name=first, size=first.size, scope=state.scope)
    if sized is not None and (not state.subject.key or _ANOTHER.search(sentence.text[: sized.start])):
        return Subject(size=sized.value, scope=state.scope)
    if sized is not None and state.subject.size and abs(sized.value / state.subject.size - 1) > 0.1:
        return Subject(key="?") if _RESPECTIVELY.search(sentence.text) else Subject(size=sized.value, scope=state.scope)
    return state.subject if state.subject.key or state.subject.size else Subject(scope=state.scope)


def _whose(text: str, amount: Amount, models: list[Name], subjects: tuple[Subject, Subject]) -> Subject:
    """The model an amount is of: the nearest named before it, or right after it ("the 175B GPT-3").

    `subjects` are that of the sentence and that of what came before it, which "it" is.
    """
    subject, earlier = subjects
    owners = [name for name in models if name.end <= amount.start and _OWN.fullmatch(text[name.end : amount.start])]
    if owners:
        return _about(owners[-1], subject)
    models = [name for name in models if not _is_compared(text, name)]
    if not models:
        return subject
    if not models:
        return subject
    before = [name for name in models if name.end <= amount.start]
    after = [name for name in models if name.start >= amount.end]
    if after and (_GIVEN_TO.fullmatch(text[amount.end : after[0].start]) or _is_its_size(text, amount, after[0])):
        return _about(after[0], subject)
    if before:
        if len(before) > 1 and _RESPECTIVELY.search(text, amount.end):
            return Subject(key="?")
        own = _BECAUSE_OF_IT.search(text[before[-1].end : amount.start])
        if amount.kind == "param" and (_is_bare(text, amount) or (_ANOTHER.search(text[: amount.start]) and not own)):
            return Subject(size=amount.value, scope=subject.scope)
        return _about(before[-1], subject)
    if after and _IT.search(text[amount.end : after[0].start]):
        return earlier if earlier.key and amount.end < after[0].start else Subject(key="?")
    if (
        after
        and not _CLAUSE.search(text[amount.end : after[0].start])
        and not _LIKE.search(text[amount.end : after[0].start])
        and "," not in text[amount.end : after[0].start]
    ):
        if amount.kind == "param" and _ANOTHER.search(text[: amount.start]):
            return Subject(size=amount.value, scope=subject.scope)
        return _about(after[0], subject)
    return Subject(key="?")


def _is_bare(text: str, amount: Amount) -> bool:
    """As in "the 9B": a size that stands for a model of its own."""
    return amount.end == amount.number.end and re.search(r"\bthe\s+$", text[: amount.start]) is not None


def _is_compared(text: str, name: Name) -> bool:
    """Whether a model is only what another is measured against: "more than GPT-4", "the same budget as Gopher"."""
    return _COMPARED.search(text[: name.start]) is not None or _is_a_law(text, name)


def _is_a_law(text: str, name: Name) -> bool:
    """Whether a name stands for the law and not for the model: "following Chinchilla", "Chinchilla's 20 tokens"."""
    if name.key != "chinchilla" or name.size is not None:
        return False
    return bool(_BY_LAW.search(text[: name.start]) or _LAW.match(text, name.end))


_BY_LAW = re.compile(r"\b(?:follow\w*|according to|per|by|under|obey\w*|from)\s+(?:the\s+)?$", re.IGNORECASE)
_LAW = re.compile(
    r"(?:['’]s)?[\s-]+(?:scaling|laws?|rules?|optimal\w*|ratio|recipe|point|paper|about\s+20|20)\b", re.IGNORECASE
)


def _about(name: Name, subject: Subject) -> Subject:
    return Subject(key=name.key, name=name, size=name.size, scope=subject.scope)


def _is_its_size(text: str, amount: Amount, name: Name) -> bool:
    """As in "the 175B-parameter GPT-3"."""
    between = text[amount.end : name.start]
    return amount.kind == "param" and bool(
        re.fullmatch(r"[\s,-]*(?:parameters?)?[\s,]*(?:of|in|for)?\s*(?:the|a)?\s*(?:[A-Z]\w+'?s?\s)?", between)
    )
