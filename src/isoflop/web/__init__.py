"""The same calls over HTTP: a page whose URL is the state, and the API beside it. No logic of its own.

Lowest first: fields (what a view is), names (what a client may name), words (a form as the command line reads it),
uploads, charts, safety (who may ask), views, pages (HTML), api (JSON), app.

>>> from isoflop.web import create_app
>>> create_app().title
'isoflop'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.web.app import create_app, serve
    from isoflop.web.safety import Door

__all__ = ["Door", "create_app", "serve"]

_HOMES = {"app": ("create_app", "serve"), "safety": ("Door",)}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"isoflop.web.{home}"), name)
    message = f"module 'isoflop.web' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)
