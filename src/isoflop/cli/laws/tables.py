"""What `isoflop laws` prints: fits, checks, predictions, published laws, laws side by side."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import click
import numpy as np

from isoflop.cli.laws import chosen
from isoflop.cli.output import print_table
from isoflop.cli.side_by_side import Line, echo_wrapped, print_beside, text_line
from isoflop.errors import MissingData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws import Check, Fit, HyperFit, Options, Profile, Published, Runs
    from isoflop.laws.result import Origin
    from isoflop.report import Cell
    from isoflop.report.json import Json

Shown = tuple[float, str]
"""Level of intervals, and the format."""


def print_fit(fit: Fit, profiles: Sequence[Profile], shown: Shown, *, explain: bool) -> None:
    """The constants with intervals, what they imply, and what the checks say."""
    from isoflop.report import dumps

    level, form = shown
    if form == "json":
        from isoflop.laws.fit_file import fit_object

        held = fit_object(fit, level=level)
        held["profiles"] = [_profile_object(one) for one in profiles]
        click.echo(dumps(held))  # type: ignore[arg-type]  # plain data
        return
    origin = fit.origin
    if form == "text":
        echo_wrapped(f"{fit.shape.name}: {getattr(fit.shape, 'title', '')}")
        left = f", {origin.rows - origin.used} left out" if origin.rows > origin.used else ""
        runs = f" of {origin.groups} runs" if origin.groups < origin.used else ""
        echo_wrapped(f"{origin.used} rows{runs}{left}; {fit.objective}; intervals: {level:.0%}, {fit.doubt.of}\n")
    if fit.tried:
        print_table(chosen.HEAD, chosen.forms(fit), form)
    else:
        head = ("constant", "value", "low", "high", "standard error of its coordinate")
        print_table(head, _constants(fit, level), form)
    if form != "text":
        return
    if fit.tried:
        chosen.print_choice(fit, level)
    _print_profiles(profiles)
    print_checks(fit.checks, explain=explain)
    if explain:
        _print_origin(fit)


def _constants(fit: Fit, level: float) -> list[tuple[Cell, ...]]:
    ends = fit.interval(level)
    errors = list(fit.errors.values())
    rows: list[tuple[Cell, ...]] = [
        (name, _digits(value), *(_digits(end) for end in ends[name]), _digits(errors[index], 2))
        for index, (name, value) in enumerate(fit.constants.items())
    ]
    exponent, found = fit.exponent, fit.exponent_interval(level)
    if exponent is not None and found is not None:
        rows.append(("params ~ FLOP^", *map(_digits, found), _digits(float(np.std(exponent[1])), 2)))
    return rows


def _digits(value: float, digits: int = 5) -> str:
    return f"{float(value):.{digits}g}"


def _print_profiles(profiles: Sequence[Profile]) -> None:
    for one in profiles:
        low, high = ("open" if not np.isfinite(end) else f"{end:.4g}" for end in (one.low, one.high))
        several = f"; {one.minima} minima" if one.minima > 1 else ""
        echo_wrapped(f"\nProfile of {one.name}: {low} to {high} at {one.level:.0%}{several}")


def _profile_object(one: Profile) -> dict[str, Json]:
    return {
        "name": one.name,
        "values": one.values.tolist(),
        "above": one.above.tolist(),
        "threshold": one.threshold,
        "level": one.level,
        "low": one.low if np.isfinite(one.low) else None,
        "high": one.high if np.isfinite(one.high) else None,
        "minima": one.minima,
    }


def print_checks(found: Sequence[Check], *, explain: bool) -> None:
    """How many checks passed, and those that did not; with `explain` all of them."""
    said = {status: sum(one.status == status for one in found) for status in ("pass", "warn", "fail")}
    echo_wrapped(f"\nChecks: {said['pass']} passed, {said['warn']} warn, {said['fail']} failed.")
    for one in found:
        if explain or one.status in {"warn", "fail"}:
            remedy = f". {one.remedy[:1].upper()}{one.remedy[1:]}" if one.remedy and one.status != "pass" else ""
            end = "" if remedy.endswith("?") else "."
            echo_wrapped(f"{'-' if one.status == 'none' else one.status:4}  {one.name}: {one.says}{remedy}{end}")


def _print_origin(fit: Fit) -> None:
    proof, origin = fit.certificate, fit.origin
    echo_wrapped(
        f"\nCertificate: objective {proof.objective:.12g}, gradient {proof.gradient:.1e}, another step promises"
        f" {proof.decrease:.1e}; {proof.agree} of {proof.starts} starts agree."
    )
    _print_columns(origin)


def _print_columns(origin: Origin) -> None:
    for quantity, column, how in origin.mapping:
        echo_wrapped(f"  {quantity} is column '{column}' ({how})")
    for note in (*origin.guesses, *origin.notes):
        echo_wrapped(f"  mind: {note}")
    echo_wrapped(f"  runs {origin.fingerprint}")


def print_mapping(runs: Runs) -> None:
    """Which column was taken as what."""
    said = ", ".join(f"{one.quantity} = '{one.column}'" for one in runs.mapping)
    echo_wrapped(f"\nColumns: {said}.")
    for note in (*runs.guesses, *runs.notes):
        echo_wrapped(f"Mind: {note}.")


def check_rows(found: Sequence[Check]) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Head and rows of the table of checks."""
    rows: list[tuple[Cell, ...]] = [
        (
            one.name,
            one.status,
            one.number if one.number is None or np.isfinite(one.number) else None,
            one.says,
            one.remedy,
        )
        for one in found
    ]
    return ("check", "status", "number", "says", "remedy"), rows


