"""`isoflop training M --on DEVICES ...`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show
from isoflop.errors import Infeasible
from isoflop.flags.training import advice_of, run_options

if TYPE_CHECKING:
    from isoflop.training import Advice

CHARTS = ("step", "memory", "pareto", "scale")
OWN: dict[str, dict[str, object]] = {
    "torchtitan": {"recipe": "fsdp"},
    "accelerate": {"recipe": "fsdp"},
    "deepspeed": {"engine": "deepspeed"},
}
"""Recipes that go with a tool whose settings are asked for."""

TOOLS = ("megatron", "torchtitan", "deepspeed", "accelerate")


@click.command("training", cls=Command)
@click.argument("model", metavar="M")
@run_options
@click.option("--check", is_flag=True, help="Exit with 1 where it does not fit, or misses the deadline.")
@click.option("--export", "tool", type=click.Choice(TOOLS), help="Print the layout as settings of this tool.")
@output_options("methods", "bibtex", charts=CHARTS, explain="Say what the prediction stands on.")
def command(model: str, *, check: bool, tool: str | None, output: Output, **options: object) -> None:
    """Does it fit, how fast, for how much: memory and step time of a training run, the best layouts, what would help.

    M is a preset, a size (7B) or a path, as in `isoflop model`. Without a layout all are tried; with --tokens the
    answer says days and dollars.

    \b
    isoflop training llama-3.1-70b --on 64xh100-sxm --sequence 8k --tokens 1T
    isoflop training llama-3.1-70b --on h100-sxm --sequence 8k --batch '4M tokens' --tokens 1T --deadline '30 days'
    isoflop training llama-3.1-70b --on 64xh100-sxm --tp 8 --pp 2 --zero 1 --recompute full
    isoflop training llama-3.1-8b --on 1xrtx-4090 --qlora 16 --tokens '50M tokens'
    """
    if tool is not None and not (options["recipe"] or options["engine"] or options["file"]):
        options |= OWN.get(tool, {})
    advice = advice_of(model, options)
    if tool is not None:
        _export(advice, tool)
    else:
        show(advice, output)
    if not advice.good:
        raise SystemExit(1 if check else Infeasible.exit_code)
    bill = advice.timing.bill if advice.timing else None
    if check and bill is not None and bill.late:
        raise SystemExit(1)


def _export(advice: Advice, tool: str) -> None:
    from isoflop.training.export import exported

    held = advice.chosen
    if held is None:
        raise Infeasible(f"{advice.run.model.name} fits in no layout of these chips; there is nothing to export")
    text, left_out = exported(held.run, held.layout, tool)
    for line in left_out:
        click.echo(f"{tool}: {line}", err=True)
    click.echo(text.rstrip("\n"))
