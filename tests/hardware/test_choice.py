from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, MissingData, UnknownName
from isoflop.hardware import choose_price, device, prices
from isoflop.hardware.choice import CURRENT, Wish, choose, day
from isoflop.hardware.site import Price, Sale

MONTH = 730.5
SLICE_PRICES = {
    "on-demand": (103.04 / 32, 3.22),
    "1y": (47_388 / MONTH / 32, 2.0272),
    "3y": (33_849 / MONTH / 32, 1.448),
}


@pytest.mark.parametrize("commitment", SLICE_PRICES)
def test_tpu_v4_as_it_was_sold(commitment: str) -> None:
    """Seed of the 32x slip: the price is for a slice of 32 chips; a month has 730.5 h (clouds bill 730)."""
    choice = choose_price("tpu-v4", commitment=commitment)
    exact, printed = SLICE_PRICES[commitment]
    assert choice.price.per_hour == pytest.approx(exact, rel=1e-12)
    assert choice.price.per_hour == pytest.approx(printed, rel=1e-4)
    assert choice.price.sale.noun == "slice"
    assert choice.price.sale.chips == 32
    assert choice.price.date == dt.date(2023, 3, 29)
    assert choice.price.region == "us-central2"


def test_both_records_of_tpu_v4_stand() -> None:
    found = {(str(price.date), round(price.per_hour, 3)) for price in prices("tpu-v4") if price.commitment == "3y"}
    assert found == {("2022-05-11", 1.45), ("2023-03-29", 1.448)}


def test_the_price_of_a_day_is_the_one_known_then() -> None:
    assert choose_price("tpu-v4", commitment="3y", as_of="2022-12-31").price.per_hour == pytest.approx(1.45)
    with pytest.raises(MissingData, match="no price is known by 2020-12-31; the first is of 2022-05-11"):
        choose_price("tpu-v4", as_of="2020")


def test_without_a_commitment_it_is_on_demand_and_says_so() -> None:
    choice = choose_price("h100-sxm")
    assert choice.price.commitment == "on-demand"
    assert "on-demand as no commitment was named" in choice.note
    assert choice.others
    assert all(other.commitment == "on-demand" for other in choice.others)
    assert all(other.amount >= choice.price.amount for other in choice.others)


def test_prices_of_one_chip_differ_by_a_factor_and_the_spread_says_so() -> None:
    spread = choose_price("h100-sxm", as_of="2025-03-31").spread()
    assert spread.high / spread.low > 4
    assert spread.high * 3600 == pytest.approx(12.29)
    assert choose_price("tpu-v4", commitment="3y").spread().is_point


def test_a_provider_may_be_named_short() -> None:
    assert choose_price("h100-sxm", provider="aws").price.per_hour == pytest.approx(12.29)
    assert choose_price("h100-sxm", provider="gcp", commitment="reserved-3y").price.per_hour == pytest.approx(4.86)
    assert choose_price("v100-sxm2-16gb", provider="Oblivus", commitment="1y").price.per_hour == pytest.approx(0.61)


def test_regions() -> None:
    assert choose_price("tpu-v6e", region="europe-west4").price.per_hour == pytest.approx(2.97)
    assert choose_price("tpu-v6e", region="asia-northeast1", commitment="1y").price.per_hour == pytest.approx(2.27)
    with pytest.raises(MissingData, match=r"no price with region 'mars'; the regions there are: .*europe-west4"):
        choose_price("tpu-v6e", region="mars")


def test_what_is_missing_names_what_there_is() -> None:
    with pytest.raises(MissingData) as caught:
        choose_price("l4", commitment="3y")
    assert str(caught.value) == "l4: no price with commitment '3y'; the commitments there are: on-demand."
    with pytest.raises(MissingData, match="the providers there are: RunPod"):
        choose_price("l4", provider="azure")
    with pytest.raises(MissingData, match=r"no price of mi300x is catalogued. Give price="):
        choose_price("mi300x")
    with pytest.raises(UnknownName, match="no commitment '2y'"):
        choose_price("l4", commitment="2y")


