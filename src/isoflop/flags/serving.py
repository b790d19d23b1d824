"""The flags of `isoflop serving`: load, formats, runtime, placement, price; and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from isoflop.errors import BadInput, shorten
from isoflop.flags.words import WISHES

if TYPE_CHECKING:
    from isoflop.hardware import Device
    from isoflop.model.names import Description
    from isoflop.serving.advice import Service, Wish
    from isoflop.serving.cost import Offer
    from isoflop.serving.spec import Formats, Placement

RUNTIMES = ("vllm", "sglang", "trtllm", "llama.cpp", "ideal")
DEGREES = {
    "tp": "Tensor-parallel ranks.",
    "pp": "Pipeline stages.",
    "dp": "Groups of attention with sequences of their own.",
    "ep": "Ranks that experts are divided over.",
    "dcp": "Ranks that share a cache (decode context parallelism).",
}


def deployment_options(function: click.decorators.FC) -> click.decorators.FC:
    """Everything that a deployment is asked about with, beside the model."""
    for option in (
        placement_options,
        runtime_options,
        money_options,
        load_options,
        click.option(
            "--on", required=True, help="Devices: 8xh100-sxm, h100-sxm (as many as it takes), 2x./device.toml."
        ),
    ):
        function = option(function)
    return function


def service_of(model: str | float, options: dict[str, object]) -> Service:
    """The answer to what `deployment_options` hold."""
    from dataclasses import replace

    from isoflop.model import describe
    from isoflop.serving.advice import serve
    from isoflop.serving.given import deployment_for

    what = describe(model)
    placement = placement_of(options)
    formats, parts, assumed = formats_and_parts(what, options)
    deployment, chips = deployment_for(what, str(options.pop("on")), formats, **parts)
    wish = wish_of(deployment.device, options)
    if placement is not None:
        deployment = deployment.at(placement)
    service = serve(deployment, chips, wish, asked=placement is not None)
    warnings = (what.warning,) if what.warning else ()
    return replace(service, assumed=(*assumed, *service.assumed), notes=(*service.notes, *warnings))


def load_options(function: click.decorators.FC) -> click.decorators.FC:
    """What is asked of the deployment."""
    for option in (
        click.option(
            "--prefill-tp", type=click.IntRange(1, 4096), help="Prompts on chips of their own, so many ranks each."
        ),
        click.option("--devices", is_flag=True, help="Every catalogued device that would hold it, the cheapest first."),
        click.option("--prefix-share", help="Share of the input that requests have in common and that is cached: 50%."),
        click.option("--tpot", help="Limit on the time between tokens: '30 ms'."),
        click.option("--ttft", help="Limit on the time to the first token: '2 s'."),
        click.option("--output", "written", help="Tokens written a request: 512, 1k."),
        click.option("--input", "read", help="Tokens read a request: 2k."),
        click.option("--rate", help="Requests that arrive a second, instead of --concurrency."),
        click.option("--concurrency", help="Requests at all times."),
        click.option("--context", help="The longest that a request may get, input and output: 32k, 128Ki."),
    ):
        function = option(function)
    return function


def money_options(function: click.decorators.FC) -> click.decorators.FC:
    """At whose price, against which API, over which life."""
    for option in (
        click.option("--train-cost", help="What training the model took, for the whole life: '$2M'."),
        click.option("--serve-tokens", help="Tokens written over the model's life: 10T."),
        click.option("--use", help="Share of the time with such a load: 60%."),
        click.option(
            "--api", help="What an API takes for a million tokens read and written: 3,15 (or 3,15,0.3 cached)."
        ),
        click.option("--as-of", help="The date of the price."),
        click.option("--region", help="Where."),
        click.option("--provider", help="Whose price."),
        click.option("--commitment", help="on-demand, 1y, 3y or spot."),
        click.option("--price", help="A price of your own: '$2/chip/h', or a price file."),
    ):
        function = option(function)
    return function


def runtime_options(function: click.decorators.FC) -> click.decorators.FC:
    """Software, formats, and what it is started with."""
    for option in (
        click.option("--memory", help="Memory of a device, where it is not that of the catalogue: '512 GB'."),
        click.option("--host-bandwidth", help="Memory bandwidth of the host: '80 GB/s'."),
        click.option("--host-experts", type=click.IntRange(0), help="Layers whose experts stay on the host."),
        click.option("--host-layers", type=click.IntRange(0), help="Layers that stay on the host (llama.cpp)."),
        click.option("--acceptance", help="Chance that a guessed token is right: 70%."),
        click.option("--draft-tokens", type=click.IntRange(1, 16), help="Tokens guessed ahead a step (MTP layers)."),
        click.option("--no-graphs", is_flag=True, help="Without CUDA graphs."),
        click.option("--max-batched-tokens", type=click.IntRange(1), help="Tokens that a step works on at most."),
        click.option("--max-sequences", type=click.IntRange(1), help="Sequences that may run at once."),
        click.option("--block-size", type=click.IntRange(1), help="Tokens in a page of the cache."),
        click.option("--memory-fraction", help="Share of a chip's memory that the runtime may fill: 90%."),
        click.option("--runtime-version", default="", help="Its version: 0.11.0; a current one where nothing is said."),
        click.option("--runtime", default="vllm", help=f"Software: {', '.join(RUNTIMES)}."),
        click.option("--kv", default="", help="Format of the cache: fp8, bf16, q8_0; as the checkpoint asks."),
        click.option("--weights", default="", help="Format of the weights: bf16, fp8, int4, q4_k_m; as stored."),
    ):
        function = option(function)
    return function


def placement_options(function: click.decorators.FC) -> click.decorators.FC:
    """Every degree of a placement."""
    for name, text in reversed(DEGREES.items()):
        function = click.option(f"--{name}", type=click.IntRange(1, 4096), help=text)(function)
    return function


def placement_of(options: dict[str, object]) -> Placement | None:
    """The placement that was asked for; None where none was."""
    from isoflop.serving.spec import Placement

    given = {name: cast("int", value) for name in DEGREES if (value := options.pop(name)) is not None}
    return Placement(**given) if given else None


def formats_and_parts(
    what: Description, options: dict[str, object]
) -> tuple[Formats, dict[str, object], tuple[str, ...]]:
    """(formats, further parts of the deployment, what was assumed)."""
    from isoflop.serving.given import formats_for
    from isoflop.serving.spec import USUAL_ACCEPTANCE, Offload, Runtime, Settings, Speculation

    formats, assumed = formats_for(what, str(options.pop("weights")), str(options.pop("kv")))
    name = str(options.pop("runtime"))
    graphs = False if options.pop("no_graphs") else None
    runtime = Runtime(name=name, version=str(options.pop("runtime_version")), graphs=graphs)  # type: ignore[arg-type]
    fraction = options.pop("memory_fraction")
    settings = Settings(
        memory_fraction=_share(fraction, "--memory-fraction") if fraction else 0.0,
        block_size=_count(options.pop("block_size")),
        max_sequences=_count(options.pop("max_sequences")),
        max_batched_tokens=_count(options.pop("max_batched_tokens")),
    )
    drafts, accepted = _count(options.pop("draft_tokens")), options.pop("acceptance")
    speculation = Speculation()
    if drafts:
        chance = _share(accepted, "--acceptance") if accepted else USUAL_ACCEPTANCE
        speculation = Speculation(method="mtp", tokens=drafts, acceptance=chance)
        assumed = assumed if accepted else (*assumed, f"guessed tokens are right with {chance:.0%} each")
    band = options.pop("host_bandwidth")
    offload = Offload(
        layers=int(_count(options.pop("host_layers"))),
        expert_layers=int(_count(options.pop("host_experts"))),
        bandwidth=_median(str(band), "memory_bandwidth", "--host-bandwidth") if band else 0.0,
    )
    if offload.any and name != "llama.cpp":
        raise BadInput("layers stay on the host with --runtime llama.cpp; the others hold everything on chips")
    own = options.pop("memory")
    memory = _median(str(own), "kv_cache_bytes", "--memory") if own else 0.0
    parts = {"runtime": runtime, "settings": settings, "speculation": speculation, "offload": offload, "memory": memory}
    return formats, parts, assumed


def wish_of(device: Device, options: dict[str, object]) -> Wish:
    """What is asked: load, lengths, limits, money."""
    from isoflop.hardware.tariff import tariff_of
    from isoflop.serving.advice import Wish
    from isoflop.serving.search import Goal
    from isoflop.serving.spec import Placement

    given = {name: str(value) for name, value in options.items() if value is not None}
    chosen = {name: given[name] for name in WISHES if name in given}
    limits = {"first": "ttft", "token": "tpot"}
    goal = Goal(**{name: _seconds(given[flag], flag) for name, flag in limits.items() if flag in given})
    return Wish(
        concurrency=_number(given, "concurrency", "sequences"),
        request_rate=_number(given, "rate", "request_rate"),
        context=_tokens(given.get("context"), "--context"),
        input_tokens=_tokens(given.get("read"), "--input"),
        output_tokens=_tokens(given.get("written"), "--output"),
        prefix_share=_share(given["prefix_share"], "--prefix-share") if "prefix_share" in given else 0.0,
        goal=goal,
        tariff=tariff_of(device, price=given.get("price", ""), **chosen),
        offer=_offer(given["api"]) if "api" in given else None,
        train_cost=_median(given["train_cost"], "train_cost", "--train-cost") if "train_cost" in given else 0.0,
        serve_tokens=_median(given["serve_tokens"], "serve_tokens", "--serve-tokens")
        if "serve_tokens" in given
        else 0.0,
        use=_share(given["use"], "--use") if "use" in given else 1.0,
        devices=bool(options["devices"]),
        prefill=Placement(tp=int(given["prefill_tp"])) if "prefill_tp" in given else None,
    )


def _number(given: dict[str, str], option: str, name: str) -> float:
    """A quantity of an option, 0 where it was not given."""
    return _median(given[option], name, f"--{option.replace('_', '-')}") if option in given else 0.0


def _offer(text: str) -> Offer:
    """An API's prices from "3,15" or "3,15,0.3": dollars a million tokens read, written, read from its cache."""
    from isoflop.serving.cost import Offer

    parts = [part.strip().removeprefix("$") for part in text.split(",")]
    try:
        numbers = [float(part) / 1e6 for part in parts]
    except ValueError as error:
        raise BadInput(f"--api '{shorten(text)}': give dollars a million tokens read and written, like 3,15") from error
    if len(numbers) not in {2, 3} or not all(0 <= number < 1 for number in numbers):
        raise BadInput(f"--api '{shorten(text)}': give two prices, like 3,15, or three, like 3,15,0.3")
    return Offer(input=numbers[0], output=numbers[1], cached=numbers[2] if len(numbers) == 3 else None)


def _tokens(text: str | None, flag: str) -> int:
    if text is None:
        return 0
    number = _median(text, "sequence_length", flag)
    if number != round(number) or number < 1:
        raise BadInput(f"{flag} is {number:g}; give a whole number from 1 up")
    return round(number)


def _seconds(text: str, flag: str) -> float:
    """A time; a bare number is seconds."""
    return _median(text, "time_to_first_token", f"--{flag}")


def _share(text: object, flag: str) -> float:
    try:
        return _median(str(text), "goodput", flag)
    except BadInput as error:
        raise BadInput(f"{flag} is '{shorten(str(text))}'; give a share above 0 % and up to 100 %") from error


def _count(value: object) -> float:
    return 0.0 if value is None else float(cast("int", value))


def _median(text: str, name: str, flag: str) -> float:
    from isoflop.quantity import quantity, read

    try:
        return read(text, quantity(name)).spread.median
    except BadInput as error:
        raise BadInput(f"{flag}: {error}") from error
