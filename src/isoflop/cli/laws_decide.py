"""The commands of `isoflop laws` that decide something: allocate, backtest, design, running."""

from __future__ import annotations

from isoflop.cli.laws_allocate import allocate
from isoflop.cli.laws_backtest import backtest
from isoflop.cli.laws_design import design
from isoflop.cli.laws_running import running

COMMANDS = (allocate, backtest, design, running)
