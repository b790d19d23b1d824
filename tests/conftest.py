"""What every test stands on: no settings of this user, no terminal, the same hypothesis examples every time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from pathlib import Path

# A shared machine may be slow at any moment: no deadlines, so that time decides no test.
settings.register_profile("isoflop", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("isoflop")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide ISOFLOP_* variables and a user's isoflop.toml from every test."""
    for name in list(os.environ):
        if name.startswith("ISOFLOP_"):
            monkeypatch.delenv(name)
    home: Path = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "no-config"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
