"""`isoflop serving M --on DEVICES ...`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from isoflop.cli.knowns import ascii_only, terminal_width, wants_color, write_out
from isoflop.cli.manual import Command
from isoflop.errors import BadInput, Infeasible
from isoflop.flags.serving import deployment_options, service_of

if TYPE_CHECKING:
    from isoflop.report.chart_serving import ServingChart
    from isoflop.serving.advice import Service

FORMATS = ("text", "json", "md", "html", "svg", "png", "csv")
CHARTS = ("pareto", "memory", "step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How an answer is to be printed and where to."""

    form: str
    out: str | None
    chart: ServingChart
    dark: bool
    explain: bool


def _output_options(function: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write to this file."),
        click.option("--dark", is_flag=True, help="Draw svg and png for a dark page."),
        click.option("--chart", type=click.Choice(CHARTS), default="pareto", help="What svg and png draw."),
        click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print it."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json."),
        click.option("--explain", is_flag=True, help="The numbered derivation, and what constants stand on."),
        click.option("--check", is_flag=True, help="Exit with 1 where it does not fit, or misses a limit."),
    ):
        function = option(function)
    return function


@click.command("serving", cls=Command)
@click.argument("model", metavar="M")
@deployment_options
@_output_options
def command(model: str, *, check: bool, **options: object) -> None:
    """What fits, how fast, for how much: a model served on chips, the best placement, what would hold more.

    M is a preset, a size (7B) or a path, as in `isoflop model`. Without degrees every placement is tried. Intervals
    hold 80 % of what was measured.

    \b
    isoflop serving llama-3.1-70b --on 8xh100-sxm --context 32k --concurrency 64
    isoflop serving qwen3-235b-a22b --on 8xh200-sxm --input 4k --output 1k --concurrency 256 --tpot '30 ms'
    isoflop serving deepseek-v3 --on h200-sxm --context 64k --runtime sglang --api '0.27,1.10'
    isoflop serving llama-3.1-8b --on rtx-4090 --runtime llama.cpp --weights q4_k_m --context 8k
    """
    output = _output(options)
    service = service_of(model, options)
    _print(service, output)
    if not service.good:
        raise SystemExit(1 if check else Infeasible.exit_code)


def _output(options: dict[str, object]) -> Output:
    form, out = str(options.pop("form")), cast("str | None", options.pop("out"))
    form = "json" if options.pop("as_json") else form
    ending = Path(out or "").suffix.removeprefix(".")
    if form == "text" and ending in FORMATS:
        form = ending
    chart = cast("ServingChart", options.pop("chart"))
    return Output(form=form, out=out, chart=chart, dark=bool(options.pop("dark")), explain=bool(options.pop("explain")))


def _print(service: Service, output: Output) -> None:
    from isoflop import report

    if output.form in {"svg", "png"}:
        if output.out is None:
            raise BadInput(f"a chart goes to a file: give --out serving.{output.form}")
        chart = report.serving_chart(service, output.chart, mode="dark" if output.dark else "light")
        report.save(chart, output.out)
        return
    match output.form:
        case "json":
            text = report.dumps(report.serving_json(service))
        case "md":
            text = report.serving_markdown(service)
        case "html":
            text = report.serving_html(service)
        case "csv":
            text = report.table_csv(*report.front_table(service))
        case _:
            color = wants_color() and output.out is None
            text = report.serving_text(
                service, explain=output.explain, width=terminal_width(), color=color, ascii_only=ascii_only()
            )
    write_out(text, output.out)
