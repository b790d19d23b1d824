"""`isoflop laws ...`: the group, a file for each larger subcommand, and what they print."""

from __future__ import annotations

from isoflop.cli.laws.group import command

__all__ = ["command"]
