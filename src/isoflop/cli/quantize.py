"""`isoflop quantize SRC DST --to SCHEME`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import click

from isoflop.cli.knowns import wrapped
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table, show_drawn
from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.quantize import Report
    from isoflop.quantize.quality import Quality
    from isoflop.report import Drawn


@click.command("quantize", cls=Command)
@click.argument("source", required=False, type=click.Path())
@click.argument("folder", required=False, type=click.Path())
@click.option("--to", "name", help="The scheme: int8, int4-g128, fp8, mxfp4, nvfp4, bf16, gguf-q8_0 ...; see --list.")
@click.option("--list", "listed", is_flag=True, help="The schemes, and what each is.")
@click.option(
    "--scales",
    "choice",
    type=click.Choice(("absmax", "mse", "percentile")),
    default="absmax",
    show_default=True,
    help="What scales are chosen by: the largest magnitude, the least squared error ...",
)
@click.option("--percentile", type=float, default=99.9, show_default=True, help="For --scales percentile.")
@click.option("--keep", multiple=True, metavar="PATTERN", help="Layers to leave as they are ('*.down_proj').")
@click.option("--include", multiple=True, metavar="PATTERN", help="Layers to quantize although the rules keep them.")
@click.option("--rest", type=click.Choice(("bf16", "fp16", "fp32")), help="The format of what is not quantized.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads; 0 for all cores.")
@click.option("--sync", is_flag=True, help="Wait until the disk has every file, so that a power cut loses nothing.")
@click.option("--no-numba", is_flag=True, help="The kernels of NumPy: the same bytes, slower.")
@click.option("--tensors", is_flag=True, help="A line for each tensor.")
@click.option("--on", "device", help="What the result takes to serve on this device: h100-sxm, 2xrtx-4090.")
@click.option("--quality", "text", type=click.Path(), help="Perplexity before and after on this text (needs torch).")
@click.option("--method", type=click.Choice(("gptq", "awq")), help="Calibrated, by llm-compressor where it is there.")
@click.option("--calibrate", type=click.Path(), help="The text for --method.")
@output_options(charts=("noise",))
def command(
    source: str | None, folder: str | None, *, name: str | None, listed: bool, tensors: bool, output: Output,
    **options: object,
) -> None:  # fmt: skip
    """Turn a safetensors checkpoint into a smaller one that transformers and vLLM load, and say what was lost.

    SOURCE is a folder, a file or an index; FOLDER must not be there yet. One tensor at a time: a checkpoint may be
    larger than the memory. A call that was killed goes on where it was when it is repeated. --to bf16, fp16 or fp32
    casts, and reads a quantized checkpoint back.

    \b
    isoflop quantize ./llama ./llama-int4 --to int4-g128 --scales mse
    isoflop quantize ./llama ./llama-fp8 --to fp8 --keep '*.down_proj'
    isoflop quantize ./llama-int4 ./llama-again --to bf16
    """
    from isoflop.report import drawn_quantize

    if listed:
        _list(output.form)
        return
    if source is None or folder is None or name is None:
        raise BadInput("say what, where to and how: isoflop quantize SOURCE FOLDER --to int4-g128 (schemes: --list)")
    if options["method"] is not None:
        _calibrated(source, folder, name, options)
        return
    _check(source, name, output.form, options)
    report = _run(source, folder, name, options)
    judged = _judge(source, folder, options["text"])
    served = _to_serve(folder, str(options["device"])) if options["device"] is not None else None
    _print(drawn_quantize.drawn(report, judged, tensors=tensors), output, report.folder, served)


def _check(source: str, name: str, form: str, options: dict[str, object]) -> None:
    """Refuse what would fail, or be left out, after a long conversion."""
    if options["calibrate"] is not None:
        raise BadInput("--calibrate is the text for --method gptq or awq: give both, or neither")
    if options["device"] is not None:
        from isoflop.model import describe
        from isoflop.serving import deployment_for

        if form not in {"text", "json"}:
            raise BadInput("--on is said in text and in JSON; leave --format, or ask isoflop serving afterwards")
        deployment_for(describe(source), str(options["device"]))
    if options["text"] is not None:
        from isoflop.quantize.quality import check_quality

        if name.strip().lower().startswith("gguf"):
            raise BadInput("--quality does not read GGUF; llama.cpp's own perplexity measures it")
        check_quality(source, str(options["text"]))


def _to_serve(folder: str, device: str) -> Served:
    """What the new checkpoint takes on a device."""
    from isoflop.model import describe
    from isoflop.serving import Wish, deployment_for, serve

    deployment, chips = deployment_for(describe(folder), device)
    found = serve(deployment, chips, Wish(concurrency=1, input_tokens=1536, output_tokens=512))
    held = next((term.value for term in found.memory.terms if term.name == "weights"), 0.0)
    likely, least, most = found.room.tokens
    return Served(device, held, likely, least, most)


class Served(NamedTuple):
    """Bytes of weights a chip, and tokens that fit beside them: likely, at least, at most."""

    device: str
    weight_bytes: float
    tokens: float
    least_tokens: float
    most_tokens: float

    def say(self, folder: str) -> str:
        """In a sentence."""
        from isoflop.report import say

        said = f"To serve on {self.device}: {say(self.weight_bytes, 'weight_bytes')} of weights a chip, room for "
        said += f"{self.tokens:,.0f} tokens ({self.least_tokens:,.0f} to {self.most_tokens:,.0f})"
        return f"{said}; everything else: isoflop serving {folder} --on {self.device}"


def _calibrated(source: str, folder: str, name: str, options: dict[str, object]) -> None:
    from pathlib import Path

    from isoflop.quantize.hand_over import calibrated

    if options["calibrate"] is None:
        raise BadInput(f"--method {options['method']} needs a text to calibrate on: --calibrate FILE")
    if options["keep"] or options["include"] or options["rest"] or options["choice"] != "absmax" or options["text"]:
        raise BadInput("--method hands over to llm-compressor: without --scales, --keep, --include, --rest, --quality")
    calibrated(Path(source), Path(folder), name, Path(str(options["calibrate"])), str(options["method"]))
    click.echo(f"{folder}: written by llm-compressor ({options['method']}, {name})")


def _judge(source: str, folder: str, text: object) -> Quality | None:
    """Perplexities, where a text is given."""
    if text is None:
        return None
    from isoflop.quantize.quality import quality

    return quality(source, folder, str(text))


def _list(form: str) -> None:
    from isoflop.quantize import scheme, schemes

    print_table(
        ("scheme", "what it is", "layout"), [(one, scheme(one).words, scheme(one).layout) for one in schemes()], form
    )


def _run(source: str, folder: str, name: str, options: dict[str, object]) -> Report:
    from isoflop.quantize import Options, quantize

    chosen = Options(
        choice=options["choice"],  # type: ignore[arg-type]
        percentile=options["percentile"],  # type: ignore[arg-type]
        keep=options["keep"],  # type: ignore[arg-type]
        include=options["include"],  # type: ignore[arg-type]
        rest=options["rest"] or "",  # type: ignore[arg-type]
        threads=options["threads"],  # type: ignore[arg-type]
        fast=not options["no_numba"],
        sync=bool(options["sync"]),
    )
    if not sys.stderr.isatty():
        return quantize(source, folder, name, options=chosen)
    with click.progressbar(length=1000, label=f"to {name}", file=sys.stderr) as bar:
        return quantize(source, folder, name, options=chosen, progress=_steps(bar.update))


def _steps(update: Callable[[int], None]) -> Callable[[int, int], None]:
    """Progress in thousandths of the bytes."""
    reached = 0

    def told(done: int, total: int) -> None:
        nonlocal reached
        now = 1000 * done // max(total, 1)
        update(now - reached)
        reached = now

    return told


def _print(drawn: Drawn, output: Output, folder: str, served: Served | None) -> None:
    """The report, and what the result takes to serve where that was asked."""
    if served is not None and output.form == "json":
        kept = drawn.json()
        drawn = replace(drawn, json=lambda: {**kept, "to_serve": served._asdict()})
    show_drawn(drawn, output)
    if served is not None and output.form == "text":
        click.echo("\n" + wrapped(served.say(folder), first="  ", rest="  "))
