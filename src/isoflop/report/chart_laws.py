"""Pictures of runs and the law fitted to them: power laws, IsoFLOP profiles, surface, profiles, residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, MissingData, UntrustworthyFit
from isoflop.report.chart import finished, floats, library, log_axis, loss_axis, padded, titled
from isoflop.report.chart_history import OF_HISTORY, history_chart
from isoflop.report.chart_theme import POWER_LABELS, power_text, power_ticks
from isoflop.report.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt
    import numpy.typing as npt

    from isoflop.laws import Fit, Runs
    from isoflop.quantity import FloatArray
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

__all__ = ["OF_HISTORY", "history_chart", "runs_chart"]

_HEIGHT = 260
_GAP = 70
_MOST = 4000  # points that are drawn; more are thinned evenly

_SEEN = (0.3, 0.88)  # of viridis, what stands out from dark paper and from white

_AXES = {
    "flops": ("training compute (FLOP)", "train_flops"),
    "tokens": ("training tokens", "tokens"),
    "params": ("parameters", "params"),
}


def runs_chart(
    picture: str, runs: Runs, law: str | Fit = "chinchilla", *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """The picture of that name, of these runs and a form that is fitted to them (or the fit itself)."""
    from isoflop import laws

    if picture == "power-laws":
        return finished(_power_laws(runs, width), mode)
    if picture == "isoflop":
        return finished(_isoflop(runs, width), mode)
    drawn: Mapping[str, Callable[[Fit, Runs, int], alt.TopLevelMixin]] = {
        "surface": _surface,
        "profiles": _profiles,
        "residuals": _residuals,
        "predicted": _predicted,
    }
    if picture not in drawn:
        raise BadInput(f"no picture '{picture}'; known are power-laws, isoflop, {', '.join((*drawn, *OF_HISTORY))}")
    fit = laws.fit(runs, law, laws.Options(bootstrap=200)) if isinstance(law, str) else law
    return finished(drawn[picture](fit, runs, width), mode)


def _thin(rows: int) -> slice:
    return slice(None, None, max(1, -(-rows // _MOST)))


def _log_loss(values: list[float]) -> alt.Y:
    alt = library()
    low, high = padded(values, 0.06)
    step = 0.5 if high - low > 1.2 else 0.2 if high - low > 0.5 else 0.05
    ticks = [round(step * place, 2) for place in range(int(low / step) + 1, int(high / step) + 1)]
    return alt.Y(
        "loss:Q",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=ticks, title="loss (nats/token)", format="~g"),
    )


def _power_laws(runs: Runs, width: int) -> alt.TopLevelMixin:
    """Loss against compute, data and parameters, log-log, with a power law through the best runs of each."""
    alt = library()
    kept = runs.where(runs.usable())
    panels = [_power_panel(kept, name, width) for name in _AXES if name in kept.columns]
    if not panels:
        raise MissingData("the runs have none of flops, tokens and params")
    beside = width >= 900
    return alt.hconcat(*panels, spacing=30) if beside else alt.vconcat(*panels, spacing=30)


def _power_panel(runs: Runs, name: str, width: int) -> alt.LayerChart:
    from isoflop import laws
    from isoflop.laws.approach1 import edge

    alt = library()
    inner = max(160, (width // 3 if width >= 900 else width) - _GAP - 30)
    x, loss = runs.columns[name], runs.loss
    best = edge(x, loss)
    part = _thin(len(x))
    rows: list[Datum] = [
        {"x": a, "loss": b, "at": say(a, _AXES[name][1]), "reads": say(b, "loss")}
        for a, b in zip(floats(x[part].tolist(), name), floats(loss[part].tolist(), "loss"), strict=True)
    ]
    axis = log_axis("x", _AXES[name][0], padded(x.tolist(), 0.03), inner)
    y = _log_loss(loss.tolist())
    tip = [alt.Tooltip("at:N", title=name), alt.Tooltip("reads:N", title="loss")]
    dots = (
        alt.Chart(alt.Data(values=rows)).mark_point(filled=True, size=22, opacity=0.55).encode(x=axis, y=y, tooltip=tip)
    )
    layers = [dots]
    said = f"{len(best)} runs on the lower edge"
    try:
        fitted = laws.fit(runs.where(_mask(best, runs.rows)), f"kaplan-{name}", laws.Options(bootstrap=200))
        exponent, (low, high) = fitted.constants["alpha"], fitted.interval(0.8)["alpha"]
        said = f"loss ~ {name}^-{exponent:.3f} ({low:.3f} to {high:.3f})"
        grid = np.geomspace(x.min(), x.max(), 40)
        line: list[Datum] = [
            {"x": float(a), "loss": float(b)} for a, b in zip(grid, fitted.predict({name: grid}), strict=True)
        ]
        layers.append(alt.Chart(alt.Data(values=line)).mark_line(style="limit", clip=True).encode(x=axis, y=y))
    except UntrustworthyFit as error:
        said = f"no power law: {str(error)[:80]}"
    heading = f"Loss against {_AXES[name][0]}"
    return alt.layer(*layers).properties(width=inner, height=_HEIGHT, title=titled(heading, said, inner))


def _mask(rows: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(size, dtype=np.bool_)
    found[rows] = True
    return found


def _isoflop(runs: Runs, width: int) -> alt.TopLevelMixin:
    """Each budget's valley with its parabola, the bottoms, and the line they lie on."""
    from isoflop import laws

    alt = library()
    line = laws.isoflop_line(runs)
    inner = max(200, width - _GAP - 120)
    dots: list[Datum] = []
    curves: list[Datum] = []
    bottoms: list[Datum] = []
    for one in line.profiles:
        name = f"{power_text(one.flops)} FLOP"
        dots += [
            {"params": float(n), "loss": float(v), "budget": name} for n, v in zip(one.params, one.loss, strict=True)
        ]
        if one.bracketed:
            size = np.log(one.params)
            coefficients = np.polyfit(size - size.mean(), np.log(one.loss), 2)
            grid = np.linspace(size.min(), size.max(), 30)
            curve = np.exp(np.polyval(coefficients, grid - size.mean()))
            curves += [
                {"params": float(np.exp(n)), "loss": float(v), "budget": name} for n, v in zip(grid, curve, strict=True)
            ]
            bottoms.append({"params": one.best_params, "loss": one.best_loss, "budget": name})
    x = log_axis("params", "parameters", padded([float(row["params"]) for row in dots], 0.03), inner)  # type: ignore[arg-type]  # numbers
    y = loss_axis("loss", [float(row["loss"]) for row in dots])  # type: ignore[arg-type]  # numbers
    names = [f"{power_text(one.flops)} FLOP" for one in line.profiles]
    scale = alt.Scale(scheme=alt.SchemeParams(name="viridis", extent=_SEEN), domain=names)
    color = alt.Color("budget:N", sort=names, scale=scale, legend=alt.Legend(title="budget"))
    base = [
        alt.Chart(alt.Data(values=dots)).mark_point(filled=True, size=26).encode(x=x, y=y, color=color),
        alt.Chart(alt.Data(values=curves)).mark_line(clip=True).encode(x=x, y=y, color=color),
        alt.Chart(alt.Data(values=bottoms)).mark_point(style="plan", filled=True).encode(x=x, y=y, tooltip="budget:N"),
    ]
    low, high = line.interval(0.8)
    said = f"best size grows as FLOP to the power {line.exponent:.3f} ({low:.3f} to {high:.3f})"
    said += f"; {len(line.left_out)} budgets not bracketed" if line.left_out else ""
    return alt.layer(*base).properties(width=inner, height=_HEIGHT + 80, title=titled("IsoFLOP profiles", said, inner))


