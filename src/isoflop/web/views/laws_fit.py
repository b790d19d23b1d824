"""A law fitted to runs that were uploaded or pasted: constants, every check, what `auto` weighed, a backtest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from isoflop import laws
from isoflop.errors import UnknownName
from isoflop.laws.fit_file import fit_object
from isoflop.quantity import quantity, read
from isoflop.report import Blocks, Column, Row, Section, page, say, table_csv, table_html
from isoflop.report.chart_compare import ahead_chart, follows_compute
from isoflop.report.chart_laws import runs_chart
from isoflop.report.laws_backtest import backtest_json
from isoflop.report.words import percent
from isoflop.web import law_words
from isoflop.web.fields import Shown
from isoflop.web.law_words import LEVEL
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt

    from isoflop.laws import Backtest, Check, Fit, Runs
    from isoflop.report import Cell
    from isoflop.report.chart_theme import Mode
    from isoflop.report.json import Json
    from isoflop.web.fields import Part

CHARTS = {
    "ahead": "Where the law points",
    "surface": "The fitted surface and the runs",
    "predicted": "Predicted against measured",
    "residuals": "What the law leaves",
    "power-laws": "Power laws through the best runs",
}
CUTS = ("flops", "params", "tokens", "tokens_per_param")
FURTHER = {"at the dearest": 1.0, "at 10x of it": 10.0, "at 100x of it": 100.0}
"""Multiples of the compute of the dearest run at which the best split is told."""

Table = tuple["list[Column | str]", "list[tuple[Cell, ...]]"]


def fitted(given: Mapping[str, str]) -> Shown:
    """The form that is asked for, fitted to the runs that were sent."""
    runs = law_words.runs_of(given)
    held = _backtest(given, runs) if "train-below" in given else None
    return shown(law_words.fitted(given, runs), runs, held)


def _backtest(given: Mapping[str, str], runs: Runs) -> Backtest:
    by = given.get("by", CUTS[0])
    if by not in CUTS:
        raise UnknownName("column to cut by", by, CUTS, hint=f"There are: {', '.join(CUTS)}.")
    at = float(read(given["train-below"], quantity("train_flops" if by == "flops" else by)).spread.median)
    return laws.backtest(runs, at, by=by, level=LEVEL, options=laws.Options(bootstrap=law_words.BOOTSTRAP))


def shown(fit: Fit, runs: Runs, held: Backtest | None) -> Shown:
    """A fit on the page: constants with intervals, every check, what was taken as what."""
    tables = _tables(fit, held)
    rows = _rows(fit, held)
    mind = tuple(f"{one.name}: {one.says}" for one in fit.checks if one.status in {"warn", "fail"})
    noted = (*fit.notes, *fit.origin.guesses, *fit.origin.notes)
    sections = (Section(heading="Mind", loud=True, lines=mind), Section(heading="Noted", lines=noted))
    usual = "forms" if fit.tried else "constants"
    return Shown(
        blocks=(Blocks(rows=tuple(rows), sections=tuple(one for one in sections if one.lines)),),
        json=lambda: _object(fit, held),
        parts=tuple(_parts(tables)),
        links={row.label: PLACES.get(row.label, usual) for row in rows},
        says=_says(fit),
        charts={kind: _chart(fit, runs, kind) for kind in _drawn(fit)},
        page=lambda: page(
            "A fitted scaling law", *(table_html(*table, caption=title) for title, table in tables.items())
        ),
        csv=partial(table_csv, *next(iter(tables.values()))),
    )


PLACES = {
    "checks": "checks",
    "at the dearest": "ahead",
    "at 10x of it": "ahead",
    "at 100x of it": "ahead",
    "backtest": "backtest",
}
ANCHORS = {
    "Forms that were weighed": "forms",
    "Constants": "constants",
    "The best split at and beyond the dearest run": "ahead",
    "Held against the dearest runs": "backtest",
    "Checks": "checks",
    "Which column was taken as what": "columns",
}


def _parts(tables: Mapping[str, Table]) -> list[Part]:
    unfolded = {"forms", "backtest"}
    return [
        table_part(title, ANCHORS[title], table, unfolded=ANCHORS[title] in unfolded) for title, table in tables.items()
    ]


def _tables(fit: Fit, held: Backtest | None) -> dict[str, Table]:
    """Title -> table, in the order of the page."""
    found: dict[str, Table] = {}
    if fit.tried:
        found["Forms that were weighed"] = _weighed(fit)
    found["Constants"] = _constants(fit)
    if follows_compute(fit):
        found["The best split at and beyond the dearest run"] = _ahead(fit)
    if held is not None:
        found["Held against the dearest runs"] = _held(held)
    found["Checks"] = _checks(fit.checks)
    found["Which column was taken as what"] = (["quantity", "column", "how"], [*fit.origin.mapping])
    return found


def _rows(fit: Fit, held: Backtest | None) -> list[Row]:
    origin = fit.origin
    left = f"; {origin.rows - origin.used} left out" if origin.rows > origin.used else ""
    rows = [Row(label="fitted", value=getattr(fit.shape, "title", fit.shape.name), remark=f"{origin.used} rows{left}")]
    if fit.tried:
        rows += [
            Row(label=one.form, value=f"{one.weight:.0%}", remark=f"rolling error {one.error:.2%}" if one.error else "")
            for one in fit.tried
            if one.weight
        ]
    else:
        rows += [
            Row(label=str(name), value=str(value), remark=f"{low} to {high} ({percent(LEVEL)})")
            for name, value, low, high in _constants(fit)[1]
        ]
    if follows_compute(fit):
        rows += [
            Row(label=label, value=f"{say(params, 'params')} on {say(tokens, 'tokens')}: loss {middle:.4g}",
                remark=f"{low:.4g} to {high:.4g} ({percent(LEVEL)}) at {say(flops, 'train_flops')}")
            for label, (flops, params, tokens, middle, low, high) in zip(FURTHER, _splits(fit), strict=True)
        ]  # fmt: skip
    if held is not None:
        rows.append(_held_row(held))
    count = {status: sum(one.status == status for one in fit.checks) for status in ("pass", "warn", "fail")}
    said = f"{count['pass']} passed, {count['warn']} warn, {count['fail']} failed"
    return [*rows, Row(label="checks", value=said, remark="of the known ways in which fits of scaling laws mislead")]


def _held_row(held: Backtest) -> Row:
    auto = held.of("auto")
    assert auto is not None
    inside = "" if auto.covered is None else f"; {auto.covered:.0%} inside its {held.level:.0%} interval"
    ahead = f", up to {held.decades:.1f} decades beyond" if held.decades > 0 else ""
    return Row(
        label="backtest",
        value=f"auto {auto.error:.2%} off{inside}",
        remark=f"fitted to {held.fitted} runs with {held.by} at most {held.below:.3g}, {held.predicted} above{ahead}",
    )


def _splits(fit: Fit) -> list[tuple[float, ...]]:
    """FLOP, params, tokens, loss, low, high at multiples of the dearest run."""
    from isoflop.laws.surface import Surface

    flops = fit.origin.ranges["flops"][1] * np.array([*FURTHER.values()])
    split = Surface(shape=fit.shape, at=fit.at).allocate(flops)
    columns = {"params": np.asarray(split.params), "tokens": np.asarray(split.tokens), "flops": flops}
    told = fit.predict_interval(columns, LEVEL)
    parts = (flops, columns["params"], columns["tokens"], *told)
    return [tuple(float(part[place]) for part in parts) for place in range(len(flops))]


def _ahead(fit: Fit) -> Table:
    columns: list[Column | str] = [
        Column(name="train_flops", title="compute", quantity="train_flops"),
        Column(name="params", quantity="params", title="best parameters"), Column(name="tokens", quantity="tokens"),
        Column(name="loss", right=True, written=lambda x: f"{x:.4f}"),
        Column(name="low", title=f"low ({percent(LEVEL)})", right=True, written=lambda x: f"{x:.4f}"),
        Column(name="high", right=True, written=lambda x: f"{x:.4f}"),
    ]  # fmt: skip
    return columns, [*_splits(fit)]


def _weighed(fit: Fit) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.form, None if one.error is None else f"{one.error:.2%}", f"{one.weight:.0%}" if one.weight else None)
        for one in fit.tried
    ]
    return ["form", Column(name="rolling error", right=True), Column(name="weight", right=True)], rows


def _held(held: Backtest) -> Table:
    names = ("error", "median", "largest", "bias", "inside", "width")
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, one.kind, f"{one.error:.2%}", f"{one.median:.2%}", f"{one.largest:.2%}", f"{one.bias:+.2%}",
            None if one.covered is None else f"{one.covered:.0%}", None if one.width is None else f"{one.width:.2%}",
        )
        for one in held.held
    ]  # fmt: skip
    return ["predictor", "is", *(Column(name=name, right=True) for name in names)], rows


def _object(fit: Fit, held: Backtest | None) -> dict[str, Json]:
    found: dict[str, Json] = fit_object(fit, level=LEVEL)  # type: ignore[assignment]  # plain data
    found["profiles"] = []
    if held is not None:
        found["backtest"] = backtest_json(held)
    return found


def _says(fit: Fit) -> dict[str, str]:
    """The law, what was minimised and where its form is from, for every constant."""
    source = getattr(fit.shape, "source", "")
    title = getattr(fit.shape, "title", fit.shape.name)
    law = "\n".join(part for part in (title, f"{fit.objective}; intervals: {fit.doubt.of}", source) if part)
    found = dict.fromkeys((*fit.constants, "params ~ FLOP^", "fitted"), law)
    rolling = "Weighed by its rolling error: fits to the cheaper 40 to 85 % of the runs, held against the rest."
    found |= {one.form: rolling for one in fit.tried}
    found["checks"] = "Each check has a number, a threshold and a remedy; open it for all of them."
    found["backtest"] = (
        "Mean of |predicted / measured - 1| over the runs above the cut; forms by themselves stand below."
    )
    split = "The lowest loss of the fitted law at so much compute, with the interval of a new run."
    return found | dict.fromkeys(FURTHER, split)


def _drawn(fit: Fit) -> tuple[str, ...]:
    """What can be drawn of this fit."""
    found = ("ahead",) if follows_compute(fit) else ()
    if fit.shape.name == "chinchilla":
        return (*found, "surface", "predicted", "residuals", "power-laws")
    return (*found, "predicted", "residuals")


def _constants(fit: Fit) -> Table:
    ends = fit.interval(LEVEL)
    rows: list[tuple[Cell, ...]] = [
        (name, f"{value:.5g}", *(f"{end:.5g}" for end in ends[name])) for name, value in fit.constants.items()
    ]
    exponent, found = fit.exponent, fit.exponent_interval(LEVEL)
    if exponent is not None and found is not None:
        rows.append(("params ~ FLOP^", *(f"{float(value):.4g}" for value in found)))
    return ["constant", *(Column(name=name, right=True) for name in ("value", "low", "high"))], rows


def _checks(found: tuple[Check, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.status, one.number if one.number is not None and np.isfinite(one.number) else None, one.says,
         one.remedy)
        for one in found
    ]  # fmt: skip
    return ["check", "status", "number", "says", "remedy"], rows


def _chart(fit: Fit, runs: Runs, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        if kind == "ahead":
            return ahead_chart(fit, runs, level=LEVEL, width=width, mode=mode)
        return runs_chart(kind, runs, fit, width=width, mode=mode)

    return draw
