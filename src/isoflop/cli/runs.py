"""`isoflop runs [NAME ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import terminal_width
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.side_by_side import echo_wrapped, print_beside
from isoflop.errors import BadInput, MissingData, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isoflop.cli.run_tables import Table
    from isoflop.model import Run

TABLES = ("gpt3-table-d1", "history", "energy")
SORTS = ("name", "date", "params", "tokens", "flops", "chip-hours", "cost", "energy")

_D1_SHOWN = ("run", "params", "tokens", "flops", "pf_days", "flops_recomputed", "exact_params", "params_off")
_ENERGY_SHOWN = (
    "run", "energy", "energy_recomputed", "energy_off", "emissions", "emissions_recomputed", "emissions_off",
    "llama_energy", "llama_emissions",
)  # fmt: skip
_LISTED = (
    (0, ("run", "date", "params", "tokens", "flops", "counts", "flops_off", "chip_time")),
    (112, ("organisation", "device")),
    (150, ("chips", "cost", "energy")),
)
"""The columns of the list for people, and how wide the terminal has to be for them. Scripts and pages get all."""


@click.command("runs", cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--table", type=click.Choice((*TABLES, "costs", "gpt-4")), help="A published table, recomputed.")
@click.option("--energy", is_flag=True, help="Short for --table energy.")
@click.option("--org", help="Only this organisation's (any part of the name).")
@click.option("--hardware", help="Only on this device (any part of the name).")
@click.option("--verified", is_flag=True, help="Only rows whose primary table was read.")
@click.option("--sort", type=click.Choice(SORTS), help="By this; figures from the largest down. Else as published.")
@output_options()
def command(
    names: tuple[str, ...], *, table: str | None, energy: bool, org: str | None, hardware: str | None, verified: bool,
    sort: str | None, output: Output,
) -> None:  # fmt: skip
    """List published training runs as they were printed, show one with what the arithmetic makes of it, or compare.

    Printed FLOP are not one quantity: the column "counted" says what they include, and the one beside it how far they
    are from 6 N D. --table energy recomputes energy and emissions under the owner's convention and under LLaMA's;
    --table costs holds Epoch AI's three costs of a run against ours, --table gpt-4 the figures rumoured of it against
    each other.

    \b
    isoflop runs 'GPT-3 175B'
    isoflop runs --table gpt3-table-d1
    isoflop runs --table costs
    isoflop runs --org meta --sort chip-hours
    """
    form = output.form
    if energy and table not in {None, "energy"}:
        raise BadInput(f"--energy and --table {table} ask for two tables; give one of them")
    table = "energy" if energy else table
    if table in {"costs", "gpt-4"}:
        from isoflop.cli.runs_costs import print_costs, print_rumour

        if names or org or hardware or verified or sort:
            raise BadInput(f"--table {table} is one whole table; leave names and filters out")
        (print_costs if table == "costs" else print_rumour)(form)
        return
    if names:
        _beside(_records(names, table), form)
        return
    found = _sorted(_filtered(_rows(table), org, hardware, verified=verified), sort)
    if table == "gpt3-table-d1":
        _print_d1(found, form)
    elif table == "energy":
        _print_energy(found, form)
    else:
        _print_list(found, form)


def _rows(table: str | None) -> Sequence[Run]:
    from isoflop import model

    return model.table(table) if table else model.runs()


def _filtered(runs: Sequence[Run], org: str | None, hardware: str | None, *, verified: bool) -> list[Run]:
    """The runs that fit every filter; a part that no organisation or device has is an unknown name."""
    found = list(runs)
    if org is not None:
        orgs = {run.organisation for run in runs}
        fitting = {one for one in orgs if org.strip().lower() in one.lower()}
        if not fitting:
            raise UnknownName("organisation", org, orgs, listing=f"{', '.join(sorted(orgs))}.")
        found = [run for run in found if run.organisation in fitting]
    if hardware is not None:
        on = _devices(hardware, {run.use.device for run in runs} - {""})
        found = [run for run in found if run.use.device in on]
    found = [run for run in found if run.verified or not verified]
    if not found:
        raise MissingData("no published run fits all of these filters; leave one out, or see all with: isoflop runs")
    return found


def _devices(asked: str, known: set[str]) -> set[str]:
    """The devices of runs that have `asked` in their names, else the one that it means in the catalogue."""
    from isoflop.hardware import device

    fitting = {name for name in known if asked.strip().lower() in name.lower()}
    if not fitting:
        try:
            fitting = {device(asked).name} & known
        except BadInput:
            fitting = set()
    if not fitting:
        raise UnknownName("hardware of a published run", asked, known, listing=f"{', '.join(sorted(known))}.")
    return fitting


def _sorted(runs: list[Run], by: str | None) -> list[Run]:
    if by is None:
        return runs
    if by in {"name", "date"}:
        return sorted(runs, key=lambda run: ((run.date if by == "date" else ""), run.model.lower()))
    keys: dict[str, Callable[[Run], float | None]] = {
        "params": lambda run: run.work.params,
        "tokens": lambda run: run.work.tokens,
        "flops": lambda run: run.work.flops_printed,
        "chip-hours": lambda run: run.use.chip_time,
        "cost": lambda run: run.cost,
        "energy": lambda run: run.footprint.energy,
    }
    return sorted(runs, key=lambda run: -(keys[by](run) or 0.0))


# --- tables ----------------------------------------------------------------------------------------------------------


def _print(table: Table, shown: tuple[str, ...], form: str) -> None:
    """People get the columns that fit, scripts and pages all of them."""
    columns, rows = table
    kept = [index for index, one in enumerate(columns) if form != "text" or one.name in shown]
    print_table([columns[index] for index in kept], [[row[index] for index in kept] for row in rows], form)


def _print_list(runs: list[Run], form: str) -> None:
    from isoflop.cli.run_tables import listing

    shown = tuple(name for width, names in _LISTED if terminal_width() >= width for name in names)
    _print(listing(runs), shown, form)
    if form == "text":
        echo_wrapped(
            "\nN, D: parameters and tokens. counted: what the printed FLOP include: N and D alone, attention too "
            "(model), recomputation too (hardware), or the measured rate times hours."
        )
        echo_wrapped("off 6 N D: printed FLOP against 6 x active parameters x tokens (3 where they are counted so).")


def _print_d1(runs: list[Run], form: str) -> None:
    from isoflop.cli.run_tables import d1_table

    _print(d1_table(runs), _D1_SHOWN, form)
    if form != "text":
        return
    echo_wrapped("\nFLOP, PF-days: as printed. c N D: recomputed from the printed N and D with c = 6.")
    if any(run.work.counts == "3nd" for run in runs):
        echo_wrapped("T5 has c = 3: it is an encoder-decoder, where each token meets about half of the parameters.")
    echo_wrapped("exact N: counted from the shape of our preset; off: the printed N against it.")


def _print_energy(runs: list[Run], form: str) -> None:
    from isoflop.cli.run_tables import energy_table
    from isoflop.model import restated
    from isoflop.model.restate import CONVENTIONS

    _print(energy_table(runs), _ENERGY_SHOWN, form)
    if form != "text":
        return
    echo_wrapped(f"\nagain: recomputed by the owner's convention: {CONVENTIONS['owner']}. off: printed against it.")
    echo_wrapped(f"LLaMA: the same run as LLaMA restates others: {CONVENTIONS['llama']}.")
    lacking = {run.model: restated(run).lacks for run in runs}
    said = "; ".join(f"{model} ({', '.join(lacks)})" for model, lacks in lacking.items() if lacks)
    if said:
        echo_wrapped(f"\nNot printed, so not recomputed: {said}.")


# --- one run, several runs -------------------------------------------------------------------------------------------


def _records(names: tuple[str, ...], table: str | None) -> list[tuple[str, Run]]:
    """Every row of the published tables that speaks of these runs, with the name of its table."""
    from isoflop import model
    from isoflop.hardware.names import find

    every: dict[str, list[tuple[str, Run]]] = {}
    for name in TABLES if table is None else (table,):
        for run in model.table(name):
            every.setdefault(run.model, []).append((name, run))
    wanted = [find("published run", name, every, {}, listing="isoflop runs") for name in names]
    most = None if len(set(wanted)) == 1 else 1  # beside others a run has one column: its row in the first table
    return [record for name in dict.fromkeys(wanted) for record in every[name][:most]]


def _beside(records: list[tuple[str, Run]], form: str) -> None:
    """A column for each row of a published table: as printed, then what follows from it."""
    from isoflop.cli.run_tables import printed, recomputed

    runs = [run for _, run in records]
    alone = len({run.model for run in runs}) == 1
    heads = [table if alone else run.model for table, run in records]
    if form != "text":
        print_beside(heads, [*printed(runs), *recomputed(runs)], form)
        return
    if alone:
        click.echo(f"{runs[0].model}, as printed, by published table\n")
    print_beside(heads, printed(runs), form)
    lines = [line for line in recomputed(runs) if not line.is_empty]
    if lines:
        click.echo("\nWhat follows\n")
        print_beside(heads, lines, form)
