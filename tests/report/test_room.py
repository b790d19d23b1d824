from __future__ import annotations

import subprocess
import sys

from tests.report.samples import ANSWER, MEMORY

from isoflop import report
from isoflop.report.text import answer_text, ledger_text


def test_every_public_name_is_there() -> None:
    assert list(report.__all__) == sorted(report.__all__, key=lambda name: (not name[0].isupper(), name))
    assert {name for names in report._HOMES.values() for name in names} == set(report.__all__)
    for name in report.__all__:
        assert getattr(report, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(report, "answer_pdf")


def test_notebooks_draw_answers_and_ledgers() -> None:
    for thing, text in ((ANSWER, answer_text(ANSWER)), (MEMORY, ledger_text(MEMORY))):
        assert "<style>" in thing._repr_html_()
        assert thing._repr_markdown_().startswith("**")
        assert str(thing) == text


def test_a_plain_answer_loads_no_drawing_library() -> None:
    code = (
        "import sys, isoflop.report.text, isoflop.report.json; "
        "heavy = {'altair', 'vl_convert', 'rich', 'scipy', 'pandas', 'IPython'}; "
        "print(*(heavy & set(sys.modules)), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
