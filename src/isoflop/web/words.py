"""What a form says, in the words of the command line: read by the functions that read its flags.

The one module that looks up at `cli`: a flag and a field of the same name must never mean two things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.errors import BadInput
from isoflop.web.names import guarded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.ask import Question
    from isoflop.serving.advice import Service
    from isoflop.training import Advice

_YES = frozenset({"1", "on", "true", "yes"})


def lines_of(text: str) -> dict[str, str]:
    """`name=value`, one a line, as a mapping; a line without '=' and a name given twice are refused."""
    from isoflop.cli.knowns import split

    return split(line for line in text.splitlines() if line.strip())


def asked(words: Mapping[str, str], *, without: str = "", usual: Mapping[str, str] | None = None) -> Question:
    """The question that the words put, bound to catalogues. Raises: BadInput and what else `isoflop.ask.bind` does."""
    from isoflop.ask import Usual, bind
    from isoflop.cli import settings

    own = {key: Usual(value, "isoflop plan") for key, value in (usual or {}).items()}
    held = {key: value for key, value in {**own, **settings.load()}.items() if key != without}
    return bind(guarded(words), settings=held)


def flags(command: click.Command, words: Mapping[str, str]) -> dict[str, object]:
    """The options of `command` as it would get them had the words been flags; a model is kept apart under "model"."""
    named = {option.removeprefix("--"): one for one in command.params for option in (*one.opts, *one.secondary_opts)}
    parts = []
    for key, text in guarded(words).items():
        if key == "model":
            continue
        flag = key.replace("_", "-")
        option = named[flag]
        if getattr(option, "is_flag", False):
            parts += [f"--{flag}"] if str(text).lower() in _YES else []
        elif option.multiple if isinstance(option, click.Option) else False:
            parts += [f"--{flag}={part}" for part in str(text).replace(",", " ").split()]
        else:
            parts.append(f"--{flag}={text}")
    try:
        context = command.make_context(command.name, [*parts, "--", str(words.get("model", ""))])
    except click.ClickException as error:
        raise BadInput(error.format_message().replace("'--", "'")) from error
    return {**context.params, "model": guarded({"model": words.get("model", "")})["model"]}


def training_advice(words: Mapping[str, str]) -> Advice:
    """`isoflop training` for these words."""
    from dataclasses import replace

    from isoflop.cli.training import command
    from isoflop.cli.training_options import batch_of, layout_of, order_of, recipe_of, tokens_of
    from isoflop.model import model
    from isoflop.quantity import read_cluster
    from isoflop.training import advise, at_scales

    options = flags(command, words)
    on, spec = str(options.pop("on")), model(options.pop("model"))  # type: ignore[arg-type]  # a name or a number
    for output in ("file", "check", "explain", "as_json", "form", "chart", "dark", "out", "tool"):
        options.pop(output)
    length = tokens_of(_text(options.pop("sequence")))
    batch = batch_of(_text(options.pop("batch")), length)
    wants_scales, layout_words = bool(options.pop("scales")), _text(options.pop("words"))
    order, recipe = order_of(on, options), recipe_of(options)
    layout = layout_of(layout_words, options, read_cluster(on).count)
    advice = advise(spec, on, sequence=length, batch=batch, recipe=recipe, layout=layout, order=order)
    return replace(advice, scales=tuple(at_scales(advice))) if wants_scales else advice


def serving_answer(words: Mapping[str, str]) -> Service:
    """`isoflop serving` for these words."""
    from dataclasses import replace

    from isoflop.cli.serving import command
    from isoflop.cli.serving_options import formats_and_parts, placement_of, wish_of
    from isoflop.model import describe
    from isoflop.serving import deployment_for, serve

    options = flags(command, words)
    what = describe(options.pop("model"))  # type: ignore[arg-type]  # a name or a number
    placement = placement_of(options)
    formats, parts, assumed = formats_and_parts(what, options)
    deployment, chips = deployment_for(what, str(options.pop("on")), formats, **parts)
    wish = wish_of(deployment.device, options)
    deployment = deployment if placement is None else deployment.at(placement)
    service = serve(deployment, chips, wish, asked=placement is not None)
    notes = (*service.notes, what.warning) if what.warning else service.notes
    return replace(service, assumed=(*assumed, *service.assumed), notes=notes)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
