"""The views: one file each, in the order of the menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.web.views import (
    accuracy,
    audit,
    check,
    cost,
    devices,
    dtype,
    laws,
    laws_allocate,
    laws_compare,
    laws_design,
    laws_hyper,
    laws_running,
    model,
    plan,
    prices,
    serving,
    solve,
    training,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.web.fields import View

__all__ = ["all_views"]


def all_views() -> Mapping[str, View]:
    """Every view by name."""
    rooms = (
        plan, solve, check, model, dtype, training, cost, serving, audit,
        laws, laws_allocate, laws_compare, laws_design, laws_running, laws_hyper, devices, prices, accuracy,
    )  # fmt: skip
    return {room.VIEW.name: room.VIEW for room in rooms}
