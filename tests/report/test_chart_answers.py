"""Charts of one answer, a model, a value and of laws over compute: valid Vega-Lite, whose data are the answer's own."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("altair", reason="charts need the extra plot")

from isoflop import laws
from isoflop.ask import bind, solve_question
from isoflop.ask.sensitivity import courses, moved
from isoflop.errors import BadInput, MissingData
from isoflop.flags.numbers import stored_in
from isoflop.hardware import devices
from isoflop.model import describe
from isoflop.model.sheet import lengths, sheet
from isoflop.quantize import FORMATS
from isoflop.report.chart_answer import course_chart, moved_chart
from isoflop.report.chart_compare import ahead_chart, compare_chart
from isoflop.report.chart_devices import roof_chart
from isoflop.report.chart_model import component_chart
from isoflop.report.chart_numbers import stored_chart

SEED = {"train_cost": "$100m", "tokens": "4T", "device": "tpu-v4", "price": "$1.45/chip/h", "mfu": "0.3 to 0.5"}


def rows_of(chart: object) -> list[dict[str, object]]:
    """All data of a chart, which is valid Vega-Lite."""
    made = chart.to_dict()  # type: ignore[attr-defined]
    json.dumps(made, allow_nan=False)
    found = [*made.get("datasets", {}).values()]

    def walk(part: object) -> None:
        if isinstance(part, dict):
            data = part.get("data")
            if isinstance(data, dict) and "values" in data:
                found.append(data["values"])
            for one in part.values():
                walk(one)
        elif isinstance(part, list):
            for one in part:
                walk(one)

    walk({key: part for key, part in made.items() if key != "datasets"})
    return [row for rows in found for row in rows]


@pytest.mark.parametrize("width", [260, 720])
def test_a_tornado_ends_where_the_answer_does(width: int) -> None:
    question = bind(SEED)
    answer = solve_question(question, "params")
    found = moved(question, answer)
    ends = {row["to"] for row in rows_of(moved_chart(answer, found, width=width)) if "to" in row}
    assert ends == {end for one in found for end in one.gives}
    with pytest.raises(MissingData, match="nothing"):
        moved_chart(answer, [])


@pytest.mark.parametrize("width", [260, 720])
def test_courses_are_drawn_with_the_point_of_now(width: int) -> None:
    question = bind(SEED)
    answer = solve_question(question, "params")
    found = courses(question, answer, ["train_cost", "mfu"])
    rows = rows_of(course_chart(answer, found, width=width, mode="dark"))
    assert sum("at" in row for row in rows) == sum(len(one.at) for one in found)
    with pytest.raises(MissingData, match="range"):
        course_chart(answer, [])


def test_components_add_up_to_the_whole() -> None:
    described = describe("deepseek-v3")
    rows = rows_of(component_chart(sheet(described, lengths(described))))
    bars = {row["of"] for row in rows}
    assert len(bars) == 4, "experts: active parameters have a bar of their own"
    for bar in bars:
        assert max(float(str(row["end"])) for row in rows if row["of"] == bar) == pytest.approx(1.0)


def test_a_value_is_drawn_in_every_format() -> None:
    found = stored_in(3.14159, FORMATS, 4.0)
    rows = rows_of(stored_chart(found))
    assert {row["format"] for row in rows} >= {"BF16", "FP32"}
    with pytest.raises(MissingData, match="zero"):
        stored_chart(stored_in(0.0, FORMATS, 1.0))


def test_devices_are_drawn_and_those_that_nothing_beats_are_named() -> None:
    rows = rows_of(roof_chart(devices().values(), "bf16", width=400))
    drawn = {str(row["device"]): row for row in rows if "device" in row}
    assert drawn["h100-sxm-80gb"]["peak"] == pytest.approx(989.4, abs=0.6)
    assert len({row["maker"] for row in drawn.values()}) <= 5
    with pytest.raises(MissingData, match="no device"):
        roof_chart([], "bf16")


def test_two_laws_are_drawn_over_the_same_compute() -> None:
    found = laws.compare(laws.believed("besiroglu2024"), laws.believed("hoffmann2022-tex"))
    curves = rows_of(compare_chart(found, "curves"))
    assert {row["law"] for row in curves} == {"besiroglu2024", "hoffmann2022-tex"}
    banded = {row["law"] for row in curves if "low" in row}
    assert banded == {"besiroglu2024"}, "only that law has a spread"
    sizes = [row for row in rows_of(compare_chart(found, "sizes")) if row["law"] == "besiroglu2024"]
    middle = next(row for row in sizes if np.isclose(float(str(row["compute"])), 10 ** (20 + 5 / 12 * 6)))
    best = laws.published("besiroglu2024").law.allocate(float(str(middle["compute"])))
    assert float(str(middle["params"])) == pytest.approx(float(best.params), rel=1e-6)


def test_a_fit_is_drawn_beyond_its_runs() -> None:
    size, ratio = (part.ravel() for part in np.meshgrid(np.geomspace(5e7, 2e9, 6), np.geomspace(5, 200, 6)))
    law = laws.Chinchilla(E=1.7, A=400.0, B=900.0, alpha=0.34, beta=0.36)
    loss = law.loss(size, size * ratio) * np.exp(0.003 * np.random.default_rng(0).standard_normal(36))
    runs = laws.Runs.of(params=size, tokens=size * ratio, loss=loss)
    fit = laws.fit(runs, "chinchilla", laws.Options(bootstrap=50))
    rows = rows_of(ahead_chart(fit, runs))
    drawn = [float(str(row["compute"])) for row in rows if "law" in row]
    assert max(drawn) == pytest.approx(100 * fit.origin.ranges["flops"][1])
    with pytest.raises(BadInput, match="more than params"):
        ahead_chart(laws.fit(runs, "power-params", laws.Options(bootstrap=20)), runs)
