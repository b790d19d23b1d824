"""How every command gives its answer: the options that say in which form and where to, and the one place that writes.

A command takes `output`, and prints as if to a terminal; what it prints goes to the file of --out where one is named,
and the file's ending chooses the form where --format does not.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import ascii_only, terminal_width, wants_color
from isoflop.errors import BadFile, BadInput, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from isoflop.report import Cell, Column, Drawn
    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Draw
    from isoflop.report.report_page import Origin

FORMATS = ("text", "json", "md", "html", "csv", "latex")
"""Forms that every answer has."""

PICTURES = ("svg", "png")
"""Forms of answers that have a chart."""

_ENDINGS = {
    ".txt": "text", ".json": "json", ".md": "md", ".html": "html", ".htm": "html", ".csv": "csv", ".tex": "latex",
    ".latex": "latex", ".svg": "svg", ".png": "png", ".mmd": "mermaid", ".bib": "bibtex", ".toml": "toml",
}  # fmt: skip
_NO_ENDINGS = (".pdf", ".jpg", ".jpeg", ".gif", ".webp", ".xlsx", ".docx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """In which form an answer is wanted, where to, which of its charts, for which page, and whether derived."""

    form: str
    out: str | None = None
    chart: str = ""
    dark: bool = False
    explain: bool = False

    @property
    def mode(self) -> Mode:
        """The charts' mode."""
        return "dark" if self.dark else "light"


