"""The whole shelf: every file is read, complete, sourced, and found by what people call it."""

from __future__ import annotations

import pytest

from isoflop.hardware import catalog, device, device_names, devices, grids, node, node_names, nodes, nodes_of, prices
from isoflop.hardware.missing import figures, missing
from isoflop.hardware.spec import ESTIMATE

# The devices that the comparison with public sets was made for.
COMPARED = """
p100-sxm2-16gb p100-pcie-16gb v100-sxm2-16gb v100-sxm2-32gb v100-pcie-16gb t4 a10 a10g a30 a40 a6000 a100-sxm-40gb
a100-sxm-80gb a100-pcie-40gb a100-pcie-80gb a800-sxm-80gb l4 l40 l40s rtx-3090 rtx-4090 rtx-5090 rtx-6000-ada h20
h800-sxm-80gb h100-sxm-80gb h100-pcie-80gb h100-nvl-94gb h200-sxm-141gb gh200-96gb gh200-144gb b100-192gb
b200-sxm-180gb gb200-186gb b300-sxm-288gb gb300-288gb mi100-32gb mi210-64gb mi250-128gb mi250x-128gb mi300a-128gb
mi300x-192gb mi325x-256gb mi355x-288gb gaudi2-96gb gaudi3-128gb tpu-v2 tpu-v3 tpu-v4 tpu-v5e tpu-v5p tpu-v6e tpu-v7
trainium1-32gb trainium2-96gb inferentia2-32gb ascend-910 ascend-910b m1-max-64gb m2-ultra-192gb m4-max-128gb
cpu-epyc-9654 cpu-xeon-8480
"""

# As measured rows write them.
ROW_NAMES = {
    "H100-SXM-80GB": "h100-sxm-80gb",
    "A100-SXM-40GB": "a100-sxm-40gb",
    "GB300": "gb300-288gb",
    "B200": "b200-sxm-180gb",
    "H100-96GB(HBM2e,500W)": "h100-sxm-96gb",
    "A800-80GB": "a800-sxm-80gb",
    "TPU-v5p": "tpu-v5p",
    "RTX-PRO-6000": "rtx-pro-6000-96gb",
    "3070 8GB": "rtx-3070-8gb",
    "3080 Ti 12GB": "rtx-3080-ti-12gb",
    "4080 16GB": "rtx-4080-16gb",
    "3090 24GB": "rtx-3090",
    "4090 24GB": "rtx-4090",
    "RTX 4000 Ada 20GB": "rtx-4000-ada-20gb",
    "RTX 5000 Ada 32GB": "rtx-5000-ada-32gb",
    "RTX A6000 48GB": "a6000",
    "RTX 6000 Ada 48GB": "rtx-6000-ada",
    "A40 48GB": "a40",
    "L40S 48GB": "l40s",
    "A100 PCIe 80GB": "a100-pcie-80gb",
    "M1 Max 32-Core GPU 64GB": "m1-max-64gb",
    "M2 Ultra 76-Core GPU 192GB": "m2-ultra-192gb",
    "M3 Max 40-Core GPU 64GB": "m3-max-64gb",
    "M1-8core-16GB": "m1-16gb",
    "GTX-1080": "gtx-1080-8gb",
    "AMD Instinct MI300X 192GB HBM3": "mi300x-192gb",
    "NVIDIA H200-NVL-141GB": "h200-nvl-141gb",
    "Virtualized NVIDIA H200-SXM-141GB": "h200-sxm-141gb",
    "[MAXSUN] MS-Intel Arc Pro B60 Dual 48G Turbo": "arc-pro-b60-24gb",
    "Apple M4 Max 128GB": "m4-max-128gb",
    "GB10 (DGX Spark)": "gb10-128gb",
    "Jetson Thor": "jetson-thor-128gb",
    "Jetson AGX Orin 64GB (61.37 GiB)": "jetson-agx-orin-64gb",
    "GH200 96GB": "gh200-96gb",
    "L20": "l20-48gb",
    "T4 (14.74 GiB total)": "t4",
    "RTX 4070 8GB (7.65 GiB total)": "rtx-4070-laptop-8gb",
    "3080 10GB": "rtx-3080-10gb",
    "4070 Ti 12GB": "rtx-4070-ti-12gb",
    "M1 7-Core GPU 8GB": "m1-8gb",
    "RTX A5000": "rtx-a5000-24gb",
    "NVIDIA GeForce RTX 3060": "rtx-3060-12gb",
    "M4 Pro": "m4-pro-64gb",
    "7900 XTX": "rx-7900-xtx-24gb",
}

# What no public source gives and no estimate was ventured for.
KNOWN_GAPS = {
    "cpu-epyc-9654": "the memory of a CPU is the host's",
    "cpu-xeon-8480": "the memory of a CPU is the host's",
}