def print_hyper(fit: HyperFit, shown: Shown, *, explain: bool) -> None:
    """The law of learning rate and batch: constants with intervals, what it rests on, and what the checks say."""
    from isoflop.report import dumps

    level, form = shown
    if form == "json":
        from isoflop.laws.hyper_file import hyper_object

        click.echo(dumps(hyper_object(fit, level=level)))  # type: ignore[arg-type]  # plain data
        return
    unit = fit.batch_unit.removeprefix("batch_")
    ends = fit.interval(level)
    values = list(fit.constants.values())
    names = ("rate at 1", "rate ~ params^", "rate ~ tokens^", f"batch ({unit}) at 1", "batch ~ params^")
    rows = [
        (name, _digits(value), *map(_digits, one))
        for name, value, one in zip((*names, "batch ~ tokens^"), values, ends.values(), strict=True)
    ]
    if form == "text":
        echo_wrapped("hyper: rate and batch = constant * params^a * tokens^b, at the bottom of the loss")
        count = fit.resamples - fit.bottomless
        echo_wrapped(
            f"{fit.rows} rows near the best of {fit.cells} grids; intervals: {level:.0%}, {count:,} resamples\n"
        )
    print_table(("constant", "value", "low", "high"), rows, form)
    if form != "text":
        return
    if unit == "sequences":
        echo_wrapped(
            "\nThe batch is in sequences, and the runs do not say how long these are; no exponent depends on it. For a"
            " law in tokens give the length, for instance --set sequence_length=2048."
        )
    print_checks(fit.checks, explain=explain)
    if explain:
        _print_columns(fit.origin)


def print_other(runs: Runs, law: str, method: str, shown: Shown, options: Options) -> None:
    """Approach 1 or approach 2."""
    from isoflop import laws

    level, form = shown
    tails = (0.5 - level / 2, 0.5 + level / 2)
    count = max(options.bootstrap, 1)
    rows: list[tuple[Cell, ...]]
    if law == "isoflop":
        line = laws.isoflop_line(runs, method, resamples=count, seed=options.seed)  # type: ignore[arg-type]  # a choice
        rows = [("params ~ FLOP^", _digits(line.exponent), *map(_digits, line.interval(level)))]
        rows += [
            (f"best params at {one.flops:.3g}", _digits(one.best_params) if one.bracketed else None, None, None)
            for one in line.profiles
        ]
        said = f"{len(line.profiles) - len(line.left_out)} profiles with a minimum inside, {method}"
        said += f"; left out: {'; '.join(line.left_out)}" if line.left_out else ""
    else:
        hull = laws.envelope(runs, resamples=count, seed=options.seed)
        rows = [("params ~ FLOP^", _digits(hull.exponent), *map(_digits, np.quantile(hull.draws, tails)))]
        said = f"{len(hull.flops)} runs on the envelope"
    print_table(("constant", "value", "low", "high"), rows, form)
    if form == "text":
        echo_wrapped(f"\n{said}.")


# --- published laws --------------------------------------------------------------------------------------------------


def print_published(form: str) -> None:
    """Every published law in a line."""
    from isoflop.laws import published_laws

    head = ("law", "is", "form", "counts", "source", "verified")
    rows = [
        (law.name, law.title, _form_name(law), law.form.convention.params, law.source, law.verified)
        for law in published_laws().values()
    ]
    if form == "text":
        print_table(("law", "is", "source"), [(row[0], row[1], row[4]) for row in rows], form)
    else:
        print_table(head, rows, form)


