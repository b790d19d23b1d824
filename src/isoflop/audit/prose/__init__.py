"""Prose: Markdown and plain text, read into a document of steps and claims.

Layers, lowest first: text (markup off, sentences), numbers, names, phrases (words of units), amounts, facts (what is
said of what), chain (numbered items that refer to each other), reader.
"""

from __future__ import annotations

from isoflop.audit.prose.reader import read_prose

__all__ = ["read_prose"]
