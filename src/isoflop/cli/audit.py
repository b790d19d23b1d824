"""`isoflop audit FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show_drawn
from isoflop.errors import BadInput, shorten

if TYPE_CHECKING:
    from isoflop.audit import Needed

CHARTS = ("tornado", "shares")


@click.command("audit", cls=Command)
@click.argument("file", required=False, type=click.Path())
@click.option("--claim", help="Audit this sentence in the place of a file.")
@click.option("--mfu", help="What the corrected chain takes where utilisation was forgotten: 0.4, '32% to 49%'.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Another value for a root; again for more.")
@click.option("--within", help="How well each input must be known for the result to be within this: 1.1, 10%.")
@output_options(charts=CHARTS)
def command(
    file: str | None, *, claim: str | None, mfu: str | None, given: tuple[str, ...], within: str | None,
    output: Output,
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
    from isoflop.report import drawn_audit

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
    show_drawn(drawn_audit.drawn(report, asked), output)
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
