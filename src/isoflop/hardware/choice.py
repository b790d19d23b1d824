"""Choosing one price: the current ones on a day, of those the cheapest, with all the others shown."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, MissingData, UnknownName, shorten
from isoflop.quantity import Point, Range, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from isoflop.hardware.site import Price

COMMITMENTS = ("on-demand", "1y", "3y", "spot", "assumed")
OTHER_WORDS = {
    "ondemand": "on-demand", "on demand": "on-demand", "reserved-1y": "1y", "reserved-3y": "3y",
    "1-year": "1y", "3-year": "3y", "1 year": "1y", "3 years": "3y", "preemptible": "spot",
}  # fmt: skip
PROVIDERS = {
    "aws": "amazon web services", "amazon": "amazon web services", "gcp": "google cloud", "google": "google cloud",
    "azure": "microsoft azure", "microsoft": "microsoft azure", "oci": "oracle cloud", "oracle": "oracle cloud",
}  # fmt: skip

CURRENT = dt.timedelta(days=366)
"""A provider's latest price counts as current for this long behind the newest one that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The price taken, the other current ones (cheapest first), and in words how it was taken."""

    price: Price
    others: tuple[Price, ...]
    note: str

    def spread(self) -> Spread:
        """What the current prices span [USD/s/chip]: hard bounds over providers and regions."""
        amounts = [price.amount for price in (self.price, *self.others)]
        low, high = min(amounts), max(amounts)
        return Point(low) if low == high else Range(low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a price is asked for; an empty field takes any, but the commitment is on-demand unless it is named."""

    provider: str = ""
    region: str = ""
    commitment: str = ""
    as_of: dt.date | None = None


def choose(prices: Sequence[Price], device: str, wish: Wish) -> Choice:
    """The cheapest of the current prices that fit; MissingData says which would."""
    commitment = commitment_of(wish.commitment)
    fitting = list(prices)
    if not fitting:
        raise MissingData(f"no price of {device} is catalogued. Give price=, like price='$2/h/chip', or a price file.")
    fitting = _keep(fitting, _is_provider(wish.provider), "provider", wish.provider, device)
    fitting = _keep(fitting, _is_region(wish.region), "region", wish.region, device)
    fitting = _keep(fitting, lambda price: price.commitment == commitment, "commitment", commitment, device)
    fitting, undated = _dated(fitting, wish.as_of, device)
    exact = [price for price in fitting if price.is_exact]
    current = _current(exact or fitting)
    ordered = sorted(current, key=lambda price: (price.amount, price.provider, price.region))
    note = _note(ordered, wish, undated=undated, older=len(exact or fitting) - len(current))
    return Choice(price=ordered[0], others=tuple(ordered[1:]), note=note)


def matching(prices: Iterable[Price], wish: Wish) -> tuple[Price, ...]:
    """The prices that fit a wish, undated ones first, then by date."""
    at_provider, in_region = _is_provider(wish.provider), _is_region(wish.region)
    found = [
        price
        for price in prices
        if at_provider(price)
        and in_region(price)
        and wish.commitment in {"", price.commitment}
        and (wish.as_of is None or (price.date is not None and price.date <= wish.as_of))
    ]
    return tuple(sorted(found, key=lambda price: (price.date or dt.date.min, price.devices, price.amount)))


def commitment_of(text: str) -> str:
    """A commitment by its usual name: "reserved-3y" is "3y"; nothing is "on-demand"."""
    word = text.strip().lower() or "on-demand"
    word = OTHER_WORDS.get(word, word)
    if word not in COMMITMENTS:
        raise UnknownName("commitment", text, COMMITMENTS, listing=f"{', '.join(COMMITMENTS)}.")
    return word


def day(text: str | dt.date | None) -> dt.date | None:
    """A day from text like 2023-03-29; a month or a year is its last day."""
    if text is None or isinstance(text, dt.date):
        return text
    found = re.fullmatch(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?", text.strip())
    year, month = (int(found[1]), int(found[2] or 12)) if found else (0, 0)
    try:
        first = dt.date(year, month, int(found[3]) if found and found[3] else 1)
        if found and found[3]:
            return first
        return dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)
    except ValueError as error:
        raise BadInput(f"'{shorten(text)}' is no date; write it like 2023-03-29, 2023-03 or 2023.") from error


def _keep(prices: list[Price], fits: Callable[[Price], bool], what: str, asked: str, device: str) -> list[Price]:
    if not asked:
        return prices
    found = [price for price in prices if fits(price)]
    if found:
        return found
    there = _listed(sorted({getattr(price, what) or f"no {what} stated" for price in prices}))
    raise MissingData(f"{device}: no price with {what} '{shorten(asked)}'; the {what}s there are: {there}.")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:15]) + (f" and {len(names) - 15} more" if len(names) > 15 else "")


def _is_provider(asked: str) -> Callable[[Price], bool]:
    word = asked.strip().lower()
    word = PROVIDERS.get(word, word)
    return lambda price: word in price.provider.lower()


def _is_region(asked: str) -> Callable[[Price], bool]:
    word = asked.strip().lower()
    return lambda price: word in price.region.lower()


def _dated(prices: list[Price], as_of: dt.date | None, device: str) -> tuple[list[Price], int]:
    """Prices known on the day, and how many undated ones were left out. Undated ones serve only where no other fits."""
    dated = [price for price in prices if price.date is not None and (as_of is None or price.date <= as_of)]
    undated = [price for price in prices if price.date is None]
    if dated:
        return dated, len(undated)
    if as_of is None:
        return undated, 0
    first = min((price.date for price in prices if price.date), default=None)
    reason = f"the first is of {first}" if first else "those that fit have no date"
    raise MissingData(f"{device}: no price is known by {as_of}; {reason}. Leave as_of out, or give price=.")


def _current(prices: Iterable[Price]) -> list[Price]:
    """Each provider's latest price by region and by what it is sold as, none far older than the newest."""
    latest: dict[tuple[str, str, str], list[Price]] = {}
    for price in prices:
        seen = latest.setdefault((price.provider, _region(price.region), price.sale.listed_as), [])
        if seen and _key(price) < _key(seen[0]):
            continue
        if seen and _key(price) > _key(seen[0]):
            seen.clear()
        seen.append(price)
    found = [price for group in latest.values() for price in group]
    newest = max(_key(price) for price in found)
    return [price for price in found if newest - _key(price) <= CURRENT]


def _key(price: Price) -> dt.date:
    return price.date or dt.date(1, 1, 1)


def _region(region: str) -> str:
    """A zone (us-central2-b) counts as its region."""
    return re.sub(r"^([a-z]+-[a-z]+\d+)-[a-z]$", r"\1", region.strip().lower())


def _note(ordered: list[Price], wish: Wish, *, undated: int, older: int) -> str:
    price = ordered[0]
    said = [f"{price.commitment}, {price.provider}, {price.region or 'region not stated'}"]
    said.append(f"{price.date}" if price.date else "date not known")
    if not wish.commitment and price.commitment == "on-demand":
        said.append("on-demand as no commitment was named")
    if len(ordered) > 1:
        span = f"${ordered[0].per_hour:.4g} to ${ordered[-1].per_hour:.4g}"
        said.append(f"the cheapest of {len(ordered)} current prices ({span} per chip-hour)")
    if not price.is_exact and price.sale.listed_as:
        said.append(f"listed as '{price.sale.listed_as}', which leaves open which device is meant")
    if undated:
        said.append(f"{undated} without a date left out")
    if older:
        said.append(f"{older} older ones left out")
    return "; ".join(said)
