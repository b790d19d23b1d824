"""More runs for a study that there is: cells of `isoflop laws design`, on the same text, in the same folder.

What is exported afterwards holds both, so that a fit of it is one of all runs.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, shorten
from isoflop.lab.files import write_atomically
from isoflop.lab.forecast import check_disk, disk_bytes
from isoflop.lab.operate import StudyFolder
from isoflop.lab.sizes import wanted
from isoflop.lab.study import read_study
from isoflop.quantity.toml_file import parse_toml, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from isoflop.lab.sizes import Wanted


def extend_study(held: StudyFolder, cells: Path) -> tuple[StudyFolder, Wanted]:
    """The study with these cells ([[cell]] tables of params, tokens, seeds), and what it asks for now.

    Raises: BadInput where the file holds none, or something beside, or where the family has no model of such a size;
    then nothing is changed.
    """
    more, said = read_text(cells), shorten(str(cells), most=200)
    tables = parse_toml(more, said)
    if set(tables) != {"cell"}:
        raise BadInput(
            f"{said}: give [[cell]] tables and nothing beside, as isoflop laws design RUNS ... --format toml --out"
            " cells.toml writes them."
        )
    with held.held():
        place = held.path / "study.toml"
        text = f"{read_text(place).rstrip()}\n\n{more.strip()}\n"
        asked = wanted(read_study(text, str(place)), held.corpus, held.results())
        check_disk(shutil.disk_usage(held.path).free, disk_bytes(asked.specs, 2))
        write_atomically(place, text.encode())
    return StudyFolder(held.path), asked
