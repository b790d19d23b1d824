"""Reads the expression of a napkin file into a closed set of nodes; nothing is evaluated here and nothing is run.

    sum    = term { ("+" | "-") term }
    term   = unary { ("*" | "/" | "×" | "÷" | "·") unary }
    unary  = ("-" | "+") unary | power
    power  = atom [ ("^" | "**") unary ]
    atom   = number [ "[" unit "]" ] | name | "#" number of a step | function "(" sum { "," sum } ")" | "(" sum ")"

A number may carry k, M, B, T or %. One with a unit in brackets, `2 [FLOP/param]`, is an amount; a bare one is a
constant. A name is a step's, else a unit's word (`month` is one month). Functions: sqrt, exp, log, log2, log10, ceil,
floor, min, max. `log` is the natural logarithm.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from isoflop.errors import BadInput, shorten
from isoflop.relation.expr import Expr, call, const, name

LONGEST = 1000
DEEPEST = 50
MOST_NODES = 300

_FUNCTIONS = {"sqrt": 1, "exp": 1, "log": 1, "log2": 1, "log10": 1, "ceil": 1, "floor": 1, "min": 2, "max": 2}
_SUFFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12, "%": 0.01}
_TOKEN = re.compile(
    r"(?P<number>(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:_\d+)*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?)"
    r"(?P<suffix>[kKMBGT%](?![A-Za-z0-9_]))?"
    r"(?:\s*\[(?P<unit>[^\[\]]*)\])?"
    r"|(?P<step>#[A-Za-z0-9]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^(),×÷·])",
    re.ASCII,
)
_SIGNS = {"**": "^", "×": "*", "·": "*", "÷": "/"}


class _Token(NamedTuple):
    kind: str
    text: str
    place: int
    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A parsed expression: its tree, the names in it, and the amounts with units under the names they have there."""

    tree: Expr
    names: tuple[str, ...]
    amounts: dict[str, str]


def parse(text: str) -> Formula:
    """The tree of an expression. Raises: BadInput, with the place, for what is no expression, too long or too deep.

    >>> parse("peak * month / rent").names
    ('peak', 'month', 'rent')
    >>> parse("2 [FLOP/param] * N").amounts
    {'=0': '2 FLOP/param'}
    """
    if len(text) > LONGEST:
        raise BadInput(
            f"an expression of {len(text):,} characters is refused; {LONGEST:,} are read. Split it into steps."
        )
    parser = _Parser(text)
    tree = parser.sum()
    if parser.peek.kind != "end":
        raise parser.fail(f"'{shorten(parser.peek.text)}' is not expected")
    return Formula(tree=tree, names=tuple(dict.fromkeys(parser.names)), amounts=parser.amounts)


class _Parser:
    """Recursive descent over the tokens of one expression, bounded in depth and nodes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []
        self.amounts: dict[str, str] = {}
        self.place = self.depth = self.nodes = 0
        self.tokens = self._tokens()

    def fail(self, why: str, place: int | None = None) -> BadInput:
        at = self.peek.place if place is None else place
        return BadInput(f"expression '{shorten(self.text)}', character {at + 1}: {why}.")

    def _tokens(self) -> list[_Token]:
        found: list[_Token] = []
        place = 0
        while place < len(self.text):
            if self.text[place] in " \t\r\n":
                place += 1
                continue
            match = _TOKEN.match(self.text, place)
            if match is None:
                raise self.fail(_foreign(self.text[place]), place)
            found.append(self._token(match))
            place = match.end()
        return found

    def _token(self, match: re.Match[str]) -> _Token:
        if match["number"] is None:
            kind = match.lastgroup or ""
            text = _SIGNS.get(match.group(), match.group())
            return _Token("name" if kind == "step" else kind, text, match.start())
        if match["unit"] is not None:
            return _Token("amount", f"{match['number']}{match['suffix'] or ''} {match['unit'].strip()}", match.start())
        value = float(match["number"].replace(",", "").replace("_", "")) * _SUFFIXES[match["suffix"] or ""]
        if value == float("inf"):
            raise self.fail(
                f"'{shorten(match.group())}' is too large: numbers up to about 1.8e308 are read", match.start()
            )
        return _Token("number", match.group(), match.start(), value)

    @property
    def peek(self) -> _Token:
        return self.tokens[self.place] if self.place < len(self.tokens) else _Token("end", "the end", len(self.text))

    def take(self, *signs: str) -> str:
        """The next sign if it is one of these, taken; else ""."""
        if self.peek.kind == "sign" and self.peek.text in signs:
            self.place += 1
            return self.tokens[self.place - 1].text
        return ""

    def node(self, op: str, *args: Expr) -> Expr:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise self.fail(f"more than {MOST_NODES} operations; split it into steps")
        return call(op, *args)

    def sum(self) -> Expr:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"nested deeper than {DEEPEST} levels; split it into steps")
        found = self.term()
        while sign := self.take("+", "-"):
            found = self.node(sign, found, self.term())
        self.depth -= 1
        return found

    def term(self) -> Expr:
        found = self.unary()
        while sign := self.take("*", "/"):
            found = self.node(sign, found, self.unary())
        return found

    def unary(self) -> Expr:
        negative = False
        while sign := self.take("-", "+"):
            negative ^= sign == "-"
        found = self.power()
        return self.node("neg", found) if negative else found

    def power(self) -> Expr:
        found = self.atom()
        if not self.take("^"):
            return found
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"powers nested deeper than {DEEPEST} levels; split it into steps")
        raised = self.node("^", found, self.unary())
        self.depth -= 1
        return raised

    def atom(self) -> Expr:
        token = self.peek
        if self.take("("):
            found = self.sum()
            self.close()
            return found
        if token.kind not in {"number", "amount", "name"}:
            raise self.fail(f"a number, a name or a bracket is due, not {token.text}")
        self.place += 1
        if token.kind == "number":
            return const(token.value)
        if token.kind == "amount":
            key = f"={len(self.amounts)}"
            self.amounts[key] = token.text
            return name(key)
        if self.peek.text == "(" and token.text in _FUNCTIONS:
            return self.function(token)
        if self.peek.text == "(":
            raise self.fail(f"no function '{shorten(token.text)}'; there are: {', '.join(_FUNCTIONS)}", token.place)
        self.names.append(token.text)
        return name(token.text)

    def function(self, token: _Token) -> Expr:
        self.take("(")
        args = [self.sum()]
        while self.take(","):
            args.append(self.sum())
        self.close()
        due = _FUNCTIONS[token.text]
        if (len(args) != 1 and due == 1) or len(args) < due:
            raise self.fail(f"{token.text} takes {due} argument{'s' if due > 1 else ''}, not {len(args)}", token.place)
        found = args[0] if due > 1 else self.node(token.text, args[0])
        for other in args[1:]:
            found = self.node(token.text, found, other)
        return found

    def close(self) -> None:
        if not self.take(")"):
            raise self.fail("a closing bracket is missing")


def _foreign(char: str) -> str:
    """What to say about a character that no expression holds; look-alikes are named, for they look right."""
    called = unicodedata.name(char, "an unnamed character") if not char.isascii() else ""
    plain = unicodedata.normalize("NFKC", char)
    hint = f"; write '{plain}'" if plain != char and plain.isascii() and plain.isprintable() else ""
    what = f"'{char}' ({called})" if called and char.isprintable() else called or f"'{shorten(char)}'"
    return f"{what} has no meaning in an expression{hint}"
