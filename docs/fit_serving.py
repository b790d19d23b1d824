"""Fit the constants of inference to the measured rows that come with isoflop, and write them: `make profiles`.

Starts from `accuracy/priors/serving/`, fits all rows that no rule doubts, and keeps model families and devices aside in
turn, which decides how wide intervals are. What was kept aside is written to `rows/serving_apart.csv`, from which the
accuracy page is made. Takes some ten minutes.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from isoflop.accuracy.serving_apart import made, pace_text
from isoflop.accuracy.serving_items import items_of
from isoflop.accuracy.serving_rows import committed_serving_rows
from isoflop.serving.rates import FILE

APART = Path(__file__).parents[1] / "src/isoflop/accuracy/rows/serving_apart.csv"


def main() -> int:
    """Fit, keep aside, write."""
    found, table, left = made(items_of(committed_serving_rows(), {}))
    FILE.write_text(pace_text(found), encoding="utf-8")
    with APART.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("id", "quantity", "fitted", "family_apart", "device_apart", "doubt"))
        for place, target in enumerate(table.targets):
            item = table.items[target.item]
            numbers = (f"{left[name][place]:.4f}" for name in ("fitted", "family", "device"))
            writer.writerow((item.row.id, target.quantity, *numbers, item.doubt))
    return 0


if __name__ == "__main__":
    sys.exit(main())