def _inputs(fit: Fit) -> None:
    if not {"params", "tokens"} <= set(fit.shape.inputs):
        raise BadInput(f"{fit.shape.name} does not follow params and tokens; draw its residuals or predicted")


def _surface(fit: Fit, runs: Runs, width: int) -> alt.TopLevelMixin:
    """The fitted loss over compute and size, with the runs on it and the best size as a line."""
    from isoflop.laws.fit_file import form_of

    alt = library()
    _inputs(fit)
    kept = runs.where(runs.usable())
    inner = max(200, width - _GAP - 100)
    flops, params = kept.columns["flops"], kept.columns["params"]
    c_ends, n_ends = padded(flops.tolist(), 0.03), padded(params.tolist(), 0.03)
    c_edges, n_edges = np.geomspace(*c_ends, 61), np.geomspace(*n_ends, 41)
    c, n = np.sqrt(c_edges[1:] * c_edges[:-1]), np.sqrt(n_edges[1:] * n_edges[:-1])
    law = form_of(fit)
    loss = np.asarray(law.loss(n[:, None], c[None] / 6.0 / n[:, None]))
    cells = _cells(c_edges, n_edges, np.minimum(loss, float(kept.loss.max()) * 1.05))
    x = log_axis("c", "training compute (FLOP)", c_ends, inner)
    y = alt.Y("n:Q", scale=alt.Scale(type="log", domain=list(n_ends), nice=False), axis=_log_axis(n_ends, "parameters"))
    color = alt.Color("loss:Q", scale=alt.Scale(scheme="viridis", reverse=True), legend=alt.Legend(title="loss"))
    best: list[Datum] = [
        {"c": float(a), "n": float(b)} for a, b in zip(c, np.asarray(law.allocate(c).params), strict=True)
    ]
    part = _thin(kept.rows)
    dots: list[Datum] = [
        {"c": float(a), "n": float(b), "loss": float(v)}
        for a, b, v in zip(flops[part], params[part], kept.loss[part], strict=True)
    ]
    layers = [
        alt.Chart(alt.Data(values=cells)).mark_rect().encode(x=x, x2="c2:Q", y=y, y2="n2:Q", color=color),
        alt.Chart(alt.Data(values=dots)).mark_point(filled=True, size=30, stroke="white").encode(x=x, y=y, color=color),
        alt.Chart(alt.Data(values=best)).mark_line(style="plan-interval", clip=True).encode(x=x, y=y),
    ]
    said = "line: best size for the compute; points: runs, coloured by loss"
    return alt.layer(*layers).properties(width=inner, height=_HEIGHT + 60, title=titled("Fitted loss", said, inner))


