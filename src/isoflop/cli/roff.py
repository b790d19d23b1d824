"""A command's page as a man page (roff, for `man -l` and man's folders)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop import __version__
from isoflop.cli.manual import broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.cli.manual import Page


def roff(page: Page) -> str:
    """The man page of a command."""
    return "\n".join(_lines(page)) + "\n"


def file_of(path: str) -> str:
    """The name of the file that holds the page of a command: isoflop-laws-fit.1.

    >>> file_of("isoflop laws fit")
    'isoflop-laws-fit.1'
    """
    return f"{path.replace(' ', '-')}.1"


def _lines(page: Page) -> Iterator[str]:
    name = page.path.replace(" ", "-")
    yield f'.TH "{_escaped(name.upper())}" "1" "" "isoflop {__version__}" "isoflop"'
    yield from (".SH NAME", f"{_escaped(name)} \\- {_escaped(_summary(page))}")
    yield from (".SH SYNOPSIS", f".B {_escaped(page.path)}", _escaped(page.usage.removeprefix(page.path).strip()))
    yield ".SH DESCRIPTION"
    for number, text in enumerate(page.about):
        yield from ([".PP"] if number else [])
        yield _escaped(text)
    for title, rows in page.sections:
        yield f".SH {_escaped(title.upper())}"
        for names, said in rows:
            yield from (".TP", f".B {_escaped(names)}", _escaped(" ".join(said.split())) or "\\&")
    yield from _examples(page)
    if page.exits:
        yield ".SH EXIT STATUS"
        for code, said in sorted(page.exits.items()):
            yield from (".TP", f".B {code}", _escaped(said))
    if page.see:
        yield ".SH SEE ALSO"
        named = dict.fromkeys("-".join(word for word in one.split() if not word.startswith("-")) for one in page.see)
        yield ",\n".join(f".BR isoflop\\-{_escaped(one)} (1)" for one in named).replace(",\n", " ,\n")


def _summary(page: Page) -> str:
    first = page.about[0] if page.about else page.path
    return first.rstrip(".")


def _examples(page: Page) -> Iterator[str]:
    if not page.examples:
        return
    yield from (".SH EXAMPLES", ".nf")
    for one in page.examples:
        yield from ([_escaped(f"# {one.says}")] if one.says else [])
        yield from (_escaped(line) for line in broken(one.line, ""))
    yield ".fi"


def _escaped(text: str) -> str:
    """Text that roff prints as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return f"\\&{plain}" if plain[:1] in {".", "'"} else plain
