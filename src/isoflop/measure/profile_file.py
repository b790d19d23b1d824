"""A measured device as a file of the catalogue's own form: its figures, and its profile below them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop import hardware
from isoflop.errors import IsoflopError
from isoflop.hardware.device_file import device_of
from isoflop.hardware.schema import Place
from isoflop.hardware.spec import MATRIX_DTYPES
from isoflop.measure.fit import bandwidth_of, rates_of
from isoflop.quantity.toml_file import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from isoflop.hardware import Device
    from isoflop.hardware.spec import Figure, Link
    from isoflop.measure.clock import Measured
    from isoflop.measure.fit import Fitted
    from isoflop.measure.machine import Machine

MEMORY_OFF = 0.12
"""How far the memory that the driver reports may be from the catalogue's before the name is doubted."""

ABOVE_PEAK = 1.03
"""How far above the peak of the device of that name a rate may be measured before the name is doubted."""

FAR_BELOW = 0.15
"""Share of the peak under which a rate makes the name doubtful: emulated, or another chip."""


def known_device(machine: Machine, found: Sequence[Measured]) -> tuple[Device | None, tuple[str, ...]]:
    """(the catalogued device of that name, what speaks against it); None where the name is unknown or untrue."""
    if machine.device.type == "cpu":  # a process is given some of its cores, often those of a virtual machine
        return None, ()
    try:
        one = hardware.device(machine.name)
    except IsoflopError:
        return None, (f"the catalogue has no device '{machine.name}': peaks are what was measured",)
    doubts = tuple(_doubts(one, machine, found))
    if doubts:
        return None, (*doubts, f"so it is not taken for {one.name}, though the driver says '{machine.name}'")
    return one, ()


def _doubts(one: Device, machine: Machine, found: Sequence[Measured]) -> Iterable[str]:
    """What was measured that the device of that name cannot be."""
    memory = one.memory.usable or one.memory.labelled
    if memory is not None and abs(machine.memory / memory.value - 1) > MEMORY_OFF:
        yield f"it has {machine.memory / 1e9:.1f} GB of memory, a {one.name} has {memory.value / 1e9:.1f} GB"
    for form, (rate, _) in rates_of(found).items():
        peak = one.peak_rates.get(form)
        if peak is not None and rate > ABOVE_PEAK * peak.value:
            yield f"it does {rate / 1e12:.4g} TFLOP/s in {form}, a {one.name} at most {peak.value / 1e12:.4g}"
        if peak is not None and form in {"bf16", "fp16"} and rate < FAR_BELOW * peak.value:
            yield f"it does {rate / 1e12:.4g} TFLOP/s in {form}, {rate / peak.value:.0%} of what a {one.name} can"
    copied, bandwidth = bandwidth_of(found), one.memory.bandwidth
    if copied is not None and bandwidth is not None and copied[0] > ABOVE_PEAK * bandwidth.value:
        yield f"it copies {copied[0] / 1e9:.4g} GB/s, a {one.name} at most {bandwidth.value / 1e9:.4g}"


def device_text(
    machine: Machine, found: Sequence[Measured], fitted: Fitted | None, notes: Sequence[str], known: Device | None
) -> str:
    """The whole file. `fitted` None: figures alone. `known` gives what cannot be measured, and the peaks."""
    lines = [
        f"# Measured by isoflop measure on {machine.date}. Use it wherever a device is named: --on ./THIS.toml",
        *_head(machine, known),
        f"notes = {json.dumps([*_facts(machine, found), *notes], ensure_ascii=False, indent=2)}",
    ]
    lines += _rates(machine, found, known)
    lines += _memory(machine, found, known)
    if known is not None and known.link is not None and known.link.per_direction is not None:
        lines += _link(known.link, known.link.per_direction)
    if known is not None and known.tdp is not None:
        lines += ["", "[power]", f"tdp = {_figure(known.tdp, 'W/chip')}"]
    if fitted is not None:
        lines += ["", *_tables({"profile": msgspec.to_builtins(fitted.profile)})]
    return "\n".join(lines) + "\n"


def _link(link: Link, rate: Figure) -> list[str]:
    lines = ["", "[link]", f"kind = {json.dumps(link.kind)}", f"topology = {json.dumps(link.topology)}"]
    lines.append(f"per_direction = {_figure(rate, 'byte/s/chip')}")
    return lines + ([f"peers = {link.peers}"] if link.peers else [])


def device_from(text: str, name: str) -> Device:
    """The device that such a text describes."""
    return device_of(parse_toml(text, name), Place(name), name=name)


