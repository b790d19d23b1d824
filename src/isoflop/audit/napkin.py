"""Reads a napkin file: a chain of statements, assumptions and implications written as TOML.

    title = "What 100 million dollars train"
    result = "params"
    [units]
    slice = "32 chip"                       # what a noun is made of; "noun" for one that is made of nothing else
    [state]
    3 = { text = "v4-64, 32 chips", source = "https://...", values = ["$103.04/h/slice", "$33,849/month/slice"] }
    [assume]
    9 = { name = "rent", value = "$33,849/month/slice", from = [3], is = "price" }
    [imply]
    16 = { name = "flops_per_dollar", expr = "peak * mfu / rent", says = "2.12e16 FLOP/$", is = "flops_per_usd" }

Keys of a step: `name`, `value` (or `says`), `expr`, `is` (the library's quantity), `from` (numbers of steps, or
sources), `text`, `source`, `values`, `subject`, `alternatives` ({ "on demand" = "$103.04/h/slice" }). A step may be a
plain string: its value, or what a source says. Sections may also be called statements, assumptions, implications and
claims.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from isoflop.audit.amounts import amount, read_nouns, tie
from isoflop.audit.document import Document, Input, Kind, Span, Step
from isoflop.audit.formula import parse
from isoflop.audit.measure import input_units, unit_of_tree
from isoflop.errors import BadFile, BadInput, IsoflopError, UnitError, UnknownName, close_matches, shorten
from isoflop.quantity import Quantity, parse_toml, quantity, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

    from isoflop.quantity import Unit, Value
    from isoflop.quantity.toml_file import Table
    from isoflop.relation.expr import Expr

MOST_STEPS = 10_000

_SECTIONS: dict[str, Kind] = {
    "state": "statement",
    "statement": "statement",
    "statements": "statement",
    "assume": "assumption",
    "assumption": "assumption",
    "assumptions": "assumption",
    "imply": "implication",
    "implication": "implication",
    "implications": "implication",
    "claim": "claim",
    "claims": "claim",
}
_KEYS = (
    "name",
    "value",
    "says",
    "expr",
    "is",
    "from",
    "text",
    "source",
    "values",
    "subject",
    "alternatives",
)
_CHOICES = ("device", "dtype", "model", "provider", "commitment", "grid")
_TOP = ("title", "result", "units", *_CHOICES, *_SECTIONS)
_ALIASES = {
    "n": "params",
    "d": "tokens",
    "c": "train_flops",
    "compute": "train_flops",
    "flops": "train_flops",
    "cost": "train_cost",
    "time": "train_time",
    "rent": "price",
    "peak": "peak_rate",
    "utilization": "mfu",
    "flop_per_usd": "flops_per_usd",
    "flop_per_dollar": "flops_per_usd",
    "flops_per_dollar": "flops_per_usd",
    "flop_per_token": "flops_per_token",
    "vocab": "vocabulary",
    "vocab_size": "vocabulary",
    "energy": "train_energy",
    "emissions": "train_emissions",
    "chip_hours": "chip_time",
    "gpu_hours": "chip_time",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_BARE = re.compile(r"\s*~?\s*[-+]?[\d.,_]+(?:[eE][-+]?\d+)?\s*[kKMBT]?\s*", re.ASCII)
_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*=""", re.ASCII)
_HEADER = re.compile(r"""\s*\[+\s*([A-Za-z0-9_-]+)\s*(?:\.\s*["']?([A-Za-z0-9_-]+)["']?\s*)?\]""", re.ASCII)


class _Written(NamedTuple):
    """One entry of the file: where it stands and what it holds."""

    kind: Kind
    number: str
    line: int
    table: Table


def read_napkin(path: str | PathLike[str]) -> Document:
    """The document of a napkin file. Raises: BadFile, with file and step, for what cannot be read."""
    return parse_napkin(read_text(path), str(path))


def parse_napkin(text: str, name: str = "napkin") -> Document:
    """The document of a napkin's text; `name` is what errors call it."""
    tables = parse_toml(text, name)
    for key in tables:
        if key not in _TOP:
            raise BadFile(f"{name}: '{shorten(key)}' is no part of a napkin file.{_meant(key, _TOP)}")
    nouns = _nouns(tables, name)
    written = _entries(tables, _lines(text), name)
    if not written:
        raise BadFile(f"{name}: no steps; write them under [state], [assume] and [imply].")
    if len(written) > MOST_STEPS:
        raise BadFile(f"{name}: {len(written):,} steps; {MOST_STEPS:,} are read at most. Split the file.")
    reader = _Reader(written, nouns, name)
    return Document(
        name=_string(tables, "title", name) or name,
        steps=reader.steps(),
        nouns=reader.ties,
        result=reader.number_of(_string(tables, "result", name)),
        choices={key: _string(tables, key, name) for key in _CHOICES if key in tables},
    )


