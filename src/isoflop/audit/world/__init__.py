"""What the library knows, held against what a document says: models, runs, devices, memory, number formats, laws.

`CHECKS` are functions of the type `Check`, loaded with this package: a napkin file is held against the first of them,
prose and tables against all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.audit.world.chains import citations, information
from isoflop.audit.world.grids import grid_rows
from isoflop.audit.world.prose import prose_claims
from isoflop.audit.world.table import table_rows

if TYPE_CHECKING:
    from isoflop.audit.document import Check

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (citations, information, prose_claims, grid_rows, table_rows)
