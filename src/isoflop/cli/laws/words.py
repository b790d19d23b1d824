"""What the words of `isoflop laws` say: options of a fit, values with units, and which column is what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.flags import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws import Fit, HyperFit, Options, Runs

DELTA = 1e-3
_SINGULAR = {"fixed": "fix", "ties": "tie", "bounds": "bound", "weights": "weights"}


def fit_options(options: Mapping[str, object]) -> Options:
    """The options of a fit as the library takes them."""
    from isoflop.laws import Options

    numbers = {key: number(value, key) for key, value in split(_words(options["fixed"])).items()}
    bounds = {}
    for key, value in split(_words(options["bounds"])).items():
        low, colon, high = value.partition(":")
        if not colon:
            raise BadInput(f"--bound {key}={shorten(value)}: write low:high, for instance alpha=0.1:0.6")
        bounds[key] = (number(low, key), number(high, key))
    bootstrap, seed, delta = options["bootstrap"], options["seed"], options["delta"]
    assert isinstance(bootstrap, int)
    assert isinstance(seed, int)
    assert isinstance(delta, float)
    return Options(
        loss=str(options["loss"]),
        delta=delta,
        fixed=numbers,
        ties=split(_words(options["ties"])),
        bounds=bounds,
        weights=str(options["weights"]),
        bootstrap=bootstrap,
        seed=seed,
        engine=str(options["engine"]),
    )


def _words(value: object) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return value


def number(text: str, key: str) -> float:
    """A plain number; `key` is what errors call it."""
    try:
        value = float(text)
    except ValueError:
        raise BadInput(
            f"{key}={shorten(text)} is no number; units are read where the quantity is known, as in params=7B tokens=1T"
        ) from None
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - not a number
        raise BadInput(f"{key}={shorten(text)} must be finite")
    return value


def values_of(words: tuple[str, ...]) -> dict[str, float]:
    """Values by the name that columns of runs have, with units as people write them where the glossary knows them.

    N, D and C, as laws are written, are params, tokens and flops; so is every name that a column may go by.
    """
    from isoflop.laws.columns import map_columns
    from isoflop.quantity import quantities, quantity
    from isoflop.quantity import read as read_value

    known = quantities()
    found = {}
    for key, text in split(words).items():
        mapped = map_columns((key,), {})
        name = mapped[0].quantity if mapped else key
        if name in found:
            raise BadInput(f"{shorten(key)} gives {name} a second time; give it once")
        word = {"flops": "train_flops"}.get(name, name)
        plain = word not in known or (mapped and mapped[0].scale != 1.0)
        value = number(text, key) if plain else float(read_value(text, quantity(word)).spread.median)
        found[name] = value * (mapped[0].scale if mapped else 1.0)
    return found


def read(
    runs: str, columns: tuple[str, ...], constants: tuple[str, ...], counts: str | None, *, strict: bool, best: bool
) -> Runs:
    """The runs of a table, with what the options say of its columns."""
    from isoflop import laws

    found = laws.read_runs(
        runs,
        columns=split(columns),
        constants=values_of(constants),
        counts=counts,  # type: ignore[arg-type]  # one of COUNTS
        strict=strict,
    )
    return found.best_of_grids() if best else found


def refuse_endings(path: str) -> None:
    """BadInput for a fit that is to be written under the ending of another form: it is JSON, whatever it is called."""
    ending = Path(path).suffix.lower()
    if ending in {".svg", ".png", ".pdf"}:
        raise BadInput(
            f"a fit is written as JSON, not as '{ending}': give --out fit.json; pictures are drawn by isoflop laws plot"
            " power-laws RUNS --out FILE"
        )
    if ending in {".html", ".htm", ".md", ".csv", ".tex", ".txt"}:
        raise BadInput(
            f"a fit is written as JSON, not as '{ending}': give --out fit.json; for other forms --format and > FILE"
        )


def write_fit(path: str, found: Fit | HyperFit, interval: float) -> None:
    """A fit as the JSON file that stands wherever a law is named."""
    from isoflop.laws.fit_file import fit_object
    from isoflop.laws.hyper_file import hyper_object
    from isoflop.laws.result import Fit
    from isoflop.report import dumps

    refuse_endings(path)
    held = fit_object(found, level=interval) if isinstance(found, Fit) else hyper_object(found, level=interval)
    write(path, dumps(held) + "\n")  # type: ignore[arg-type]  # plain data


def refuse_ignored(law: str, options: Mapping[str, object], *, out: str | None, profiled: tuple[str, ...]) -> None:
    """BadInput where something is asked of a form, and this law is none: nothing that is said goes unheard."""
    held = {key: options[key] for key in ("fixed", "ties", "bounds", "weights") if options[key]}
    said = [f"--{_SINGULAR[key]}" for key in held] + ["--profile"] * bool(profiled)
    if options["loss"] != "log-huber" or options["delta"] != DELTA:
        said.append("--loss or --delta")
    if out is not None and law != "hyper":
        raise BadInput(f"--out keeps the fit of a form, and --law {law} fits none; --json prints what it finds")
    if said:
        raise BadInput(f"--law {law} takes no {', no '.join(said)}: only forms do (isoflop laws forms)")


def write(path: str, text: str) -> None:
    """Text to a file; BadFile where it cannot be written."""
    from pathlib import Path

    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadFile(f"cannot write '{shorten(path)}': {error.strerror}; choose another file.") from error