def _meant(name: str, known: tuple[str, ...]) -> str:
    matches = close_matches(name, known)
    return f" Did you mean {' or '.join(matches)}?" if matches else f" Known are: {', '.join(known)}."


def _string(table: Mapping[str, object], key: str, where: str) -> str:
    value = table.get(key, "")
    if isinstance(value, bool | list | dict):
        raise BadFile(f"{where}: {key} is text, not a {type(value).__name__}.")
    return str(value)


def _nouns(tables: Table, name: str) -> dict[str, str]:
    units = tables.get("units", {})
    if not isinstance(units, dict):
        raise BadFile(f"{name}: [units] holds lines like slice = '32 chip'.")
    return {str(noun): _string(units, noun, f"{name}: units") for noun in units}


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line on which each entry begins, as near as can be told without a parser that keeps places."""
    places: dict[tuple[str, str], int] = {}
    counts: Counter[str] = Counter()
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            section = header[1]
            if line.lstrip().startswith("[["):
                places[section, f"[{counts[section]}]"] = number
                counts[section] += 1
            elif header[2]:
                places.setdefault((section, header[2]), number)
        elif key := _KEY.match(line):
            places.setdefault((section, key[1]), number)
    return places


def _entries(tables: Table, lines: Mapping[tuple[str, str], int], name: str) -> list[_Written]:
    found: list[_Written] = []
    seen: set[str] = set()
    for section, content in tables.items():
        if section not in _SECTIONS:
            continue
        for number, line, entry in _numbered(section, content, lines, name):
            if number in seen:
                raise BadFile(f"{name}: two steps are called {shorten(number)}; give each a number of its own.")
            seen.add(number)
            short = "text" if _SECTIONS[section] == "statement" and isinstance(entry, str) else "value"
            table = entry if isinstance(entry, dict) else {short: entry}
            found.append(_Written(_SECTIONS[section], number, line, table))
    return found


def _numbered(
    section: str, content: object, lines: Mapping[tuple[str, str], int], name: str
) -> Iterator[tuple[str, int, object]]:
    """The entries of a section with their numbers and lines; those of [[section]] bear `number`, else their line."""
    if isinstance(content, dict):
        for number, entry in content.items():
            yield number, lines.get((section, number), 1), entry
    elif isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        for place, entry in enumerate(content):
            line = lines.get((section, f"[{place}]"), 1)
            yield str(entry.get("number", f"L{line}")), line, {k: v for k, v in entry.items() if k != "number"}
    else:
        raise BadFile(f"{name}: [{section}] holds steps, as in: 6 = {{ name = 'cost', value = '$100m' }}.")


class _Reader:
    """Turns entries into steps; a step may refer to any other, by name or number."""

    def __init__(self, written: list[_Written], nouns: Mapping[str, str], file: str) -> None:
        self.written, self.file = written, file
        try:
            self.ties = read_nouns(nouns)
        except BadInput as error:
            raise BadFile(f"{file}: units: {error}") from error
        self.nouns = tuple(nouns)
        self.units: dict[str, Unit] = {}
        self.numbers = {entry.number: entry.number for entry in written}
        for entry in written:
            called = _string(entry.table, "name", self.where(entry))
            if not called:
                continue
            if not _NAME.fullmatch(called):
                raise BadFile(f"{self.where(entry)}: name '{shorten(called)}' is no name: letters, digits and _.")
            if self.numbers.get(called, entry.number) != entry.number:
                raise BadFile(f"{self.where(entry)}: step {self.numbers[called]} is called '{called}' too.")
            self.numbers[called] = entry.number

    def where(self, entry: _Written) -> str:
        return f"{self.file}: line {entry.line}, step {shorten(entry.number)}"

    def number_of(self, name: str) -> str:
        """The number of the step that is called so; "" stays ""."""
        if name and name not in self.numbers:
            raise BadFile(f"{self.file}: result: no step is called '{shorten(name)}'.")
        return self.numbers.get(name, "")

    def steps(self) -> tuple[Step, ...]:
        found: dict[str, Step] = {}
        for entry in self.written:
            try:
                found[entry.number] = step = self.step(entry)
            except BadFile:
                raise
            except IsoflopError as error:
                unit = isinstance(error, UnknownName) and error.kind == "unit"
                hint = " Or declare it: [units] slice = '32 chip'." if unit else ""
                raise BadFile(f"{self.where(entry)}: {error}{hint}") from error
            if step.says is not None:
                self.units[step.number] = step.says.unit
        return tuple(found.values())

    def due(self, entry: _Written, tree: Expr, inputs: Mapping[str, Input]) -> Unit | None:
        """The unit of an expression, nouns tied: what a claim without one is read in. None where it has none."""
        units = input_units(inputs, self.units)
        if units is None:
            return None
        try:
            found = unit_of_tree(tree, units)
        except UnitError:
            return None
        self.units[entry.number] = found
        return tie(found, self.ties).base

    def step(self, entry: _Written) -> Step:
        table, where = entry.table, self.where(entry)
        for key in table:
            if key not in _KEYS:
                raise BadFile(f"{where}: '{shorten(key)}' is no part of a step.{_meant(key, _KEYS)}")
        formula = parse(_string(table, "expr", where)) if "expr" in table else None
        if entry.kind == "implication" and formula is None:
            raise BadFile(f"{where}: an implication needs expr, for example expr = 'cost / price'.")
        inputs = {} if formula is None else self.inputs(formula.names, formula.amounts, where)
        asked = _string(table, "is", where)
        of = find_quantity(asked)
        cites, source = self.origins(table, where)
        tree = None if formula is None else formula.tree
        due = None if tree is None else self.due(entry, tree, inputs)
        given = table.get("says", table.get("value"))
        return Step(
            number=entry.number,
            kind=entry.kind,
            span=Span(line=entry.line),
            text=_string(table, "expr", where) or _string(table, "text", where) or _plain(given),
            label=_string(table, "name", where) or asked or entry.number,
            says=None if given is None else self.amount(given, of, due),
            also=tuple(self.amount(one, None, None) for one in _list(table.get("values", []))),
            expr=tree,
            inputs=inputs,
            quantity=of.name if of is not None else asked,
            cites=cites,
            source=source,
            subject=_string(table, "subject", where),
            words=_string(table, "text", where),
            alternatives=self.alternatives(table, of, where),
        )

    def amount(self, given: object, of: Quantity | None, due: Unit | None) -> Value:
        if isinstance(given, bool) or not isinstance(given, str | int | float):
            raise BadInput(f"a {type(given).__name__} is no value; write '4T tokens', '$100m' or a number.")
        given = given if isinstance(given, str) else f"{given:.15g}"
        bare = _BARE.fullmatch(given) is not None
        return amount(given, of=of, unit=None if bare else due, nouns=self.nouns)  # the engine finds a bare one's unit

    def alternatives(self, table: Table, of: Quantity | None, where: str) -> dict[str, Value]:
        given = table.get("alternatives", {})
        if not isinstance(given, dict):
            raise BadFile(f"{where}: alternatives look like {{ 'on demand' = '$103.04/h/slice' }}.")
        return {str(label): self.amount(value, of, None) for label, value in given.items()}

    def inputs(self, names: tuple[str, ...], amounts: Mapping[str, str], where: str) -> dict[str, Input]:
        found = {key: Input(written=amount(text, nouns=self.nouns), words=text) for key, text in amounts.items()}
        for name in names:
            plain = name.removeprefix("#")
            number = self.numbers.get(plain) or self.numbers.get(plain.removeprefix("s"))
            if number is not None:
                found[name] = Input(step=number, words=plain)
                continue
            try:
                found[name] = Input(written=amount(f"1 {plain}", nouns=self.nouns), words=plain)
            except BadInput:
                raise BadFile(
                    f"{where}: '{shorten(plain)}' in the expression is no step and no unit."
                    f"{_meant(plain, tuple(self.numbers))}"
                ) from None
        return found

    def origins(self, table: Table, where: str) -> tuple[tuple[str, ...], str]:
        """The steps that are cited, and the sources outside."""
        outside = [_string(table, "source", where)] if "source" in table else []
        cites = []
        for one in _list(table.get("from", [])):
            text = _plain(one)
            if text in self.numbers:
                cites.append(self.numbers[text])
            elif isinstance(one, int):
                raise BadFile(f"{where}: from = {one}: there is no step {one}.")
            else:
                outside.append(text)
        return tuple(cites), "; ".join(outside)


def _list(given: object) -> list[object]:
    return given if isinstance(given, list) else [given]


def _plain(given: object) -> str:
    return "" if given is None else str(given)


def find_quantity(name: str) -> Quantity | None:
    """The quantity that `is` names, also by what people call it; None where nothing fits."""
    if not name:
        return None
    plain = name.strip().replace("-", "_")
    for trial in (plain, _ALIASES.get(plain.lower(), plain)):
        try:
            return quantity(trial)
        except UnknownName:
            continue
    return None
