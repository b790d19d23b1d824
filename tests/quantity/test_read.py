from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop import errors
from isoflop.errors import BadInput, IsoflopError, UnitError
from isoflop.quantity import (
    Centred,
    Cluster,
    Interval,
    Point,
    Range,
    Samples,
    quantities,
    quantity,
    read,
    read_cluster,
    read_tie,
    unit,
)

GOLDEN = tomllib.loads((Path(__file__).parents[1] / "golden" / "quantities.toml").read_text(encoding="utf-8"))


def _name(case: dict[str, Any]) -> str:
    return f"{case['text'][:30]} as {case.get('of', 'anything')}"


@pytest.mark.parametrize("case", GOLDEN["reads"], ids=_name)
def test_reads_as_written_in_the_golden_file(case: dict[str, Any]) -> None:
    of = quantity(case["of"]) if "of" in case else None
    value = read(case["text"], of)
    close = {"rel": case.get("rel", 1e-12)}
    match value.spread:
        case Point(number):
            assert number == pytest.approx(case["value"], **close)
        case Range(low, high):
            assert [low, high] == pytest.approx(case["range"], **close)
        case Interval(low, high):
            assert [low, high] == pytest.approx(case["interval"], **close)
        case Centred(middle, low, high):
            assert [middle, low, high] == pytest.approx(case["centred"], **close)
    if of is None:
        assert value.unit.base == unit(case["unit"])
    assert case.get("note", "") in " | ".join(value.notes)


@pytest.mark.parametrize("case", GOLDEN["refused"], ids=_name)
def test_refuses_with_the_message_of_the_golden_file(case: dict[str, Any]) -> None:
    with pytest.raises(getattr(errors, case["error"])) as caught:
        read(case["text"], quantity(case["of"]) if "of" in case else None)
    assert all(part in str(caught.value) for part in case["says"]), str(caught.value)


def test_a_tie_makes_a_noun_a_multiple_of_another_for_one_call() -> None:
    tied = {"slice": read_tie("32 chip")}
    value = read("$33,849/month/slice", quantity("price"), tied)
    assert value.spread == read("$33,849/month/32 chips", quantity("price")).spread
    assert read("4 slices", quantity("chips"), tied).spread == Point(128.0)
    assert read("$2/pod/h", quantity("price"), {"pod": read_tie("256 chips")}).spread.median == pytest.approx(
        2 / 3600 / 256
    )
    with pytest.raises(UnitError, match="tie the noun"):
        read("4 slices", quantity("chips"))


@pytest.mark.parametrize("text", ["32", "-3 chip", "2-3 chip", "0 chip"])
def test_what_is_no_tie_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="slice='32 chip'"):
        read_tie(text)


@pytest.mark.parametrize("noun", ["s", "GiB", "USD", "two words", "days"])
def test_what_is_no_noun_cannot_be_tied(noun: str) -> None:
    with pytest.raises(UnitError, match="tie"):
        read("4 chips", quantity("chips"), {noun: unit("chip")})


@pytest.mark.parametrize(
    ("text", "of", "sigfigs", "slack"),
    [
        ("3700 PF-days", "train_flops", 2, 0.5 / 37),
        ("2.15e25", "train_flops", 3, 0.5 / 215),
        ("0.40", "mfu", 2, 0.5 / 40),
        ("40%", "mfu", 2, 0.5 / 40),
        ("4T", "tokens", 1, 0.125),
        ("1e22", "train_flops", 1, 0.125),
        ("100 days", "time", 2, 0.05),
        ("3.0 months", "time", 2, 0.5 / 30 + 0.04),
        ("25000", "chips", 2, 0.0),
        ("25k", "chips", 2, 0.5 / 25),
    ],
)
def test_written_digits_give_the_slack(text: str, of: str, sigfigs: int, slack: float) -> None:
    value = read(text, quantity(of))
    assert value.sigfigs == sigfigs
    assert value.slack == pytest.approx(slack)


def test_only_points_have_digits_and_calendar_slack_stays() -> None:
    value = read("2 to 3 months", quantity("time"))
    assert value.sigfigs is None
    assert value.slack == 0.04


