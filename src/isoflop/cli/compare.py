"""`isoflop compare A B ...`."""

from __future__ import annotations

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show


@click.command("compare", cls=Command)
@click.argument("things", nargs=-1, metavar="A B [C [D]]")
@click.option("--model", default="", help="Devices and layouts: the model that is trained.")
@click.option("--on", default="", help="Layouts: the devices, 64xh100-sxm.")
@click.option("--sequence", default="", help="Devices and layouts: tokens of a sequence, 8k.")
@click.option("--batch", default="", help="Devices and layouts: a step's batch, 1M tokens or a number of sequences.")
@click.option("--all", "everything", is_flag=True, help="Rows for the figures that are the same, too.")
@output_options(charts=("ratios",))
def command(
    things: tuple[str, ...], *, everything: bool, model: str, on: str, sequence: str, batch: str, output: Output
) -> None:
    """Two to four things of one kind side by side: what differs, by what ratio, and what is the same.

    What A and B are is told by what they say: models (a preset, 7B, a config.json or its folder), devices, machines,
    laws (a published one, a fit.json, a law.toml), layouts (dp=8,tp=8 with --model and --on), or answers that were
    saved with --json (plans, trainings, servings, costs; - is standard input). With --model devices are compared by
    what they do with it: 64xh100-sxm.

    \b
    isoflop compare llama-3.1-8b qwen3-8b
    isoflop compare h100-sxm h200-sxm b200-sxm mi300x
    isoflop compare 64xh100-sxm 64xb200-sxm --model llama-3.1-70b --sequence 8k
    isoflop compare dp=64 dp=8,tp=8 --model 7B --on 64xh100-sxm
    isoflop compare besiroglu2024 hoffmann2022-rounded
    isoflop plan --budget '$4k' --on tpu-v4 --json > a.json
    isoflop plan --budget '$8k' --on tpu-v4 --json | isoflop compare a.json -
    """
    from dataclasses import replace

    from isoflop.cli.things import Run, beside

    found = beside(things, Run(model=model, on=on, sequence=sequence, batch=batch))
    show(replace(found, all_rows=everything), output)
