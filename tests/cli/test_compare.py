"""Things side by side: what a word is taken for, what differs by what ratio, and what cannot be compared."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.cli import main
from isoflop.report.beside import Beside, beside_json, beside_text
from isoflop.report.lines import Line


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(words)
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


def figures(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, object]]:
    code, out, err = run(capsys, "compare", *words, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    return {one["name"]: one for one in found["figures"]}


def test_devices_differ_by_the_ratio_of_their_figures(capsys: pytest.CaptureFixture[str]) -> None:
    from isoflop import device

    found = figures(capsys, "h100-sxm", "h200-sxm", "mi300x")
    bandwidths = [device(name).memory.bandwidth for name in ("h100-sxm", "h200-sxm", "mi300x")]
    values = [one.value for one in bandwidths if one is not None]
    assert found["memory.bandwidth"]["values"] == values
    assert found["memory.bandwidth"]["ratios"] == pytest.approx([1.0, values[1] / values[0], values[2] / values[0]])
    assert found["kind"]["same"] is True
    assert found["kind"]["ratios"] == [None, None, None]


def test_models_are_counted_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    from isoflop import describe
    from isoflop.model import counts

    found = figures(capsys, "llama-3.1-8b", "qwen3-8b")
    sizes = [counts(describe(name).spec).params for name in ("llama-3.1-8b", "qwen3-8b")]
    assert found["params.total"]["values"] == sizes


def test_layouts_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "dp=8", "dp=1,tp=8", "--model", "llama-3.1-8b", "--on", "8xh100-sxm", "--sequence", "4k")
    assert found["chosen.layout.tp"]["values"] == [1.0, 8.0]
    assert found["fits"]["texts"] == ["no", "yes"]
    time = found["chosen.step_time"]["values"]
    assert isinstance(time, list)
    assert time[1] > time[0]  # tensor parallelism pays for its memory in time


def test_saved_plans_and_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    texts = [
        run(capsys, "plan", "--budget", money, "--on", "tpu-v4", "--samples", "200", "--json")[1]
        for money in ("$4k", "$8k")
    ]
    saved = tmp_path / "a.json"
    saved.write_text(texts[0], encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO(texts[1]))
    found = figures(capsys, str(saved), "-")
    assert found["answers.train_cost"]["ratios"] == pytest.approx([1.0, 2.0])
    assert found["answers.chip_time"]["ratios"] == pytest.approx([1.0, 2.0], rel=1e-3)


def test_the_same_thing_twice_does_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "compare", "besiroglu2024", "besiroglu2024")
    assert code == 0
    assert "figures are the same" in out


@pytest.mark.parametrize("columns", ["60", "80", "160"])
def test_text_keeps_to_the_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run(capsys, "compare", "h100-sxm", "h200-sxm", "b200-sxm", "mi300x")
    assert max(map(len, out.splitlines())) <= int(columns)


@pytest.mark.parametrize("form", ["md", "html", "csv", "latex"])
def test_every_form(capsys: pytest.CaptureFixture[str], form: str) -> None:
    code, out, err = run(capsys, "compare", "h100-sxm", "h200-sxm", "--format", form)
    assert (code, err) == (0, "")
    assert "1.43" in out
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert {"figure", "unit", "h100-sxm-80gb", "h200-sxm-141gb"} <= set(rows[0])


def test_the_chart_goes_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")
    path = tmp_path / "a.svg"
    assert run(capsys, "compare", "h100-sxm", "h200-sxm", "--out", str(path))[0] == 0
    assert "memory bandwidth" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "compare 2 to 4"),
        (("h100-sxm",), "compare 2 to 4"),
        (("h100-sxm",) * 5, "compare 2 to 4"),
        (("llama-3.1-8b", "h100-sxm"), "llama-3.1-8b is a model, h100-sxm is a device"),
        (("h100-sxn", "h200-sxm"), "Did you mean"),
        (("dp=1", "dp=2"), "say which"),
        (("llama-3.1-8b", "qwen3-8b", "--model", "7B"), "are for devices and layouts"),
        (("a.csv", "b.csv"), "no model"),
        (("./nowhere.json", "./nothing.json"), "not there"),
    ],
)
def test_what_cannot_be_compared(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str) -> None:
    code, out, err = run(capsys, "compare", *words)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


def test_a_file_that_is_no_answer_says_what_would_be(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}', encoding="utf-8")
    code, _, err = run(capsys, "compare", str(path), str(path))
    assert code == 2
    assert "--json" in err


cells = st.floats(min_value=1e-30, max_value=1e30) | st.none() | st.text("ab", max_size=3)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=6))
def test_any_figures_can_be_drawn(rows: list[tuple[float | str | None, ...]]) -> None:
    lines = tuple(
        Line(name=f"n{i}", title=f"n{i}", unit="", cells=row, texts=tuple("" if c is None else str(c) for c in row))
        for i, row in enumerate(rows)
    )
    found = Beside(kind="thing", names=("one", "two", "three"), lines=lines)
    assert beside_text(found, width=80)
    assert len(found.differing) + len(found.alike) == len(rows)
    for one in json.loads(json.dumps(beside_json(found)))["figures"]:
        assert one["ratios"][0] in {None, 1.0}


def objects() -> st.SearchStrategy[dict[str, object]]:
    """JSON objects like answers: figures with units, ledgers, and whatever else."""
    leaf = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5) | st.integers()
    keys = st.sampled_from(
        ["value", "unit", "low", "high", "total", "terms", "answers", "mfu", "name", "quantity", "x"]
    )
    values = leaf | st.sampled_from(["byte", "FLOP", "1", "s", "no unit"])
    return st.recursive(
        st.dictionaries(keys, values, max_size=5),
        lambda inner: st.dictionaries(keys, values | inner | st.lists(inner | values, max_size=3), max_size=5),
        max_leaves=8,
    )


@given(objects(), objects())
def test_any_saved_object_is_read(first: dict[str, object], second: dict[str, object]) -> None:
    from isoflop.report.flatten import lines_of

    lines = lines_of([first, second])
    assert len({line.name for line in lines}) == len(lines)
    found = Beside(kind="answer", names=("a", "b"), lines=tuple(line for line in lines if not line.is_empty))
    assert beside_text(found)
    json.dumps(beside_json(found), allow_nan=False)
