"""`isoflop solve TARGET name=value ...`."""

from __future__ import annotations

import click

from isoflop.cli.knowns import sampling_options
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show_drawn
from isoflop.flags import ask, split


@click.command("solve", cls=Command)
@click.argument("target")
@click.argument("knowns", nargs=-1, metavar="[NAME=VALUE]...")
@sampling_options
@output_options("mermaid", charts=("tornado", "course", "shares"), explain="Print the numbered derivation.")
def command(target: str, knowns: tuple[str, ...], samples: int, seed: int, *, output: Output) -> None:
    """Work out TARGET, any quantity, from whatever is known.

    NAME is a quantity (see: isoflop quantities) or one of device, dtype, model, law, allocation, grid, provider,
    commitment, region, as_of; a noun is tied with slice='32 chip'.

    \b
    isoflop solve params train_cost='$100m' tokens=4T device=tpu-v4 \\
        price='$33,849/month/slice' slice='32 chip' mfu='0.3 to 0.5' --explain
    isoflop solve params loss=2.2 train_flops=1e22 law=hoffmann2022-rounded
    """
    from isoflop.ask import solve_question
    from isoflop.quantity import quantity
    from isoflop.report.drawn_answer import drawn_solved

    entry = quantity(target.replace("-", "_"))
    question = ask(split(knowns), without=entry.name)
    answer = solve_question(question, entry.name, samples=samples, seed=seed)
    show_drawn(drawn_solved(answer, question), output)
