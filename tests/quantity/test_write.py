from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput
from isoflop.quantity import (
    Centred,
    Interval,
    Point,
    Quantity,
    Range,
    Samples,
    Spread,
    quantities,
    quantity,
    read,
    unit,
    write,
    write_centred,
    write_exact,
    write_interval,
    write_spread,
)

DAY, HOUR, GIB = 86400.0, 3600.0, 2.0**30
QUANTITIES = st.sampled_from(list(quantities().values()))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("params", 1.14e12, "1.14T"),
        ("params", 7e9, "7B"),
        ("params", 999_999_999.9, "1B"),
        ("params", 9.999e15, "1e16"),
        ("tokens", 6.3e10, "63B"),
        ("vocabulary", 50257, "50,257"),
        ("chips", 25000, "25,000"),
        ("chips", 3.7, "3.7"),
        ("batch_tokens", 1234567.8, "1.23M"),
        ("sequence_length", 2048, "2,048"),
        ("train_cost", 4000, "$4,000"),
        ("train_cost", 1e8, "$100M"),
        ("train_cost", 33849, "$33,849"),
        ("train_cost", 123456.7, "$123,000"),
        ("train_cost", 12.5, "$12.50"),
        ("train_cost", 0.5, "$0.50"),
        ("price", 1.448 / HOUR, "$1.45/chip/h"),
        ("usd_per_param", 3.85e-6, "$3.85e-6/param"),
        ("usd_per_token", 2.5e-6, "$2.50/M tokens"),
        ("train_time", 311000, "3.6 days"),
        ("train_time", 90, "1.5 minutes"),
        ("train_time", HOUR, "1 hour"),
        ("train_time", 400 * DAY, "400 days"),
        ("train_time", 8766 * HOUR * 3, "3 years"),
        ("train_time", 59.9999, "1 minute"),
        ("step_time", 1.9, "1.9 s"),
        ("step_time", 0.25, "250 ms"),
        ("chip_time", 2762.3 * HOUR, "2,762 chip-hours"),
        ("chip_time", 1.2345e6 * HOUR, "1.23M chip-hours"),
        ("memory", 18.2 * GIB, "18.2 GiB"),
        ("memory", 80 * GIB, "80 GiB"),
        ("kv_bytes_per_token", 131072, "128 KiB/token"),
        ("mfu", 0.4, "40 %"),
        ("mfu", 0.3356, "33.6 %"),
        ("mfu", 1.0, "100 %"),
        ("train_energy", 1.1e6 * 3.6e3, "1.1 MWh"),
        ("train_emissions", 400, "400 kg CO2e"),
        ("train_emissions", 552e3, "552 t CO2e"),
        ("grid_intensity", 0.4 / 3.6e6, "0.4 kg CO2e/kWh"),
        ("train_flops", 2.15e25, "2.15e25 FLOP"),
        ("neuron_flops_exact", 21, "21 FLOP"),
        ("neuron_macs", 24, "12 MAC"),
        ("peak_rate", 312e12, "312 TFLOP/s/chip"),
        ("tokens_per_second", 1234567.8, "1.23M tokens/s"),
        ("loss", 2.3012, "2.3 nats/token"),
        ("learning_rate", 3e-4, "3e-4"),
        ("hardware_overhead", 4 / 3, "1.33"),
        ("tdp", 700.0, "700 W/chip"),
    ],
)
def test_what_people_read(name: str, value: float, text: str) -> None:
    assert write(value, quantity(name)) == text


def test_other_units_and_digits_on_request() -> None:
    flops = quantity("train_flops")
    assert write(1.094e21, flops, shown="PF-days") == "12.7 PF-days"
    assert write(1.094e21, flops, 2) == "1.1e21 FLOP"
    assert write(1.448 / HOUR, quantity("price"), 4) == "$1.448/chip/h"
    assert write(12.5 * GIB, unit("GiB")) == "12.5 GiB"
    assert write(4000, unit("$")) == "$4,000"
    assert write(0.25, unit("1")) == "0.25"
    assert write(5.5e9, unit("tokens")) == "5.5B tokens"
    assert write(5.5e9, unit("token")) == "5.5B token"
    assert write(-4000, unit("$")) == "-$4,000"
    assert write(0.0, unit("s")) == "0 s"


