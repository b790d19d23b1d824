"""The tables of serving on the accuracy page: by quantity, source and runtime, fitted and kept apart, and baselines.

What was kept apart cannot be computed while the page is made, as every fold is a fit: `make profiles` writes it to
`rows/serving_apart.csv`.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.accuracy.serving_items import items_of
from isoflop.accuracy.tables import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from isoflop.accuracy.serving_items import Item
    from isoflop.accuracy.serving_validate import ServingReport
    from isoflop.quantity.types import FloatArray

FILE = Path(__file__).with_name("rows") / "serving_apart.csv"

WORDS = {
    "tpot": "time a token",
    "ttft": "time to first token",
    "output_rate": "tokens written a second",
    "prompt_rate": "prompt tokens a second",
    "energy": "energy a token",
}


class Aside(NamedTuple):
    """Residuals of one measured value in logarithms: fitted, family kept apart, device kept apart; and its doubt."""

    fitted: float
    family: float
    device: float
    doubt: str


@cache
def _all_aside() -> dict[tuple[str, str], Aside]:
    found = {}
    with FILE.open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream):
            found[line["quantity"], line["id"]] = Aside(
                fitted=float(line["fitted"]),
                family=float(line["family_apart"]),
                device=float(line["device_apart"]),
                doubt=line["doubt"],
            )
    return found


def aside(quantity: str) -> dict[str, Aside]:
    """What `make profiles` has written of a quantity, by row; rows in doubt left out."""
    return {key: one for (name, key), one in _all_aside().items() if name == quantity and not one.doubt}


def serving_tables(report: ServingReport) -> str:
    """The Markdown of the page."""
    items = {item.row.id: item for item in items_of(report.rows, {})}
    roofline = _roofline(list(items.values()))
    parts = [_summary(items, roofline)]
    for name, key in (("source", _source), ("runtime", _runtime)):
        parts.append(f"### By {name}")
        parts.append(_by(items, roofline, name, key))
    return "\n\n".join((*parts, "### Largest misses", _misses(items), "### Rows in doubt", _doubts(items)))


def _source(item: Item) -> str:
    return item.row.source


def _runtime(item: Item) -> str:
    mixed = "experts" if float(np.asarray(item.case.experts)) > 0 else "dense"
    return f"{item.keys.software}, {mixed}"


_HEAD = ("", "rows", "median", "mean", "p90", "family apart", "device apart", "inside", "plain roofline")


def _summary(items: dict[str, Item], roofline: dict[tuple[str, str], float]) -> str:
    rows = [_line(words, quantity, items, roofline) for quantity, words in WORDS.items()]
    return table(("quantity", *_HEAD[1:]), [row for row in rows if row is not None])


def _by(items: dict[str, Item], roofline: dict[tuple[str, str], float], name: str, key: Callable[[Item], str]) -> str:
    rows = []
    for quantity, words in WORDS.items():
        for one in dict.fromkeys(key(item) for item in items.values()):
            some = {row: item for row, item in items.items() if key(item) == one}
            line = _line(one, quantity, some, roofline)
            if line is not None:
                rows.append((words, *line))
    return table(("quantity", name, *_HEAD[1:]), rows)


def _line(
    name: str, quantity: str, items: dict[str, Item], roofline: dict[tuple[str, str], float]
) -> tuple[str, ...] | None:
    """Errors of a quantity over some rows: fitted, kept apart (mean / median), inside the interval, of a roofline."""
    found = [(key, one) for key, one in aside(quantity).items() if key in items]
    if not found:
        return None
    fitted, family, device = (
        np.abs(np.expm1([getattr(one, which) for _, one in found])) for which in Aside._fields[:3]
    )
    inside = [abs(one.family) <= _half(items[key], quantity) for key, one in found]
    plain = [roofline[quantity, key] for key, _ in found if (quantity, key) in roofline]
    return (
        name,
        str(len(found)),
        _percent(np.median(fitted)),
        _percent(fitted.mean()),
        _percent(np.quantile(fitted, 0.9)),
        _both(family),
        _both(device),
        f"{100 * np.mean(inside):.0f} %",
        _percent(np.mean(plain)) if plain else "",
    )


def _half(item: Item, quantity: str) -> float:
    from isoflop.serving.pace import spread_of

    own = np.log(spread_of(quantity, item.keys, item.case))
    return float(np.hypot(own, np.log(item.reading.wide)))


def _both(found: FloatArray) -> str:
    return f"{_percent(np.mean(found))} / {_percent(np.median(found))}"


def _percent(value: float | np.floating) -> str:
    return f"{100 * float(value):.1f} %"


def _roofline(items: Sequence[Item]) -> dict[tuple[str, str], float]:
    """Errors of a plain roofline: every byte at the full bandwidth, every FLOP at the full peak, nothing waits."""
    from isoflop.accuracy.serving_items import predicted, table_of
    from isoflop.serving.step import Rates

    joined = table_of(items)
    ideal = Rates(**{name: np.full(len(items), IDEAL.get(name, NOTHING)) for name in Rates._fields})
    found = predicted(joined, ideal)
    return {
        (target.quantity, joined.items[target.item].row.id): abs(
            float(found[target.quantity][target.item]) / target.value - 1
        )
        for target in joined.targets
    }


IDEAL = {
    **dict.fromkeys(
        (
            "read", "read_experts", "read_state", "multiply", "multiply_experts", "attend", "reduce_share", "stall",
            "load", "token_limit", "power_idle",
        ),
        1.0,
    ),
    "blend": 20.0,
    "blend_experts": 20.0,
    "blend_unpack": 20.0,
    "local_multiply": 0.5,
}  # fmt: skip
"""Constants under which the model of time is a roofline, and power what the board may take; all others are nothing."""

NOTHING = 1e-12


MISSES = 6
"""Of each quantity so many of the largest misses are listed."""


def _misses(items: dict[str, Item]) -> str:
    rows = []
    for quantity in ("tpot", "output_rate", "ttft", "energy"):
        for key, error in worst(items.values(), quantity, MISSES):
            said, traffic = items[key].row.settings, items[key].reading.traffic
            what = f"{said.model}, {said.n_gpus or 1} x {said.gpu}, {items[key].keys.software}"
            asked = f"{traffic.input_tokens:,.0f} in, {traffic.output_tokens:,.0f} out"
            open_ = f"{said.concurrency:,.0f} requests, " if said.concurrency else ""
            rows.append((WORDS[quantity], key, what, open_ + asked, f"{100 * error:+.0f} %"))
    return table(("quantity", "row", "what", "traffic", "predicted against measured, its family kept apart"), rows)


def _doubts(items: dict[str, Item]) -> str:
    reasons: dict[str, list[str]] = {}
    for key, item in items.items():
        for reason in filter(None, (item.doubt, item.late)):
            reasons.setdefault(reason, []).append(key)
    return table(("why", "rows"), [(why, ", ".join(keys)) for why, keys in reasons.items()])


def worst(items: Iterable[Item], quantity: str, many: int = 10) -> list[tuple[str, float]]:
    """(row, error when its family is kept apart) of the largest misses."""
    known = {item.row.id for item in items}
    found = [(key, float(np.expm1(one.family))) for key, one in aside(quantity).items() if key in known]
    return sorted(found, key=lambda one: -abs(np.log1p(one[1])))[:many]
