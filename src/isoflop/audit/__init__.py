"""Documents of claims, recomputed: which step is wrong, by what factor, probably why, and what is right instead."""

from __future__ import annotations

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

__all__ = [
    "CLASSES",
    "LEVELS",
    "Amendment",
    "Check",
    "Class",
    "Document",
    "Evaluated",
    "Finding",
    "Input",
    "Kind",
    "Level",
    "Recomputed",
    "Span",
    "Step",
    "Unread",
]
