"""The flags of `isoflop training` (layout, recipe, bill) and the answer to what they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import click

from isoflop.errors import BadInput, UnknownName, shorten
from isoflop.flags import split
from isoflop.flags.words import WISHES

if TYPE_CHECKING:
    from isoflop.model import ModelSpec
    from isoflop.training import Advice, Layout, Order, Recipe

DEGREES = {
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


def degree_options(function: click.decorators.FC) -> click.decorators.FC:
    """Every degree of a layout."""
    for option in (
        click.option("--offload-optimizer", type=click.FloatRange(0, 1), help="Share of optimizer states on the host."),
        click.option(
            "--sequence-parallel/--no-sequence-parallel", default=None, help="Split norms over tp; on where tp is."
        ),
    ):
        function = option(function)
    for name, text in reversed(DEGREES.items()):
        function = click.option(f"--{name}", type=int, help=text)(function)
    return function


def recipe_options(function: click.decorators.FC) -> click.decorators.FC:
    """Formats, engine, recomputation, adapters."""
    for option in (
        click.option("--qlora", type=click.IntRange(1), help="The same on weights in 4 bits."),
        click.option("--lora", type=click.IntRange(1), help="Fine-tune with LoRA of this rank."),
        click.option("--graphs", is_flag=True, help="CUDA graphs: kernels start without the host."),
        click.option("--overlap-tensor", is_flag=True, help="Tensor parallelism's sums run beside products."),
        click.option("--overlap-experts", is_flag=True, help="The dispatch to experts runs beside compute."),
        click.option("--matmul", help="Format of the layers' products: fp8, fp4; bf16 where nothing is said."),
        click.option("--fused-loss", is_flag=True, help="The loss is fused or chunked: no fp32 copies of the logits."),
        click.option("--recompute", multiple=True, help="What is computed again: none, norms, mlp, full; repeatable."),
        click.option("--engine", help="Software: megatron, fsdp, fsdp-compiled, torch, deepspeed."),
        click.option("--recipe", default=None, help="mixed (Megatron), fsdp, bf16, fp32."),
    ):
        function = option(function)
    return function


def run_options(function: click.decorators.FC) -> click.decorators.FC:
    """Everything that a training run is asked about with, beside the model."""
    for option in (
        click.option("--scales", is_flag=True, help="The best layouts of fewer and of more chips too."),
        click.option(
            "--settings",
            "file",
            type=click.Path(dir_okay=False),
            help="Layout and recipe from a settings file of another tool.",
        ),
        click.option("--layout", "words", help="The same degrees in one word: dp=4,tp=8,pp=2."),
        degree_options,
        recipe_options,
        bill_options,
        click.option("--batch", help="A step's batch: 1M tokens, or a number of sequences."),
        click.option("--sequence", help="Tokens of a sequence: 8k, 32Ki."),
        click.option(
            "--on", required=True, help="Devices: 64xh100-sxm, h100-sxm (as many as it takes), 8x./device.toml."
        ),
    ):
        function = option(function)
    return function


def advice_of(model: str | float, options: dict[str, object]) -> Advice:
    """The answer to what `run_options` hold; those are taken out of `options`."""
    from isoflop.model import model as find_model
    from isoflop.quantity import read_cluster
    from isoflop.training import advise, at_scales

    on, file, wants_scales = str(options.pop("on")), cast("str | None", options.pop("file")), options.pop("scales")
    words = cast("str | None", options.pop("words"))
    length = tokens_of(cast("str | None", options.pop("sequence")))
    batch = batch_of(cast("str | None", options.pop("batch")), length)
    order, recipe = order_of(on, options), recipe_of(options)
    layout = layout_of(words, options, read_cluster(on).count)
    spec = find_model(model)
    if file is None:
        advice = advise(spec, on, sequence=length, batch=batch, recipe=recipe, layout=layout, order=order)
    elif recipe is not None or layout is not None:
        raise BadInput("--settings says layout and recipe; leave the flags for them out, or the file")
    else:
        advice = _of_file(file, (spec, on), (length, batch), order)
    return replace(advice, scales=tuple(at_scales(advice))) if wants_scales else advice


def _of_file(
    file: str, what: tuple[ModelSpec, str], size: tuple[int | None, int | None], order: Order | None
) -> Advice:
    """The answer for the layout and recipe that another tool's settings ask for; `size` is (sequence, batch)."""
    from isoflop.training import advise_run, place_of
    from isoflop.training.readers import read_settings

    (spec, on), (length, batch) = what, size
    place, settings = place_of(on), read_settings(file)
    run, of_file = settings.run(place.chips, model=spec, sequence=length, batch=batch)
    told = [f"settings of {settings.tool} from {settings.file}", *settings.assumed]
    told += ["a batch of one micro-batch a replica"] if batch is None and settings.batch_on(of_file) is None else []
    advice = advise_run(run, place, of_file, order, tuple(told))
    notes = [f"not understood in {settings.file}, left out: {', '.join(settings.not_understood)}"]
    notes = notes if settings.not_understood else []
    return replace(advice, notes=(*notes, *(f"not modelled: {one}" for one in settings.not_modelled)))


