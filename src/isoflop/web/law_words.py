"""What the forms under Laws say: runs in a table, a law by name or by its runs, and the options of `isoflop laws`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import click

from isoflop import laws
from isoflop.errors import BadInput, MissingData, UnknownName
from isoflop.flags.laws import aim_options, schedule_options
from isoflop.web import words
from isoflop.web.fields import Field, Group
from isoflop.web.names import guarded
from isoflop.web.uploads import runs_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws import Belief, Fit, Runs

SHAPES = ("auto", *laws.SHAPES)
LEVEL = 0.8
BOOTSTRAP = 400

SAMPLES = ("chinchilla", "cosine")
"""Tables that come along, to try a form with: 234 runs behind Chinchilla (digitised by Besiroglu et al. from figure 4
of Hoffmann et al. 2022; kyo-takano/chinchilla, Apache-2.0), and the log of a run with a cosine schedule."""

FILE_HINT = "CSV, TSV, JSON Lines or JSON, up to 5 MB; read in memory, kept nowhere."
TABLE = Field(
    name="table",
    label="or paste it",
    kind="area",
    hint="The first line names the columns.",
    example="params,tokens,loss",
)
COLUMNS = Field(
    name="columns", label="Columns", kind="area", hint="One quantity=column a line, where the names are not known."
)
SAMPLE = Field(name="sample", label="or an example's", kind="choice", choices=SAMPLES)
FORM = Field(
    name="form",
    label="Law",
    kind="choice",
    choices=SHAPES,
    hint="auto weighs all forms by what they would have predicted.",
)


def runs_group(title: str = "Your runs", *further: Field, unfolded: bool = True) -> Group:
    """Runs: a file, or pasted; and what its columns are."""
    file = Field(name="runs", label="A table of runs", kind="file", hint=FILE_HINT)
    return Group(title=title, open=unfolded, fields=(file, TABLE, COLUMNS, SAMPLE, *further))


def has_runs(given: Mapping[str, str], table: str = "table") -> bool:
    """Whether a table was sent."""
    return bool(table_of(given, table)[0])


def table_of(given: Mapping[str, str], table: str = "table") -> tuple[str, str]:
    """The text of a table that was sent, and its name; empty where none was. Raises: UnknownName for the sample."""
    text = given.get(table, "")
    if text.strip() or table != "table" or "sample" not in given:
        return (text if text.strip() else ""), given.get(f"{table}-name", "")
    if given["sample"] not in SAMPLES:
        raise UnknownName("example", given["sample"], SAMPLES, hint=f"There are: {', '.join(SAMPLES)}.")
    return _sample(given["sample"]), f"{given['sample']}.csv"


@cache
def _sample(name: str) -> str:
    return files("isoflop.web").joinpath("samples", f"{name}.csv").read_text(encoding="utf-8")


def runs_of(given: Mapping[str, str], table: str = "table") -> Runs:
    """The runs that were sent. Raises: MissingData where none were, and what reading them raises."""
    text, name = table_of(given, table)
    if not text:
        raise MissingData("upload a table of runs, or paste one: params, tokens (or FLOP) and loss, a row a run")
    return runs_in(text, name, words.lines_of(given.get("columns", "")))


def form_of(given: Mapping[str, str]) -> str:
    """The form that is to be fitted. Raises: UnknownName."""
    form = given.get("form", "chinchilla")
    if form not in SHAPES:
        raise UnknownName("form of a law", form, SHAPES, hint=f"There are: {', '.join(SHAPES)}.")
    return form


def fitted(given: Mapping[str, str], runs: Runs) -> Fit:
    """The form fitted to runs."""
    return laws.fit(runs, form_of(given), laws.Options(bootstrap=BOOTSTRAP))


def believed(given: Mapping[str, str], name: str = "law", usual: str = "besiroglu2024") -> Belief:
    """A published law by name."""
    asked = given.get(name, usual)
    guarded({"law": asked})
    if asked not in laws.published_laws():
        raise UnknownName("published law", asked, laws.published_laws(), listing="isoflop laws published")
    return laws.believed(asked)


def said(given: Mapping[str, str], fields: tuple[str, ...]) -> dict[str, str]:
    """The words of some fields alone."""
    return {key: text for key, text in given.items() if key in fields}


def share_of(text: str | None, usual: float, name: str) -> float:
    """A share of one, written as 0.8 or 80%."""
    if text is None:
        return usual
    plain = text.strip()
    try:
        value = float(plain.removesuffix("%")) / (100.0 if plain.endswith("%") else 1.0)
    except ValueError:
        raise BadInput(f"{name} is a share, such as 0.8 or 80%") from None
    if not 0.0 < value < 1.0:
        raise BadInput(f"{name} lies between 0 and 1; {text[:20]} was given")
    return value


@click.command("allocate")
@aim_options
def _aim(**_: object) -> None:
    """The options of an allocation."""


@click.command("running")
@schedule_options
def _schedule(**_: object) -> None:
    """The options of a schedule."""


def aim_words(given: Mapping[str, str]) -> dict[str, object]:
    """The options of an allocation."""
    return words.flags(_aim, given)


def schedule_words(given: Mapping[str, str]) -> dict[str, object]:
    """The options of a schedule."""
    return words.flags(_schedule, given)
