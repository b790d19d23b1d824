"""Prices over time, and what a run would have cost at them: by device, provider, commitment and date.

A line is the cheapest price that was known on each day, as a plan of that day would have taken it; the points are the
prices themselves, and a band spans the providers that were current.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.chart import MARGIN, finished, floats, legend, library, titled
from isoflop.report.chart_theme import DOLLARS, power_ticks
from isoflop.report.words import say

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import altair as alt

    from isoflop.hardware import Price
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode
    from isoflop.training import Account, Offer

MOST_LINES = 5
"""Lines that can be told apart."""

COMMITMENTS = ("on-demand", "1y", "3y", "spot")
HOUR = 3600.0
YEAR = 365  # days that a price stays current
_HEIGHT = 320
_EDGE = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: the cheapest price on each day [USD/s/chip], with the range of all that were current then.

    `times` turns a price into what is drawn: 3600 for dollars an hour, the chip-seconds of a run for its cost. `band`
    is whether the range is drawn: of several lines only one, for bands over each other tell nothing.
    """

    name: str
    prices: tuple[Price, ...]
    times: float
    band: bool = False


def device_chart(device: str, prices: Sequence[Price], *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Prices of a device over time, a line a commitment. Raises: MissingData where none has a date."""
    found = [
        Series(
            name=kind,
            prices=tuple(one for one in prices if one.commitment == kind and one.date),
            times=HOUR,
            band=kind == COMMITMENTS[0],
        )
        for kind in COMMITMENTS
    ]
    title = f"A chip-hour of {device}"
    return _drawn(found, title, "price ($/chip/h)", width=width, mode=mode)


def devices_chart(prices: Sequence[Price], *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """On-demand prices of the devices with the most dates, a line each."""
    by_device: dict[str, list[Price]] = {}
    for one in prices:
        if one.commitment == "on-demand" and one.date is not None:
            for name in one.devices:
                by_device.setdefault(name, []).append(one)
    most = sorted(by_device, key=lambda name: -len({one.date for one in by_device[name]}))[:MOST_LINES]
    found = [Series(name=name, prices=tuple(by_device[name]), times=HOUR) for name in most]
    return _drawn(found, "A chip-hour on demand", "price ($/chip/h)", width=width, mode=mode)


def run_chart(account: Account, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """What a run on its device would have cost at the prices of each day, a line a commitment."""
    from isoflop.hardware import find_prices

    place, bill = account.advice.place, account.bill
    prices = find_prices(place.device)
    found = [
        Series(
            name=kind,
            prices=tuple(one for one in prices if one.commitment == kind and one.date),
            times=bill.chip_time,
            band=kind == COMMITMENTS[0],
        )
        for kind in COMMITMENTS
    ]
    title = f"{account.advice.run.model.name} on {say(bill.order.tokens, 'tokens')} tokens by date of the price"
    words = f"{say(bill.chip_time, 'chip_time')} of {place.title}"
    return _drawn(found, title, "cost of the run ($)", words, width=width, mode=mode)


def offers_dates_chart(
    offers: Sequence[Offer], title: str, *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """What a run would have cost on demand on each day, on several devices: each on its cheapest number of chips."""
    from isoflop.hardware import find_prices

    best: dict[str, Offer] = {}
    for one in sorted(offers, key=lambda one: one.cost):
        best.setdefault(one.device, one)
    found = []
    for name, one in best.items():
        try:
            prices = find_prices(name, commitment="on-demand")
        except MissingData:
            continue
        dated = tuple(price for price in prices if price.date is not None)
        found.append(Series(name=name, prices=dated, times=one.bill.chip_time))
    return _drawn(found[:MOST_LINES], title, "cost of the run ($)", "on demand", width=width, mode=mode)


def _drawn(
    series: Sequence[Series], title: str, axis: str, words: str = "", *, width: int, mode: Mode
) -> alt.TopLevelMixin:
    alt = library()
    shown = [one for one in series if one.prices]
    points = [row for one in shown for row in _points(one)]
    if not points:
        raise MissingData("no price with a date is known, so there is no line to draw: see isoflop prices")
    lines = [row for one in shown for row in _cheapest(one)]
    names = [one.name for one in shown]
    inner = max(160, width - MARGIN)
    amounts = [float(str(row["amount"])) for row in points]
    low, high = min(amounts) / _EDGE, max(amounts) * _EDGE
    x = alt.X("day:T", axis=alt.Axis(title="date of the price", format="%b %Y", tickCount=max(2, inner // 110)))
    y = alt.Y(
        "amount:Q",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(title=axis, values=power_ticks(low, high, most=7), labelExpr=DOLLARS),
    )
    tint = alt.Color("name:N", scale=alt.Scale(domain=names, range="category"), legend=legend(names, inner, "stroke"))
    tip = [alt.Tooltip(f"{name}:N") for name in ("name", "amount_words", "provider", "date")]
    tip[1].title = "amount"
    base, path = alt.Chart(alt.Data(values=points)), alt.Chart(alt.Data(values=lines))
    band = alt.Y("low:Q", scale=alt.Scale(type="log", domain=[low, high], nice=False))
    banded = [row for row in lines if row["name"] in {one.name for one in shown if one.band}]
    layers = [
        path.mark_line(interpolate="step-after").encode(x=x, y=y, color=tint),
        base.mark_point(filled=True, size=36, opacity=0.9).encode(x=x, y=y, color=tint, tooltip=tip),
    ]
    said = "line: cheapest known that day; point: a price"
    if banded:
        area = alt.Chart(alt.Data(values=banded)).mark_area(interpolate="step-after")
        layers.insert(0, area.encode(x=x, y=band, y2="high:Q", color=tint))
        said += f"; band: all current prices, {banded[0]['name']}"
    said = f"{words}; {said}" if words else said
    return finished(alt.layer(*layers).properties(width=inner, height=_HEIGHT, title=titled(title, said, inner)), mode)


def _points(one: Series) -> list[Datum]:
    rows: list[Datum] = []
    for price in one.prices:
        assert price.date is not None
        amount = floats([price.amount * one.times], one.name)[0]
        said = f"${amount:,.3g}" if amount < 1000 else f"${amount:,.0f}"
        where = f"{price.provider} {price.region}".strip()
        rows.append({
            "name": one.name, "day": _day(price.date), "amount": amount, "amount_words": said, "provider": where,
            "date": str(price.date),
        })  # fmt: skip
    return rows


def _cheapest(one: Series) -> list[Datum]:
    """On each day with a new price: the cheapest that is current, and the ends of all current ones."""
    days = sorted({price.date for price in one.prices if price.date is not None})
    rows: list[Datum] = []
    for day in days:
        amounts = [amount * one.times for amount in _current(one.prices, day)]
        low, high = floats([min(amounts), max(amounts)], one.name)
        rows.append({"name": one.name, "day": _day(day), "amount": low, "low": low, "high": high})
    return rows


def _current(prices: Sequence[Price], day: dt.date) -> list[float]:
    """Each provider's latest price on a day in each region, those within a year of the newest."""
    latest: dict[tuple[str, str], Price] = {}
    for price in prices:
        if price.date is None or price.date > day:
            continue
        place = (price.provider, price.region)
        before = latest.get(place)
        if before is None or before.date is None or price.date >= before.date:
            latest[place] = price
    return [price.amount for price in latest.values() if price.date is not None and (day - price.date).days <= YEAR]


def _day(day: dt.date) -> str:
    return f"{day.isoformat()}T00:00:00"
