"""Files in the form of SkyPilot's catalogues, of eight clouds, with what makes them hard to read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from isoflop.errors import BadFile
from isoflop.hardware import choose_price, prices
from isoflop.hardware.price_file import price_files, read_prices
from isoflop.hardware.skypilot import Catalogue, read_catalogue

FOLDER = Path(__file__).parent / "skypilot"
CLOUDS = ("aws", "azure", "fluidstack", "gcp", "lambda", "nebius", "oci", "runpod")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read_catalogue(FOLDER)


def hourly(catalogue: Catalogue, provider: str, name: str, commitment: str = "on-demand", region: str = "") -> float:
    found = [
        price.per_hour
        for price in catalogue.prices
        if price.provider == provider
        and price.sale.name == name
        and price.commitment == commitment
        and region in price.region
    ]
    assert len(found) == 1, (provider, name, found)
    return found[0]


def test_eight_clouds_are_read(catalogue: Catalogue) -> None:
    assert len({price.provider for price in catalogue.prices}) == len(CLOUDS) == 8
    assert {price.source.split("/")[-2] for price in catalogue.prices} == set(CLOUDS)


@pytest.mark.parametrize(
    ("provider", "name", "due"),
    [
        ("Amazon Web Services", "p5.48xlarge", 6.88),
        ("Amazon Web Services", "p4de.24xlarge", 3.4309),
        ("Amazon Web Services", "trn1.32xlarge", 21.5 / 16),
        ("Microsoft Azure", "Standard_ND96isr_H100_v5", 12.29),
        ("Lambda", "gpu_8x_h100_sxm5", 3.99),
        ("Lambda", "gpu_8x_b200_sxm6", 6.69),
        ("Nebius", "gpu-h100-sxm_8gpu-128vcpu-1600gb", 2.95),
        ("Nebius", "gpu-h200-sxm_8gpu-128vcpu-1600gb", 3.5),
        ("RunPod", "1x_A100-80GB_SECURE", 1.39),
        ("Oracle Cloud", "BM.GPU4.8", 3.05),
        ("FluidStack", "H100_SXM5_80GB::8", 2.99),
        ("FluidStack", "RTX_A6000_48GB::2", 0.49),
    ],
)
def test_a_price_is_for_the_instance_and_divided_by_its_chips(
    catalogue: Catalogue, provider: str, name: str, due: float
) -> None:
    assert hourly(catalogue, provider, name) == pytest.approx(due, rel=1e-4)


@pytest.mark.parametrize(
    ("host", "device", "count", "due"),
    [
        ("a2-highgpu-8g", "a100-sxm-40gb", 8, (23.47 + 5.95) / 8),
        ("a3-highgpu-8g", "h100-sxm-80gb", 8, (79.28 + 9.2) / 8),
        ("n1-standard-8", "v100-sxm2-16gb", 1, 2.48 + 0.38),
        ("g2-standard-4", "l4", 1, 0.5 + 0.21),
    ],
)
def test_google_lists_hosts_and_accelerators_apart(
    catalogue: Catalogue, host: str, device: str, count: int, due: float
) -> None:
    assert hourly(catalogue, "Google Cloud", host) == pytest.approx(due)
    price = next(price for price in catalogue.prices if price.sale.name == host)
    assert price.devices == (device,)
    assert price.sale.chips == count
    assert host in price.note


def test_an_accelerator_without_its_host_is_left_out(catalogue: Catalogue) -> None:
    assert catalogue.left_out["no host listed for it in its region"] == 1
    assert not [price for price in catalogue.prices if price.region == "europe-west4"]


@pytest.mark.parametrize(
    ("name", "chips", "due"),
    [
        ("tpu-v6e-1", 1, 2.7),
        ("tpu-v6e-256", 256, 2.7),
        ("tpu-v5p-11776", 5888, 4.2),
        ("tpu-v5litepod-8", 8, 1.2),
        ("tpu-v4-64", 32, 3.22),
    ],
)
def test_slices_count_their_chips(catalogue: Catalogue, name: str, chips: int, due: float) -> None:
    assert hourly(catalogue, "Google Cloud", name) == pytest.approx(due)
    sale = next(price.sale for price in catalogue.prices if price.sale.name == name)
    assert (sale.noun, sale.chips) == ("slice", chips)


def test_700_is_no_price(catalogue: Catalogue) -> None:
    assert not [price for price in catalogue.prices if price.region == "asia-east1" or "$700" in price.sale.text]
    assert catalogue.left_out["no price"] == 3
    assert max(price.per_hour for price in catalogue.prices) < 13


def test_700_dollars_may_be_a_price_elsewhere(tmp_path: Path) -> None:
    text = "InstanceType,AcceleratorName,AcceleratorCount,Price,SpotPrice,Region\nbig,H200,64,700.0,,us\n"
    (tmp_path / "vms.csv").write_text(text, encoding="utf-8")
    assert read_catalogue(tmp_path / "vms.csv", cloud="nebius").prices[0].per_hour == pytest.approx(700 / 64)


def test_spot_is_the_lowest_zone_and_never_a_repeated_price(catalogue: Catalogue) -> None:
    assert hourly(catalogue, "Amazon Web Services", "p5.48xlarge", "spot") == pytest.approx(1.28)
    spot = [p for p in catalogue.prices if p.commitment == "spot" and p.sale.name == "p4de.24xlarge"]
    assert not spot
    assert catalogue.left_out["spot price that repeats the on-demand one"] == 1


def test_doubled_rows_count_once(catalogue: Catalogue) -> None:
    keys = [(p.provider, p.sale.name, p.region, p.commitment, p.devices) for p in catalogue.prices]
    assert len(keys) == len(set(keys))


def test_parts_of_chips_and_unknown_chips_are_left_out_and_counted(catalogue: Catalogue) -> None:
    assert catalogue.left_out["a part of a chip"] == 1
    assert catalogue.left_out["not catalogued: K80"] == 1


def test_which_device_is_meant(catalogue: Catalogue) -> None:
    meant = {(price.provider, price.sale.name): price.devices for price in catalogue.prices}
    assert meant["Microsoft Azure", "Standard_NC40ads_H100_v5"] == ("h100-nvl-94gb",)
    assert meant["Microsoft Azure", "Standard_NC24ads_A100_v4"] == ("a100-pcie-80gb",)
    assert meant["Lambda", "gpu_1x_h100_pcie"] == ("h100-pcie-80gb",)
    assert meant["Oracle Cloud", "BM.GPU.MI300X.8"] == ("mi300x-192gb",)
    assert set(meant["RunPod", "1x_H100_SECURE"]) == {"h100-sxm-80gb", "h100-pcie-80gb"}


def test_prices_have_the_day_that_the_caller_knows_and_no_other() -> None:
    assert all(price.date is None for price in read_catalogue(FOLDER).prices)
    day = dt.date(2025, 7, 1)
    assert all(price.date == day for price in read_catalogue(FOLDER, date=day).prices)


def test_prices_become_price_files_that_are_read_back(catalogue: Catalogue, tmp_path: Path) -> None:
    for name, text in price_files(catalogue.prices).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    again = [price for path in sorted(tmp_path.glob("*.toml")) for price in read_prices(path)]
    assert len(again) == len(catalogue.prices)
    key = lambda price: (price.provider, price.sale.name, price.region, price.commitment)  # noqa: E731
    for before, after in zip(sorted(catalogue.prices, key=key), sorted(again, key=key), strict=True):
        assert set(after.devices) == set(before.devices)
        assert after.amount == pytest.approx(before.amount, rel=1e-9)
        assert (after.sale.noun, after.sale.chips) == (before.sale.noun, before.sale.chips)


def test_a_folder_of_own_price_files_is_used_beside_the_catalogue(tmp_path: Path) -> None:
    newest = read_catalogue(FOLDER, date=dt.date(2025, 9, 1)).prices
    for name, text in price_files(newest).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(prices("mi300x", tmp_path)) == 1
    assert choose_price("mi300x", folder=tmp_path).price.per_hour == pytest.approx(6.0)
    pcie = prices("h100-pcie-80gb", tmp_path)
    assert any(price.sale.listed_as == "H100" for price in pcie)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", ("InstanceType", "Price")),
        ("InstanceType,AcceleratorName,AcceleratorCount,Price,Region\nx,L4,1,dear,us\n", ("line 2", "Price", "dear")),
        ("InstanceType,AcceleratorName,AcceleratorCount,Price,Region\nx,L4,one,1,us\n", ("AcceleratorCount", "one")),
        ("InstanceType,AcceleratorName,AcceleratorCount,Price,Region\nx,L4,1,-3,us\n", ("Price", "-3")),
        ("InstanceType,AcceleratorName,AcceleratorCount,Price,Region\nx,L4,1,inf,us\n", ("Price", "finite")),
        ("", ("InstanceType",)),
    ],
)
def test_other_files_are_refused(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "vms.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read_catalogue(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"no vms.csv below it"):
        read_catalogue(tmp_path)
