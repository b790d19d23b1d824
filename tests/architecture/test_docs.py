"""The docs name everything there is, and link to what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.architecture.house import ROOT

DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def headings(name: str) -> set[str]:
    """The names that a page gives a heading or the first cell of a table row."""
    text = page(name)
    titles = re.findall(r"^#+ `?([^`\n]+)`?\s*$", text, flags=re.MULTILINE)
    cells = re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)
    return {*titles, *cells}


def test_every_quantity_is_in_the_docs() -> None:
    from isoflop.quantity import quantities

    assert not set(quantities()) - headings("glossary.md")


def test_every_formula_is_in_the_docs() -> None:
    from isoflop.book import BOOK

    assert not {relation.name for relation in BOOK} - headings("formulas.md")


def test_every_device_is_in_the_docs() -> None:
    import isoflop

    assert not set(isoflop.devices()) - headings("devices.md")


def test_every_law_is_in_the_docs() -> None:
    from isoflop.laws import published_laws

    assert not set(published_laws()) - headings("laws.md")


def test_every_model_is_in_the_docs() -> None:
    from isoflop.model import model_names

    assert not set(model_names()) - headings("models.md")


def test_every_command_is_in_the_docs() -> None:
    import click

    from isoflop.cli import isoflop as cli

    context = click.Context(cli)
    assert not set(cli.list_commands(context)) - headings("commands.md")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help, f"isoflop {name} has no help"


@pytest.mark.parametrize("path", sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")]), ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (path.parent / target).exists(), f"{path.name} points to {target}, which is not there"
