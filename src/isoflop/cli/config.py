"""`isoflop config`: the settings in force."""

from __future__ import annotations

import click

from isoflop.cli.knowns import print_table, table_options
from isoflop.cli.manual import Command
from isoflop.flags import settings


@click.command("config", cls=Command)
@click.option("--origin", is_flag=True, help="Say where each setting comes from.")
@table_options
def command(*, origin: bool, as_json: bool, form: str) -> None:
    """Show the settings in force.

    A flag beats ISOFLOP_* in the environment, which beats ./isoflop.toml, which beats ~/.config/isoflop/isoflop.toml.
    In a file they stand in a table [defaults]: mfu = 0.4, law = "hoffmann2022", commitment = "3y".
    """
    found = settings.load()
    columns = ("setting", "value", "from") if origin else ("setting", "value")
    rows = [(key, setting.value, setting.origin)[: len(columns)] for key, setting in sorted(found.items())]
    if rows or as_json or form != "text":
        print_table(columns, rows, "json" if as_json else form)
    else:
        click.echo("No settings: the program's own assumptions hold (isoflop formulas lists them).", err=True)
