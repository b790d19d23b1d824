"""Tables of models: all presets, and several models side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.cli.side_by_side import Line, text_line
from isoflop.report import Column, say
from isoflop.report.words import base_unit, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from isoflop.model.headers import Tensors
    from isoflop.model.sheet import Sheet
    from isoflop.report import Cell

Table = tuple[list[Column], list[tuple["Cell", ...]]]

_COUNTS = ("total", "active", "non_embedding")
_EXACT: tuple[tuple[str, str, str, Callable[[Sheet], float | None]], ...] = (
    ("params.total", "parameters", "params", lambda one: one.counts.params),
    ("params.active", "active", "params", lambda one: one.counts.active_params),
    ("params.non_embedding", "non-embedding", "params", lambda one: one.counts.non_embedding_params),
    ("layers", "layers", "layers", lambda one: one.spec.layers),
    ("width", "width", "width", lambda one: one.spec.width),
    ("vocabulary", "vocabulary", "vocabulary", lambda one: one.spec.vocabulary),
    ("context", "context", "context", lambda one: one.spec.context),
)
_MEASURED: tuple[tuple[str, str, str, Callable[[Sheet], float | None]], ...] = (
    (
        "flops.forward_per_token",
        "forward",
        "forward_flops_per_token",
        lambda one: one.work.forward[one.at.convention],
    ),
    ("flops.training_per_token", "training", "flops_per_token", lambda one: one.work.training[one.at.convention]),
    ("flops.prefill", "prefill", "train_flops", lambda one: one.work.prefill_head_once),
    ("flops.decode", "decode", "train_flops", lambda one: one.work.decode),
    ("state.bytes_per_token", "state a token", "kv_bytes_per_token", lambda one: one.kept.bytes_per_token),
    ("state.bytes", "state a sequence", "state_bytes", lambda one: one.kept.total),
    ("weights.bf16", "weights in bf16", "weight_bytes", lambda one: one.weights["bf16"]),
    ("weights.int4", "weights in int4", "weight_bytes", lambda one: one.weights["int4"]),
    (
        "activations.bytes_per_token",
        "activations a token",
        "activation_bytes",
        lambda one: one.activations.bytes_per_token,
    ),
)


def listing(form: str) -> Table:
    """Every preset with its three counts, its depth and its width."""
    from isoflop.model import counts, describe, model_names

    exact = "" if form in {"json", "csv"} else "params"
    columns = [Column(name="model"), *(Column(name=name, quantity=exact, right=True) for name in _COUNTS)]
    columns += [Column(name=name, right=True) for name in ("layers", "width", "context")]
    rows: list[tuple[Cell, ...]] = []
    for name in model_names():
        spec = describe(name).spec
        counted = counts(spec)
        sizes = (counted.params, counted.active_params, counted.non_embedding_params, spec.layers, spec.width)
        rows.append((name, *map(float, sizes), None if spec.context is None else float(spec.context)))
    return columns, rows


def lines(sheets: Sequence[Sheet]) -> Iterator[Line]:
    """What is compared of several models: counts to the last parameter, the rest in people's units."""
    yield text_line("verified", ("yes" if one.described.verified else "no" for one in sheets))
    yield text_line("model_type", (one.described.model_type for one in sheets), "family")
    for name, title, of, get in _EXACT:
        values = [get(one) for one in sheets]
        texts = tuple("" if value is None else f"{value:,.0f}" for value in values)
        yield _line(name, title, of, values, texts)
    for name, title, of, get in _MEASURED:
        values = [get(one) for one in sheets]
        texts = tuple("" if value is None else say(value, of) for value in values)
        yield _line(name, title, of, values, texts)


def _line(name: str, title: str, of: str, values: Sequence[float | None], texts: tuple[str, ...]) -> Line:
    cells = tuple(None if value is None else float(value) for value in values)
    return Line(name=name, title=title, unit=base_unit(of), cells=cells, texts=texts)


def below(sheets: Sequence[Sheet]) -> Iterator[str]:
    """What the figures are taken at, and what to mind."""
    at = sheets[0].at
    sequences = " or ".join(dict.fromkeys(f"{one.at.sequence:,.0f}" for one in sheets))
    contexts = " or ".join(dict.fromkeys(f"{one.at.context:,.0f}" for one in sheets))
    yield (
        f"FLOP under the convention '{at.convention}' at {sequences} tokens; decode and state at {contexts}, cache in "
        f"{at.kv_dtype}. --sequence and --context set the same for all."
    )
    for one in sheets:
        if one.described.warning:
            yield f"Mind: {one.described.warning}"


def held(tensors: Tensors, form: str) -> Table:
    """What files of weights list, by number format; the total for people."""
    columns = [
        Column(name="format"),
        *(Column(name=name, right=True, written=_whole) for name in ("tensors", "numbers", "bytes")),
        Column(name="share", right=True, written=percent),
    ]
    rows: list[tuple[Cell, ...]] = [
        (dtype, *map(float, one), one.bytes / (tensors.bytes or 1)) for dtype, one in tensors.by_dtype().items()
    ]
    total = (len(tensors.tensors), tensors.numbers, tensors.bytes)
    return columns, rows if form == "csv" else [*rows, ("total", *map(float, total), 1.0)]


def _whole(value: float) -> str:
    return f"{value:,.0f}"
