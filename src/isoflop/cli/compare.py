"""`isoflop compare A B ...`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from isoflop.cli.knowns import ascii_only, terminal_width, wants_color, write_out
from isoflop.cli.manual import Command

if TYPE_CHECKING:
    from isoflop.report.beside import Beside

FORMATS = ("text", "json", "md", "html", "csv", "latex", "svg", "png")


@click.command("compare", cls=Command)
@click.argument("things", nargs=-1, metavar="A B [C [D]]")
@click.option("--model", default="", help="Devices and layouts: the model that is trained.")
@click.option("--on", default="", help="Layouts: the devices, 64xh100-sxm.")
@click.option("--sequence", default="", help="Devices and layouts: tokens of a sequence, 8k.")
@click.option("--batch", default="", help="Devices and layouts: a step's batch, 1M tokens or a number of sequences.")
@click.option("--all", "everything", is_flag=True, help="Rows for the figures that are the same, too.")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="In which form; text where nothing is said.")
@click.option("--dark", is_flag=True, help="Draw svg and png for a dark page.")
@click.option(
    "--out", type=click.Path(dir_okay=False, writable=True), help="Write to this file; its ending chooses the form."
)
def command(
    things: tuple[str, ...], *, everything: bool, as_json: bool, form: str | None, dark: bool, out: str | None,
    model: str, on: str, sequence: str, batch: str,
) -> None:  # fmt: skip
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

    form = "json" if as_json else form or _by_ending(out)
    found = beside(things, Run(model=model, on=on, sequence=sequence, batch=batch))
    if everything:
        found = replace(found, all_rows=True)
    _print(found, form, out, "dark" if dark else "light")


def _by_ending(out: str | None) -> str:
    from pathlib import Path

    ending = Path(out or "").suffix.removeprefix(".").lower()
    return {"tex": "latex", "htm": "html"}.get(ending, ending if ending in FORMATS else "text")


def _print(found: Beside, form: str, out: str | None, mode: Literal["light", "dark"]) -> None:
    from isoflop import report
    from isoflop.errors import BadInput
    from isoflop.report import beside as drawing

    if form in {"svg", "png"}:
        if out is None:
            raise BadInput(f"a chart goes to a file: give --out compared.{form}")
        from isoflop.report.chart_beside import beside_chart

        report.save(beside_chart(found, mode=mode), out)
        return
    match form:
        case "json":
            text = report.dumps(drawing.beside_json(found))
        case "md":
            text = drawing.beside_markdown(found)
        case "html":
            text = report.page("isoflop compare", drawing.beside_html(found))
        case "csv":
            text = drawing.beside_csv(found)
        case "latex":
            text = drawing.beside_latex(found)
        case _:
            color = wants_color() and out is None
            text = drawing.beside_text(found, width=terminal_width(), color=color, ascii_only=ascii_only())
    write_out(text, out)