@pytest.mark.parametrize(
    ("name", "low", "high", "kind", "text"),
    [
        ("mfu", 0.32, 0.49, "90 %", "32 to 49 %"),
        ("mfu", 0.3, 0.45, "hard", "30-45 %"),
        ("train_time", 90 * DAY, 100 * DAY, "hard", "90-100 days"),
        ("train_time", HOUR, 50 * DAY, "90 %", "1 hour to 50 days"),
        ("params", 1.6e9, 5.4e9, "90 %", "1.6B to 5.4B"),
        ("price", 1.2 / HOUR, 2 / HOUR, "90 %", "$1.20 to $2.00/chip/h"),
        ("loss", 2.27, 2.34, "90 %", "2.27 to 2.34 nats/token"),
        ("loss", 2.30001, 2.30009, "90 %", "2.30001 to 2.30009 nats/token"),
        ("learning_rate", 1e-5, 3e-5, "hard", "[1e-5, 3e-5]"),
        ("train_cost", 4000, 4000, "90 %", "$4,000"),
        ("params", 950.4, 12345.6, "90 %", "0.95k to 12.3k"),
        ("params", 2762, 1.23456e9, "90 %", "2,762 to 1.23B"),
        ("train_cost", 800, 1.2345e6, "90 %", "$800 to $1.23M"),
        ("vocabulary", 40200.4, 50257, "90 %", "40.2k to 50.3k"),
        ("train_emissions", 8e-5, 1e-4, "90 %", "0.08 to 0.1 g CO2e"),
    ],
)
def test_intervals_share_a_unit_and_tell_their_ends_apart(
    name: str, low: float, high: float, kind: str, text: str
) -> None:
    assert write_interval(low, high, quantity(name), hard=kind == "hard") == text


def test_spreads_for_people() -> None:
    assert write_spread(Point(0.4), quantity("mfu")) == "40 %"
    assert write_spread(Range(90 * DAY, 100 * DAY), quantity("time")) == "90-100 days"
    assert write_spread(Interval(0.3, 0.5, "logit"), quantity("mfu")) == "30 to 50 %"
    assert write_spread(Centred(2.3, 2.27, 2.34), quantity("loss")) == "2.3 (2.27 to 2.34) nats/token"
    assert write_spread(Samples(np.array([0.4])), quantity("mfu")) == "40 %"
    assert write_centred(2 / HOUR, 1 / HOUR, 3 / HOUR, quantity("price")) == "$2 ($1 to $3)/chip/h"


def _value_of(entry: Quantity, place: float) -> float:
    """A value of the quantity: `place` from 0 to 1 runs through its plausible range in logs."""
    low, high = entry.plausible
    return min(low * (high / low) ** place, high)


@given(entry=QUANTITIES, place=st.floats(0, 1), digits=st.integers(2, 6))
def test_what_is_written_for_people_reads_back_within_rounding(entry: Quantity, place: float, digits: int) -> None:
    value = _value_of(entry, place)
    again = read(write(value, entry, digits), entry).spread
    assert again.median == pytest.approx(value, rel=0.51 * 10 ** (1 - digits))


@given(entry=QUANTITIES, places=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), hard=st.booleans())
def test_intervals_for_people_read_back_within_rounding(
    entry: Quantity,
    places: tuple[float, float, float],
    hard: bool,  # noqa: FBT001
) -> None:
    low, middle, high = (_value_of(entry, place) for place in sorted(places))
    if entry.domain == "fraction":
        high = min(high, 0.99)
        low, middle = min(low, high), min(middle, high)
    again = read(write_interval(low, high, entry, hard=hard), entry).spread
    assert [again.low, again.high] == pytest.approx([low, high], rel=0.0051)
    assert again.is_hard == (hard or again.is_point)
    if high / low < 10 and (entry.domain != "fraction" or high < 0.9):
        again = read(write_centred(middle, low, high, entry, 4), entry).spread
        assert [again.low, again.median, again.high] == pytest.approx([low, middle, high], rel=0.0006)


POSITIVE = st.floats(5e-324, 1.7976931348623157e308, exclude_min=True)


def _within(entry: Quantity, value: float) -> float:
    return (
        value / (1 + value)
        if entry.domain == "fraction" and value < 1e15
        else min(value, 1.0)
        if entry.domain == "fraction"
        else value
    )


@given(entry=QUANTITIES, value=POSITIVE)
def test_what_is_written_exactly_reads_back_to_the_last_bit(entry: Quantity, value: float) -> None:
    exact = _within(entry, value)
    if exact > 0:
        assert read(write_exact(exact, entry), entry).spread == Point(exact)


@given(entry=QUANTITIES, ends=st.tuples(st.floats(1e-9, 0.999), st.floats(1e-9, 0.999), st.floats(1e-9, 0.999)))
def test_exact_spreads_read_back_to_the_last_bit(entry: Quantity, ends: tuple[float, float, float]) -> None:
    low, middle, high = sorted(ends)
    shape = "logit" if entry.domain == "fraction" else "lognormal"
    spreads: list[Spread] = [Range(low, high), Interval(low, high, shape)]
    if low < high:
        spreads.append(Centred(middle, low, high, shape))
    for spread in spreads:
        assert read(write_exact(spread, entry), entry).spread == spread


@given(
    value=st.floats(allow_nan=False, allow_infinity=False), text=st.sampled_from(["1", "GiB", "$/chip/h", "PF-days"])
)
def test_exact_text_of_plain_units_reads_back(value: float, text: str) -> None:
    assert read(write_exact(value, unit(text)), unit(text).base).spread == Point(value)


@pytest.mark.parametrize("spread", [Samples(np.array([1.0, 2.0])), Interval(1.0, 2.0, "normal")])
def test_what_cannot_be_written_exactly_is_refused(spread: Spread) -> None:
    with pytest.raises(BadInput, match="no exact written form"):
        write_exact(spread, quantity("loss"))
