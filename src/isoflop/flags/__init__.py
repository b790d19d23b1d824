"""Flags and fields: what a command line and a form ask with the same words, and how those words are read.

`settings` finds what holds where nothing is said; `words` reads name=value; `training` and `serving` declare the
options of these two questions and turn what they hold into the answer. `cli` and `web` both stand on this room, so
that a flag and a field of the same name never mean two things.
"""

from __future__ import annotations

from isoflop.flags.words import ask, split

__all__ = ["ask", "split"]
