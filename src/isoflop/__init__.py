"""isoflop: from a budget to a model and back, with every number derived.

    >>> import isoflop
    >>> isoflop.read("$4k").unit.text
    '$'

Questions: `solve(target, **knowns)` for one unknown, `plan(**knowns)` for a whole training run; both end in an `Answer`
(or a `Ledger` of terms that add up). `plans(vary, **knowns)` are several plans side by side.
`training(model, on, ...)`, `serving(model, on, ...)`, `audit(file)`, `quantize(source, folder, to)`, `check(**claims)`;
`describe(name)`, or `model(name)`: a model, read and counted. They draw themselves in notebooks. Catalogues: `device`,
`devices`, `prices`, `quantities`. Words: `read` and `write` turn text into values and back. Rooms, for
everything else: `isoflop.quantity`, `isoflop.relation`, `isoflop.book`, `isoflop.model`, `isoflop.hardware`,
`isoflop.laws`, `isoflop.serving`. What can go wrong: `isoflop.errors`.

Importing this package loads nothing; a name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop import book, errors, hardware, laws, model, quantity, relation, serving
    from isoflop.ask import check, plan, plans, solve
    from isoflop.audit import audit
    from isoflop.errors import (
        AmbiguousInput,
        BadFile,
        BadInput,
        Contradictory,
        Infeasible,
        IsoflopError,
        MissingData,
        Undetermined,
        UnitError,
        UnknownName,
        UntrustworthyFit,
    )
    from isoflop.hardware import device, devices, prices
    from isoflop.model import describe
    from isoflop.quantity import quantities, read, write
    from isoflop.quantize import quantize
    from isoflop.relation import Answer, Ledger
    from isoflop.training.asked import training

__version__ = "0.1.0"

__all__ = [
    "AmbiguousInput",
    "Answer",
    "BadFile",
    "BadInput",
    "Contradictory",
    "Infeasible",
    "IsoflopError",
    "Ledger",
    "MissingData",
    "Undetermined",
    "UnitError",
    "UnknownName",
    "UntrustworthyFit",
    "__version__",
    "audit",
    "book",
    "check",
    "describe",
    "device",
    "devices",
    "errors",
    "hardware",
    "laws",
    "model",
    "plan",
    "plans",
    "prices",
    "quantities",
    "quantity",
    "quantize",
    "read",
    "relation",
    "serving",
    "solve",
    "training",
    "write",
]

_ROOMS = frozenset(
    {
        "audit",
        "book",
        "errors",
        "hardware",
        "laws",
        "model",
        "quantity",
        "quantize",
        "relation",
        "serving",
        "training",
    }
)

_HOMES = {
    "isoflop.ask": ("check", "plan", "plans", "solve"),
    "isoflop.errors": (
        "AmbiguousInput",
        "BadFile",
        "BadInput",
        "Contradictory",
        "Infeasible",
        "IsoflopError",
        "MissingData",
        "Undetermined",
        "UnitError",
        "UnknownName",
        "UntrustworthyFit",
    ),
    "isoflop.hardware": ("device", "devices", "prices"),
    "isoflop.model": ("describe",),
    "isoflop.quantity": ("quantities", "read", "write"),
    "isoflop.relation": ("Answer", "Ledger"),
}


def __getattr__(name: str) -> object:
    """Load the room that a public name lives in, the first time the name is used."""
    if name in _ROOMS:
        return import_module(f"isoflop.{name}")
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    message = f"module 'isoflop' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return list(__all__)
