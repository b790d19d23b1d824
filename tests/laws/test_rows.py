"""Printed figures against what one command gives: tests/golden/laws_rows.toml, the table of docs/laws_fit.md."""

from __future__ import annotations

import importlib.util
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from tests.architecture.house import ROOT

if TYPE_CHECKING:
    from types import ModuleType

TABLES = tomllib.loads((ROOT / "tests" / "golden" / "laws_rows.toml").read_text(encoding="utf-8"))["table"]


def script() -> ModuleType:
    """The script that writes the table."""
    found = importlib.util.spec_from_file_location("laws_rows", ROOT / "docs" / "laws_rows.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("table", TABLES, ids=[table["what"] for table in TABLES])
def test_a_command_gives_what_is_printed(table: dict[str, Any]) -> None:
    rows = script()
    held = rows.answer(table["command"])
    for row in table["rows"]:
        ours = rows.like(rows.found(held, row["path"]), row["printed"])
        assert (ours == row["printed"]) != ("odd" in row), f"{row['name']}: {ours} against {row['printed']}"


def test_the_page_holds_the_table_as_it_comes_out() -> None:
    rows = script()
    text = (ROOT / "docs" / "laws_fit.md").read_text(encoding="utf-8")
    assert f"{rows.BEGIN}\n{rows.page()}{rows.END}" in text, "write it anew: python docs/laws_rows.py --write"
