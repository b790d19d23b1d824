"""Laws: the published ones and what each makes of a budget; or a law fitted to runs, in `laws_fit`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop import laws
from isoflop.quantity import quantity, read
from isoflop.report import Blocks, Column, Row, page, table_csv, table_html, table_json
from isoflop.report.chart_laws import history_chart
from isoflop.web import law_words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import table_part
from isoflop.web.views.laws_fit import CHARTS, CUTS, fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import altair as alt

    from isoflop.report import Cell
    from isoflop.report.chart_theme import Mode
    from isoflop.report.json import Json

HISTORY = {"growth": "How fast what published models took has grown"}
BUDGETS = (1e21, 1e23, 1e25)
Table = tuple["list[Column | str]", "list[tuple[Cell, ...]]"]


def answer(given: Mapping[str, str]) -> Shown:
    """A fit where runs are given, else the published laws."""
    guarded(given, texts=VIEW.texts)
    return fitted(given) if law_words.has_runs(given) else _published(given)


# --- published -------------------------------------------------------------------------------------------------------


def _published(given: Mapping[str, str]) -> Shown:
    """What every published law makes of a budget: parameters, tokens, loss."""
    budgets = [float(read(given["flops"], quantity("train_flops")).spread.median)] if "flops" in given else [*BUDGETS]
    listing, splits = _listing(), _splits(budgets)
    rows = (
        Row(
            label="published laws",
            value=f"{len(laws.published_laws())} with verified constants",
            remark="upload runs to fit one of your own; learning rate and batch have their own tab",
        ),
    )
    return Shown(
        blocks=(Blocks(rows=rows),),
        json=partial(_published_json, listing, splits),
        parts=(
            table_part("How each splits a budget", "splits", splits, unfolded=True),
            table_part("Every published law", "published", listing),
        ),
        links={"published laws": "published"},
        says={"published laws": "Every constant was checked against the page of its source that is named in the list."},
        charts={kind: _history(kind) for kind in HISTORY},
        page=lambda: page("Published scaling laws", table_html(*listing), table_html(*splits)),
        csv=partial(table_csv, *splits),
    )


def _history(kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        return history_chart(kind, width=width, mode=mode)

    return draw


def _published_json(listing: Table, splits: Table) -> dict[str, Json]:
    return {"schema_version": 1, "laws": table_json(*listing), "splits": table_json(*splits)}


def _listing() -> Table:
    rows: list[tuple[Cell, ...]] = [
        (law.name, law.title, law.form.convention.params, f"{law.source}, {law.place}", law.verified)
        for law in laws.published_laws().values()
    ]
    return ["law", "is", "counts", "source", "verified"], rows


def _splits(budgets: Sequence[float]) -> Table:
    columns: list[Column | str] = [
        Column(name="train_flops", title="compute", quantity="train_flops"),
        "law",
        Column(name="params", quantity="params", title="parameters"),
        Column(name="tokens", quantity="tokens"),
        Column(name="loss", quantity="loss", title="loss (its own tokens)"),
    ]
    rows: list[tuple[Cell, ...]] = []
    for flops in budgets:
        for law in laws.published_laws().values():
            found = _allocated(law, flops)
            if found is not None:
                rows.append((flops, law.name, *found))
    return columns, rows


def _allocated(law: laws.Published, flops: float) -> tuple[Cell, ...] | None:
    from isoflop.errors import MissingData

    try:
        found = law.allocator.allocate(flops)
    except MissingData:  # a law of something else than how to split compute
        return None
    loss = getattr(found, "loss", None)  # a split alone says nothing of loss
    return float(found.params), float(found.tokens), None if loss is None else float(loss)


VIEW = View(
    name="laws",
    title="Laws",
    tab="Published, or fitted",
    lead="How the published laws split a budget; or fit one to your runs, with every check a referee would make.",
    posts=True,
    slow=True,
    button="Fit or list",
    groups=(
        law_words.runs_group("Your runs", law_words.FORM),
        Group(
            title="Held against the dearest runs",
            fields=(
                Field(name="train-below", label="Fit to runs at most here", example="3e20",
                      hint="The dearer ones are predicted, by every form and by baselines."),
                Field(name="by", label="Of what", kind="choice", choices=CUTS),
            ),
        ),
        Group(title="Published laws", open=True,
              fields=(Field(name="flops", label="Budget to split", example="1e24", hint="FLOP, or 3700 PF-days."),)),
    ),
    answer=answer,
    charts={**CHARTS, **HISTORY},
    examples=(
        ("What the published laws say of 3,700 PF-days", {"flops": "3700 PF-days"}),
        ("Chinchilla's runs, fitted", {"sample": "chinchilla", "form": "chinchilla"}),
        ("The same, all forms weighed", {"sample": "chinchilla", "form": "auto"}),
        ("Held against its dearest runs", {"sample": "chinchilla", "train-below": "3e20"}),
    ),
)  # fmt: skip