def output_options(
    *more: str, charts: Sequence[str] = (), explain: str = "", file: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of output, as `output` to the command: --format, --json, --out; --chart and --dark for charts.

    `more` are forms beyond FORMATS, `charts` what svg and png draw, `explain` the help of --explain. `file` is False
    where --out is the command's own.
    """
    forms = (*FORMATS, *(PICTURES if charts else ()), *more)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def printed(*arguments: object, **options: object) -> None:
            output = _chosen(options, forms, file=file, explain=bool(explain))
            with _into(output.out):
                function(*arguments, output=output, **options)

        made: Callable[..., None] = printed
        for option in _options(forms, charts, explain, file=file):
            made = option(made)
        return made

    return decorate


def _options(
    forms: Sequence[str], charts: Sequence[str], explain: str, *, file: bool
) -> Iterator[Callable[[Callable[..., None]], Callable[..., None]]]:
    if charts:
        yield click.option("--dark", is_flag=True, help="Draw svg and png for a dark page.")
    if len(charts) > 1:
        yield click.option("--chart", type=click.Choice(charts), help=f"What svg and png draw; else {charts[0]}.")
    if file:
        said = "Write to this file; its ending chooses the form."
        yield click.option("--out", type=click.Path(dir_okay=False, writable=True), help=said)
    yield click.option("--format", "form", type=click.Choice(forms), help="In which form; text where nothing is said.")
    yield click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
    if explain:
        yield click.option("--explain", is_flag=True, help=explain)


def _chosen(options: dict[str, object], forms: Sequence[str], *, file: bool, explain: bool) -> Output:
    """What the options say; they are taken out of `options`."""
    asked = options.pop("form")
    asked = "json" if options.pop("as_json") else asked
    given = options.pop("out") if file else None
    out = None if given is None else str(given)
    form = str(asked or _by_ending(out, forms) or "text")
    told = _told(out, forms) or form
    if told not in {form, "text"}:
        raise BadInput(f"--format {form} and --out {shorten(out or '')} disagree: give one of them")
    if form == "png" and out is None and sys.stdout.isatty():
        raise BadInput("a png is no text for a terminal: give --out FILE.png")
    pictured = "svg" in forms
    return Output(
        form=form,
        out=out,
        chart=str(options.pop("chart", None) or "") if pictured else "",
        dark=bool(options.pop("dark")) if pictured else False,
        explain=bool(options.pop("explain")) if explain else False,
    )


def _by_ending(out: str | None, forms: Sequence[str]) -> str:
    """The form that a file's ending stands for; "" for none."""
    ending, form = Path(out or "").suffix.lower(), _told(out, forms)
    if ending in _NO_ENDINGS or (form and form not in forms):
        good = ", ".join(ending for ending, form in _ENDINGS.items() if form in forms)
        raise BadInput(f"nothing of this command is written as '{ending}'; a file of --out may end in {good}")
    return form


def _told(out: str | None, forms: Sequence[str]) -> str:
    """What an ending says; TOML of a command that prints none is settings of another tool, which it writes itself."""
    form = _ENDINGS.get(Path(out or "").suffix.lower(), "")
    return "" if form == "toml" and form not in forms else form


class _File(TextIOWrapper):
    """What stands for the terminal while an answer goes to a file."""


@contextmanager
def _into(out: str | None) -> Iterator[None]:
    """Everything printed goes to the file `out`, once the answer is there: an error writes nothing."""
    if out is None:
        yield
        return
    kept, sys.stdout = sys.stdout, _File(BytesIO(), encoding="utf-8", newline="\n")
    held = sys.stdout
    code: SystemExit | None = None
    try:
        yield
    except SystemExit as answered:  # an answer that is a no
        code = answered
    finally:
        sys.stdout = kept
    held.flush()
    buffer = held.buffer
    assert isinstance(buffer, BytesIO)
    try:
        Path(out).write_bytes(buffer.getvalue())
    except OSError as error:
        raise BadFile(f"cannot write '{shorten(out)}': {error.strerror}; choose another file.") from error
    if code is not None:
        raise code


def paper() -> dict[str, bool | int]:
    """Width, colour and characters of what is printed to, as every text drawing takes them."""
    color = wants_color() and not isinstance(sys.stdout, _File)
    return {"width": terminal_width(), "color": color, "ascii_only": ascii_only()}


def show(found: object, output: Output) -> None:
    """An answer of the house, printed in the form that is asked for; its warnings are part of it."""
    from isoflop import report

    show_drawn(report.drawn(found), output)


def show_drawn(drawn: Drawn, output: Output) -> None:
    """An answer whose drawings are known."""
    from isoflop import report

    form = output.form
    if form in PICTURES:
        print_chart(drawn.charts, output)
        return
    if form in drawn.more:
        text = drawn.more[form]()
    elif form == "json":
        text = report.dumps(drawn.json())
    elif form == "md":
        text = drawn.markdown(output.explain)
    elif form == "html":
        text = report.document(drawn, origin())
    elif form in {"csv", "latex"}:
        assert drawn.table is not None
        text = (report.table_csv if form == "csv" else report.table_latex)(*drawn.table())
    elif form != "text":
        raise BadInput(f"this answer has no form '{form}': give --format {', '.join((*FORMATS, *drawn.more))}")
    else:
        text = drawn.text(explain=output.explain, **paper())
    click.echo(text.rstrip("\n"))


def print_chart(charts: Mapping[str, Draw], output: Output) -> None:
    """One of the charts of an answer, as SVG or PNG."""
    from isoflop import report
    from isoflop.report.chart_inline import USUAL_WIDTH

    kind = output.chart or next(iter(charts))
    if kind not in charts:
        raise BadInput(f"this answer has no chart '{kind}'; it has: {', '.join(charts)}")
    chart = charts[kind](USUAL_WIDTH, output.mode)
    click.echo(report.chart_svg(chart) if output.form == "svg" else report.chart_png(chart), nl=output.form == "svg")


def origin() -> Origin:
    """How the answer was asked for: the words of this call, the version and the day."""
    import datetime as dt
    import shlex

    from isoflop import __version__
    from isoflop.report.report_page import Origin

    context = click.get_current_context(silent=True)
    words = context.find_root().obj if context is not None else None
    command = shlex.join(("isoflop", *words)) if isinstance(words, tuple) else ""
    return Origin(command=command, version=__version__, date=dt.datetime.now(dt.UTC).date().isoformat())


def print_table(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]], form: str) -> None:
    """A table in one of FORMATS. Raises: BadInput for a picture, of a command whose other answers have one."""
    from isoflop import report

    if form in PICTURES:
        raise BadInput(f"this table has no chart: give --format {', '.join(FORMATS)}")
    match form:
        case "json":
            text = report.dumps(report.table_json(columns, rows))
        case "md":
            text = report.table_markdown(columns, rows)
        case "html":
            text = report.page("isoflop", report.table_html(columns, rows))
        case "csv":
            text = report.table_csv(columns, rows)
        case "latex":
            text = report.table_latex(columns, rows)
        case _:
            text = report.table_text(columns, rows, **paper())  # type: ignore[arg-type]  # of their kinds
    click.echo(text.rstrip("\n"))
