"""The file format of laws: TOML tables checked key by key and made into forms."""

from __future__ import annotations

from dataclasses import fields
from math import exp, isfinite
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.laws.entry import Published, Spread
from isoflop.laws.forms import Chinchilla, Kaplan, Ratio, TiedChinchilla, TokensPower
from isoflop.laws.hyper import HyperParameters, Powers
from isoflop.laws.interface import Convention, Counts, Work, positive  # msgspec reads them at run time
from isoflop.laws.limits import FittedOn
from isoflop.laws.surface import Surface
from isoflop.quantity import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.laws.entry import Form

Coefficients = dict[str, float | dict[str, float]]
FormType = TypeVar("FormType", Chinchilla, TiedChinchilla, Kaplan, Ratio, TokensPower)


def read_law(path: str | Path) -> Published:
    """A user's own law: a file with the keys of one entry of published.toml; form, coefficients and source are due."""
    place = shorten(str(path), most=200)
    entry = read_entry(read_toml(path), place)
    return law_of(Path(path).stem, entry, place, {})


class _Convention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    params: Counts = "total"
    flops: Work = "6nd"


class _FittedOn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    of: str
    params: tuple[float, float] | None = None
    tokens: tuple[float, float] | None = None
    train_flops: tuple[float, float] | None = None


