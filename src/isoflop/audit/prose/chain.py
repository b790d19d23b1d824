"""Numbered chains of statements, assumptions and implications that refer to each other: `(7)`, `*(7)*`.

An item is computed where it has `=` or a reference beside its own number; it is read into an expression over its
amounts and references. What a reference carries beside what is written at it are the nouns: `$33,849 *(9)*` is a price
of 64 cores where item 9 says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isoflop.audit.document import Document, Input, Kind, Span, Step, Unread
from isoflop.audit.prose.amounts import Amount, read_amounts
from isoflop.audit.prose.holdings import LOT, NOUNS, Chain, completed, references, without_references
from isoflop.audit.prose.terms import NoExpression, Reader
from isoflop.audit.prose.values import value_of
from isoflop.errors import BadFile
from isoflop.relation.expr import name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.audit.prose.facts import Told
    from isoflop.quantity import Unit, Value

MOST_ITEMS = 2_000
_NUMBERED = re.compile(r"[0-9]{1,4}")
_EQUALS = re.compile(r"\s*(?:=|≈|≃|⇒|=>|→)\s*")
_OR = re.compile(r"\s*(?:=|≈|\bor\b|\bi\.e\.|,)\s*(?:about|roughly|approximately|cost|~|just)?\s*$")
_KINDS: dict[str, Kind] = {
    "statement": "statement",
    "source": "statement",
    "fact": "statement",
    "given": "statement",
    "assum": "assumption",
    "input": "assumption",
    "implic": "implication",
    "conclu": "implication",
    "deriv": "implication",
    "comput": "implication",
    "result": "implication",
    "calcul": "implication",
}
_QUANTITIES = {
    "FLOP/s/chip": "peak_rate",
    "FLOP/$": "flops_per_usd",
    "token/$": "tokens_per_usd",
    "FLOP/token": "flops_per_token",
    "param": "params",
    "token": "tokens",
    "$": "train_cost",
    "param/$": "params_per_usd",
    "$/param": "usd_per_param",
    "$/s/chip": "price",
    "chip": "chips",
    "chip s": "chip_time",
    "FLOP": "train_flops",
    "J": "train_energy",
    "kgCO2e": "train_emissions",
}


@dataclass(slots=True, kw_only=True)
class Item:
    """A numbered item: its sentences put together, and the line it begins on."""

    number: str
    line: int
    heading: str
    text: str = ""
    rows: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def items_of(text: tuple[Told, ...]) -> list[Item]:
    """The numbered items of a document, [] where it is no chain: fewer than two of them refer to earlier ones."""
    items: list[Item] = []
    for told in text:
        sentence = told.sentence
        if not _NUMBERED.fullmatch(sentence.mark) or sentence.kind == "heading":
            continue
        if not items or items[-1].number != sentence.mark or told.heading != items[-1].heading:
            items.append(Item(number=sentence.mark, line=sentence.line, heading=told.heading))
        item = items[-1]
        item.places.append(sentence.place)
        if sentence.kind == "row":
            item.rows.append(sentence.text)
        else:
            item.text = f"{item.text} {sentence.text}".strip()
    numbers = [item.number for item in items]
    if len(set(numbers)) != len(numbers):
        return []
    known = set(numbers)
    referring = sum(
        any(ref in known and int(ref) < int(item.number) for ref in references(item.text)) for item in items
    )
    return items if referring >= 2 else []


def read_chain(items: Iterable[Item]) -> tuple[tuple[Step, ...], Mapping[str, Unit], tuple[Unread, ...]]:
    """The steps of a chain, what its nouns are made of, and what was not understood."""
    chain = Chain()
    listed = list(items)
    if len(listed) > MOST_ITEMS:
        raise BadFile(f"a chain of {len(listed):,} numbered items; {MOST_ITEMS:,} are read. Audit it in parts.")
    for item in listed:
        step = _step(item, chain)
        chain.steps[step.number] = step
    return tuple(chain.steps.values()), chain.nouns, tuple(chain.unread)


def _step(item: Item, chain: Chain) -> Step:
    kind = _kind(item, chain)
    refs = tuple(dict.fromkeys(ref for ref in references(item.text) if ref in chain.steps))
    read = read_amounts(without_references(item.text))
    models = [found for found in read.names if found.kind in {"model", "device"}]
    step = Step(
        number=item.number,
        kind=kind,
        span=Span(line=item.line),
        text=item.text or " ".join(item.rows),
        label=_label(item),
        cites=refs,
        subject=models[0].text if models else "",
        words=item.text,
    )
    if kind == "implication":
        return _computed(step, item, chain, refs)
    amounts = [
        completed(amount, item.text, chain)
        for amount in read.amounts
        if amount.kind != "#things" and not _symbolic(item.text, amount)
    ]
    amounts += [amount for row in item.rows for amount in _of_row(row)]
    values = [value_of(one) for one in amounts]
    main = _main(amounts, kind)
    if main is None:
        return replace(step, also=tuple(values))
    value = values[main]
    return replace(
        step,
        says=value if kind != "statement" else None,
        also=tuple(values if kind == "statement" else [*values[:main], *values[main + 1 :]]),
        quantity=_quantity(value, item.text),
    )


def _kind(item: Item, chain: Chain) -> Kind:
    headed = next((kind for word, kind in _KINDS.items() if word in item.heading.lower()), None)
    if headed is not None:
        return headed
    if _EQUALS.search(item.text) and re.search(r"[×*÷/+x]|\btimes\b|\bdivided\b", item.text.partition("=")[0]):
        return "implication"
    return "assumption" if any(ref in chain.steps for ref in references(item.text)) else "statement"


def _label(item: Item) -> str:
    return re.sub(r"\s+", " ", without_references(item.text))[:60].strip()


def _symbolic(text: str, amount: Amount) -> bool:
    """As in "2N flops per token": a number times a letter, whose value nobody says."""
    return bool(re.match(r"[A-Z]\b", text[amount.number.end : amount.number.end + 2])) and not amount.number.letter


def _of_row(row: str) -> list[Amount]:
    """The amounts of a row of a table, each cell by itself."""
    found: list[Amount] = []
    for cell in row.strip().strip("|").split("|"):
        if not re.fullmatch(r"[\s:.-]*", cell):
            found += [amount for amount in read_amounts(cell.strip()).amounts if amount.kind != "#other"]
    return found


def _main(amounts: list[Amount], kind: Kind) -> int | None:
    """Which amount an assumption takes: the first with a unit that is no count of what the others are of."""
    if kind == "statement" or not amounts:
        return 0 if amounts else None
    places = [place for place, one in enumerate(amounts) if one.kind not in {"", "#times", *NOUNS}]
    return places[0] if places else 0


def _quantity(value: Value, text: str) -> str:
    kind = value.unit.base.text
    if kind.startswith("$/"):
        kind = re.sub(rf"/(?:{LOT}[0-9]*|core|node)", "/chip", kind)
    if kind == "1":
        return "vocabulary" if re.search(r"\bvocab", text, re.IGNORECASE) else ""
    if kind == "FLOP/token" and re.search(r"\bforward|inference|generat", text, re.IGNORECASE):
        return "forward_flops_per_token"
    return _QUANTITIES.get(kind, "")


def _computed(step: Step, item: Item, chain: Chain, refs: tuple[str, ...]) -> Step:
    """An implication: its expression, what it says, and the other forms of that."""
    text = item.text
    equals = next((match for match in _EQUALS.finditer(text) if _inputs_before(text, match.start())), None)
    if equals is None:
        return _repeated(step, item, chain, refs)
    try:
        reader = Reader(text[: equals.start()], chain)
        tree = reader.whole()
    except NoExpression as error:
        chain.unread.append(Unread(span=step.span, text=text[:120], why=f"no expression can be read from it: {error}"))
        return _repeated(step, item, chain, refs)
    results = _results(text, equals.end())
    says = value_of(results[0]) if results else None
    return replace(
        step,
        expr=tree,
        inputs=reader.inputs,
        says=says,
        also=tuple(value_of(one) for one in results[1:]),
        quantity=_quantity(says, text) if says else "",
    )


def _inputs_before(text: str, place: int) -> bool:
    return bool(read_amounts(without_references(text[:place])).amounts or references(text[:place]))


def _results(text: str, place: int) -> list[Amount]:
    """The amounts after "=", joined by further "=" and "or"."""
    plain = without_references(text)
    read = read_amounts(plain)
    found: list[Amount] = []
    for amount in (one for one in read.amounts if one.start >= place - 1):
        if found and not _OR.search(plain[found[-1].end : amount.start]):
            break
        found.append(amount)
    return found


def _repeated(step: Step, item: Item, chain: Chain, refs: tuple[str, ...]) -> Step:
    """An implication without a sum: "it uses 5.31e13 operations per token (18)" repeats step 18."""
    amounts = [
        amount
        for amount in read_amounts(without_references(item.text)).amounts
        if amount.kind not in {"", "#things", "#other"}
    ]
    if not amounts:
        return replace(step, kind="statement")
    says = value_of(completed(amounts[0], item.text, chain))
    step = replace(
        step, says=says, also=tuple(value_of(one) for one in amounts[1:]), quantity=_quantity(says, item.text)
    )
    earlier = chain.steps.get(refs[0]) if len(refs) == 1 else None
    if earlier is None or earlier.says is None or not earlier.says.unit.same_kind(says.unit):
        return replace(step, kind="assumption")
    return replace(step, expr=name("a"), inputs={"a": Input(step=refs[0], words=earlier.label)}, quantity="")


def is_chain(document: Document) -> bool:
    """Whether a document was read as a chain."""
    return any(step.expr is not None for step in document.steps)
