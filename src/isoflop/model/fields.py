"""The fields of a config.json, read by name and checked; it remembers which were looked at.

What nobody looked at and is not known to leave the shape alone makes a reading unverified: a field that an adapter
does not know may be the one that changes the count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from isoflop.errors import BadFile, shorten
from isoflop.model.inert import is_inert
from isoflop.model.parts import MOST

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

MOST_LAYERS = 10_000
"""No model has more layers, and no list or text that matters more entries: specs are built layer by layer."""

_MOST_NAMED = 100
_COUNTS_LAYERS = re.compile(r"(layers?|blocks)$")


class Fields:
    """The fields of one object in a config file.

    Every method takes the names that a field goes by, best first; the first that is there and not null is read. Where
    the file is silent, what was assumed is read (the defaults of the family's config class), then the default given.
    Without one, a field that is missing is an error that names file and field.
    """

    def __init__(self, values: Mapping[str, object], file: str, prefix: str = "") -> None:
        self.values = values
        self.file = file
        self.prefix = prefix
        self.doubts: list[str] = []
        self._assumed: Mapping[str, object] = {}
        self._read: set[str] = set()
        self._inner: dict[str, Fields] = {}

    def has(self, *names: str) -> bool:
        """Whether the file itself has one of the names, and not null."""
        return any(self.values.get(name) is not None for name in names)

    def count(self, *names: str, default: int | None = None, least: int = 1) -> int:
        """A whole number from `least` up."""
        found = self.maybe(*names, least=least)
        if found is not None:
            return found
        if default is None:
            raise self.missing(names[0])
        return default

    def maybe(self, *names: str, least: int = 1) -> int | None:
        """A whole number from `least` up, or None where it is absent or null."""
        name, value = self._take(names)
        return None if value is None else self._whole(name, value, least)

    def auto(self, *names: str, value: int) -> int:
        """A whole number; `value`, which follows from others, where it is "auto", null or absent."""
        name, found = self._take(names)
        return value if found is None or found == "auto" else self._whole(name, found, 1)

    def flag(self, *names: str, default: bool) -> bool:
        """True or false."""
        name, value = self._take(names)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def word(self, *names: str, default: str = "") -> str:
        """A text."""
        name, value = self._take(names)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, value, "a text")
        if len(value) > MOST_LAYERS:
            raise self.wrong(name, value, f"a text of at most {MOST_LAYERS:,} characters")
        return value

    def choice(self, options: Mapping[str, T], *names: str, default: T) -> T:
        """What `options` make of a text; a text that they lack leaves the default and a doubt."""
        text = self.word(*names)
        if text in options:
            return options[text]
        if text:
            self.doubt(f"{self._called(names[0])} = '{shorten(text)}' is not known here")
        return default

    def number(self, *names: str, default: float) -> float:
        """A number that is no bool."""
        name, value = self._take(names)
        return default if value is None else self._real(name, value)

    def numbers(self, name: str, *, length: int) -> tuple[float, ...]:
        """A list of `length` numbers that are no bools; it has to be there."""
        name, value = self._take((name,))
        if value is None:
            raise self.missing(name)
        if not isinstance(value, list):
            raise self.wrong(name, value, "a list of numbers")
        self._check_length(name, value, length)
        return tuple(self._real(f"{name}[{place}]", one) for place, one in enumerate(value))

    def counts(self, *names: str, length: int | None = None, least: int = 0) -> tuple[int, ...] | None:
        """A list of whole numbers, of `length` where that is given; None where it is absent."""
        name, value = self._take(names)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.wrong(name, value, "a list of whole numbers")
        self._check_length(name, value, length)
        return tuple(self._whole(f"{name}[{place}]", one, least) for place, one in enumerate(value))

    def words(self, *names: str, length: int | None = None) -> tuple[str, ...] | None:
        """A list of texts, of `length` where that is given; None where it is absent."""
        name, value = self._take(names)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.wrong(name, value, "a list of texts")
        self._check_length(name, value, length)
        for place, one in enumerate(value):
            if not isinstance(one, str):
                raise self.wrong(f"{name}[{place}]", one, "a text")
        return tuple(value)

    def per_layer(self, *names: str, layers: int, default: int | None = None, least: int = 1) -> tuple[int, ...]:
        """A whole number for every layer: one for all, or a list of as many."""
        if any(isinstance(self.values.get(name, self._assumed.get(name)), list) for name in names):
            found = self.counts(*names, length=layers, least=least)
            assert found is not None
            return found
        return (self.count(*names, default=default, least=least),) * layers

    def within(self, *names: str) -> Fields | None:
        """The fields of an object inside, None where it is absent; what is not read in there counts here."""
        name, value = self._take(names)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(name, value, "an object")
        return self._inner.setdefault(name, Fields(value, self.file, f"{self.prefix}{name}."))

    def assume(self, values: Mapping[str, object]) -> None:
        """Say what holds where the file is silent, and nothing was assumed before; a null in the file stays a null."""
        self._assumed = {**values, **self._assumed}

    def drop(self, *names: str) -> None:
        """Go on as if the file did not have these fields."""
        self.values = {name: value for name, value in self.values.items() if name not in names}

    def changed(self, values: Mapping[str, object]) -> Fields:
        """The same fields with `values` in place of theirs, for a layer that differs; what it reads counts here."""
        other = Fields({**self.values, **values}, self.file, self.prefix)
        other.assume(self._assumed)
        other.doubts, other._read = self.doubts, self._read
        return other

    def ignore(self, *names: str) -> None:
        """Say that these fields leave shape, FLOP and state of this family alone."""
        self._read.update(names)

    def doubt(self, text: str) -> None:
        """Say why this reading may be wrong: it becomes unverified."""
        text = shorten(text, most=300)
        if text not in self.doubts:
            self.doubts.append(text)

    def all_doubts(self) -> tuple[str, ...]:
        """Doubts about these fields and those inside."""
        return (*self.doubts, *(doubt for inner in self._inner.values() for doubt in inner.all_doubts()))

    def not_understood(self) -> tuple[str, ...]:
        """Fields that nobody looked at and that may matter; what is null, false or empty is off and left out."""
        own = tuple(
            self._called(name)
            for name, value in self.values.items()
            if name not in self._read and not _off(value) and not is_inert(name)
        )
        found = (*own, *(name for inner in self._inner.values() for name in inner.not_understood()))
        return found if len(found) <= _MOST_NAMED else (*found[:_MOST_NAMED], f"and {len(found) - _MOST_NAMED} more")

    def check_layers(self, layers: int, said: str) -> None:
        """Refuse numbers of layers that are possible each by itself and absurd as the product that `said` names."""
        if layers > MOST_LAYERS:
            raise BadFile(f"{self.file}: {said} make {layers:.1e} layers; the most is {MOST_LAYERS:,}.")

    def missing(self, name: str) -> BadFile:
        """The error for a field that has to be there."""
        return BadFile(f"{self.file}: no field '{self._called(name)}'; without it the shape is not known.")

    def wrong(self, name: str, value: object, wanted: str) -> BadFile:
        """The error for a field that holds something else than it should."""
        large = "a list" if isinstance(value, list) else "an object" if isinstance(value, Mapping) else ""
        said = large or shorten(repr(value))
        return BadFile(f"{self.file}: {self._called(name)} = {said}; give {wanted}.")

    def _called(self, name: str) -> str:
        return f"{self.prefix}{shorten(name)}"

    def _take(self, names: Iterable[str]) -> tuple[str, object]:
        found: tuple[str, object] | None = None
        names = tuple(names)
        for name in names:
            self._read.add(name)
            value = self.values.get(name)
            if value is None:
                continue
            if found is None:
                found = (name, value)
            elif found[1] != value:
                self.doubt(f"{self._called(found[0])} and {self._called(name)} say different things")
        if found is None and not any(name in self.values for name in names):
            found = next(((name, self._assumed[name]) for name in names if name in self._assumed), None)
        return found or (names[0], None)

    def _real(self, name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
            raise self.wrong(name, value, "a number")
        return float(value)

    def _whole(self, name: str, value: object, least: int) -> int:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        most = MOST_LAYERS if _COUNTS_LAYERS.search(name) else MOST - 1
        if isinstance(whole, bool) or not isinstance(whole, int) or not least <= whole <= most:
            raise self.wrong(name, value, f"a whole number from {least} to {most:,}")
        return whole

    def _check_length(self, name: str, found: list[object], length: int | None) -> None:
        if len(found) > MOST_LAYERS:
            raise BadFile(f"{self.file}: {self._called(name)} has {len(found)} entries; the most is {MOST_LAYERS:,}.")
        if length is not None and len(found) != length:
            raise BadFile(f"{self.file}: {self._called(name)} has {len(found)} entries for {length} layers.")


def _off(value: object) -> bool:
    """Whether a field says that there is nothing of its kind."""
    return value is None or value is False or (isinstance(value, str | list | Mapping) and not value)
