"""`isoflop training M --on DEVICES ...`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from isoflop.cli.knowns import ascii_only, terminal_width, wants_color, write_out
from isoflop.cli.manual import Command
from isoflop.errors import BadInput, Infeasible
from isoflop.flags.training import advice_of, run_options

if TYPE_CHECKING:
    from isoflop.report.chart_training import TrainingChart
    from isoflop.training import Advice

FORMATS = ("text", "json", "md", "html", "svg", "png")
CHARTS = ("step", "memory", "pareto", "scale")
OWN: dict[str, dict[str, object]] = {
    "torchtitan": {"recipe": "fsdp"},
    "accelerate": {"recipe": "fsdp"},
    "deepspeed": {"engine": "deepspeed"},
}
"""Recipes that go with a tool whose settings are asked for."""

TOOLS = ("megatron", "torchtitan", "deepspeed", "accelerate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How an answer is to be printed and where to."""

    form: str
    out: str | None
    chart: TrainingChart
    dark: bool
    explain: bool


def _output_options(function: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--export", "tool", type=click.Choice(TOOLS), help="Print the layout as settings of this tool."),
        click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write to this file."),
        click.option("--dark", is_flag=True, help="Draw svg and png for a dark page."),
        click.option("--chart", type=click.Choice(CHARTS), default="step", help="What svg and png draw."),
        click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print it."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json."),
        click.option("--explain", is_flag=True, help="Say what the prediction stands on."),
        click.option("--check", is_flag=True, help="Exit with 1 where it does not fit, or misses the deadline."),
    ):
        function = option(function)
    return function


@click.command("training", cls=Command)
@click.argument("model", metavar="M")
@run_options
@_output_options
def command(model: str, *, check: bool, tool: str | None, **options: object) -> None:
    """Does it fit, how fast, for how much: memory and step time of a training run, the best layouts, what would help.

    M is a preset, a size (7B) or a path, as in `isoflop model`. Without a layout all are tried; with --tokens the
    answer says days and dollars.

    \b
    isoflop training llama-3.1-70b --on 64xh100-sxm --sequence 8k --tokens 1T
    isoflop training llama-3.1-70b --on h100-sxm --sequence 8k --batch '4M tokens' --tokens 1T --deadline '30 days'
    isoflop training llama-3.1-70b --on 64xh100-sxm --tp 8 --pp 2 --zero 1 --recompute full
    isoflop training llama-3.1-8b --on 1xrtx-4090 --qlora 16 --micro-batch 1
    """
    output = _output(options)
    if tool is not None and not (options["recipe"] or options["engine"] or options["file"]):
        options |= OWN.get(tool, {})
    advice = advice_of(model, options)
    if tool is not None:
        _export(advice, tool, output.out)
    else:
        _print(advice, output)
    if not advice.good:
        raise SystemExit(1 if check else Infeasible.exit_code)
    bill = advice.timing.bill if advice.timing else None
    if check and bill is not None and bill.late:
        raise SystemExit(1)


def _output(options: dict[str, object]) -> Output:
    form, out = str(options.pop("form")), cast("str | None", options.pop("out"))
    form = "json" if options.pop("as_json") else form
    ending = Path(out or "").suffix.removeprefix(".")
    if form == "text" and ending in FORMATS:
        form = ending
    chart = cast("TrainingChart", options.pop("chart"))
    return Output(form=form, out=out, chart=chart, dark=bool(options.pop("dark")), explain=bool(options.pop("explain")))


def _export(advice: Advice, tool: str, out: str | None) -> None:
    from isoflop.training.export import exported

    held = advice.chosen
    if held is None:
        raise Infeasible(f"{advice.run.model.name} fits in no layout of these chips; there is nothing to export")
    text, left_out = exported(held.run, held.layout, tool)
    for line in left_out:
        click.echo(f"{tool}: {line}", err=True)
    write_out(text, out)


def _print(advice: Advice, output: Output) -> None:
    from isoflop import report

    if output.form in {"svg", "png"}:
        if output.out is None:
            raise BadInput(f"a chart goes to a file: give --out training.{output.form}")
        chart = report.training_chart(advice, output.chart, mode="dark" if output.dark else "light")
        report.save(chart, output.out)
        return
    match output.form:
        case "json":
            text = report.dumps(report.training_json(advice))
        case "md":
            text = report.training_markdown(advice)
        case "html":
            text = report.training_html(advice)
        case _:
            color = wants_color() and output.out is None
            text = report.training_text(
                advice, explain=output.explain, width=terminal_width(), color=color, ascii_only=ascii_only()
            )
    write_out(text, output.out)
