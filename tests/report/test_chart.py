from __future__ import annotations

import builtins
import json
import re
from collections.abc import Callable, Iterator
from math import log10
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.samples import GIB, HOSTILE, MEMORY, TOO_LARGE, hostile_ledger

from isoflop.errors import BadFile, BadInput, MissingData
from isoflop.relation.answer import Ledger, Term
from isoflop.report import (
    Curve,
    PlanPoint,
    Valley,
    chart_html,
    chart_json,
    chart_png,
    chart_spec,
    chart_svg,
    loss_chart,
    memory_chart,
    save,
    theme,
)
from isoflop.report.chart_theme import BAR_FILLS, BAR_INK, Mode, power_ticks

COMPUTE = [10.0**power for power in range(18, 26)]
LAW = Curve(
    name="Besiroglu 2024",
    compute=COMPUTE,
    loss=[1.82 + 2 * (one / 1e18) ** -0.17 for one in COMPUTE],
    low=[1.8 + 2 * (one / 1e18) ** -0.17 for one in COMPUTE],
    high=[1.84 + 2 * (one / 1e18) ** -0.17 for one in COMPUTE],
)
OTHER = Curve(name="Hoffmann 2022", compute=COMPUTE, loss=[1.69 + 2 * (one / 1e18) ** -0.155 for one in COMPUTE])
POINT = PlanPoint(compute=1.09e21, loss=2.43, low=2.38, high=2.49)
SIZES = [10.0 ** (8.5 + step / 10) for step in range(20)]
VALLEY = Valley(
    params=SIZES, loss=[2.43 + 0.05 * log10(size / 2.9e9) ** 2 for size in SIZES], best=2.9e9, low=1.6e9, high=5.4e9
)


def numbers(part: object) -> Iterator[object]:
    """Every number in the data of a specification."""
    if isinstance(part, dict):
        for value in part.values():
            yield from numbers(value)
    elif isinstance(part, list):
        for value in part:
            yield from numbers(value)
    elif isinstance(part, int | float) and not isinstance(part, bool):
        yield part


@pytest.fixture(autouse=True)
def _charts() -> None:
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 720])
def test_charts_are_drawn(mode: Mode, width: int) -> None:
    for chart in (
        loss_chart([LAW, OTHER], POINT, VALLEY, width=width, mode=mode),
        loss_chart([LAW], width=width, mode=mode),
        memory_chart(MEMORY, width=width, mode=mode),
        memory_chart(TOO_LARGE, width=width, mode=mode),
    ):
        svg = chart_svg(chart)
        assert svg.startswith("<svg")
        drawn = float(re.search(r'width="([\d.]+)"', svg)[1])  # type: ignore[index]
        assert drawn <= width + 40
        assert "NaN" not in svg


def test_the_loss_chart_says_what_it_shows() -> None:
    svg = chart_svg(loss_chart([LAW, OTHER], POINT, VALLEY))
    for text in ("10²⁴", "training compute (FLOP)", "loss (nats/token)", "this plan", "2.43 nats/token", "2.9B"):
        assert text in svg
    assert "loss within 0.5 %: 1.6B to" in svg
    assert "Besiroglu 2024" in svg


def test_the_memory_chart_says_what_it_shows() -> None:
    svg = chart_svg(memory_chart(MEMORY))
    for text in ("limit 80 GiB", "memory (GiB/chip)", "weights 13.4 GiB", "17.1 GiB free"):
        assert text.replace("/chip", "") in svg.replace("/chip", "")


def test_data_are_floats() -> None:
    spec = chart_spec(loss_chart([LAW], POINT, VALLEY))
    sets = spec["datasets"] if "datasets" in spec else [layer["data"] for layer in spec["hconcat"][0]["layer"]]  # type: ignore[index]
    assert all(isinstance(one, float) for one in numbers(sets))


