"""`isoflop model [M ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table, show_drawn
from isoflop.cli.side_by_side import echo_wrapped, print_beside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.sheet import Sheet
    from isoflop.torchmodel.oracle import Opinion

CONVENTIONS = ("model", "full-attention", "6nd")
KV_DTYPES = ("fp32", "bf16", "fp16", "fp8", "int8", "int4")


@click.command("model", cls=Command)
@click.argument("names", nargs=-1, metavar="[M]...")
@click.option("--sequence", help="Tokens of a training sequence; else 4,096, or the model's context where it is less.")
@click.option("--context", help="Tokens of a sequence in the cache; else the model's context.")
@click.option("--convention", type=click.Choice(CONVENTIONS), default="model", show_default=True, help="Of FLOP.")
@click.option("--kv-dtype", type=click.Choice(KV_DTYPES), help="Of the cache; else as the config asks, or bf16.")
@click.option("--list", "listing", is_flag=True, help="All presets; so does no model at all.")
@click.option("--oracle", is_flag=True, help="Count the real modules of transformers too, and say what differs.")
@output_options(charts=("components",), explain="Print the numbered derivation: which shapes multiply to what.")
def command(names: tuple[str, ...], *, listing: bool, oracle: bool, output: Output, **asked: str | None) -> None:
    """Parameters, FLOP, state and bytes of a model, counted exactly from its shape.

    M is a preset, a size (7B), the path of a config.json or of a folder that holds one, or hf:org/name to look it up on
    the Hub. Several are shown side by side. FLOP are of matrix products: "model" counts attention as its mask lets it
    through, "full-attention" every pair of tokens, "6nd" 2 FLOP per active parameter forward and no attention.

    \b
    isoflop model llama-3.1-8b --context 32Ki
    isoflop model ./DeepSeek-V3/config.json --explain
    isoflop model mixtral-8x7b qwen3-30b-a3b --kv-dtype fp8
    """
    from isoflop.report import drawn_model

    form = output.form
    if listing or not names:
        _list(form)
        return
    if len(names) == 1 and _print_tensors(names[0], form):
        return
    sheets = [_sheet(name, asked) for name in names]
    opinions = [_opinion(one) for one in sheets] if oracle else []
    if form == "json":
        _json(sheets, opinions)
    elif len(sheets) > 1:
        _beside(sheets, form)
    else:
        show_drawn(drawn_model.drawn_sheet(sheets[0]), output)
    if form == "text":
        for one in opinions:
            click.echo()
            for line in one.lines():
                echo_wrapped(line)


def _sheet(name: str, asked: Mapping[str, str | None]) -> Sheet:
    """Everything that is counted of one model, at the lengths that were asked for."""
    from isoflop.model import describe
    from isoflop.model.sheet import lengths, sheet

    described = describe(name)
    at = lengths(
        described,
        sequence=_tokens(asked["sequence"], "sequence_length"),
        context=_tokens(asked["context"], "context"),
        convention=str(asked["convention"]),
        kv_dtype=asked["kv_dtype"],
    )
    return sheet(described, at)


def _tokens(text: str | None, name: str) -> float | None:
    """A number of tokens in the value grammar."""
    if text is None:
        return None
    from isoflop.quantity import quantity, read

    return read(text, quantity(name)).spread.median


def _print_tensors(name: str, form: str) -> bool:
    """What files of weights without a config list; false for everything else."""
    from isoflop.model.names import bare_tensors

    tensors = bare_tensors(name)
    if tensors is None:
        return False
    from isoflop import report
    from isoflop.cli.model_tables import held

    if form == "json":
        click.echo(report.dumps({"schema_version": 1, "name": name, **report.tensors_json(tensors)}))
        return True
    print_table(*held(tensors, form), form)
    if form == "text":
        echo_wrapped(
            "\nExact, from the headers. The shape is not in there: with the model's config.json beside it, parameters, "
            "FLOP and state are counted too."
        )
        for doubt in tensors.doubts:
            echo_wrapped(f"\nMind: {doubt}")
    return True


def _opinion(sheet: Sheet) -> Opinion:
    from isoflop.torchmodel.oracle import opinion

    return opinion(sheet.described)


def _json(sheets: list[Sheet], opinions: list[Opinion]) -> None:
    from isoflop import report

    objects = [report.model_json(one) for one in sheets]
    for made, one in zip(objects, opinions, strict=False):
        made["oracle"] = report.opinion_json(one)
    click.echo(report.dumps(report.models_json(objects)))


def _list(form: str) -> None:
    """Every preset with its counts."""
    from isoflop.cli.model_tables import listing

    print_table(*listing(form), form)


def _beside(sheets: list[Sheet], form: str) -> None:
    """Several models, a column each."""
    from isoflop.cli.model_tables import below, lines

    print_beside([one.spec.name for one in sheets], lines(sheets), form)
    if form == "text":
        for text in below(sheets):
            echo_wrapped(f"\n{text}")
