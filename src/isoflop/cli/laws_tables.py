"""What `isoflop laws` prints: fits, checks, predictions, published laws, laws side by side."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import click
import numpy as np

from isoflop.cli.knowns import print_table
from isoflop.cli.side_by_side import Line, echo_wrapped, print_beside, text_line
from isoflop.errors import MissingData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws import Check, Fit, Options, Profile, Published, Runs
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
    print_table(("constant", "value", "low", "high", "standard error of its coordinate"), _constants(fit, level), form)
    if form != "text":
        return
    _print_tried(fit)
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


def _print_tried(fit: Fit) -> None:
    if fit.tried:
        said = ", ".join(f"{name} {error:.2%}" for name, error in fit.tried)
        echo_wrapped(f"\nForms tried, by their error on dearer runs predicted from cheaper ones: {said}")


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
            echo_wrapped(f"{'-' if one.status == 'none' else one.status:4}  {one.name}: {one.says}{remedy}.")


def _print_origin(fit: Fit) -> None:
    proof, origin = fit.certificate, fit.origin
    echo_wrapped(
        f"\nCertificate: objective {proof.objective:.12g}, gradient {proof.gradient:.1e}, another step promises"
        f" {proof.decrease:.1e}; {proof.agree} of {proof.starts} starts agree."
    )
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


def print_other(runs: Runs, law: str, method: str, shown: Shown, options: Options) -> None:
    """Approach 1, approach 2, or the law of learning rate and batch."""
    from isoflop import laws

    level, form = shown
    tails = (0.5 - level / 2, 0.5 + level / 2)
    count = max(options.bootstrap, 1)
    rows: list[tuple[Cell, ...]]
    if law == "hyper":
        found = laws.fit_hyper(runs, resamples=count, seed=options.seed)
        ends = np.quantile(found.draws, tails, axis=0)
        rate, batch = found.law.learning_rate, found.law.batch_tokens
        values = (rate.params, rate.tokens, batch.params, batch.tokens)
        names = ("rate ~ params^", "rate ~ tokens^", "batch ~ params^", "batch ~ tokens^")
        rows = [
            (name, _digits(float(value)), _digits(low), _digits(high))
            for name, value, low, high in zip(names, values, *ends, strict=True)
        ]
        rows += [("rate at 1", _digits(float(rate.coefficient)), None, None)]
        rows += [("batch (tokens) at 1", _digits(float(batch.coefficient)), None, None)]
        said = f"{found.rows} runs near the best of {found.cells} sizes and amounts of data"
    elif law == "isoflop":
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
    """A line a constant; forms that are searched show their coordinates."""
    held: list[dict[str, float]] = []
    for law in laws:
        shape = getattr(law.form, "shape", None)
        if shape is not None:
            held.append(dict(zip(shape.coordinates, law.form.at.tolist(), strict=True)))  # type: ignore[union-attr]  # a surface
        else:
            numbers = {part.name: getattr(law.form, part.name) for part in fields(law.form)}
            held.append({key: float(value) for key, value in numbers.items() if isinstance(value, float)})
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


def print_compared(names: Sequence[str], budgets: Sequence[float], form: str) -> None:
    """Laws side by side."""
    from isoflop.laws import find_law

    laws = [find_law(name) for name in names]
    lines = [text_line("form", [_form_name(law) for law in laws]), *_coefficients(laws)]
    lines += [text_line("counts", [law.form.convention.params for law in laws])]
    for flops in budgets:
        lines += _splits(laws, flops)
    print_beside([law.name for law in laws], lines, form)


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