def test_numbers_are_taken_in_base_units() -> None:
    assert read(1.99, quantity("price")).spread == Point(1.99)
    assert read(7, quantity("params")).spread == Point(7.0)
    assert read(np.float32(0.5), quantity("mfu")).spread == Point(0.5)
    assert read(np.array(3.0)).spread == Point(3.0)
    assert read(np.array([1, 2, 3])).spread == Samples(np.array([1.0, 2.0, 3.0]))
    assert "FLOP/s/chip" in read(1e12, quantity("peak_rate")).notes[0]
    assert read(Range(2.0, 3.0), quantity("time")).spread == Range(2.0, 3.0)
    again = read("$4k")
    assert read(again, quantity("budget")) is again


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 10**400, True, None, [1.0], b"7", 1j])
def test_what_is_no_finite_number_is_refused(wrong: object) -> None:
    with pytest.raises(BadInput):
        read(wrong, quantity("params"))


@pytest.mark.parametrize(
    "wrong", [np.array([1.0, np.nan]), np.array([]), np.ones((2, 2)), np.array(["7"]), np.array([True])]
)
def test_arrays_that_are_no_samples_are_refused(wrong: object) -> None:
    with pytest.raises(BadInput):
        read(wrong, quantity("params"))


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.array([0.2, 1.5]), np.array([0.0, 0.5])])
def test_numbers_outside_the_domain_are_refused(wrong: object) -> None:
    with pytest.raises(BadInput, match="mfu"):
        read(wrong, quantity("mfu"))


@pytest.mark.parametrize(
    ("text", "count", "device"),
    [
        ("64xH100-SXM", 64, "H100-SXM"),
        ("64 x h100", 64, "h100"),
        ("8 h100-sxm", 8, "h100-sxm"),
        ("25,000 A100", 25000, "A100"),
        ("8 × H100 80GB", 8, "H100 80GB"),
        ("8x4090", 8, "4090"),
        ("64 xeon", 64, "xeon"),
        ("h100", None, "h100"),
        ("tpu-v4", None, "tpu-v4"),
    ],
)
def test_clusters(text: str, count: int | None, device: str) -> None:
    assert read_cluster(text) == Cluster(count=count, device=device)


@pytest.mark.parametrize(
    "text", ["", "64", "0xh100", "x" * 300, "-3xh100", "h100\nh200", "99999999999999xh100", "9" * 5000]
)
def test_what_names_no_devices_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_cluster(text)


PIECES = st.sampled_from([
    "7", "1e9", "-3", "0.4", "1,000", "10^5", "2²", "", " ", "$", "%", "k", "M", "B", "T", "Ki", "days", "/", "*", "-",
    "to", "±", "~", "[", "]", "(", ")", ",", ".", "^", "^-1", "per", "FLOP", "FLOPS", "TF", "s", "h", "chip", "token",
    "slice", "kg", "CO2e", "GiB", "b", "e", "x", "10", "inf", "nan", "USD", "€", "²", "tokens/", "s-day", "µs",
    "\u202f", "\x00", "\n",
])  # fmt: skip
TEXTS = st.text(max_size=40) | st.lists(PIECES, max_size=10).map("".join) | st.lists(PIECES, max_size=10).map(" ".join)


@given(text=TEXTS, name=st.none() | st.sampled_from(sorted(quantities())))
def test_any_text_is_read_or_refused_with_an_error_of_ours(text: str, name: str | None) -> None:
    try:
        value = read(text, quantity(name) if name else None)
    except IsoflopError as error:
        assert 10 < len(str(error)) < 1000  # noqa: PT017 (what is raised is what is tested)
        return
    assert np.isfinite([value.spread.low, value.spread.median, value.spread.high]).all()
    assert value.spread.low <= value.spread.high
    assert 0 <= value.slack < 1


@given(text=TEXTS)
def test_any_text_for_clusters_and_ties(text: str) -> None:
    for reader in (read_cluster, read_tie, unit):
        try:
            reader(text)
        except IsoflopError:
            continue


@pytest.mark.parametrize(
    "text", ["9" * 201, "1" + ",000" * 60, "(" * 190, "7" + "B " * 90, "1-" * 100, "1e5" * 60, "~" * 200]
)
def test_long_junk_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read(text, quantity("tokens"))