def test_undated_prices_serve_only_where_no_other_fits() -> None:
    dated = choose_price("h100-sxm")
    assert dated.price.date is not None
    assert "10 without a date left out" in dated.note
    undated = choose_price("b200")
    assert undated.price.date is None
    assert "date not known" in undated.note
    with pytest.raises(MissingData, match="those that fit have no date"):
        choose_price("b200", as_of="2025-06-01")


def test_a_listing_that_leaves_the_device_open_is_used_last_and_said() -> None:
    choice = choose_price("a100-pcie-40gb")
    assert not choice.price.is_exact
    assert "listed as 'a100-pcie', which leaves open which device is meant" in choice.note
    assert choose_price("a100-sxm-80gb").price.is_exact
    assert any(not price.is_exact for price in prices("a100-sxm-80gb"))


def test_an_assumption_is_never_chosen_unasked() -> None:
    assert choose_price("h800").price.commitment == "on-demand"
    assert choose_price("h800", commitment="assumed").price.per_hour == pytest.approx(2.0)


def test_a_device_of_one_s_own_has_no_prices() -> None:
    mine = replace(device("tpu-v4"), name="my-chip")
    assert prices(mine) == ()
    with pytest.raises(MissingData, match="no price of my-chip is catalogued"):
        choose_price(mine)
    assert choose_price(device("tpu-v4")).price == choose_price("tpu-v4").price


def price(amount: float, **more: object) -> Price:
    plain = Price(
        devices=("x",),
        provider="P",
        region="",
        commitment="on-demand",
        date=dt.date(2024, 1, 1),
        amount=amount,
        sale=Sale(text="", noun="chip", chips=1),
        source="s",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def test_a_provider_s_later_price_replaces_its_earlier_one() -> None:
    rows = [price(1.0), price(3.0, date=dt.date(2024, 6, 1)), price(2.0, provider="Q")]
    choice = choose(rows, "x", Wish())
    assert [found.amount for found in (choice.price, *choice.others)] == [2.0, 3.0]
    assert "1 older ones left out" in choice.note


def test_a_zone_counts_as_its_region() -> None:
    rows = [price(1.0, region="us-central2-b"), price(3.0, date=dt.date(2024, 6, 1), region="us-central2")]
    assert choose(rows, "x", Wish()).price.amount == 3.0


def test_a_price_far_older_than_the_newest_is_not_current() -> None:
    rows = [price(1.0, provider="Old", date=dt.date(2024, 1, 1) - CURRENT - dt.timedelta(days=1)), price(2.0)]
    assert choose(rows, "x", Wish()).price.amount == 2.0
    assert choose(rows[:1], "x", Wish()).price.amount == 1.0


@given(
    st.lists(
        st.builds(
            price,
            st.floats(1e-6, 1.0),
            provider=st.sampled_from("ABC"),
            region=st.sampled_from(["", "r1", "r2-a"]),
            commitment=st.sampled_from(["on-demand", "3y", "spot"]),
            date=st.one_of(st.none(), st.dates(dt.date(2020, 1, 1), dt.date(2025, 12, 31))),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["", "3y", "spot"]),
    st.one_of(st.none(), st.dates(dt.date(2019, 1, 1), dt.date(2026, 1, 1))),
)
def test_a_choice_fits_the_wish_and_is_the_cheapest(rows: list[Price], commitment: str, as_of: dt.date | None) -> None:
    try:
        choice = choose(rows, "x", Wish(commitment=commitment, as_of=as_of))
    except MissingData:
        fitting = [row for row in rows if row.commitment == (commitment or "on-demand")]
        assert not fitting or as_of is not None
        return
    chosen = (choice.price, *choice.others)
    assert all(row.commitment == (commitment or "on-demand") for row in chosen)
    assert all(row.date is None or as_of is None or row.date <= as_of for row in chosen)
    assert len({row.date is None for row in chosen}) == 1
    assert choice.price.amount == min(row.amount for row in chosen)


@pytest.mark.parametrize(
    ("text", "date"),
    [("2023-03-29", dt.date(2023, 3, 29)), ("2023-02", dt.date(2023, 2, 28)), ("2023", dt.date(2023, 12, 31))],
)
def test_days(text: str, date: dt.date) -> None:
    assert day(text) == date


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13", "2023-02-30", "23", "0000"])
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(BadInput, match="is no date"):
        day(text)
