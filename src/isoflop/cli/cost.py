"""`isoflop cost M --on DEVICES --tokens T`."""

from __future__ import annotations

import click

from isoflop.cli.cost_life import check_life, life_options, with_life
from isoflop.cli.cost_many import account_of_runs, is_runs
from isoflop.cli.cost_ways import print_ways
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show, show_drawn
from isoflop.errors import BadInput
from isoflop.flags.cost import cost_of, cost_options

CHARTS = ("offers", "dates")


@click.command("cost", cls=Command)
@click.argument("model", metavar="M")
@cost_options
@life_options
@click.option("--ways", is_flag=True, help="LoRA, QLoRA, all weights and training from nothing, side by side.")
@output_options("methods", "bibtex", "card", charts=CHARTS)
def command(model: str, *, on: str | None, tokens: str | None, ways: bool, output: Output, **options: object) -> None:
    """What a training run takes, whole: time with failures, money, energy, emissions, water, data, checkpoints.

    Without --on the run is priced on several devices and numbers of chips; * marks what no other beats in both time and
    money. M can be many runs: a table with params and tokens (.csv, .jsonl), or the folder of a study.

    \b
    isoflop cost llama-3.1-8b --on 512xh100-sxm --tokens 1T
    isoflop cost llama-3.1-8b --on 512xh100-sxm --tokens 1T --chip-capital '$40k/chip' --grid fr
    isoflop cost llama-3.1-8b --tokens 1T --deadline '30 days'
    isoflop cost llama-3.1-8b --on 1xh100-sxm --tokens 100M --lora 16
    isoflop cost llama-3.1-8b --on 512xh100-sxm --tokens 1T --serve-tokens 10T
    isoflop cost llama-3.1-8b --on 1xrtx-4090 --tokens 50M --ways
    isoflop cost sweep.csv --on 8xh100-sxm --grid fr
    """
    from isoflop.report import drawn_cost

    if ways:
        print_ways(model, on, tokens, options, output.form)
        return
    if is_runs(model):
        if tokens is not None:
            raise BadInput(f"{model} says the tokens of every run: leave --tokens out")
        show(account_of_runs(model, on, options), output)
        return
    asked = {name: options.pop(name) for name in ("serve_tokens", "serve_on", "concurrency")}
    check_life(asked, on)
    found = cost_of(model, on, tokens, options)
    if isinstance(found, tuple):
        title = f"{model} on {tokens} tokens: money against time"
        show_drawn(drawn_cost.drawn_offers(found, title), output)
        return
    if asked["serve_tokens"] is not None:
        found = with_life(found, model, str(on), asked)
    show(found, output)
