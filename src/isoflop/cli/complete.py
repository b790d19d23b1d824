"""What a shell completes a word with: names of the catalogues, quantities, files. Loaded when a shell asks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

Names = dict[str, str]
"""Names and what each is, "" where the name says it."""

_COUNT = re.compile(r"[0-9,]+(?:\.[0-9]+)?[kM]?x", re.IGNORECASE)
_PATH = re.compile(r"[./~\\]")
_FILES = frozenset({"device", "devices", "node", "model", "law", "price", "thing"})
"""Kinds whose names may be paths too."""


def items(kind: str, incomplete: str, ctx: click.Context | None = None) -> list[CompletionItem]:
    """What a word of this kind that begins with `incomplete` may be."""
    if kind == "folder":
        return [CompletionItem(incomplete, type="dir")]
    if kind in _FILES and _PATH.match(incomplete):
        return [CompletionItem(incomplete, type="file")]
    if kind == "devices":
        return _counted(incomplete)
    if kind == "known":
        return _knowns(incomplete)
    found = _beginning(incomplete, names(kind, ctx))
    return found or ([CompletionItem(incomplete, type="file")] if kind in _FILES and incomplete else [])


def names(kind: str, ctx: click.Context | None = None) -> Names:
    """Every name of a kind; none for what is a value and no name."""
    if kind in {"provider", "region"}:
        return _of_prices(kind, ctx)
    made = _SOURCES.get(kind)
    return made() if made is not None else {}


def _beginning(incomplete: str, known: Names, before: str = "") -> list[CompletionItem]:
    start = incomplete.lower()
    return [
        CompletionItem(before + name, help=said or None)
        for name, said in known.items()
        if name.lower().startswith(start)
    ]


def _counted(incomplete: str) -> list[CompletionItem]:
    """Devices with the count that stands before them: 8xh1 -> 8xh100-sxm-80gb, ..."""
    count = _COUNT.match(incomplete)
    before, rest = (count[0], incomplete[count.end() :]) if count else ("", incomplete)
    if count and _PATH.match(rest):
        return [CompletionItem(incomplete, type="file")]
    return _beginning(rest, _devices(), before)


def _knowns(incomplete: str) -> list[CompletionItem]:
    """`name=`, and behind a choice's name what may be chosen."""
    from isoflop.ask import CHOICES

    name, equals, value = incomplete.partition("=")
    if not equals:
        return _beginning(name, {f"{key}=": said for key, said in {**CHOICES, **_quantities()}.items()})
    kind = {"on": "devices", "device": "devices"}.get(name, name)
    if kind not in {*_SOURCES, "devices", "provider", "region"}:
        return []
    return [
        CompletionItem(f"{name}={one.value}", type="plain", help=one.help)
        for one in items(kind, value)
        if one.type == "plain"
    ]


# --- where names come from -------------------------------------------------------------------------------------------


def _plain(found: Iterable[str]) -> Names:
    return dict.fromkeys(found, "")


def _devices() -> Names:
    from isoflop.hardware import device_names

    return _plain(device_names())


def _nodes() -> Names:
    from isoflop.hardware import node_names

    return _plain(node_names())


def _grids() -> Names:
    from isoflop.hardware import grid_names

    return _plain(grid_names())


def _models() -> Names:
    from isoflop.model import model_names

    return _plain(model_names())


def _laws() -> Names:
    from isoflop.laws import published_laws

    return {name: law.title for name, law in published_laws().items()}


def _forms() -> Names:
    from isoflop.laws import SHAPES

    words = {"auto": "several forms, weighed", "envelope": "approach 1", "isoflop": "approach 2", "hyper": ""}
    return {**{name: str(getattr(shape, "title", "")) for name, shape in SHAPES.items()}, **words}


def _quantities() -> Names:
    from isoflop.quantity import quantities

    return {name: entry.meaning.partition(". ")[0].rstrip(".") for name, entry in quantities().items()}


def _sections() -> Names:
    from isoflop.quantity import quantities

    return _plain(dict.fromkeys(entry.section for entry in quantities().values()))


def _formulas() -> Names:
    from isoflop.book import BOOK

    return {relation.name: relation.doc.strip().partition("\n")[0].rstrip(".") for relation in BOOK}


def _runs() -> Names:
    from isoflop.model.published import runs

    return _plain(dict.fromkeys(run.model for run in runs()))


def _dtypes() -> Names:
    from isoflop.hardware.spec import DTYPES

    return _plain(DTYPES)


def _engines() -> Names:
    from isoflop.training.engine import engines

    return _plain(engines())


def _recipes() -> Names:
    from isoflop.training import RECIPES

    return _plain(RECIPES)


def _runtimes() -> Names:
    from isoflop.flags.serving import RUNTIMES

    return _plain(RUNTIMES)


def _commitments() -> Names:
    from isoflop.hardware.choice import COMMITMENTS

    return _plain(COMMITMENTS)


def _schemes() -> Names:
    from isoflop.quantize.scheme import schemes

    return _plain(schemes())


def _of_prices(kind: str, ctx: click.Context | None) -> Names:
    """Providers or regions; of the device alone where one stands on the line already."""
    from isoflop.errors import IsoflopError
    from isoflop.hardware import find_prices
    from isoflop.quantity import read_cluster

    said = {} if ctx is None else ctx.params
    on = str(said.get("on") or said.get("device") or "")
    try:
        found = find_prices(read_cluster(on).device if on else None)
    except IsoflopError:  # a device without a price, or none of that name
        return {}
    return _plain(sorted({getattr(one, kind) for one in found if getattr(one, kind)}))


_SOURCES: dict[str, Callable[[], Names]] = {
    "commitment": _commitments,
    "device": _devices,
    "dtype": _dtypes,
    "engine": _engines,
    "form": _forms,
    "formula": _formulas,
    "grid": _grids,
    "kind": lambda: _plain(("GPU", "TPU", "ASIC", "APU", "SoC", "CPU")),
    "law": _laws,
    "model": _models,
    "node": _nodes,
    "quantity": _quantities,
    "recipe": _recipes,
    "run": _runs,
    "runtime": _runtimes,
    "scheme": _schemes,
    "section": _sections,
    "thing": lambda: {**_models(), **_devices(), **_laws()},
    "what": lambda: _plain(("none", "norms", "mlp", "full")),
}
