"""Every command that a page shows prints what the page says; every generated page is what the code would write now."""

from __future__ import annotations

import doctest
import re
from io import StringIO
from pathlib import Path

import pytest
from docs.console import Block, blocks, empty_folder, options_known, refreshed
from docs.generate import PAGES, written
from docs.summary import Line, line_of, lines
from tests.architecture.house import ROOT

HAND = [path.relative_to(ROOT).as_posix() for path in written()]
AGAIN = "write it again with: python docs/generate.py"


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_would_write_now(name: str) -> None:
    assert PAGES[name]() == text(f"docs/{name}"), AGAIN


@pytest.mark.parametrize(
    "name", [name for name in HAND if any(block.kind == "console" for block in blocks(text(name)))]
)
def test_commands_print_what_the_page_says(name: str) -> None:
    assert refreshed(text(name)) == text(name), AGAIN


def unrun(name: str) -> list[Block]:
    return [block for block in blocks(text(name)) if block.why]


@pytest.mark.parametrize("name", [name for name in HAND if unrun(name)])
def test_commands_that_are_not_run_have_the_options_they_use(name: str) -> None:
    wrong = [said for block in unrun(name) for line in block.commands if (said := options_known(line))]
    assert not wrong


@pytest.mark.parametrize("name", HAND)
def test_every_block_of_commands_is_run_or_says_why_not(name: str) -> None:
    shown = [block for block in blocks(text(name)) if block.kind in {"text", "sh"} and block.commands]
    assert not shown, f"make it a console block, or say why it is not run (docs/console.py): {shown[0].commands[0]}"


@pytest.mark.parametrize("name", [name for name in HAND if any(block.kind == "pycon" for block in blocks(text(name)))])
def test_python_sessions_give_what_the_page_says(name: str) -> None:
    session = "\n".join(block.text for block in blocks(text(name)) if block.kind == "pycon")
    runner, said = doctest.DocTestRunner(verbose=False), StringIO()
    with empty_folder():
        runner.run(doctest.DocTestParser().get_doctest(session, {}, name, name, 0), out=said.write)
    assert runner.tries > 0
    assert not runner.failures, said.getvalue()


def test_a_command_that_prints_something_else_is_seen() -> None:
    page = "```console\n$ isoflop dtype 0.1 --format bf16\nno such thing\n```\n"
    now = refreshed(page)
    assert now.startswith("```console\n$ isoflop dtype 0.1 --format bf16\n")
    assert "no such thing" not in now
    assert "0.1" in now
    assert refreshed(now) == now


def test_a_titled_block_is_a_file_for_the_commands_below_it() -> None:
    page = '```toml title="mine.toml"\nnothing = 1\n```\n\n```console\n$ isoflop devices ./mine.toml\n```\n'
    assert "mine.toml" in re.sub("```toml.*?```", "", refreshed(page), flags=re.DOTALL).replace("./mine.toml\n", "", 1)


def test_an_option_that_does_not_exist_is_seen() -> None:
    assert "--never" in options_known("isoflop lab run my-study --never")
    assert not options_known("isoflop lab run my-study")


def test_commands_see_nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_ON", "a100")
    monkeypatch.chdir(tmp_path)
    page = "```console\n$ isoflop config\n```\n"
    assert "a100" not in refreshed(page)
    assert Path.cwd() == tmp_path


def test_the_summary_says_where_a_row_has_gone() -> None:
    line = lines()[0]._replace(where={"rows": "no such row"})
    with pytest.raises(LookupError, match=r"no such row.*docs/summary\.toml"):
        line_of(line, text(f"docs/{line.page}.md"))


def test_the_summary_is_what_the_tables_say() -> None:
    page = (
        "\n## Step time\n\n| rows | n | median | inside |\n|---|---|---|---|\n| a | 3 | 4 % / 2 % | 80 % |\n\n## Next\n"
    )
    line = Line("said", "accuracy", {"rows": "a"}, "apart", "Step time")
    assert line_of(line, page) == ("[said](accuracy.md#step-time)", "3", "", "2 %", "80 %", "apart")


@pytest.mark.parametrize("name", HAND)
def test_files_that_a_page_names_are_there(name: str) -> None:
    named = set(re.findall(r"`((?:src|tests|examples|benchmarks|docs)/[\w./-]+)`", text(name)))
    gone = [path for path in named if not (ROOT / path).exists() and not re.search(r"NAME|FILE|\.\.\.", path)]
    assert not gone
