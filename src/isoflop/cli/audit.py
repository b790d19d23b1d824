"""`isoflop audit FILE`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from isoflop.cli.knowns import ascii_only, terminal_width, wants_color, write_out
from isoflop.cli.manual import Command
from isoflop.errors import BadInput, shorten

if TYPE_CHECKING:
    from isoflop.audit import Needed, Report
    from isoflop.report.chart_audit import AuditChart

FORMATS = ("text", "json", "md", "html", "svg", "png")
CHARTS = ("tornado", "shares")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    """How an audit is to be printed and where to."""

    form: str
    out: str | None
    chart: AuditChart
    dark: bool


@click.command("audit", cls=Command)
@click.argument("file", required=False, type=click.Path())
@click.option("--claim", help="Audit this sentence in the place of a file.")
@click.option("--mfu", help="What the corrected chain takes where utilisation was forgotten: 0.4, '32% to 49%'.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Another value for a root; again for more.")
@click.option("--within", help="How well each input must be known for the result to be within this: 1.1, 10%.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write to this file.")
@click.option("--chart", type=click.Choice(CHARTS), default="tornado", help="What svg and png draw.")
@click.option("--dark", is_flag=True, help="Draw svg and png for a dark page.")
def command(
    file: str | None, *, claim: str | None, mfu: str | None, given: tuple[str, ...], within: str | None, as_json: bool,
    **options: object,
) -> None:  # fmt: skip
    """Recompute a document of claims: which step is wrong, by what factor, probably why, and what is right instead.

    FILE is a napkin (TOML) or prose (Markdown, text). Exit code 1 where something is wrong, 0 where nothing is; notes
    and what later steps inherit do not count.

    \b
    isoflop audit examples/gpt4_price.toml --mfu '40% (32% to 49%)'
    isoflop audit examples/gpt4_price.toml --set 'rent=$103.04/h/slice' --within 10%
    isoflop audit --claim 'GPT-4: 25k A100 for 95 days is 2.15e25 FLOP'
    """
    from isoflop.audit import audit, audit_text, needed

    if (file is None) == (claim is None):
        raise BadInput("give a FILE to audit, or one sentence with --claim '25k A100 for 95 days is 2.15e25 FLOP'")
    values = _values(given)
    report = (
        audit(file, mfu=mfu, given=values)
        if file is not None
        else audit_text(claim or "", "The claim", mfu=mfu, given=values)
    )
    asked: tuple[Needed, ...] = ()
    if within is not None and report.result is not None:
        asked = needed(report.chain, report.result.step, _factor(within), report.draws)
    _print(report, asked, _output(options, as_json=as_json))
    if not report.is_clean:
        raise SystemExit(1)


def _values(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise BadInput(f"--set {shorten(one)}: write NAME=VALUE, for example --set 'rent=$103.04/h/slice'")
        pairs[name.strip()] = value.strip()
    return pairs


def _factor(within: str) -> float:
    """1.1 as it is; 10 % as 1.1."""
    from isoflop.quantity import read

    value = read(within)
    number = value.spread.median
    return 1 + number if value.unit.text in {"%", "percent"} else number


def _output(options: dict[str, object], *, as_json: bool) -> _Output:
    form, out = str(options["form"]), options["out"]
    form = "json" if as_json else form
    ending = Path(str(out or "")).suffix.removeprefix(".")
    if form == "text" and ending in FORMATS:
        form = ending
    chart = cast("AuditChart", options["chart"])
    return _Output(form=form, out=None if out is None else str(out), chart=chart, dark=bool(options["dark"]))


def _print(report: Report, asked: tuple[Needed, ...], output: _Output) -> None:
    from isoflop import report as drawings

    if output.form in {"svg", "png"}:
        if output.out is None:
            raise BadInput(f"a chart goes to a file: give --out audit.{output.form}")
        chart = drawings.audit_chart(report, output.chart, mode="dark" if output.dark else "light")
        drawings.save(chart, output.out)
        return
    match output.form:
        case "json":
            text = drawings.dumps(drawings.audit_json(report, asked))
        case "md":
            text = drawings.audit_markdown(report, asked)
        case "html":
            text = drawings.audit_html(report, asked)
        case _:
            color = wants_color() and output.out is None
            text = drawings.audit_text(
                report, needed=asked, width=terminal_width(), color=color, ascii_only=ascii_only()
            )
    write_out(text, output.out)