def _form_name(law: Published) -> str:
    return type(law.form).__name__


def print_law(name: str, form: str) -> None:
    """One law whole."""
    from isoflop.laws import find_law

    law = find_law(name)
    lines = [
        text_line("name", (law.name,)),
        text_line("title", (law.title,)),
        *_coefficients((law,)),
        text_line("counts", (f"parameters {law.form.convention.params}, FLOP {law.form.convention.flops}",)),
        text_line("source", (f"{law.source}, {law.place}",)),
        text_line("rounding", (law.rounding,)),
        text_line("verified", (law.verified,)),
        text_line("fitted on", (law.fitted_on.of,)),
        *(_range(key, ends) for key, ends in law.fitted_on.ranges.items()),
        text_line("spread", (law.spread.of,)),
        text_line("note", (law.note,)),
    ]
    print_beside((law.name,), lines, form)


def _range(key: str, ends: tuple[float, float]) -> Line:
    from isoflop.quantity import quantity, write

    said = f"{write(ends[0], quantity(key))} to {write(ends[1], quantity(key))}"
    return text_line(f"runs: {key}", (said,))


def _coefficients(laws: Sequence[Published]) -> list[Line]:
    """A line a constant; forms that are searched show their coordinates, settings their powers."""
    held = [_numbers(law) for law in laws]
    names = list(dict.fromkeys(name for one in held for name in one))
    return [
        Line(
            name=name,
            title=name,
            unit="",
            cells=tuple(one.get(name) for one in held),
            texts=tuple(f"{one[name]:.6g}" if name in one else "" for one in held),
        )
        for name in names
    ]


def _numbers(law: Published) -> dict[str, float]:
    from isoflop.laws import HyperParameters
    from isoflop.laws.surface import Surface

    if isinstance(law.form, Surface):
        return dict(zip(law.form.shape.coordinates, law.form.at.tolist(), strict=True))
    if isinstance(law.form, HyperParameters):
        return {
            f"{key} {'at 1' if part == 'coefficient' else f'~ {part}^'}": float(value)
            for key, powers in (("rate", law.form.learning_rate), ("batch", law.form.batch_tokens))
            for part in ("coefficient", "params", "tokens", "flops")
            if (value := getattr(powers, part))
        }
    numbers = {part.name: getattr(law.form, part.name) for part in fields(law.form)}
    return {key: float(value) for key, value in numbers.items() if isinstance(value, float)}


def print_compared(names: Sequence[str], budgets: Sequence[float], form: str) -> None:
    """Laws side by side."""
    from isoflop.laws import find_law

    laws = [find_law(name) for name in names]
    print_beside([law.name for law in laws], law_lines(laws, budgets), form)


def law_lines(laws: Sequence[Published], budgets: Sequence[float]) -> list[Line]:
    """Constants, exponents and splits of the budgets, a line each."""
    lines = [text_line("form", [_form_name(law) for law in laws]), *_coefficients(laws)]
    lines += [text_line("counts", [law.form.convention.params for law in laws]), _exponents(laws)]
    for flops in budgets:
        lines += _splits(laws, flops)
    return lines


def _exponents(laws: Sequence[Published]) -> Line:
    """How the best params grow with compute, where that is one power."""
    found: list[float | None] = []
    for law in laws:
        try:
            found.append(1.0 / (1.0 + float(law.allocator.expansion_path().exponent)))
        except MissingData:
            found.append(None)
    name = "params ~ FLOP^"
    texts = tuple("" if value is None else _digits(value) for value in found)
    return Line(name=name, title=name, unit="", cells=tuple(found), texts=texts)


def _splits(laws: Sequence[Published], flops: float) -> list[Line]:
    from isoflop.quantity import quantity, write

    found: dict[str, list[float | None]] = {key: [] for key in ("params", "tokens", "tokens_per_param", "loss")}
    for law in laws:
        try:
            split = law.allocator.allocate(flops)
        except MissingData:
            split = None
        for key, values in found.items():
            value = getattr(split, key, None)
            values.append(None if value is None else float(value))
    at = write(flops, quantity("train_flops"))
    return [
        Line(
            name=f"{key} at {flops:g}",
            title=f"{key.replace('_', ' ')} at {at}",
            unit=quantity(key).unit_text,
            cells=tuple(values),
            texts=tuple("" if value is None else write(value, quantity(key)) for value in values),
        )
        for key, values in found.items()
    ]