def _head(machine: Machine, known: Device | None) -> list[str]:
    kind: Literal["GPU", "CPU", "SoC"] = "GPU" if machine.device.type == "cuda" else "CPU"
    title = f"{known.title if known else machine.name}, measured"
    return [
        f"title = {json.dumps(title, ensure_ascii=False)}",
        f"vendor = {json.dumps(machine.maker)}",
        f"kind = {json.dumps(known.kind if known else 'SoC' if machine.device.type == 'mps' else kind)}",
        f"year = {known.year if known else int(machine.date[:4])}",
        f"architecture = {json.dumps(known.identity.architecture if known else kind)}",
    ]


def _facts(machine: Machine, found: Sequence[Measured]) -> list[str]:
    """Versions, load and spread in words."""
    versions = ", ".join(f"{name} {value}" for name, value in machine.versions.items())
    failed = [one for one in found if one.failed]
    spreads = sorted(one.timing.spread for one in found if one.timing is not None)
    said = [f"driver's name: {machine.name}; {machine.units} units; {versions}"]
    said.append(f"on a busy machine: {machine.busy}" if machine.busy else f"load by others {machine.load:.0%}")
    if spreads:
        said.append(f"{len(spreads)} medians, whose 10 to 90 % points lie ±{spreads[len(spreads) // 2]:.1%} about them")
    said += [f"failed: {one.what} {_words(one)}: {one.failed}" for one in failed[:20]]
    return said


def _words(one: Measured) -> str:
    return " ".join(str(value) for key, value in one.settings.items() if not key.startswith("shape."))


def _rates(machine: Machine, found: Sequence[Measured], known: Device | None) -> list[str]:
    """Peaks by the catalogue, else what was measured; and what was measured in any case."""
    measured = rates_of(found)
    lines = ["", "[peak_rate]"]
    if known is not None:
        lines += [f"{form} = {_figure(one, 'FLOP/s/chip', form)}" for form, one in known.peak_rates.items()]
    else:
        lines += [
            f"{form} = {_own(rate, 'FLOP/s/chip', machine, spread, form)}" for form, (rate, spread) in measured.items()
        ]
    rows = {
        form: pair
        for form, pair in measured.items()
        if known is not None and form in known.peak_rates and pair[0] <= known.peak_rates[form].value
    }
    if rows:
        lines += ["", "[achievable_rate]"]
        lines += [
            f"{form} = {_own(rate, 'FLOP/s/chip', machine, spread, form)}" for form, (rate, spread) in rows.items()
        ]
    return lines


def _memory(machine: Machine, found: Sequence[Measured], known: Device | None) -> list[str]:
    lines = ["", "[memory]"]
    if known is not None and known.memory.kind:
        lines.append(f"kind = {json.dumps(known.memory.kind)}")
    lines.append(f"usable = {_own(machine.memory, 'byte/chip', machine, 0.0)}")
    copied = bandwidth_of(found)
    if known is not None and known.memory.bandwidth is not None:
        lines.append(f"bandwidth = {_figure(known.memory.bandwidth, 'byte/s/chip')}")
    elif copied is not None:
        lines.append(f"bandwidth = {_own(copied[0], 'byte/s/chip', machine, copied[1])}")
    return lines


def _own(value: float, unit: str, machine: Machine, spread: float, form: str = "") -> str:
    """A figure that was measured here."""
    dense = "dense = true, " if form in MATRIX_DTYPES else ""
    note = f', note = "±{spread:.1%}"' if spread else ""
    said = f'source = "measured on this machine", date = {machine.date}{note}'
    return f'{{ value = {value:.6g}, unit = "{unit}", {dense}{said} }}'


def _figure(one: Figure, unit: str, form: str = "") -> str:
    """A figure of the catalogue, with its source."""
    dense = "dense = true, " if form in MATRIX_DTYPES else ""
    bounds = f", low = {one.low:.6g}, high = {one.high:.6g}" if one.low is not None and one.high is not None else ""
    date = f", date = {json.dumps(one.date)}" if one.date else ""
    said = f"source = {json.dumps(one.source)}{date}{bounds}"
    return f"{{ value = {one.value:.6g}, unit = {json.dumps(unit)}, {dense}{said} }}"


def _tables(tables: Mapping[str, object], prefix: str = "") -> list[str]:
    """Nested tables of numbers, text and lists of text."""
    lines: list[str] = []
    for name, value in tables.items():
        if isinstance(value, dict):
            path = f"{prefix}{name}"
            plain = {key: one for key, one in value.items() if not isinstance(one, dict)}
            lines += [f"[{path}]", *(f"{key} = {_written(one)}" for key, one in plain.items()), ""] if plain else []
            lines += _tables({key: one for key, one in value.items() if isinstance(one, dict)}, f"{path}.")
    return lines


def _written(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
