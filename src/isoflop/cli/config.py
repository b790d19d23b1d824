"""`isoflop config`: the settings in force."""

from __future__ import annotations

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.flags import settings


@click.command("config", cls=Command)
@click.option("--origin", is_flag=True, help="Say where each setting comes from.")
@output_options()
def command(*, origin: bool, output: Output) -> None:
    """Show the settings in force.

    A flag beats ISOFLOP_* in the environment, which beats ./isoflop.toml, which beats ~/.config/isoflop/isoflop.toml.
    In a file they stand in a table [defaults]: mfu = 0.4, law = "hoffmann2022", commitment = "3y".

    \b
    isoflop config --origin
    ISOFLOP_MFU=0.35 isoflop config --origin
    """
    found = settings.load()
    columns = ("setting", "value", "from") if origin else ("setting", "value")
    rows = [(key, setting.value, setting.origin)[: len(columns)] for key, setting in sorted(found.items())]
    if rows or output.form != "text":
        print_table(columns, rows, output.form)
    else:
        click.echo("No settings: the program's own assumptions hold (isoflop formulas lists them).", err=True)
