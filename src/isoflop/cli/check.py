"""`isoflop check name=value ...`."""

from __future__ import annotations

import csv
from collections import Counter
from io import StringIO
from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, paper, print_table, show
from isoflop.errors import BadFile, BadInput
from isoflop.flags import split

if TYPE_CHECKING:
    from isoflop.ask import RowResult

FORMATS = ("text", "json", "md", "csv")
_MOST_ROWS = 10_000
_WORTH_SHOWING = ("contradictory", "off", "unread")


@click.command("check", cls=Command)
@click.argument("claims", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--table", type=click.Path(), help="Check every row of this CSV file; claims given hold for all rows.")
@click.option("--map", "mapping", default="", help="Which column is what: params=N,tokens=D[B],train_time=days[day].")
@click.option("--runs", is_flag=True, help="Check the published runs that isoflop ships.")
@click.option("--all", "everything", is_flag=True, help="List the sound rows of a table too.")
@output_options()
def command(
    claims: tuple[str, ...], table: str | None, mapping: str, *, runs: bool, everything: bool, output: Output
) -> None:
    """Hold claims against each other: can they all be true, and if not, which is suspect and by how much?

    NAME and VALUE are those of solve; every value is taken as claimed, with the spread it is written with. mfu=usual
    (price=usual, pue=usual) puts what published runs reach in the place of a claim. Exit code 1: contradictory.

    \b
    isoflop check train_flops=2.15e25 active_params=280B tokens=13T chips='25000 A100' \\
        train_time='90-100 days' mfu='0.3 to 0.5' train_cost='$63M' price='$1 to $2/chip/h'
    isoflop check --table runs.csv --map 'params=N,train_time=days[day]' device=h100-sxm
    isoflop check --runs
    """
    form = output.form
    if runs and (claims or table):
        raise BadInput("--runs checks the published runs as they are; leave the claims out, or --runs")
    if mapping and not table:
        raise BadInput("--map says what the columns of a --table are; give --table rows.csv too")
    if runs or table:
        from isoflop.ask import check_rows, check_runs, read_columns

        found = check_runs() if runs else check_rows(read_rows(str(table)), read_columns(mapping), **split(claims))
        _print_rows(found, form, everything=everything)
        raise SystemExit(1 if any(row.verdict == "contradictory" for row in found) else 0)
    _one(claims, output)


def read_rows(path: str) -> list[dict[str, str]]:
    """The rows of a CSV file by header. Raises: BadFile for a file without headers or with too many rows."""
    from isoflop.quantity import read_text

    reader = csv.DictReader(StringIO(read_text(path)), strict=True)
    try:
        rows = [{str(key): value or "" for key, value in row.items() if key is not None} for row in reader]
    except csv.Error as error:
        raise BadFile(f"{path}: line {reader.line_num} is not CSV: {error}.") from error
    if not rows:
        raise BadFile(f"{path}: no rows. The first line names the columns, each further line is checked.")
    if len(rows) > _MOST_ROWS:
        raise BadFile(f"{path}: {len(rows):,} rows; {_MOST_ROWS:,} are read at most. Split the file.")
    return rows


def _one(claims: tuple[str, ...], output: Output) -> None:
    from isoflop.ask import check

    if not claims:
        raise BadInput(
            "nothing is claimed; write for example: isoflop check train_flops=3.14e23 params=175B tokens=300B"
        )
    result = check(**split(claims))
    show(result, output)
    code = {"consistent": 0, "contradictory": 1, "untested": 3}[result.verdict]
    if code:
        raise SystemExit(code)


def _print_rows(found: tuple[RowResult, ...], form: str, *, everything: bool) -> None:
    from isoflop import report
    from isoflop.ask import OFF

    shown = [row for row in found if everything or form in {"json", "csv"} or row.verdict in _WORTH_SHOWING]
    columns, rows = report.row_table(shown)
    if form == "text":
        text = report.rows_text(shown, **paper())  # type: ignore[arg-type]  # of their kinds
        click.echo(text)
        counts = Counter(row.verdict for row in found)
        listed = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
        click.echo(f"{len(found)} row{'' if len(found) == 1 else 's'}: {listed}.")
        ratios = [row.flops_over_6nd for row in found if row.flops_over_6nd is not None]
        far = sum(not 1 / OFF <= ratio <= OFF for ratio in ratios)
        if ratios:
            click.echo(f"{far} of {len(ratios)} rows that say both have FLOP more than 10 % off 6 N D.")
    else:
        print_table(columns, rows, form)