def test_integers_above_64_bits_are_taken() -> None:
    whole = Curve(name="law", compute=[10**20, 10**21, 10**22], loss=[3, 2, 1])
    assert "10²¹" in chart_svg(loss_chart([whole]))


def test_hostile_names_stay_text() -> None:
    for text in HOSTILE:
        html = chart_html(memory_chart(hostile_ledger(text)), title=text)
        head, _, rest = html.partition('<script type="application/json" id="spec">')
        data, _, _ = rest.partition("</script>")
        assert "<script" not in head
        assert "<img" not in head + data
        assert {"spec", "light", "dark"} == set(json.loads(data))
        assert not re.search(r"<script[^>]*\ssrc=|<link|@import", html)
        assert html.count("</script>") == 2
        assert "prefers-color-scheme: dark" in html.rpartition("<script")[2]


def test_hostile_names_stay_text_in_svg() -> None:
    for text in HOSTILE[:2]:
        svg = chart_svg(loss_chart([Curve(name=text, compute=[1e20, 1e21], loss=[3.0, 2.0])]))
        assert "<script>" not in svg
        assert "<img" not in svg


def test_files_by_suffix(tmp_path: Path) -> None:
    chart = memory_chart(MEMORY)
    starts = {"svg": b"<svg", "png": b"\x89PNG", "html": b"<!DOCTYPE html>", "json": b"{"}
    for suffix, start in starts.items():
        path = save(chart, tmp_path / f"chart.{suffix}")
        assert path.read_bytes().startswith(start)
    assert json.loads(chart_json(chart))["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    assert len(chart_png(chart)) > 1000


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"end the name in \.svg, \.png, \.html, \.json"):
        save(memory_chart(MEMORY), tmp_path / "chart.pdf")
    with pytest.raises(BadFile, match="choose a folder that exists"):
        save(memory_chart(MEMORY), tmp_path / "none" / "chart.svg")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: loss_chart([]), "at least one curve"),
        (lambda: loss_chart([Curve(name="law", compute=[0.0, 1.0], loss=[3.0, 2.0])]), "starts above 0"),
        (lambda: loss_chart([Curve(name="law", compute=[1e20], loss=[float("nan")])]), "came out as nan"),
        (lambda: loss_chart([LAW], POINT, Valley(params=[], loss=[], best=1e9, low=1e8, high=1e10)), "model sizes"),
        (
            lambda: memory_chart(Ledger(quantity="memory", title="", terms=(Term(name="a", value=-GIB),))),
            "negative terms",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make()


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: object, **more: object) -> object:
        if name in {"altair", "vl_convert"}:
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    chart = memory_chart(MEMORY)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingData, match=r"pip install 'isoflop\[plot\]'"):
        memory_chart(MEMORY)
    with pytest.raises(MissingData, match=r"pip install 'isoflop\[plot\]'"):
        chart_png(chart)


@given(
    st.floats(min_value=-30, max_value=30),
    st.floats(min_value=0.01, max_value=40),
    st.integers(min_value=2, max_value=9),
)
def test_ticks_lie_inside_and_do_not_crowd(start: float, decades: float, most: int) -> None:
    low, high = 10.0**start, 10.0 ** (start + decades)
    ticks = power_ticks(low, high, most=most)
    assert 1 <= len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in ticks)


def luminance(color: str) -> float:
    parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_can_be_told_from_the_paper(mode: Mode) -> None:
    config = theme(mode)
    paper = str(config["background"])
    lines: list[str] = config["range"]["category"]  # type: ignore[index]
    assert min(contrast(line, paper) for line in lines) >= 3
    axis: dict[str, str] = config["axis"]  # type: ignore[assignment]
    assert contrast(axis["labelColor"], paper) >= 4.5
    style: dict[str, dict[str, str]] = config["style"]  # type: ignore[assignment]
    assert contrast(style["limit-label"]["color"], paper) >= 4.5
    assert min(contrast(fill, BAR_INK) for fill in BAR_FILLS) >= 4.5
