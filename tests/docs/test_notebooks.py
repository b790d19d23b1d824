"""The notebooks run from top to bottom and draw their answers; they are kept without outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docs.notebooks import cells, notebooks, page, run

NAMES = [path.name for path in notebooks()]


@pytest.fixture(params=notebooks(), ids=NAMES)
def notebook(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    return path


def test_there_are_some() -> None:
    assert len(NAMES) >= 4


def test_a_notebook_runs_and_draws_its_answers(notebook: Path) -> None:
    shown = [one for _, one in run(notebook) if one is not None]
    assert sum(one.is_html for one in shown) >= 2, "a notebook that shows no table and no chart"
    assert "Traceback" not in page_of(notebook)


def page_of(notebook: Path) -> str:
    return "".join(cell.source for cell in cells(notebook))


def test_a_notebook_holds_no_outputs(notebook: Path) -> None:
    found = json.loads(notebook.read_text(encoding="utf-8"))
    assert found["nbformat"] == 4
    assert not any(cell.outputs for cell in cells(notebook))
    assert all(cell.get("execution_count") is None for cell in found["cells"])
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])


def test_a_cell_that_fails_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "bad.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["1 / 0"]}]}), encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        run(path)


def test_the_last_expression_is_what_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "small.ipynb"
    code = {"cell_type": "code", "source": ["x = 2\n", "print('so')\n", "x + 1"]}
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# t"]}, code]}), encoding="utf-8")
    assert "```text\nso\n```\n\n```text\n3\n```" in page(path)