def bill_options(function: click.decorators.FC) -> click.decorators.FC:
    """What is trained on, until when, at whose price."""
    for option in (
        click.option("--goodput", help="Share of the time in which steps count: 90%."),
        click.option("--as-of", help="The date of the price."),
        click.option("--region", help="Where."),
        click.option("--provider", help="Whose price."),
        click.option("--commitment", help="on-demand, 1y, 3y or spot."),
        click.option("--price", help="A price of your own: '$2/chip/h', or a price file."),
        click.option("--deadline", help="When it must be done: '30 days'."),
        click.option("--tokens", help="Tokens to train on: 1T. The answer says days and dollars then."),
    ):
        function = option(function)
    return function


def tokens_of(text: str | None) -> int | None:
    """Tokens of a sequence."""
    if text is None:
        return None
    return _whole(_median(text, "sequence_length"), "--sequence")


def batch_of(text: str | None, length: int | None) -> int | None:
    """Sequences of a step, given as such or in tokens."""
    if text is None:
        return None
    if "tok" not in text:
        return _whole(_median(text, "batch_sequences"), "--batch")
    tokens = _median(text, "batch_tokens")
    if length is None:
        raise BadInput(f"--batch '{shorten(text)}' in tokens needs --sequence too: how many sequences is it?")
    return max(1, round(tokens / length))


def _median(text: str, name: str) -> float:
    from isoflop.quantity import quantity, read

    return read(text, quantity(name)).spread.median


def _whole(number: float, flag: str) -> int:
    if number != round(number) or number < 1:
        raise BadInput(f"{flag} is {number:g}; give a whole number from 1 up")
    return round(number)


def order_of(on: str, options: dict[str, object]) -> Order | None:
    """What a bill is asked for; None where no tokens are named."""
    from isoflop import hardware
    from isoflop.quantity import read_cluster
    from isoflop.training import Order, tariff_of

    given = {
        name: str(text) for name in ("tokens", "deadline", "price", "goodput", *WISHES) if (text := options.pop(name))
    }
    if "tokens" not in given:
        if given:
            raise BadInput(f"--{next(iter(given)).replace('_', '-')} needs --tokens too: how long is the run?")
        return None
    wish = {name: given[name] for name in WISHES if name in given}
    tariff = tariff_of(hardware.device(read_cluster(on).device), price=given.get("price", ""), **wish)
    order = Order(
        tokens=_median(given["tokens"], "tokens"),
        tariff=tariff,
        deadline=_median(given["deadline"], "train_time") if "deadline" in given else None,
    )
    return replace(order, goodput=_median(given["goodput"], "goodput")) if "goodput" in given else order


def recipe_of(options: dict[str, object]) -> Recipe | None:
    """The recipe that flags ask for; None where none does."""
    from isoflop.training import RECIPES, Adapter, engine

    asked = {
        name: options.pop(name) for name in ("recipe", "engine", "recompute", "fused_loss", "lora", "qlora", "matmul")
    }
    runs = {name: bool(options.pop(name)) for name in ("graphs", "overlap_tensor", "overlap_experts")}
    if not (any(asked.values()) or any(runs.values())):
        return None
    lora, qlora = asked["lora"], asked["qlora"]
    chosen = str(asked["recipe"] or ("fsdp" if lora or qlora else "mixed"))
    if chosen not in RECIPES:
        raise UnknownName("recipe", chosen, RECIPES)
    made = RECIPES[chosen]
    if asked["engine"]:
        engine(str(asked["engine"]))
        made = replace(made, engine=str(asked["engine"]))
    if lora and qlora:
        raise BadInput("--lora and --qlora are both given; give one of them")
    if lora or qlora:
        made = replace(
            made, weights="fp32", adapter=Adapter(rank=int(str(lora or qlora)), base="nf4" if qlora else "bf16")
        )
    recompute = asked["recompute"]
    assert isinstance(recompute, tuple)
    return replace(
        made,
        recompute=recompute or ("none",),
        fused_loss=bool(asked["fused_loss"]),
        matmul=str(asked["matmul"] or made.matmul),
        execution=replace(made.execution, **runs),
    )


def layout_of(words: str | None, options: dict[str, object], chips: int | None) -> Layout | None:
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
