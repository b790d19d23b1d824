"""Every form that an answer can be given in, behind one door: `drawn(answer)` for any answer of the house.

The command line, notebooks and the HTML report ask here, so that each format exists once and a new kind of answer is
added in one place (`_MAKERS`). Nothing is drawn before it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.errors import MissingData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import altair as alt

    from isoflop.report.chart_theme import Mode
    from isoflop.report.json import Json
    from isoflop.report.methods import Methods
    from isoflop.report.table import Cell, Column

    Table = tuple[Sequence[Column | str], Iterable[Sequence[Cell]]]
    Draw = Callable[[int, Mode], alt.TopLevelMixin]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a page about an answer says: what was asked, the answer, how it follows, what it takes for granted.

    `answer` and `derivation` are HTML fragments. `question` pairs what was given with how. `sources` are citations as
    steps carry them ("kaplan2020 §2.1").
    """

    title: str
    answer: str
    question: tuple[tuple[str, str], ...] = ()
    derivation: str = ""
    assumptions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    methods: Methods | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One answer in every form it has.

    `text` takes explain, width, color and ascii_only; `markdown` whether to explain. `table` is what CSV and LaTeX
    hold; `charts` draw at a width in pixels for a light or a dark page; `more` are forms that only this kind has.
    """

    text: Callable[..., str]
    json: Callable[[], Mapping[str, Json]]
    markdown: Callable[[bool], str]
    story: Callable[[], Story]
    table: Callable[[], Table] | None = None
    charts: Mapping[str, Draw] = field(default_factory=lambda: MappingProxyType({}))
    more: Mapping[str, Callable[[], str]] = field(default_factory=lambda: MappingProxyType({}))


_MAKERS = {
    "isoflop.ask.planner.Plan": "drawn_plan",
    "isoflop.ask.vary.Beside": "plan_beside",
    "isoflop.ask.checker.CheckResult": "drawn_check",
    "isoflop.audit.run.Report": "drawn_audit",
    "isoflop.laws.result.Fit": "drawn_fit",
    "isoflop.model.names.Description": "drawn_model",
    "isoflop.laws.decide.compare.Comparison": "drawn_laws",
    "isoflop.laws.decide.design.Design": "drawn_laws",
    "isoflop.quantize.report.Report": "drawn_quantize",
    "isoflop.relation.answer.Answer": "drawn_answer",
    "isoflop.relation.answer.Ledger": "drawn_answer",
    "isoflop.report.laws_allocate.Allocated": "drawn_laws",
    "isoflop.report.laws_running.Foreseen": "drawn_laws",
    "isoflop.report.beside.Beside": "beside",
    "isoflop.serving.advice.Service": "drawn_serving",
    "isoflop.training.account.Account": "drawn_cost",
    "isoflop.training.many.Many": "many",
    "isoflop.training.advice.Advice": "drawn_training",
}
"""The module of this room that draws a class; its function `drawn` does."""


def drawn(found: object) -> Drawn:
    """Every form of an answer. Raises: MissingData for an object that is no answer."""
    for cls in type(found).__mro__:
        home = _MAKERS.get(f"{cls.__module__}.{cls.__qualname__}")
        if home is not None:
            made = import_module(f"isoflop.report.{home}").drawn(found)
            assert isinstance(made, Drawn)
            return made
    raise MissingData(f"nothing draws a {type(found).__name__}; print its parts")
