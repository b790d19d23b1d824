"""The site builds with every link in place, loads nothing from outside, and draws its formulas without a script."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from docs.build_site import MATHEMATICAL, faults, staged
from tests.architecture.house import ROOT

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="the site needs zensical: pip install -e '.[docs]'"
)


def test_the_site_builds_with_every_page_and_link_in_place(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, str(ROOT / "docs" / "build_site.py"), str(site), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert not {page for page in pages if not (site / page).exists()}
    assert_formulas_are_drawn_by_the_browser(site)
    home = (site / "index.html").read_text(encoding="utf-8")
    assert not [page.name for page in site.glob("*.html") if page.name not in home and page.name != "404.html"]


def assert_formulas_are_drawn_by_the_browser(site: Path) -> None:
    for name in MATHEMATICAL:
        text = (site / name).with_suffix(".html").read_text(encoding="utf-8")
        assert "<math" in text, f"{name} has no formula: take it off the list, for $ is money elsewhere"
        assert "$$" not in text


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html">x</a><a href="#here">y</a><img src="//far.example/x.png">')
    assert len(faults(tmp_path)) == 3
    (tmp_path / "b.html").write_text('<p id="here"></p>')
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><img src="b.html">')
    assert not faults(tmp_path)


def test_money_is_not_a_formula() -> None:
    assert staged("cost.md", "from $4 to $5") == "from $4 to $5"
    assert "<math" in staged("glossary.md", "| $N$ |")
    assert staged("glossary.md", "`$4k` and `$5k`") == "`$4k` and `$5k`"
