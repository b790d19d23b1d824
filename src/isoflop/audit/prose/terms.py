"""Expressions of a chain: amounts, references, operators and brackets, read into a tree; words are passed over."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from isoflop.audit.amounts import written_number
from isoflop.audit.document import Input, Step
from isoflop.audit.prose.amounts import Amount, read_amounts
from isoflop.audit.prose.holdings import NOUNS, REFERENCE, Chain, per_noun, rate_unit, without_references
from isoflop.audit.prose.kinds import EITHER
from isoflop.audit.prose.values import LARGEST_RATE, unit_of, value_of
from isoflop.quantity import Unit
from isoflop.relation.expr import Expr, call, const, name

MOST_TERMS = 40


DEEPEST = 12


_SIGN = re.compile(
    r"\s*(?P<sign>[×*⋅+÷/]|(?<=\s)[x–-](?=\s)|\btimes\b|\bdivided by\b|\bover\b|\bmultiplied " r"by\b|[()])"
)


_OPERATORS = {
    "×": "*",
    "*": "*",
    "⋅": "*",
    "x": "*",
    "times": "*",
    "multiplied by": "*",
    "÷": "/",
    "/": "/",
    "divided by": "/",
    "over": "/",
    "+": "+",
    "-": "-",
    "–": "-",
}


class NoExpression(Exception):
    """Text that is no expression; says why."""


class Reader:
    """Reads the left side of an implication: amounts, references, operators and brackets; words are passed over."""

    def __init__(self, text: str, chain: Chain) -> None:
        self.chain = chain
        self.text = text
        self.inputs: dict[str, Input] = {}
        self.tokens = _per_period(_tokens(text), chain)
        self.place = 0
        self.depth = 0
        counts = {
            token.value for _, token in self.tokens if isinstance(token, Amount) and token.kind in {"", "chip", "core"}
        }
        chain.counted = frozenset(counts - {1.0})
        if len(self.tokens) > MOST_TERMS * 3:
            raise NoExpression("it is too long")

    def whole(self) -> Expr:
        """The tree of the whole text."""
        tree = self.sum()
        if self.place < len(self.tokens):
            raise NoExpression(f"'{str(self.tokens[self.place][1])[:20]}' is not expected")
        return tree

    def peek(self) -> str:
        """The sign at the place, "" for none."""
        return (
            str(self.tokens[self.place][1])
            if self.place < len(self.tokens) and self.tokens[self.place][0] == "sign"
            else ""
        )

    def sum(self) -> Expr:
        """Products joined by + and -."""
        tree = self.product()
        while self.peek() in {"+", "-"}:
            sign = self.peek()
            self.place += 1
            tree = call(sign, tree, self.product())
        return tree

    def product(self) -> Expr:
        """Atoms joined by * and /."""
        tree = self.atom()
        while self.peek() in {"*", "/"}:
            sign = self.peek()
            self.place += 1
            tree = call(sign, tree, self.atom())
        return tree

    def atom(self) -> Expr:
        """An amount, a reference or a bracket."""
        if self.place >= len(self.tokens):
            raise NoExpression("something is missing at its end")
        kind, found = self.tokens[self.place]
        self.place += 1
        if kind == "sign" and found == "(":
            self.depth += 1
            if self.depth > DEEPEST:
                raise NoExpression(f"brackets are nested deeper than {DEEPEST}")
            tree = self.sum()
            if self.peek() != ")":
                raise NoExpression("a bracket is not closed")
            self.place += 1
            self.depth -= 1
            self._reference_after(tree)
            return tree
        if kind == "ref":
            return self._leaf(Input(step=str(found), words=f"({found})"))
        if isinstance(found, Amount):
            return self._amount(found)
        raise NoExpression(f"'{found}' is not expected")

    def _amount(self, amount: Amount) -> Expr:
        ref = self._reference()
        if ref is None and amount.kind == "" and not amount.number.money:
            return const(amount.value)
        if ref is None:
            ref = _same_value(amount, self.chain)
            if ref is not None:
                said = self.chain.steps[ref].says
                if said is not None and not said.unit.same_kind(value_of(amount).unit):
                    return self._leaf(Input(step=ref, words=amount.text))
        earlier = self.chain.steps.get(ref or "")
        if ref is not None and earlier is not None and _is_price_of(amount, earlier):
            return self._leaf(Input(step=ref, words=amount.text))
        value = value_of(amount, *_carried(amount, earlier, self.chain))
        if earlier is not None and earlier.says is not None and not earlier.says.unit.same_kind(value.unit):
            ref = ref if earlier.quantity == "vocabulary" else ""
        return self._leaf(Input(step=ref or "", written=value, words=_words(self.text, amount)))

    def _reference(self) -> str | None:
        if self.place < len(self.tokens) and self.tokens[self.place][0] == "ref":
            number = str(self.tokens[self.place][1])
            self.place += 1
            return number if number in self.chain.steps else None
        return None

    def _reference_after(self, tree: Expr) -> None:
        """As in "(2.12e16 flops/$) (16)": the reference of what stands in brackets."""
        ref = self._reference()
        if ref is not None and tree.op == "name" and not self.inputs[tree.name].step:
            given = self.inputs[tree.name]
            if given.written is not None and self.chain.steps[ref].says is not None:
                self.inputs[tree.name] = replace(given, step=ref)

    def _leaf(self, given: Input) -> Expr:
        key = _key(len(self.inputs))
        self.inputs[key] = given
        return name(key)


def _key(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"a{place}"


def _words(text: str, amount: Amount) -> str:
    after = re.match(r"[\w\s-]{0,24}", text[amount.end :])
    return f"{amount.text}{(after.group() if after else '').rstrip()}".strip()


def _tokens(text: str) -> list[tuple[str, object]]:
    """Amounts, references and signs in order; brackets that hold neither are words."""
    plain = without_references(text)
    amounts = [amount for amount in read_amounts(plain).amounts if amount.kind != "#things" or "model" in amount.text]
    found: list[tuple[int, int, str, object]] = []
    for amount in amounts:
        if amount.kind == "#times":
            number = replace(amount, kind="", unit="", end=amount.number.end)
            found.append((amount.start, amount.number.end, "amount", number))
            found.append((amount.number.end, amount.end, "sign", "*"))
        else:
            found.append((amount.start, amount.end, "amount", amount))
    found += [
        (match.start(), match.end(), "ref", match["number"] or match["hash"]) for match in REFERENCE.finditer(text)
    ]
    covered = [(start, end) for start, end, _, _ in found]
    place = 0
    while match := _SIGN.search(plain, place):
        place = match.end()
        if not any(start <= match.start("sign") < end for start, end in covered):
            found.append((match.start("sign"), match.end(), "sign", _OPERATORS.get(match["sign"], match["sign"])))
    found.sort(key=lambda one: one[0])
    return _without_asides([(kind, token) for _, _, kind, token in found])


def _per_period(tokens: list[tuple[str, object]], chain: Chain) -> list[tuple[str, object]]:
    """As in "x 1 month / $33,849 (9)", where (9) is $33,849 a month: the same as dividing by what (9) says."""
    for place, (_, token) in enumerate(tokens[:-1]):
        kind, ref = tokens[place + 1]
        earlier = chain.steps.get(str(ref)) if kind == "ref" else None
        if not isinstance(token, Amount) or token.kind != "$" or earlier is None or earlier.says is None:
            continue
        unit = earlier.says.unit
        if (
            dict(unit.dims).get("s") != -1
            or dict(unit.dims).get("USD") != 1
            or tokens[max(0, place - 1)] != ("sign", "/")
        ):
            continue
        for other, (_, time) in enumerate(tokens[:place]):
            if (
                isinstance(time, Amount)
                and time.kind == "s"
                and other
                and tokens[other - 1] == ("sign", "*")
                and abs(time.low * unit.scale - 1) < 1e-6
            ):
                money = Unit(dims=(("USD", Fraction(1)), ("s", Fraction(-1))), scale=unit.scale, text=f"$/{time.unit}")
                price = replace(token, low=token.low / time.low, high=token.high / time.low, kind="$/s", parsed=money)
                changed = [*tokens[:place], ("amount", price), *tokens[place + 1 :]]
                return [*changed[: other - 1], *changed[other + 1 :]]
    return tokens


def _without_asides(tokens: list[tuple[str, object]]) -> list[tuple[str, object]]:
    """Without brackets that hold nothing: "(though many are redundant)"."""
    changed = True
    while changed:
        changed = False
        for place in range(len(tokens) - 1):
            if tokens[place] == ("sign", "(") and tokens[place + 1] == ("sign", ")"):
                del tokens[place : place + 2]
                changed = True
                break
    return tokens


def _is_price_of(amount: Amount, earlier: Step) -> bool:
    """Whether "$1.50 (5)" is what (5) asks for an hour: then it has the unit that it has there."""
    says = earlier.says
    if says is None or amount.kind != "$" or not says.spread.is_point:
        return False
    timed = dict(says.unit.dims).get("USD") == 1 and dict(says.unit.dims).get("s") == -1
    return timed and abs(written_number(says) / amount.low - 1 if amount.low else 1) < 1e-9


def _same_value(amount: Amount, chain: Chain) -> str | None:
    """The step that first has the very value which stands here without a reference."""
    if amount.number.digits < 2 and amount.kind != "$":
        return None
    for step in reversed(chain.steps.values()):
        if (
            step.says is not None
            and step.says.spread.is_point
            and abs(step.says.spread.median / amount.low - 1 if amount.low else 1) < 1e-9
            and (step.expr is not None or step.kind == "assumption")
        ):
            return step.number
        if (
            any(
                value.spread.is_point and amount.low and abs(value.spread.median / amount.low - 1) < 1e-9
                for value in step.also
            )
            and step.expr is not None
        ):
            return step.number
    return None


def _carried(amount: Amount, earlier: Step | None, chain: Chain) -> tuple[Unit | None, float]:
    """The unit of what is written, with the nouns that the step it refers to has beside it."""
    unit = rate_unit(amount) if amount.kind == EITHER and amount.low < LARGEST_RATE else unit_of(amount)
    if amount.kind == "FLOP/param" and unit is not None:
        dims = dict(unit.dims)  # operations for each parameter are for each token too
        if any(step.says is not None and step.says.unit.base.text == "FLOP/token" for step in chain.steps.values()):
            dims["token"] = Fraction(-1)
        return Unit(dims=tuple(sorted(dims.items())), scale=unit.scale, text=unit.text), 1.0
    if earlier is None or earlier.says is None or unit is None:
        return unit, 1.0
    dims = dict(unit.dims)
    for noun, power in earlier.says.unit.dims:
        tied = chain.nouns.get(noun)
        if tied is not None and {tied.scale, _number_of(tied.text)} & chain.counted:
            continue  # "x 32 chips" says itself what the price is for
        if (noun in NOUNS or noun in chain.nouns) and noun not in dims:
            unit = per_noun(unit, noun) if power == -1 else unit
    return unit, 1.0


def _number_of(text: str) -> float:
    """The number that a text begins with, 0 for none."""
    digits = re.match(r"[0-9][0-9,]*", text)
    return float(digits.group().replace(",", "")) if digits else 0.0
