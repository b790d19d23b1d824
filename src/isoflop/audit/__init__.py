"""Documents of claims, recomputed: which step is wrong, by what factor, probably why, and what is right instead.

`isoflop.audit(path)` audits a napkin file or prose; the room itself can be called, so that the word is one in Python
and on the command line. Layers, lowest first: document (the model), amounts and formula (what is written), napkin and
prose (the readers), engine, judge and slips (recomputing), library, reconciled and world (what isoflop knows),
corrected and drivers (the chain put right), run.

    >>> from isoflop import audit
    >>> found = audit.audit_text("A 7B model on 2T tokens takes 8.4e20 FLOP.", "note.md")
    >>> [(one.level, round(one.factor, 3)) for one in found.findings if one.factor]
    [('world', 0.01)]
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from isoflop.audit.document import (
    CLASSES,
    LEVELS,
    Amendment,
    Check,
    Class,
    Document,
    Evaluated,
    Finding,
    Input,
    Kind,
    Level,
    Recomputed,
    Span,
    Step,
    Unread,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from isoflop.audit.corrected import Chain, Corrected
    from isoflop.audit.drivers import Driver, Needed, Sensitivity, needed, sensitivity
    from isoflop.audit.napkin import parse_napkin, read_napkin
    from isoflop.audit.run import Report, audit, audit_document, audit_text

__all__ = [
    "CLASSES",
    "LEVELS",
    "Amendment",
    "Chain",
    "Check",
    "Class",
    "Corrected",
    "Document",
    "Driver",
    "Evaluated",
    "Finding",
    "Input",
    "Kind",
    "Level",
    "Needed",
    "Recomputed",
    "Report",
    "Sensitivity",
    "Span",
    "Step",
    "Unread",
    "audit",
    "audit_document",
    "audit_text",
    "needed",
    "parse_napkin",
    "read_napkin",
    "sensitivity",
]

_HOMES = {
    "run": ("Report", "audit", "audit_document", "audit_text"),
    "corrected": ("Chain", "Corrected"),
    "napkin": ("parse_napkin", "read_napkin"),
    "drivers": ("Driver", "Needed", "Sensitivity", "needed", "sensitivity"),
}


def __getattr__(name: str) -> object:
    """Load the module that a public name lives in, the first time the name is used."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"isoflop.audit.{home}"), name)
    message = f"module 'isoflop.audit' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)


class _Room(ModuleType):
    """The room as a function: `isoflop.audit(path)` is `isoflop.audit.audit(path)`."""

    def __call__(
        self,
        path: str | PathLike[str],
        *,
        mfu: str | float | None = None,
        given: Mapping[str, str | float] | None = None,
    ) -> Report:
        """Audit a file: see `isoflop.audit.audit`."""
        from isoflop.audit.run import audit as audit_file

        return audit_file(path, mfu=mfu, given=given)


sys.modules[__name__].__class__ = _Room
