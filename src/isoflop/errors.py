"""Every error that isoflop raises on purpose.

    IsoflopError                      exit code
    ├── BadInput                      2   what was given cannot be read
    │   ├── UnknownName               2   a name that is in no catalogue (carries the close matches)
    │   ├── UnitError                 2   units that do not cancel or do not belong
    │   ├── AmbiguousInput            2   two readings pass the unit check (carries both)
    │   ├── BadFile                   2   a file that is broken, too large, too deep or lacks a source
    │   └── Contradictory             2   knowns that cannot all be true (carries the factor)
    ├── Undetermined                  3   not enough is known (carries what would complete it)
    │   └── UntrustworthyFit          3   runs that cannot carry the fit asked of them (carries which runs are missing)
    ├── MissingData                   3   the catalogue holds no such figure, and nothing is derived silently
    └── Infeasible                    4   no value can satisfy what is asked (carries the nearest that can)

Each message says what was given, what would be accepted and the next thing to try.

    >>> import isoflop
    >>> try:
    ...     isoflop.device("h100-sxn")
    ... except isoflop.UnknownName as error:
    ...     print(error.matches[0], error.exit_code)
    h100-sxm-96gb 2
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


FEW = 40
"""Names that a message lists whole, where none of them is close and nothing else lists them."""


class IsoflopError(Exception):
    """The root of the tree; catch this to catch everything that is the user's to mend."""

    exit_code = 2


class BadInput(IsoflopError, ValueError):
    """What was given cannot be read; the message names what would be accepted."""


class UnknownName(BadInput):
    """A name that stands in no catalogue.

    `kind` says which catalogue ("device", "quantity"), `name` what was asked for, `matches` what is close to it.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, listing: str = "", hint: str = "") -> None:
        names = list(known)
        self.kind, self.name = kind, name
        self.matches = close_matches(name, names)
        quoted = [f"'{match}'" for match in self.matches]
        said = f" {hint}" if hint else f" Did you mean {' or '.join(quoted)}?" if quoted else ""
        if not (said or listing) and 0 < len(names) <= FEW:
            said = f" Give one of: {', '.join(map(str, names))}."
        where = f" List all with: {listing}" if listing else ""
        super().__init__(f"no {kind} '{shorten(name)}'.{said}{where}")


class UnitError(BadInput):
    """Units that do not cancel, or a value whose unit its quantity does not take."""


class AmbiguousInput(BadInput):
    """Text with two readings that both pass the unit check; the message shows both."""


class BadFile(BadInput):
    """A file that is broken, too large, too deep, or an entry without unit or source; names file and key."""


class Contradictory(BadInput):
    """Knowns that cannot all be true; `factor` says how far apart they are."""

    def __init__(self, message: str, *, factor: float) -> None:
        self.factor = factor
        super().__init__(message)


class Undetermined(IsoflopError):
    """Not enough is known to reach the target; `completes` lists quantities any one of which would be enough."""

    exit_code = 3

    def __init__(self, message: str, *, completes: tuple[str, ...] = ()) -> None:
        self.completes = completes
        super().__init__(message)


class UntrustworthyFit(Undetermined):
    """Runs that cannot carry the fit asked of them; `missing` says which further runs would."""

    def __init__(self, message: str, *, missing: tuple[str, ...] = ()) -> None:
        self.missing = missing
        super().__init__(f"{message} Missing: {'; '.join(missing)}." if missing else message)


class MissingData(IsoflopError):
    """The catalogue does not hold the figure asked for; missing stays missing."""

    exit_code = 3


class Infeasible(IsoflopError):
    """No value satisfies what is asked; the message says the nearest that can be reached."""

    exit_code = 4


def close_matches(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Up to `most` known names that look like `name`: same letters, or three letters and more of `name` inside them."""
    names = list(known)
    lowered = name.lower()[:80]
    found = get_close_matches(lowered, names, n=most, cutoff=0.6)
    found += [other for other in sorted(names) if len(lowered) > 2 and lowered in other and other not in found]
    return tuple(found[:most])


def shorten(text: str, *, most: int = 60) -> str:
    """`text` as it may stand in a message: one line, at most `most` characters, no control characters."""
    if len(text) <= most and text.isprintable():
        return text
    clean = "".join(char if char.isprintable() else " " for char in text[: most + 1])
    return clean if len(clean) <= most else clean[: most - 3] + "..."