class _Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    missing: str = ""
    like: str = ""
    coordinates: tuple[str, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    of: str = ""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of a file of laws, as written."""

    form: str
    coefficients: Coefficients
    source: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    place: str = ""
    rounding: str = ""
    convention: _Convention = _Convention()
    verified: str = ""
    note: str = ""
    fitted_on: _FittedOn = _FittedOn(of="the file names no runs")
    spread: _Spread = _Spread(missing="the file gives none")


def read_entry(table: object, place: str) -> Entry:
    """One table as an entry, its keys and types checked; `place` is what errors call it."""
    try:
        return msgspec.convert(table, Entry)
    except msgspec.ValidationError as error:
        raise BadFile(
            f"{place}: {shorten(str(error), most=200)}. A law needs form, coefficients and source."
        ) from error


def law_of(name: str, entry: Entry, place: str, entries: Mapping[str, Entry]) -> Published:
    """The law of an entry; `entries` are those of the same file, which a spread may refer to."""
    if not entry.source.strip():
        raise BadFile(f"{place}: source is empty; say where the constants come from")
    form = _build(entry, place)
    return Published(
        name=name,
        title=entry.title or name,
        form=form,
        source=entry.source,
        place=entry.place,
        rounding=entry.rounding,
        verified=entry.verified,
        note=entry.note,
        fitted_on=_fitted_on(entry.fitted_on, place),
        spread=_spread(entry.spread, form, place, entries),
        aliases=entry.aliases,
    )


def _build(entry: Entry, place: str) -> Form:
    builders: dict[str, Callable[[Coefficients, Convention, str], Form]] = {
        "chinchilla": lambda given, convention, at: _flat(Chinchilla, given, convention, at),
        "chinchilla-tied": lambda given, convention, at: _flat(TiedChinchilla, given, convention, at),
        "kaplan": lambda given, convention, at: _flat(Kaplan, given, convention, at),
        "ratio": lambda given, convention, at: _flat(Ratio, given, convention, at),
        "tokens-power": lambda given, convention, at: _flat(TokensPower, given, convention, at),
        "hyper": _hyper,
    }
    if entry.form not in builders:
        from isoflop.laws.shapes import SHAPES

        if entry.form not in SHAPES:
            raise BadFile(
                f"{place}: form '{shorten(entry.form)}' is unknown; known are {', '.join((*builders, *SHAPES))}"
            )
        builders[entry.form] = lambda given, convention, at: _surface(entry.form, given, convention, at)
    convention = Convention(params=entry.convention.params, flops=entry.convention.flops)
    try:
        form = builders[entry.form](entry.coefficients, convention, place)
    except BadFile:
        raise
    except (BadInput, OverflowError) as error:
        raise BadFile(f"{place}: coefficients: {error}") from error
    if isinstance(form, Chinchilla | TiedChinchilla | Ratio | TokensPower):
        _check_reach(form, place)
    return form


def _check_reach(form: Chinchilla | TiedChinchilla | Ratio | TokensPower, place: str) -> None:
    """Refuse constants, possible one by one, that together leave the range of floats at compute one may ask for."""
    for flops in (1e12, 1e30):
        try:
            split = form.allocate(flops)
            fine = isfinite(split.params * split.tokens) and split.params > 0 < split.tokens
        except (OverflowError, ZeroDivisionError):
            fine = False
        if not fine:
            raise BadFile(
                f"{place}: coefficients: they give no finite allocation at {flops:g} FLOP; check the exponents"
            )


def _flat(form: type[FormType], given: Coefficients, convention: Convention, place: str) -> FormType:
    """A form from coefficients under their field names, or under ln_ and that name."""
    names = [part.name for part in fields(form) if part.name != "convention"]
    accepted = {key for name in names for key in (name, f"ln_{name}")}
    for key, value in given.items():
        if key not in accepted or isinstance(value, dict):
            raise BadFile(
                f"{place}: coefficients.{shorten(key)} does not belong; due are {', '.join(names)} as numbers"
            )
    values = {}
    for name in names:
        plain, log = given.get(name), given.get(f"ln_{name}")
        if (plain is None) == (log is None):
            raise BadFile(f"{place}: coefficients need exactly one of {name} and ln_{name}")
        values[name] = plain if plain is not None else exp(float(log))  # type: ignore[arg-type]  # dicts were refused above
    return form(**values, convention=convention)  # type: ignore[arg-type]


def _surface(name: str, given: Coefficients, convention: Convention, place: str) -> Surface:
    """Any other form that can be fitted, from its coordinates (ln_R_D) or the constants themselves (R_D)."""
    from isoflop.laws.shapes import SHAPES

    shape = SHAPES[name]
    values = {key: value for key, value in given.items() if not isinstance(value, dict)}
    at = []
    for key in shape.coordinates:
        plain = key.removeprefix("ln_")
        if (key in values) == (plain in values and plain != key):
            raise BadFile(f"{place}: coefficients need exactly one of {key} and {plain}")
        value = values.pop(key, None)
        at.append(float(value) if value is not None else float(np.log(positive(plain, values.pop(plain)))))
    if values or len(given) != len(at):
        raise BadFile(f"{place}: coefficients of {name} are {', '.join(shape.coordinates)} and no others")
    return Surface(shape=shape, at=np.array(at), convention=convention)


def _hyper(given: Coefficients, convention: Convention, place: str) -> HyperParameters:
    parts = {}
    for key in ("learning_rate", "batch_tokens"):
        part = given.get(key)
        wrong = (
            not isinstance(part, dict)
            or "coefficient" not in part
            or set(part) - {part.name for part in fields(Powers)}
        )
        if wrong or set(given) - {"learning_rate", "batch_tokens"}:
            raise BadFile(
                f"{place}: coefficients need learning_rate and batch_tokens, each a table of coefficient and the"
                " exponents params, tokens, flops"
            )
        parts[key] = Powers(**part)  # type: ignore[arg-type]  # a dict: anything else is wrong
    return HyperParameters(**parts, convention=convention)


def _fitted_on(entry: _FittedOn, place: str) -> FittedOn:
    ranges = {}
    for key in ("params", "tokens", "train_flops"):
        pair: tuple[float, float] | None = getattr(entry, key)
        if pair is not None:
            if not 0 < pair[0] <= pair[1]:
                raise BadFile(f"{place}: fitted_on.{key} must be [low, high], both positive; {list(pair)} was given")
            ranges[key] = pair
    return FittedOn(of=entry.of, ranges=MappingProxyType(ranges))


def _spread(entry: _Spread, form: Form, place: str, entries: Mapping[str, Entry]) -> Spread:
    if entry.like:
        if entry.like not in entries:
            raise BadFile(f"{place}: spread.like '{shorten(entry.like)}' names no law of this file")
        entry = entries[entry.like].spread
    if not entry.covariance:
        return Spread(covariance=(), of=entry.missing or "none is given")
    if not isinstance(form, Chinchilla | TiedChinchilla):
        raise BadFile(f"{place}: spread.covariance is taken for the forms chinchilla and chinchilla-tied only")
    if entry.coordinates != form.coordinates:
        raise BadFile(f"{place}: spread.coordinates must be {list(form.coordinates)}, in this order")
    _check_covariance(entry.covariance, len(entry.coordinates), place)
    return Spread(covariance=entry.covariance, of=entry.of)


def _check_covariance(rows: tuple[tuple[float, ...], ...], size: int, place: str) -> None:
    square = len(rows) == size and all(len(row) == size for row in rows)
    matrix = np.asarray(rows) if square else np.zeros((size, size))
    if not square or not np.array_equal(matrix, matrix.T) or np.linalg.eigvalsh(matrix)[0] <= 0:
        raise BadFile(f"{place}: spread.covariance must be {size} x {size}, symmetric and positive definite")
