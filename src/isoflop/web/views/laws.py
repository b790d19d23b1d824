"""Laws: the published ones; or a law fitted to runs that are uploaded or pasted, with every check."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from isoflop import laws
from isoflop.errors import BadInput
from isoflop.laws.fit_file import fit_object
from isoflop.quantity import quantity, read
from isoflop.report import Blocks, Column, Row, Section, page, table_csv, table_html, table_json
from isoflop.report.chart_laws import history_chart, runs_chart
from isoflop.web import words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.uploads import runs_in
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import altair as alt

    from isoflop.laws import Check, Fit, Runs
    from isoflop.report import Cell
    from isoflop.report.chart_theme import Mode
    from isoflop.report.json import Json

CHARTS = {
    "surface": "The fitted surface and the runs",
    "predicted": "Predicted against measured",
    "residuals": "What the law leaves",
    "power-laws": "Power laws through the best runs",
}
HISTORY = {"growth": "How fast what published models took has grown"}
LEVEL = 0.8
BOOTSTRAP = 400
BUDGETS = (1e21, 1e23, 1e25)
Table = tuple["list[Column | str]", "list[tuple[Cell, ...]]"]


def answer(given: Mapping[str, str]) -> Shown:
    """A fit where runs are given, else the published laws."""
    guarded(given, texts=frozenset({"table", "table_name", "columns"}))
    if not given.get("table", "").strip():
        return _published(given)
    runs = runs_in(given["table"], given.get("table-name", ""), words.lines_of(given.get("columns", "")))
    form = given.get("form", "chinchilla")
    if form not in laws.SHAPES:
        raise BadInput(f"no form '{form}'; there are: {', '.join(laws.SHAPES)}")
    return _fitted(laws.fit(runs, form, laws.Options(bootstrap=BOOTSTRAP)), runs, form)


# --- published -------------------------------------------------------------------------------------------------------


def _published(given: Mapping[str, str]) -> Shown:
    """What every published law makes of a budget: parameters, tokens, loss."""
    budgets = [float(read(given["flops"], quantity("train_flops")).spread.median)] if "flops" in given else [*BUDGETS]
    listing, splits = _listing(), _splits(budgets)
    rows = (
        Row(
            label="published laws",
            value=f"{len(laws.published_laws())} with verified constants",
            remark="upload runs to fit one of your own",
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


# --- fitted ----------------------------------------------------------------------------------------------------------


def _fitted(fit: Fit, runs: Runs, form: str) -> Shown:
    """A fit on the page: constants with intervals, every check, what was taken as what."""
    constants, checks = _constants(fit), _checks(fit.checks)
    origin = fit.origin
    left = f"; {origin.rows - origin.used} left out" if origin.rows > origin.used else ""
    rows = [Row(label="fitted", value=getattr(fit.shape, "title", form), remark=f"{origin.used} rows{left}")]
    rows += [
        Row(label=str(name), value=str(value), remark=f"{low} to {high} ({LEVEL:.0%})")
        for name, value, low, high in constants[1]
    ]
    count = {status: sum(one.status == status for one in fit.checks) for status in ("pass", "warn", "fail")}
    rows.append(
        Row(
            label="checks",
            value=f"{count['pass']} passed, {count['warn']} warn, {count['fail']} failed",
            remark="of the known ways in which fits of scaling laws mislead",
        )
    )
    sections = (
        Section(
            heading="Mind",
            loud=True,
            lines=tuple(f"{one.name}: {one.says}" for one in fit.checks if one.status in {"warn", "fail"}),
        ),
        Section(heading="Noted", lines=(*fit.notes, *origin.guesses, *origin.notes)),
    )
    return Shown(
        blocks=(Blocks(rows=tuple(rows), sections=tuple(one for one in sections if one.lines)),),
        json=lambda: fit_object(fit, level=LEVEL),  # type: ignore[arg-type,return-value]  # plain data
        parts=(
            table_part("Checks", "checks", checks),
            table_part("Constants", "constants", constants),
            table_part("Which column was taken as what", "columns", (["quantity", "column", "how"], [*origin.mapping])),
        ),
        links={row.label: "checks" if row.label == "checks" else "constants" for row in rows},
        charts={kind: _chart(runs, form, kind) for kind in _drawn(form)},
        page=lambda: page("A fitted scaling law", table_html(*constants), table_html(*checks)),
        csv=partial(table_csv, *constants),
    )


def _drawn(form: str) -> tuple[str, ...]:
    return tuple(CHARTS) if form == "chinchilla" else ("predicted", "residuals")


def _constants(fit: Fit) -> Table:
    ends = fit.interval(LEVEL)
    rows: list[tuple[Cell, ...]] = [
        (name, f"{value:.5g}", *(f"{end:.5g}" for end in ends[name])) for name, value in fit.constants.items()
    ]
    exponent, found = fit.exponent, fit.exponent_interval(LEVEL)
    if exponent is not None and found is not None:
        rows.append(("params ~ FLOP^", *(f"{float(value):.4g}" for value in found)))
    return ["constant", "value", "low", "high"], rows


def _checks(found: tuple[Check, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.status, one.number if one.number is not None and np.isfinite(one.number) else None, one.says,
         one.remedy)
        for one in found
    ]  # fmt: skip
    return ["check", "status", "number", "says", "remedy"], rows


def _chart(runs: Runs, form: str, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        return runs_chart(kind, runs, form, width=width, mode=mode)

    return draw


VIEW = View(
    name="laws",
    title="Laws",
    lead="How the published laws split a budget; or fit one to your runs, with every check a referee would make.",
    posts=True,
    slow=True,
    button="Fit or list",
    groups=(
        Group(
            title="Your runs",
            open=True,
            fields=(
                Field(name="runs", label="A table of runs", kind="file",
                      hint="CSV, TSV, JSON Lines or JSON, up to 5 MB; read in memory, kept nowhere."),
                Field(name="table", label="or paste it", kind="area", hint="The first line names the columns.",
                      example="params,tokens,loss"),
                Field(name="columns", label="Columns", kind="area", hint="One quantity=column a line."),
                Field(name="form", label="Law", kind="choice", choices=tuple(laws.SHAPES)),
            ),
        ),
        Group(title="Published laws", open=True,
              fields=(Field(name="flops", label="Budget to split", example="1e24", hint="FLOP, or 3700 PF-days."),)),
    ),
    answer=answer,
    charts={**CHARTS, **HISTORY},
    examples=(("What the published laws say of 3,700 PF-days", {"flops": "3700 PF-days"}),),
)  # fmt: skip
