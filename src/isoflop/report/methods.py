"""A Methods paragraph about an answer: sentences with citations, in plain English, as LaTeX and as BibTeX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.book.sources import sources
from isoflop.report.citations import references
from isoflop.report.markup import latex_text, latex_value, markdown_text
from isoflop.report.table import table_latex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from isoflop.book.sources import Source
    from isoflop.report.drawings import Table

OWN_KEY = "isoflop"
"""The key under which the program itself is cited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence without its full stop, and the citations that it rests on ("kaplan2020 §2.1")."""

    text: str
    cites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """What was done, in sentences; `version` is the program's."""

    sentences: tuple[Sentence, ...]
    version: str

    @property
    def cited(self) -> tuple[str, ...]:
        """The keys of all works cited, each once, in order; without those that nobody can look up."""
        return tuple(dict.fromkeys(key for one in self.sentences for key in _keys(one.cites)))


def _keys(cites: Iterable[str]) -> tuple[str, ...]:
    return tuple(work.key for work in references(cites))


def _by(key: str) -> str:
    """How a work is named in running text: `Hoffmann et al. 2022`."""
    work = sources()[key]
    names = [name.strip() for name in work.authors.split(",")]
    short = names[0] if len(names) == 1 else f"{names[0]} et al."
    return f"{short} {work.year}" if work.year else short


def methods_sentences(methods: Methods) -> list[str]:
    """Sentences as plain text with citations by author and year."""
    written = []
    for one in methods.sentences:
        by = "; ".join(map(_by, _keys(one.cites)))
        written.append(f"{one.text}{f' ({by})' if by else ''}.")
    return written


def methods_markdown(methods: Methods) -> str:
    """The paragraph in plain English, and the works it cites, as Markdown."""
    paragraph = markdown_text(" ".join(methods_sentences(methods)))
    works = references(methods.cited)
    listed = "\n".join(f"- {markdown_text(f'{work.text}.')} <{work.url}>" for work in works)
    return f"## Methods\n\n{paragraph}\n\n### References\n\n{listed}\n" if listed else f"## Methods\n\n{paragraph}\n"


def methods_latex(methods: Methods) -> str:
    r"""The paragraph as LaTeX with \cite keys; `methods_bibtex` has the entries."""
    written: list[str] = []
    for one in methods.sentences:
        keys = ((OWN_KEY,) if not written else ()) + _keys(one.cites)
        cite = rf"~\cite{{{','.join(keys)}}}" if keys else ""
        written.append(f"{latex_value(one.text)}{cite}.")
    return "\\paragraph{Methods.}\n" + "\n".join(written) + "\n"


def methods_bibtex(methods: Methods) -> str:
    """BibTeX entries of all works that the paragraph cites, and of the program."""
    own = (
        f"@software{{{OWN_KEY},\n  title = {{isoflop: from a budget to a model and back, with every number derived}},\n"
        f"  version = {{{methods.version}}},\n}}"
    )
    return "\n\n".join([own, *(_entry(key, sources()[key]) for key in methods.cited)]) + "\n"


def _entry(key: str, work: Source) -> str:
    is_paper = "arxiv.org/" in work.url
    lines = [f"@{'article' if is_paper else 'misc'}{{{key},", f"  title = {{{{{latex_text(work.title)}}}}},"]
    lines.append(f"  author = {{{_authors(work.authors)}}},")
    if is_paper:
        lines.append(f"  journal = {{arXiv preprint arXiv:{work.url.rstrip('/').rsplit('/', 1)[-1]}}},")
    if work.year:
        lines.append(f"  year = {{{work.year}}},")
    return "\n".join([*lines, f"  url = {{{work.url}}},", "}"])


def _authors(text: str) -> str:
    """Authors joined as BibTeX reads them: "Kaplan et al." is "Kaplan and others"."""
    if "et al" in text:
        return f"{latex_text(text.partition(' et al')[0])} and others"
    names = [latex_text(name.strip()) for name in text.split(",")]
    return " and ".join(f"{{{name}}}" if " " in name else name for name in names)


def methods_forms(make: Callable[[], Methods], table: Callable[[], Table]) -> dict[str, Callable[[], str]]:
    """The forms that an answer with a Methods paragraph has: methods, latex (a table and the paragraph), bibtex."""
    return {
        "methods": lambda: methods_markdown(make()),
        "latex": lambda: f"{table_latex(*table())}\n\n{methods_latex(make())}",
        "bibtex": lambda: methods_bibtex(make()),
    }
