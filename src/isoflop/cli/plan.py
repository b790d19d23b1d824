"""`isoflop plan`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from isoflop.cli.knowns import ascii_only, sampling_options, terminal_width, wants_color
from isoflop.cli.manual import Command
from isoflop.errors import BadFile, BadInput, Infeasible, shorten
from isoflop.flags import ask, split

if TYPE_CHECKING:
    from isoflop.ask import Plan

FORMATS = ("text", "json", "md", "html", "svg", "png")

WORDS = {
    "budget": ("train_cost", "What may be spent: '$4k'."),
    "deadline": ("train_time", "When it must be done: '30 days'."),
    "on": ("on", "Devices: tpu-v4, 64xh100-sxm, or a device.toml."),
    "model": ("model", "A preset, a size (7B), a config.json, hf:org/name."),
    "params": ("params", "Parameters, where no model is named."),
    "tokens": ("tokens", "Training tokens: 1.4T."),
    "loss": ("loss", "The loss to reach, in nats per token."),
    "demand": ("serve_tokens", "Tokens that will be served over the model's life."),
    "mfu": ("mfu", "Model FLOP utilisation: 40%, '0.3 to 0.5'."),
    "law": ("law", "The scaling law that decides and predicts."),
    "price": ("price", "A price of your own: '$2/chip/h'."),
    "commitment": ("commitment", "on-demand, 1y, 3y or spot."),
    "provider": ("provider", "Whose price."),
    "region": ("region", "Where."),
    "as-of": ("as_of", "The date of the price."),
    "grid": ("grid", "Whose electricity: usa, france, ..."),
    "dtype": ("dtype", "Number format whose dense peak counts."),
}
"""Every option that is a known: the quantity or choice it stands for, and its help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How a plan is to be printed and where to."""

    form: str
    out: str | None
    chart: Literal["loss", "memory"]
    explain: bool


def _word_options(function: click.decorators.FC) -> click.decorators.FC:
    for name, (_, text) in reversed(WORDS.items()):
        function = click.option(f"--{name}", help=text)(function)
    return function


def _output_options(function: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write to this file."),
        click.option("--chart", type=click.Choice(("loss", "memory")), default="loss", help="What svg and png draw."),
        click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print the plan."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json."),
        click.option("--explain", is_flag=True, help="Print the numbered derivation too."),
    ):
        function = option(function)
    return function


@click.command("plan", cls=Command)
@_word_options
@click.argument("knowns", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--check", is_flag=True, help="Exit with 1 where the run does not keep its budget or deadline.")
@_output_options
@sampling_options
def command(
    *, knowns: tuple[str, ...], samples: int, seed: int, check: bool, as_json: bool, **options: str | None
) -> None:
    """From any of budget, deadline, devices, model, tokens, loss and demand to the rest of the run.

    Further knowns of the glossary go as NAME=VALUE (pue=1.1, flops_per_param_token=6.3).

    \b
    isoflop plan --budget '$4k' --on tpu-v4 --commitment 3y
    isoflop plan --on 64xh100-sxm --deadline '30 days' --mfu 40%
    isoflop plan --model llama-2-7b --tokens 2T --on 512xa100-80gb --explain
    """
    from isoflop.ask import DEFAULT_GRID, DEFAULT_LAW, plan_question

    form = _form(str(options.pop("form")), options["out"])
    output = Output(
        form="json" if as_json else form,
        out=options.pop("out"),
        chart="memory" if options.pop("chart") == "memory" else "loss",
        explain=bool(options.pop("explain")),
    )
    flags = {WORDS[name.replace("_", "-")][0]: value for name, value in options.items() if value is not None}
    further = split(knowns)
    twice = sorted(flags.keys() & further.keys())
    if twice:
        key = twice[0]
        said = shorten(str(flags[key])), shorten(further[key])
        raise BadInput(f"'{key}' is given twice: as a flag ({said[0]}) and as {key}={said[1]}")
    question = ask({**flags, **further}, usual={"law": DEFAULT_LAW, "grid": DEFAULT_GRID})
    result = plan_question(question, samples=samples, seed=seed)
    _print(result, output)
    if not result.fits:
        raise SystemExit(Infeasible.exit_code)
    if check and result.broken:
        raise SystemExit(1)


def _form(form: str, out: str | None) -> str:
    """The format, or what the file's ending says where no format was asked for."""
    ending = Path(out or "").suffix.removeprefix(".")
    if form == "text" and ending in FORMATS:
        return ending
    if form in {"svg", "png"} and ending != form and out is not None:
        raise BadInput(
            f"--format {form} and --out {shorten(out)} disagree: give one of them, or a file that ends in .{form}"
        )
    return form


def _print(result: Plan, output: Output) -> None:
    from isoflop import report

    if output.form in {"svg", "png"}:
        if output.out is None:
            raise BadInput(f"a chart goes to a file: give --out plan.{output.form}")
        report.save(report.plan_chart(result, output.chart), output.out)
        return
    match output.form:
        case "json":
            text = report.dumps(report.plan_json(result))
        case "md":
            text = report.plan_markdown(result, explain=output.explain)
        case "html":
            text = report.plan_html(result)
        case _:
            text = report.plan_text(
                result,
                explain=output.explain,
                width=terminal_width(),
                color=wants_color() and output.out is None,
                ascii_only=ascii_only(),
            )
    if output.out is None:
        click.echo(text.rstrip("\n"))
    else:
        try:
            Path(output.out).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        except OSError as error:
            raise BadFile(f"cannot write '{shorten(output.out)}': {error.strerror}; choose another file.") from error