def test_the_catalogue_holds_what_it_promises() -> None:
    assert not set(COMPARED.split()) - set(device_names())
    assert len(device_names()) >= 80


@pytest.mark.parametrize("name", device_names())
def test_what_is_missing_from_a_device(name: str) -> None:
    """Add a device: write its file, run this test, and it says what answers will not be possible without."""
    lacks = [entry for entry in missing(device(name)) if not (name in KNOWN_GAPS and entry.startswith("memory."))]
    assert not lacks, f"devices/{name}.toml lacks {'; '.join(lacks)}"


@pytest.mark.parametrize("name", device_names())
def test_every_figure_is_sourced_and_plausible(name: str) -> None:
    chip = device(name)
    assert chip.name == name
    for key, figure in figures(chip):
        assert figure.source, key
        if figure.source == ESTIMATE:
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low < figure.value < figure.high
    bandwidth = chip.memory_bandwidth().value
    assert 5e10 < bandwidth < 1e13
    assert all(1e11 < figure.value < 5e16 for figure in chip.peak_rates.values())
    if chip.tdp:
        assert 5 < chip.tdp.value <= 2000
    if chip.memory.labelled and chip.memory.usable:
        assert 0.55 < chip.memory.usable.value / chip.memory.labelled.value < 1.08


@pytest.mark.parametrize(("written", "name"), ROW_NAMES.items())
def test_names_that_measured_rows_use(written: str, name: str) -> None:
    assert device(written).name == name


def test_aliases_lead_somewhere_and_hide_no_name() -> None:
    for shelf, known in (("devices", device_names()), ("nodes", node_names())):
        aliases = catalog._aliases(shelf)
        assert set(aliases.values()) <= set(known)
        assert not set(aliases) & set(known)
    assert set(catalog._aliases("grids").values()) <= {grid.name for grid in grids()}


@pytest.mark.parametrize("name", node_names())
def test_nodes(name: str) -> None:
    built = node(name)
    assert device(built.device).name == built.device
    assert built.fabric.domain >= 1
    figures_there = (built.fabric.network, built.fabric.host_link, built.host_memory, built.storage, built.power)
    assert all(figure.source for figure in figures_there if figure is not None)
    if built.fabric.network is not None:
        assert built.fabric.nics
        assert 1e9 < built.network().value / built.chips < 2e11
    chip = device(built.device)
    if built.power is not None and chip.tdp is not None:
        assert built.power.value > 0.9 * built.chips * chip.tdp.value


def test_nodes_of_a_device() -> None:
    assert {"dgx-h100", "p5.48xlarge", "hgx-h100"} <= {built.name for built in nodes_of("h100-sxm")}
    assert nodes()["gb200-tray"].fabric.domain == 72


def test_price_files_belong_to_devices() -> None:
    for file in catalog._listed("prices"):
        rows = catalog._prices(file)
        assert rows
        for price in rows:
            assert set(price.devices) <= set(device_names())
            assert 0.01 < price.per_hour < 20
            if file.endswith(catalog.UNSTATED):
                assert price.note
            else:
                assert price.devices == (file,)


def test_how_many_prices() -> None:
    rows = [price for file in catalog._listed("prices") for price in catalog._prices(file)]
    assert len(rows) == 321
    assert sum(price.date is None for price in rows) == 40


def test_one_device_is_read_from_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    original = catalog.read_device

    def counted(path: object, **more: object) -> object:
        reads.append(str(path))
        return original(path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(catalog, "read_device", counted)
    catalog.clear_memory()
    for _ in range(3):
        assert device("h100-sxm").name == device("H100 SXM 80GB").name == "h100-sxm-80gb"
    assert [path.rsplit("/", 1)[-1] for path in reads] == ["h100-sxm-80gb.toml"]
    assert len(devices()) == len(device_names())
    assert "tpu-v4" in devices()
    assert len(reads) == 1, "counting and naming devices reads none of their files"
    assert devices()["tpu-v4"] is devices()["tpu-v4"]
    assert len(reads) == 2


def test_the_prices_of_one_device_are_read_from_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    original = catalog.read_prices

    def counted(path: object) -> object:
        reads.append(str(path))
        return original(path)  # type: ignore[arg-type]

    monkeypatch.setattr(catalog, "read_prices", counted)
    catalog.clear_memory()
    assert prices("tpu-v4")
    assert prices("tpu-v4")
    assert prices("a100-pcie-80gb")
    assert [path.rsplit("/", 1)[-1] for path in reads] == [
        "tpu-v4.toml",
        "a100-pcie-80gb.toml",
        "a100-pcie-unstated.toml",
        "a100-unstated.toml",
    ]


def test_an_unknown_key_of_the_shelf_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        devices()["h100"]
