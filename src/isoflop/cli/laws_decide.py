"""The commands of `isoflop laws` that decide something: allocate."""

from __future__ import annotations

from isoflop.cli.laws_allocate import allocate

COMMANDS = (allocate,)
