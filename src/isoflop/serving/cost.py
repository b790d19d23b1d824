"""Money and energy of tokens: rent of the chips and power by how busy they are, over what is written.

Also what an API would take for the same tokens, and from which load on chips of one's own are cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.book.serving import usd_per_token
from isoflop.errors import BadInput

if TYPE_CHECKING:
    from isoflop.hardware.tariff import Tariff
    from isoflop.quantity.types import Real
    from isoflop.serving.pace import Pace

OVERHEAD = 1.2
"""Watts of a data centre over those of its chips' boards: hosts, networks, cooling (PUE of 1.1 to 1.3 and the like)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an API asks for a token read and a token written [USD], and for a read one found in its cache."""

    input: float
    output: float
    cached: float | None = None
    name: str = "the API"

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise BadInput(f"an API's price of {value:g} $/token for {name}: give it a million tokens, like 3,15")

    def per_request(self, input_tokens: float, output_tokens: float, cached_tokens: float = 0.0) -> float:
        """Dollars of one request; `cached_tokens` are those of the input that its cache holds."""
        kept = self.input if self.cached is None else self.cached
        return (input_tokens - cached_tokens) * self.input + cached_tokens * kept + output_tokens * self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Dollars and joules: of an hour, of a token written and of one read or written; 80 % intervals of the rate's.

    `usd_per_hour` is None where no price is known; `use` is the share of the time in which there is such a load.
    """

    chips: int
    usd_per_hour: float | None
    usd_per_output_token: tuple[float, float, float] | None
    usd_per_token: float | None
    joules_per_output_token: tuple[float, float, float]
    watts: float
    overhead: float
    note: str
    use: float = 1.0


def bill_of(
    pace: Pace, chips: int, tariff: Tariff | None, tokens: tuple[float, float], use: float = 1.0
) -> Bill:  # fmt: skip
    """The bill of a pace; `tokens` are those of the input and of the output of a request.

    Raises: BadInput for a use that is no share above 0.
    """
    if not 0 < use <= 1:
        raise BadInput(f"use = {use:g}: give the share of the time with such a load, above 0 % and up to 100 %")
    rate = pace.output_rate
    joules = tuple(float(np.asarray(value).reshape(-1)[0]) * OVERHEAD for value in pace.energy)
    watts = float(np.asarray(pace.power.middle).reshape(-1)[0])
    said = "watts of the chips by how busy they are, and a fifth more for hosts and cooling"
    money = None
    if tariff is not None:
        each = [_usd(tariff, chips, value) / use for value in (rate.middle, rate.high, rate.low)]
        money = (each[0], each[1], each[2])
    both = (tokens[0] + tokens[1]) / tokens[1]
    return Bill(
        chips=chips,
        usd_per_hour=None if tariff is None else tariff.amount * 3600 * chips,
        usd_per_output_token=money,
        usd_per_token=None if money is None else money[0] / both,
        joules_per_output_token=(joules[0], joules[1], joules[2]),
        watts=watts,
        overhead=OVERHEAD,
        note=said,
        use=use,
    )


def _usd(tariff: Tariff, chips: int, rate: Real) -> float:
    return float(np.asarray(usd_per_token(chips, tariff.amount, rate)).reshape(-1)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An API against chips of one's own, for requests of these tokens.

    `api` and `own` dollars a request (own at full load); `break_even` requests a second from which the chips cost less
    than the API would take; `use` the same as a share of the largest load: above 1 the chips never pay.
    """

    offer: Offer
    api: float
    own: float
    break_even: float
    use: float


def compared(offer: Offer, pace: Pace, chips: int, tariff: Tariff, tokens: tuple[float, float]) -> Comparison:
    """An offer against the chips of a pace that is the largest load."""
    read, written = tokens
    api = offer.per_request(read, written)
    rate = float(np.asarray(pace.output_rate.middle).reshape(-1)[0]) / written
    rent = tariff.amount * chips
    if api <= 0:
        raise BadInput("an API that costs nothing is always cheaper; give its price a million tokens")
    return Comparison(offer=offer, api=api, own=rent / rate, break_even=rent / api, use=rent / api / rate)
