"""Fit the profiles of devices to the measured rows that come with isoflop, and write them: `make profiles`.

Starts from `accuracy/priors/`, fits all rows, and keeps fifths aside in turn, by source and by model, to see how far
off unseen rows are: that decides the spread of each profile. What is kept aside is written to `rows/apart.csv`, from
which the accuracy page is made. Takes some ten minutes.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.accuracy import committed_rows, read_configs
from isoflop.accuracy.apart import after_three, apart, family_of, spread_of
from isoflop.accuracy.profiles import CONSTANTS, fitted, items_of, priors, residuals
from isoflop.accuracy.toml_text import toml_text
from isoflop.kernel.profile import FOLDER, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy.profiles import Item

APART = Path(__file__).parents[1] / "src/isoflop/accuracy/rows/apart.csv"
LEVEL = 0.83
"""Share of residuals, of fitted rows and of rows kept apart together, that intervals should hold: 80 % of rows to come,
of which some are of sources that nobody here has seen."""

UNSEEN = ("blackwell-ultra",)
"""Profiles that one family of sources holds: their spread is at least that of all profiles together."""


def main() -> int:
    """Fit, keep aside, write."""
    items = items_of(committed_rows(), read_configs(None))
    base = priors()
    made = fitted(items, base)
    inside = residuals(items, made)
    sources = [family_of(one.source) for one in items]
    by_source, by_name = apart(items, base, sources)
    by_model, _ = apart(items, base, [one.run.model.name for one in items])
    three = after_three(items, sources, by_name)
    every = spread_of(np.concatenate([inside, by_source]), [*items, *items], LEVEL)
    for name, profile in made.items():
        own = [place for place, one in enumerate(items) if one.profile == name]
        both = np.concatenate([inside[own], by_source[own]])
        spread = spread_of(both, [items[place] for place in own] * 2, LEVEL) if own else 1.5 * every
        spread = max(spread, every) if name in UNSEEN else spread
        _write(name, msgspec.structs.replace(profile, spread=round(spread, 3), fitted=_said(own, items)))
    with APART.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("id", "source_apart", "model_apart"))
        writer.writerows((one.id, f"{a:.4f}", f"{b:.4f}") for one, a, b in zip(items, by_source, by_model, strict=True))
        writer.writerows(
            (f"three:{source}", f"{np.median(np.abs(np.expm1(left))):.4f}", len(left)) for source, left in three.items()
        )
    return 0


def _said(own: Sequence[int], items: Sequence[Item]) -> str:
    """What a profile was fitted on."""
    if not own:
        return "no rows of its own: software constants of the other profiles, the rest by hand"
    families = sorted({family_of(items[place].source) for place in own})
    many = f"{len(families)} sources" if len(families) > 1 else "one source"
    said = f"{len(own)} rows of {many} ({', '.join(families)}), each counted evenly"
    return f"{said}; {len(CONSTANTS)} constants held near priors"


def _write(name: str, profile: Profile) -> None:
    plain = msgspec.to_builtins(profile)
    head = (
        f"# Constants of {profile.title}. What each means stands in kernel/profile.py; `make profiles` writes these.\n"
    )
    (FOLDER / f"{name}.toml").write_text(head + toml_text(plain), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
