"""Roots that say what a device does, against the catalogue: for napkins, which name the device.

`device = "a100-sxm-80gb"` of the file, or `subject` of a step. A rate may be that of any number format; one that only
exists with 2:4 sparsity is a slip where dense matrices are meant.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from isoflop.audit.amounts import tie, tie_factor
from isoflop.audit.document import Amendment, Finding
from isoflop.audit.library import quantity_of
from isoflop.audit.words import said, times
from isoflop.errors import IsoflopError
from isoflop.hardware import device
from isoflop.quantity import Point, quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.audit.document import Document
    from isoflop.audit.engine import Recalculated
    from isoflop.hardware import Device

CLOSE = 0.035
"""How far a printed figure may be from the catalogue's: boards and clocks differ by that much."""

_GIB = 2.0**30 / 1e9


def check_devices(steps: Mapping[str, Recalculated], document: Document) -> Iterator[Finding]:
    """Findings of the level world for roots that give a figure of a named device otherwise than the catalogue."""
    for found in steps.values():
        name = found.step.subject or document.choices.get("device", "")
        entry = quantity_of(found, document)
        if not found.is_root or not found.said or found.said < 0 or entry is None or not name:
            continue
        known = _device(name)
        figures = () if known is None else _figures(known, entry.name, document.choices.get("dtype", ""))
        if known is not None and figures and not any(abs(log(found.said / one)) <= CLOSE for one in figures):
            yield _finding(found, known, figures, document)


def _device(name: str) -> Device | None:
    try:
        return device(name)
    except IsoflopError:
        return None  # a model or a run is named, or nothing that the catalogue holds


def _figures(known: Device, name: str, dtype: str) -> tuple[float, ...]:
    """What the catalogue holds of a quantity; a memory is labelled in GB and holds GiB.

    Without a number format a peak may be that of any floating-point one, for its unit says FLOP/s.
    """
    if name == "peak_rate":
        rates = known.peak_rates.items()
        return tuple(one.value for key, one in rates if (key == dtype if dtype else not key.startswith("int")))
    try:
        if name == "memory":
            labelled = known.memory_labelled().value
            return labelled, labelled * _GIB, labelled / _GIB
        if name == "memory_bandwidth":
            return (known.memory_bandwidth().value,)
    except IsoflopError:
        return ()  # missing stays missing
    return (known.tdp.value,) if name == "tdp" and known.tdp is not None else ()


def _finding(found: Recalculated, known: Device, figures: tuple[float, ...], document: Document) -> Finding:
    says, unit = found.said, found.said_unit
    assert says is not None
    assert unit is not None
    sparse = any(abs(log(says / one.value)) <= CLOSE for one in known.sparse_rates.values())
    doubled = [one for one in figures if abs(log(says / one / 2)) <= CLOSE]
    is_memory = quantity("memory").unit.same_kind(tie(unit, document.nouns))
    due = doubled[0] if doubled else figures[0] if is_memory else min(figures, key=lambda one: abs(log(says / one)))
    ratio = says / due
    shown = said(due / tie_factor(unit, document.nouns), unit)
    is_sparse = sparse and bool(doubled)
    why = "; that is the peak with 2:4 sparsity" if is_sparse else ""
    return Finding(
        step=found.step.number,
        span=found.step.span,
        level="world",
        kind="sparse_for_dense" if is_sparse else "device_figure",
        reason=f"{known.title} has {shown} by the catalogue, {times(ratio)} here{why}.",
        factor=ratio,
        says=says,
        recomputed=due,
        unit=tie(unit, document.nouns).base,
        amends=(Amendment(step=found.step.number, factor=Point(1 / ratio), words=f"{known.title} by the catalogue"),),
    )
