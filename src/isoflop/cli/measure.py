"""`isoflop measure [--out p.toml]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.errors import BadFile, MissingData, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.measure import Check, EnergyCheck, Measured, Session


@click.command("measure", cls=Command)
@click.option("--on", "device", metavar="DEVICE", help="cuda, cuda:1, rocm, mps or cpu; the fastest there is.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write the device file here.")
@click.option(
    "--raw", type=click.Path(dir_okay=False, writable=True), help="Write every measurement here, as JSON lines."
)
@click.option("--minutes", type=click.FloatRange(0.05, 600), default=3.0, show_default=True, help="Stop after so long.")
@click.option("--threads", type=click.IntRange(1, 4096), help="Threads of a CPU; all it has.")
@click.option("--busy", is_flag=True, help="Measure though others use the machine; the file says so.")
@click.option("--check", is_flag=True, help="Then measure steps of other shapes, and hold the profile against them.")
@click.option(
    "--memory", is_flag=True, help="Then hold predicted peaks of memory against the allocator's, over a grid."
)
@click.option(
    "--energy", is_flag=True, help="Then hold our estimate of energy against the board's counter and CodeCarbon."
)
@click.option("--tdp", help="Watts of the chip where the catalogue has none: '360 W'.")
@click.option("--grid", default="us", show_default=True, help="Whose electricity, a country: fr, de.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(**options: object) -> None:
    """Measure the machine this runs on: a device file with a profile of its own.

    Matrix products by shape and format, memory bandwidth, attention, the optimizer, launches, a few training steps and
    one model decoded. The file can stand wherever a device is named, at once. Needs torch (pip install 'isoflop[lab]').

    \b
    isoflop measure --out my.toml --check
    isoflop measure --energy --grid fr
    isoflop training tinyllama-1.1b --on 1x./my.toml --sequence 2k --engine native
    """
    try:
        from isoflop import measure as room
    except ImportError as error:
        raise MissingData(f"measuring needs torch ({error.name} is not there): pip install 'isoflop[lab]'") from error
    raw = _raw(options["raw"])
    tell = _teller(raw)
    wish = room.Wish(
        device=_text(options["device"]),
        busy=bool(options["busy"]),
        limits=room.Limits(seconds=60 * float(str(options["minutes"]))),
        threads=int(str(options["threads"] or 0)),
    )
    session = room.measure(wish, tell)
    _write(_text(options["out"]), session.text)
    checks: tuple[Check, ...] = ()
    if options["check"]:
        checks += room.check_steps(session, tell)
    if options["memory"]:
        checks += room.check_memory(session, tell)
    energy = _energy(session, options) if options["energy"] else None
    if options["as_json"]:
        from dataclasses import asdict
        from json import dumps

        told = {"energy": asdict(energy)} if energy is not None else {}
        click.echo(dumps(_object(session, checks) | told, indent=2))
        return
    _print(session, checks, has_file=options["out"] is not None)
    if energy is not None:
        _print_energy(energy)


def _energy(session: Session, options: dict[str, object]) -> EnergyCheck:
    from isoflop.hardware import grid
    from isoflop.measure import check_energy
    from isoflop.quantity import quantity, read

    tdp = read(str(options["tdp"]), quantity("tdp")).spread.median if options["tdp"] else None
    name = grid(str(options["grid"])).name
    return check_energy(session.machine, fast=session.fast, tdp=tdp, grid=name)


def _print_energy(found: EnergyCheck) -> None:
    """What each way of knowing says, and why they are apart."""
    from isoflop.cli.output import print_table
    from isoflop.cli.side_by_side import echo_wrapped
    from isoflop.report import Column

    click.echo(f"\nEnergy of {found.steps} training steps in {found.seconds:.1f} s")
    columns = [Column(name="by"), *(Column(name=name, right=True) for name in ("power", "energy")), Column(name="from")]
    rows = [
        (one.name, *_watts(one.joules, found.seconds), one.note) for one in found.readings
    ]  # fmt: skip
    print_table(columns, rows, "text")
    said = [f"{one.name} {one.mass * 1e3:.3g} g CO2e ({one.source})" for one in found.emissions]
    if said:
        echo_wrapped(f"\nEmissions: {'; '.join(said)}.")
    if found.ratio is not None:
        echo_wrapped(f"Our estimate is {found.ratio:.2f} times what {found.theirs} says.")
    for line in found.why:
        echo_wrapped(f"- {line}")


def _watts(joules: float | None, seconds: float) -> tuple[str, str]:
    return ("not known", "") if joules is None else (f"{joules / seconds:.3g} W", f"{joules:.4g} J")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _raw(path: object) -> Path | None:
    if path is None:
        return None
    _write(str(path), "")
    return Path(str(path))


def _write(path: str | None, text: str) -> None:
    if path is None:
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadFile(f"cannot write '{shorten(path)}': {error.strerror}; choose another file.") from error


class _Teller:
    """Says each result on stderr as it comes, and keeps it in a file of raw measurements."""

    def __init__(self, raw: Path | None) -> None:
        self.raw = raw

    def __call__(self, one: Measured) -> None:
        from dataclasses import asdict
        from json import dumps

        click.echo(f"  {one.what:<17}{_words(one):<44}{_result(one)}", err=True)
        if self.raw is not None:
            with self.raw.open("a", encoding="utf-8") as file:
                file.write(dumps(asdict(one)) + "\n")


def _teller(raw: Path | None) -> _Teller:
    return _Teller(raw)


def _words(one: Measured) -> str:
    if one.what.startswith("step"):
        return shorten(_step_words(one), most=43)
    parts = [f"{value:g}" if isinstance(value, float) else str(value) for key, value in _shown(one)]
    return shorten(" ".join(parts), most=43)


def _step_words(one: Measured) -> str:
    """A training step: its shape, what it takes at once, how often, and what is special."""
    said = one.settings
    pieces = f"{said['pieces']} x " if said["pieces"] != 1 else ""
    words = [str(said["name"]), f"{pieces}{said['batch']} x {said['sequence']}", str(said["form"])]
    words += [word for word, name in (("again", "recompute"), ("compiled", "compile")) if said[name]]
    return ", ".join(words)


def _shown(one: Measured) -> list[tuple[str, str | float]]:
    return [(key, value) for key, value in one.settings.items() if not key.startswith("shape.") and value != ""]


def _result(one: Measured) -> str:
    if one.failed:
        return one.failed
    if one.timing is None:
        return ""
    rate = ""
    if "flops" in one.figures:
        rate = f"  {one.figures['flops'] / one.timing.seconds / 1e12:.4g} TFLOP/s"
    elif "bytes" in one.figures:
        rate = f"  {one.figures['bytes'] / one.timing.seconds / 1e9:.4g} GB/s"
    return f"{one.timing.seconds * 1e3:10.4g} ms ±{one.timing.spread:.0%}{rate}"


def _print(session: Session, checks: Sequence[Check], *, has_file: bool) -> None:
    from isoflop.cli.output import print_table
    from isoflop.report import Column

    machine, fitted = session.machine, session.fitted
    assert fitted is not None
    versions = ", ".join(f"{name} {value}" for name, value in machine.versions.items())
    click.echo(f"{machine.name}, {machine.date}: {versions}")
    for note in (*((f"busy: {machine.busy}",) if machine.busy else ()), *session.notes):
        click.echo(f"  mind: {note}")
    rows = [
        (f"peak {name}", f"{one.value / 1e12:.4g} TFLOP/s", one.source)
        for name, one in session.device.peak_rates.items()
    ]
    rows += [
        (f"reached {name}", f"{one.value / 1e12:.4g} TFLOP/s", one.note)
        for name, one in session.device.achievable_rates.items()
    ]
    bandwidth = session.device.memory_bandwidth()
    rows.append(("memory", f"{bandwidth.value / 1e9:.4g} GB/s", bandwidth.source))
    rows.append(("profile", f"±{fitted.profile.spread - 1:.0%}", fitted.profile.fitted))
    print_table([Column(name="what"), Column(name="value", right=True), Column(name="from")], rows, "text")
    if checks:
        _print_checks(checks)
    if not has_file:
        click.echo("Nothing was written: --out my.toml keeps it as a device file.", err=True)


def _print_checks(checks: Sequence[Check]) -> None:
    from statistics import median

    from isoflop.cli.output import print_table
    from isoflop.report import Column

    for quantity, unit, scale in (("step_time", "ms", 1e3), ("peak_memory", "MB", 1e-6)):
        own = [one for one in checks if one.quantity == quantity]
        if not own:
            continue
        columns = [Column(name=quantity.replace("_", " "))]
        columns += [Column(name=name, right=True) for name in ("measured", "predicted", "off")]
        rows = [
            (
                _words(one.one),
                f"{one.measured * scale:.4g} {unit}",
                f"{one.predicted * scale:.4g} {unit}",
                f"{one.error:+.1%}",
            )
            for one in own
        ]
        print_table(columns, rows, "text")
        errors = [abs(one.error) for one in own]
        click.echo(f"{quantity.replace('_', ' ')}: median error {median(errors):.1%}, largest {max(errors):.1%}\n")


def _object(session: Session, checks: Sequence[Check]) -> dict[str, object]:
    """The answer for scripts, in base units."""
    from dataclasses import asdict

    machine, fitted = session.machine, session.fitted
    return {
        "schema_version": 1,
        "device": {
            "name": machine.name, "memory": machine.memory, "versions": dict(machine.versions), "load": machine.load,
            "busy": machine.busy, "date": machine.date, "catalogued": session.device.title,
        },
        "measured": [asdict(one) for one in session.found],
        "profile": None if fitted is None else {"fitted": fitted.profile.fitted, "spread": fitted.profile.spread},
        "checks": [
            {"what": _words(one.one), "quantity": one.quantity, "predicted": one.predicted, "measured": one.measured}
            for one in checks
        ],
        "warnings": list(session.notes),
        "file": session.text,
    }  # fmt: skip
