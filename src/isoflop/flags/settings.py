"""Settings: a flag beats ISOFLOP_* beats ./isoflop.toml beats the user's own file beats what the program assumes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, UnknownName, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.ask import Usual

PREFIX = "ISOFLOP_"
FILE = "isoflop.toml"


def load() -> dict[str, Usual]:
    """Every setting in force, the strongest word for each. Keys are quantities and choices, as in `solve`.

    Raises: BadFile for a file that cannot be read, UnknownName for a key that is neither quantity nor choice.
    """
    found: dict[str, Usual] = {}
    for path in (_user_file(), Path(FILE)):
        if path.exists():
            found.update(_from_file(path))
    found.update(_from_environment())
    return found


def _user_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "isoflop" / FILE


def _from_file(path: Path) -> dict[str, Usual]:
    from isoflop.quantity import read_toml

    tables = read_toml(path)
    table = tables.pop("defaults", {})
    if tables:
        raise BadFile(f"{path}: '{shorten(next(iter(tables)))}' is not read; settings stand in the table [defaults].")
    if not isinstance(table, dict):
        raise BadFile(f"{path}: 'defaults' must be a table of name = value, as in [defaults] and mfu = 0.4 below it.")
    return dict(_checked(table, str(path), {key: str(path) for key in table}))


def _from_environment() -> dict[str, Usual]:
    words = {key[len(PREFIX) :].lower(): value for key, value in os.environ.items() if key.startswith(PREFIX) and value}
    return dict(_checked(words, "the environment", {key: PREFIX + key.upper() for key in words}))


def _checked(words: Mapping[str, object], where: str, origins: Mapping[str, str]) -> Iterator[tuple[str, Usual]]:
    """Each setting under the name the rest of the house knows it by."""
    if not words:
        return
    from isoflop.ask import CHOICES, Usual
    from isoflop.quantity import quantities, quantity

    for key, value in words.items():
        name = key.replace("-", "_")
        usual = Usual(str(value), origins[key])
        if name in CHOICES:
            yield name, usual
            continue
        try:
            yield quantity(name).name, usual
        except UnknownName as error:
            raise UnknownName(
                f"setting (from {where})", key, (*quantities(), *CHOICES), listing="isoflop quantities"
            ) from error