def _cells(across: FloatArray, up: FloatArray, loss: FloatArray) -> list[Datum]:
    """The rectangles between edges, each with its loss; each reaches under the next ones, so that no seams show."""
    right, top = len(across) - 1, len(up) - 1
    return [
        {
            "c": across[j],
            "c2": across[min(j + 2, right)],
            "n": up[i],
            "n2": up[min(i + 2, top)],
            "loss": float(loss[i, j]),
        }
        for i in range(top)
        for j in range(right)
    ]


def _log_axis(ends: tuple[float, float], title: str) -> alt.Axis:
    return library().Axis(values=power_ticks(*ends, most=6), labelExpr=POWER_LABELS, title=title, grid=True)


def _profiles(fit: Fit, runs: Runs, width: int) -> alt.TopLevelMixin:
    """The objective over each constant, everything else fitted anew, with the rise that chance allows."""
    from isoflop import laws

    alt = library()
    free = [name for name in fit.shape.coordinates if name not in fit.fixed and name not in fit.ties]
    columns = max(1, min(3, width // 240))
    inner = max(140, width // columns - _GAP - 20)
    panels = []
    for name in free:
        one = laws.profile(fit, runs, name, points=21)
        rows: list[Datum] = [
            {"at": float(a), "above": float(b / one.threshold)} for a, b in zip(one.values, one.above, strict=True)
        ]
        x = alt.X("at:Q", scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(title=name, tickCount=4))
        y = alt.Y("above:Q", scale=alt.Scale(domain=[0, 4]), axis=alt.Axis(title="rise over what chance allows"))
        curve = alt.Chart(alt.Data(values=rows)).mark_line(clip=True, point=True).encode(x=x, y=y)
        rule = alt.Chart(alt.Data(values=[{"above": 1.0}])).mark_rule(style="limit").encode(y=y)
        said = f"{one.low:.4g} to {one.high:.4g}".replace("inf", "open")
        panels.append(alt.layer(curve, rule).properties(width=inner, height=150, title=titled(name, said, inner)))
    return alt.concat(*panels, columns=columns, spacing=20)


def _residuals(fit: Fit, runs: Runs, width: int) -> alt.TopLevelMixin:
    """Residuals against compute, size, and tokens for each parameter."""
    alt = library()
    kept = runs.where(runs.usable(fit.shape.inputs, fit.target))
    names = [
        name
        for name in dict.fromkeys(("flops", "params", "tokens_per_param", *fit.shape.inputs))
        if name in kept.columns
    ]
    residuals = np.log(fit.predict(kept.columns)) - np.log(kept.columns[fit.target])
    inner = max(200, width - _GAP)
    part = _thin(kept.rows)
    panels = []
    for name in names[:4]:
        values = kept.columns[name][part]
        rows: list[Datum] = [
            {"x": float(a), "off": float(100 * r)} for a, r in zip(values, residuals[part], strict=True)
        ]
        x = log_axis("x", name.replace("_", " "), padded(values.tolist(), 0.03), inner)
        y = alt.Y("off:Q", axis=alt.Axis(title="law over run (%)"))
        dots = alt.Chart(alt.Data(values=rows)).mark_point(filled=True, size=22, opacity=0.6).encode(x=x, y=y)
        rule = alt.Chart(alt.Data(values=[{"off": 0.0}])).mark_rule(style="limit").encode(y=y)
        title = titled(f"Residuals, {name.replace('_', ' ')}", "", inner)
        panels.append(alt.layer(dots, rule).properties(width=inner, height=150, title=title))
    return alt.vconcat(*panels, spacing=20)


def _predicted(fit: Fit, runs: Runs, width: int) -> alt.TopLevelMixin:
    """What the law says against what was measured, with the diagonal."""
    alt = library()
    kept = runs.where(runs.usable(fit.shape.inputs, fit.target))
    part = _thin(kept.rows)
    said = fit.predict({name: kept.columns[name][part] for name in fit.shape.inputs})
    seen = kept.columns[fit.target][part]
    rows: list[Datum] = [{"seen": float(a), "said": float(b)} for a, b in zip(seen, said, strict=True)]
    ends = [float(min(seen.min(), said.min())), float(max(seen.max(), said.max()))]
    inner = max(200, min(width - _GAP, 520))
    scale = alt.Scale(domain=ends, zero=False, nice=False)
    x = alt.X("seen:Q", scale=scale, axis=alt.Axis(title=f"measured {fit.target}"))
    y = alt.Y("said:Q", scale=scale, axis=alt.Axis(title=f"{fit.shape.name}"))
    dots = alt.Chart(alt.Data(values=rows)).mark_point(filled=True, size=22, opacity=0.6).encode(x=x, y=y)
    line = alt.Chart(alt.Data(values=[{"seen": end, "said": end} for end in ends])).mark_line(style="limit")
    off = float(np.median(np.abs(said / seen - 1.0)))
    words = f"median error {off:.2%} of {kept.rows} rows"
    layers = alt.layer(line.encode(x=x, y=y), dots)
    return layers.properties(width=inner, height=inner, title=titled("Predicted against seen", words, inner))
