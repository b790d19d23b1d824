"""A folder of price files of the user's own, kept up to date: what was read replaces what it is newer than."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, shorten
from isoflop.hardware.price_file import price_files, read_prices
from isoflop.quantity import read_text
from isoflop.quantity.toml_file import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.hardware.site import Price

PACKAGE = Path(__file__).resolve().parents[1]

HEAD = (
    "# Written by `isoflop prices update`, which replaces it; prices typed in by hand belong in a file of their own.\n"
)
"""The first line of every file written here. A file without it is somebody's own and is never touched."""


def write_folder(prices: Sequence[Price], folder: str | Path) -> dict[str, int]:
    """Write prices into a folder, a file a device; gives how many prices each file written now holds.

    Prices that stand there of the same provider are replaced where they are of the same day or of none; all others are
    kept: a second cloud adds to the first, and a later day to the earlier ones.
    """
    place = Path(folder).expanduser()
    if PACKAGE in (place.resolve(), *place.resolve().parents):
        raise BadInput(
            f"'{shorten(str(folder), most=200)}' is inside the package, whose catalogue is not changed here."
        )
    replaced = {(price.provider, day) for price in prices for day in (price.date, None)}
    written = _written_here(place)
    kept = [price for path in written for price in read_prices(path) if (price.provider, price.date) not in replaced]
    texts = price_files(sorted([*kept, *prices], key=_order))
    for name, text in texts.items():
        _check(place / name, text, is_ours=place / name in written)
    _replace(place, texts, written)
    return {name: text.count("[[price]]") for name, text in texts.items()}


def _check(path: Path, text: str, *, is_ours: bool) -> None:
    """Refuse before anything is written."""
    if path.exists() and not is_ours:
        raise BadInput(
            f"{path} was not written by `isoflop prices update` and is left as it is. Move it, or give another folder."
        )
    if len(HEAD + text) > MOST_BYTES:
        raise BadInput(f"{path} would hold more than {MOST_BYTES:,} bytes, the most that is read. Give another folder.")


def _order(price: Price) -> tuple[dt.date, str, str, str, str]:
    return price.date or dt.date.min, price.provider, price.region, price.commitment, price.sale.name


def _written_here(place: Path) -> list[Path]:
    """The files of a folder that were written by this module."""
    if not place.is_dir():
        return []
    return [path for path in sorted(place.glob("*.toml")) if read_text(path).startswith(HEAD)]


def _replace(place: Path, texts: dict[str, str], written: Iterable[Path]) -> None:
    """Write each file whole before it takes its name, so that none is ever half there; remove what is empty now."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            new = place / f"{name}.new"
            new.write_text(HEAD + text, encoding="utf-8")
            new.replace(place / name)
        for path in written:
            if path.name not in texts:
                path.unlink()
    except OSError as error:
        raise BadInput(f"{place}: cannot be written ({error.strerror}). Give another folder.") from error
