"""`isoflop training M --on DEVICES ...`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import ascii_only, split, terminal_width, wants_color
from isoflop.errors import BadInput, Infeasible, UnknownName, shorten

if TYPE_CHECKING:
    from isoflop.training import Advice, Layout, Recipe

FORMATS = ("text", "json", "md", "html")
DEGREES = ("dp", "tp", "pp", "vpp", "cp", "ep", "etp", "zero", "shard", "micro-batch", "offload-layers")


def _degree_options(function: click.decorators.FC) -> click.decorators.FC:
    for name in reversed(DEGREES):
        function = click.option(f"--{name}", type=int, help=_HELP.get(name, f"{name} ranks."))(function)
    return function


_HELP = {
    "dp": "Data-parallel replicas; what the other degrees leave where it is not given.",
    "tp": "Tensor-parallel ranks.",
    "pp": "Pipeline stages.",
    "vpp": "Chunks of layers a stage (interleaved).",
    "cp": "Context-parallel ranks.",
    "ep": "Expert-parallel ranks.",
    "etp": "Tensor-parallel ranks inside an expert.",
    "zero": "ZeRO stage, 0 to 3 (3 is FSDP).",
    "shard": "Ranks that ZeRO shards over; all of dp x cp where it is not given (HSDP).",
    "micro-batch": "Sequences at once on a rank.",
    "offload-layers": "Layers whose saved tensors go to host memory.",
}


@click.command("training")
@click.argument("model", metavar="M")
@click.option("--on", required=True, help="Devices: 64xh100-sxm, h100-sxm (as many as it takes), 8x./device.toml.")
@click.option("--sequence", help="Tokens of a sequence: 8k, 32Ki.")
@click.option("--batch", help="A step's batch: 1M tokens, or a number of sequences.")
@click.option("--recipe", default=None, help="mixed (Megatron), fsdp, bf16, fp32.")
@click.option("--engine", help="Software: megatron, fsdp, fsdp-compiled, torch, deepspeed.")
@click.option("--recompute", multiple=True, help="What is computed again: none, norms, mlp, full, ...; repeatable.")
@click.option("--fused-loss", is_flag=True, help="The loss is fused or chunked: no fp32 copies of the logits.")
@click.option("--lora", type=click.IntRange(1), help="Fine-tune with LoRA of this rank.")
@click.option("--qlora", type=click.IntRange(1), help="The same on weights in 4 bits.")
@_degree_options
@click.option("--sequence-parallel/--no-sequence-parallel", default=None, help="Split norms over tp; on where tp is.")
@click.option("--offload-optimizer", type=click.FloatRange(0, 1), help="Share of optimizer states in host memory.")
@click.option("--layout", "words", help="The same degrees in one word: dp=4,tp=8,pp=2.")
@click.option("--check", is_flag=True, help="Exit with 1 where it does not fit.")
@click.option("--explain", is_flag=True, help="Say what the prediction stands on.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json.")
def command(
    model: str, *, on: str, sequence: str | None, batch: str | None, words: str | None, check: bool, explain: bool,
    form: str, as_json: bool, **options: object,
) -> None:  # fmt: skip
    """Does it fit: memory of a training run by the tensor, the layouts that fit, what would help.

    M is a preset, a size (7B) or a path, as in `isoflop model`. Without a layout all are tried.

    \b
    isoflop training llama-3.1-8b --on 8xh100-sxm --sequence 8k
    isoflop training llama-3.1-70b --on 64xh100-sxm --tp 8 --pp 2 --zero 1 --recompute full
    isoflop training llama-3.1-8b --on 1xrtx-4090 --qlora 16 --micro-batch 1
    """
    from isoflop.model import model as find_model
    from isoflop.quantity import read_cluster
    from isoflop.training import advise

    spec = find_model(model)
    length = _tokens(sequence)
    recipe = _recipe(options)
    layout = _layout(words, options, read_cluster(on).count)
    advice = advise(spec, on, sequence=length, batch=_batch(batch, length), recipe=recipe, layout=layout)
    _print(advice, "json" if as_json else form, explain=explain)
    if not advice.good:
        raise SystemExit(1 if check else Infeasible.exit_code)


def _tokens(text: str | None) -> int | None:
    if text is None:
        return None
    from isoflop.quantity import quantity, read

    return _whole(read(text, quantity("sequence_length")).spread.median, "--sequence")


def _batch(text: str | None, length: int | None) -> int | None:
    """Sequences of a step, given as such or in tokens."""
    if text is None:
        return None
    from isoflop.quantity import quantity, read

    if "tok" not in text:
        return _whole(read(text, quantity("batch_sequences")).spread.median, "--batch")
    tokens = read(text, quantity("batch_tokens")).spread.median
    if length is None:
        raise BadInput(f"--batch '{shorten(text)}' in tokens needs --sequence too: how many sequences is it?")
    return max(1, round(tokens / length))


def _whole(number: float, flag: str) -> int:
    if number != round(number) or number < 1:
        raise BadInput(f"{flag} is {number:g}; give a whole number from 1 up")
    return round(number)


def _recipe(options: dict[str, object]) -> Recipe | None:
    from isoflop.training import RECIPES, Adapter, engine

    name, software = options.pop("recipe"), options.pop("engine")
    recompute, fused = options.pop("recompute"), options.pop("fused_loss")
    lora, qlora = options.pop("lora"), options.pop("qlora")
    if not (name or software or recompute or fused or lora or qlora):
        return None
    usual = "fsdp" if lora or qlora else "mixed"
    chosen = str(name or usual)
    if chosen not in RECIPES:
        raise UnknownName("recipe", chosen, RECIPES)
    made = RECIPES[chosen]
    if software:
        engine(str(software))
        made = replace(made, engine=str(software))
    if lora and qlora:
        raise BadInput("--lora and --qlora are both given; give one of them")
    if lora or qlora:
        made = replace(
            made, weights="fp32", adapter=Adapter(rank=int(str(lora or qlora)), base="nf4" if qlora else "bf16")
        )
    assert isinstance(recompute, tuple)
    return replace(made, recompute=recompute or ("none",), fused_loss=bool(fused))


def _layout(words: str | None, options: dict[str, object], chips: int | None) -> Layout | None:
    """The layout that was asked for; None where none was. What is left of the chips is data parallelism."""
    from isoflop.training import Layout

    given = {name: value for name, value in options.items() if value is not None}
    for key, text in split(words.split(",")).items() if words else ():
        if key in given:
            raise BadInput(f"{key} is given twice: as a flag and in --layout")
        if key not in Layout.__dataclass_fields__:
            raise UnknownName("field of a layout", key, Layout.__dataclass_fields__)
        given[key] = _number(key, text)
    if not given:
        return None
    if given.get("sequence_parallel") is None:
        given["sequence_parallel"] = given.get("tp", 1) != 1
    given["sequence_parallel"] = int(bool(given["sequence_parallel"]))
    layout = Layout(**given)  # type: ignore[arg-type]
    if "dp" in given or chips is None:
        return layout
    rest = layout.tp * layout.pp * layout.cp
    if chips % rest:
        raise BadInput(f"tp x pp x cp = {rest} does not divide {chips} chips; change one of them, or give --dp")
    return replace(layout, dp=chips // rest)


def _number(key: str, text: str) -> float | int:
    try:
        return float(text) if key == "offload_optimizer" else int(text)
    except ValueError as error:
        raise BadInput(f"--layout: {key}={shorten(text)} is no number") from error


def _print(advice: Advice, form: str, *, explain: bool) -> None:
    from isoflop import report

    match form:
        case "json":
            text = report.dumps(report.training_json(advice))
        case "md":
            text = report.training_markdown(advice)
        case "html":
            text = report.training_html(advice)
        case _:
            text = report.training_text(
                advice, explain=explain, width=terminal_width(), color=wants_color(), ascii_only=ascii_only()
            )
    click.echo(text.rstrip("\n"))
