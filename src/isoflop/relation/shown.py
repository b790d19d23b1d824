"""Answers that people look at: a notebook draws them, and `print` shows what the command line shows."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:

    class _Drawer(Protocol):
        def html(self, answer: object) -> str: ...
        def markdown(self, answer: object) -> str: ...
        def text(self, answer: object) -> str: ...


class Shown:
    """What an answer inherits to be shown. What draws is the room `report`, above all rooms that answer.

    It is loaded when something is shown, by name: an answer that nobody looks at costs no import.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return _drawer().html(self)

    def _repr_markdown_(self) -> str:
        return _drawer().markdown(self)

    def __str__(self) -> str:
        return _drawer().text(self)


def _drawer() -> _Drawer:
    return cast("_Drawer", import_module("isoflop.report.notebook"))
