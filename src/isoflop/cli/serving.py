"""`isoflop serving M --on DEVICES ...`."""

from __future__ import annotations

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show
from isoflop.errors import Infeasible
from isoflop.flags.serving import deployment_options, service_of

CHARTS = ("pareto", "memory", "step")


@click.command("serving", cls=Command)
@click.argument("model", metavar="M")
@deployment_options
@click.option("--check", is_flag=True, help="Exit with 1 where it does not fit, or misses a limit.")
@output_options(charts=CHARTS, explain="The numbered derivation, and what constants stand on.")
def command(model: str, *, check: bool, output: Output, **options: object) -> None:
    """What fits, how fast, for how much: a model served on chips, the best placement, what would hold more.

    M is a preset, a size (7B) or a path, as in `isoflop model`. Without degrees every placement is tried. Intervals
    hold 80 % of what was measured.

    \b
    isoflop serving llama-3.1-70b --on 8xh100-sxm --context 32k --concurrency 64
    isoflop serving qwen3-235b-a22b --on 8xh200-sxm --input 4k --output 1k --concurrency 256 --tpot '30 ms'
    isoflop serving deepseek-v3 --on h200-sxm --context 64k --runtime sglang --api '0.27,1.10'
    isoflop serving llama-3.1-8b --on rtx-4090 --runtime llama.cpp --weights q4_k_m --context 8k
    """
    service = service_of(model, options)
    show(service, output)
    if not service.good:
        raise SystemExit(1 if check else Infeasible.exit_code)
