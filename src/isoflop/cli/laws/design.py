"""`isoflop laws design`."""

from __future__ import annotations

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show


@click.command("design", cls=Command)
@click.argument("runs", type=click.Path())
@click.option("--target", "targets", multiple=True, required=True, metavar="N=70B,D=1.4T", help="Where to be sure.")
@click.option("--allowance", required=True, help="What the new runs may take together: 1e21, '10 PF-days'.")
@click.option("--cells", type=click.Path(), help="Runs that could be done, a table; else a grid is weighed.")
@click.option("--law", "forms", multiple=True, help="A form held possible; several may be given.")
@click.option("--column", "columns", multiple=True, metavar="QUANTITY=COLUMN", help="What a column is.")
@click.option("--counts", type=click.Choice(("total", "active", "non_embedding")), help="Which parameters N counts.")
@click.option("--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Its level.")
@output_options("toml", charts=("widths",), explain="Print the derivation.")
def design(
    runs: str, *, targets: tuple[str, ...], allowance: str, cells: str | None, forms: tuple[str, ...],
    columns: tuple[str, ...], counts: str | None, interval: float, output: Output,
) -> None:  # fmt: skip
    """Which runs to do next: those that narrow the interval at a target most for their compute.

    With --out cells.csv or cells.toml the runs are written for the laboratory: params, tokens, FLOP and seeds, a row or
    table each, in base units.

    \b
    isoflop laws design runs.csv --target N=70B,D=1.4T --allowance 1e21
    isoflop laws design runs.csv --target N=70B,D=1.4T --allowance 1e21 --cells could.csv --out cells.csv
    """
    from isoflop import laws
    from isoflop.flags import split
    from isoflop.flags.laws import target_of
    from isoflop.quantity import quantity, read

    held = laws.read_runs(runs, columns=split(columns), counts=counts)  # type: ignore[arg-type]  # a choice
    flops = float(read(allowance, quantity("train_flops")).spread.median)
    found = laws.design(
        held, [target_of(text) for text in targets], flops, cells=_cells(cells), forms=forms, level=interval
    )
    show(found, output)


def _cells(path: str | None) -> list[dict[str, float]]:
    """Rows of a table of cells: params, tokens and whatever else is said of them."""
    if path is None:
        return []
    from isoflop.laws.runs import runs_of
    from isoflop.laws.table import read_table

    table = runs_of(read_table(path))
    table.need(("params", "tokens"))
    return [
        {name: float(values[row]) for name, values in table.columns.items() if name != "loss"}
        for row in range(table.rows)
    ]
