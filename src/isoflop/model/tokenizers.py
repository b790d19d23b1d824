"""Tokenizers: how many bytes of text one token is, by language, as measured on the same manuals in each of them.

From benchmarks/bytes_per_token.py. The two manuals of a language differ by 1.4 % in the median, 6 % at most;
tokenizers and languages by a factor of six. Text of other kinds than manuals will differ by more than they do.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003  (msgspec reads the annotation)
from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from isoflop.errors import MissingData, UnknownName
from isoflop.quantity import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("tokenizers.toml")
LISTING = "isoflop data"


class RawTokenizer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[tokenizer]]: `bytes_per_token` by language and document."""

    name: str
    title: str
    vocabulary: int
    models: str
    source: str
    date: dt.date
    bytes_per_token: dict[str, dict[str, float]]


class RawTokenizers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file: `languages` by code, and the tokenizers."""

    languages: dict[str, str]
    tokenizer: tuple[RawTokenizer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """Bytes of UTF-8 text for each token, of one tokenizer in one language: the mean of documents, least and most."""

    bytes_per_token: float
    low: float
    high: float
    documents: tuple[str, ...]

    @property
    def tokens_per_byte(self) -> float:
        """The other way round."""
        return 1 / self.bytes_per_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """A tokenizer as models have it: `models` in words, `densities` by language code."""

    name: str
    title: str
    vocabulary: int
    models: str
    densities: Mapping[str, Density]
    source: str
    date: dt.date

    def density(self, language: str = "en") -> Density:
        """Bytes for each token in a language, by code or name. Raises: UnknownName, MissingData."""
        code = language_code(language)
        if code not in self.densities:
            raise MissingData(
                f"{self.name} was not measured in {languages()[code]}; it was in {', '.join(self.densities)}. "
                "Give what you have measured: tokens_per_byte=0.25"
            )
        return self.densities[code]


@cache
def _raw() -> RawTokenizers:
    return msgspec.convert(read_toml(FILE), RawTokenizers)


@cache
def languages() -> Mapping[str, str]:
    """Codes and names of languages that were measured; "code" is that of programs."""
    return MappingProxyType(_raw().languages)


def language_code(name: str) -> str:
    """The code of a language by code or English name. Raises: UnknownName."""
    asked = name.strip().lower()
    known = languages()
    if asked in known:
        return asked
    fitting = [code for code, title in known.items() if title.lower() == asked]
    if not fitting:
        raise UnknownName("language", name, [*known, *(title.lower() for title in known.values())], listing=LISTING)
    return fitting[0]


@cache
def tokenizers() -> tuple[Tokenizer, ...]:
    """All that were measured, as in the file."""
    return tuple(
        Tokenizer(
            name=one.name, title=one.title, vocabulary=one.vocabulary, models=one.models, source=one.source,
            date=one.date, densities=MappingProxyType({code: _density(of) for code, of in one.bytes_per_token.items()}),
        )
        for one in _raw().tokenizer
    )  # fmt: skip


def _density(of: Mapping[str, float]) -> Density:
    values = tuple(of.values())
    return Density(
        bytes_per_token=sum(values) / len(values), low=min(values), high=max(values), documents=tuple(of)
    )  # fmt: skip


def tokenizer(name: str) -> Tokenizer:
    """A tokenizer by its name, or by that of a family of models that has it ("Llama 3").

    >>> round(tokenizer("llama-3").density("de").bytes_per_token, 1)
    3.9
    """
    asked = _plain(name)
    for one in tokenizers():
        if asked in {_plain(one.name), _plain(one.title), *(_plain(word) for word in one.models.split(","))}:
            return one
    raise UnknownName("tokenizer", name, [one.name for one in tokenizers()], listing=LISTING)


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == ".")


def nearest_tokenizer(vocabulary: int) -> Tokenizer:
    """The measured tokenizer whose vocabulary is nearest in size: what stands in where a model's own is not known.

    Vocabularies of one size differ by some 10 % in English, by more in languages that one of them was not made for.
    """
    return min(tokenizers(), key=lambda one: abs(log(one.vocabulary / max(1, vocabulary))))
