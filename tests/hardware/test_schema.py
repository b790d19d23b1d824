"""Broken catalogue files are refused with the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadFile, IsoflopError
from isoflop.hardware import device, prices
from isoflop.hardware.device_file import read_device
from isoflop.hardware.node_file import read_grids, read_node
from isoflop.hardware.price_file import read_prices

GOOD = """
title = "A chip"
vendor = "Nobody"
kind = "GPU"
year = 2024

[peak_rate]
bf16 = { value = 100e12, unit = "FLOP/s/chip", dense = true, source = "its datasheet", date = "2024" }
fp64 = { value = 2, unit = "TFLOP/s/chip", source = "its datasheet", date = 2024-05-01 }

[sparse_rate]
bf16 = { value = 200e12, unit = "FLOP/s/chip", dense = false, source = "its datasheet" }

[memory]
labelled = { value = 80, unit = "GB/chip", source = "its datasheet" }
usable = { value = 79, unit = "GiB/chip", low = 78, high = 79.5, source = "estimate" }
bandwidth = { value = 3, unit = "TB/s/chip", source = "its datasheet" }

[link]
kind = "Wire"
topology = "mesh"
per_direction = { value = 70, unit = "GB/s/chip", source = "its datasheet" }
links = 7
peers = 7

[power]
tdp = { value = 700, unit = "W/chip", source = "its datasheet" }

[[disagreements]]
figure = "power.tdp"
set = "somebody"
value = 800
unit = "W/chip"
"""


@pytest.fixture
def write(tmp_path: Path) -> object:
    def written(text: str) -> Path:
        path = tmp_path / "chip.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def refused(path: Path, *words: str) -> str:
    with pytest.raises(BadFile) as caught:
        read_device(path)
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert word in message
    return message


def test_a_good_file_is_read(write: object) -> None:
    chip = read_device(write(GOOD))  # type: ignore[operator]
    assert chip.name == "chip"
    assert chip.peak_rate("bf16").value == 100e12
    assert chip.peak_rate("bf16-sparse").value == 200e12
    assert chip.peak_rate("fp64").date == "2024-05-01"
    assert chip.memory_usable().spread().low == 78 * 2**30
    assert chip.links().pair_rate() == 10e9
    assert chip.disagreements[0].value == 800


BROKEN = {
    "wrong unit": ('unit = "W/chip", source', 'unit = "GB/chip", source', ("power.tdp.unit", "GB/chip", "W/chip")),
    "unknown unit": ('unit = "TB/s/chip"', 'unit = "furlong"', ("memory.bandwidth.unit", "furlong")),
    "rate as work": (
        '100e12, unit = "FLOP/s/chip"',
        '100e12, unit = "FLOP/chip"',
        ("peak_rate.bf16.unit", "FLOP/s/chip"),
    ),
    "rate of no chip": ('100e12, unit = "FLOP/s/chip"', '100e12, unit = "FLOP/s"', ("peak_rate.bf16.unit",)),
    "no source": ('dense = true, source = "its datasheet"', "dense = true", ("peak_rate.bf16", "source")),
    "empty source": (
        'dense = true, source = "its datasheet"',
        'dense = true, source = " "',
        ("peak_rate.bf16.source", "empty"),
    ),
    "sparse as dense": ("dense = true", "dense = false", ("peak_rate.bf16.dense", "move it to [sparse_rate]")),
    "dense not said": ("dense = true, ", "", ("peak_rate.bf16.dense", "write dense = true")),
    "dense as sparse": ("dense = false", "dense = true", ("sparse_rate.bf16.dense", "move it to [peak_rate]")),
    "sparse by name": ("bf16 = { value = 100e12", "bf16-sparse = { value = 100e12", ("bf16-sparse", "[sparse_rate]")),
    "sparse value as dense": ("value = 100e12", "value = 200e12", ("peak_rate.bf16", "wrong table")),
    "unknown dtype": ("fp64 = {", "fp63 = {", ("peak_rate.fp63", "fp64")),
    "negative": ("value = 700", "value = -700", ("power.tdp.value", "-700", "not positive")),
    "zero": ("value = 700", "value = 0", ("power.tdp.value", "not positive")),
    "infinite": ("value = 700", "value = inf", ("power.tdp.value", "finite")),
    "too large": ("value = 700", "value = 1e400", ("finite",)),
    "unknown key": ('kind = "GPU"', 'kind = "GPU"\ncolour = "green"', ("colour", "title, vendor, kind")),
    "unknown key in a figure": ("value = 700,", 'value = 700, colour = "red",', ("power.tdp", "colour")),
    "unknown table": ("[power]", "[energy]", ("energy",)),
    "unknown key in a table": ("[power]\ntdp", "[power]\nmax", ("power.max", "known is: tdp")),
    "text as number": ("value = 700", 'value = "700"', ("power.tdp.value", "float", "str")),
    "estimate without bounds": ("low = 78, high = 79.5, ", "", ("memory.usable", "low and high")),
    "one bound": ("low = 78, ", "", ("memory.usable", "both or neither")),
    "bounds out of order": ("low = 78", "low = 79.2", ("memory.usable", "in order")),
    "estimate on its bound": ("low = 78", "low = 79", ("memory.usable", "between")),
    "no date": ('date = "2024"', 'date = "soon"', ("peak_rate.bf16.date", "soon")),
    "a rate that is dense power": (
        'source = "its datasheet" }\n\n[[',
        'dense = true, source = "x" }\n\n[[',
        ("power.tdp.dense",),
    ),
    "no peak": (GOOD[GOOD.index("[peak_rate]") : GOOD.index("[memory]")], "", ("peak_rate", "at least one")),
    "no title": ('title = "A chip"', "", ("title",)),
    "unknown kind": ('kind = "GPU"', 'kind = "toaster"', ("kind", "toaster")),
    "no year": ("year = 2024", "year = 24", ("year", "24")),
    "unknown topology": ('"mesh"', '"star"', ("link.topology", "star")),
    "no links": ("links = 7", "links = 0", ("link.links", "at least 1")),
    "peers below one": ("peers = 7", "peers = -1", ("link.peers",)),
    "duplicate key": ("year = 2024", "year = 2024\nyear = 2025", ("TOML",)),
    "half a table": ("[power]", "[power", ("TOML",)),
    "disagreement about nothing": ('figure = "power.tdp"', 'figure = "power"', ("disagreements.1.figure", "power")),
    "disagreement in other units": (
        'value = 800\nunit = "W/chip"',
        'value = 800\nunit = "GB/chip"',
        ("disagreements.1.unit",),
    ),
    "disagreement of nobody": ('set = "somebody"', 'set = ""', ("disagreements.1.set",)),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused(case: str, write: object) -> None:
    old, new, words = BROKEN[case]
    assert GOOD.count(old) >= 1, case
    refused(write(GOOD.replace(old, new, 1)), *words)  # type: ignore[operator]


def test_a_measured_rate_above_the_peak_is_refused(write: object) -> None:
    table = '[achievable_rate]\nbf16 = { value = 150e12, unit = "FLOP/s/chip", dense = true, source = "x" }\n\n[memory]'
    refused(write(GOOD.replace("[memory]", table, 1)), "achievable_rate.bf16", "above the dense peak")  # type: ignore[operator]


def test_usable_above_physical_is_refused(write: object) -> None:
    table = '[memory]\nphysical = { value = 70, unit = "GiB/chip", source = "x" }'
    refused(write(GOOD.replace("[memory]", table, 1)), "memory.usable", "physical")  # type: ignore[operator]


def test_names_that_count_cores_need_the_cores(write: object) -> None:
    refused(write(GOOD + '\n[parts]\nsold = [{ pattern = "x-{n}", counts = "core" }]\n'), "parts.cores")  # type: ignore[operator]
    refused(write(GOOD + '\n[parts]\nsold = [{ pattern = "x-8", counts = "chip" }]\n'), "{n}")  # type: ignore[operator]


def test_a_large_file_is_refused(write: object) -> None:
    path = write(GOOD + "# " + "x" * 1_000_001)  # type: ignore[operator]
    refused(path, "1,000,000 bytes")


def test_a_deep_file_is_refused(write: object) -> None:
    refused(write(GOOD + "\nx = " + "[" * 40 + "]" * 40), "32")  # type: ignore[operator]


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.toml")
    refused(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    refused(binary, "UTF-8")


@given(st.text(max_size=300))
def test_any_text_is_refused_kindly(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "any.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    for reader in (read_device, read_node, read_prices, read_grids):
        with pytest.raises(BadFile):
            reader(path)


PRICE = """
devices = ["tpu-v4"]

[[price]]
provider = "Cloud"
commitment = "3y"
date = 2023-03-29
amount = "$33,849/month/slice"
slice = "32 chip"
source = "its page"
"""

BROKEN_PRICES = {
    "no tie": ('slice = "32 chip"\n', "", ("price.1.amount", 'slice = "32 chip"')),
    "a tie of no chips": ('"32 chip"', '"0 chip"', ("price.1.slice", "0 chip")),
    "a tie to something else": ('"32 chip"', '"32 core"', ("price.1.slice", "32 core")),
    "no money": ('"$33,849/month/slice"', '"33849/month/slice"', ("price.1.amount",)),
    "no time": ('"$33,849/month/slice"', '"$33,849/slice"', ("price.1.amount",)),
    "negative": ("$33,849", "$-5", ("price.1.amount",)),
    "zero": ("$33,849", "$0", ("price.1.amount", "not positive")),
    "unknown unit": ("/month/slice", "/fortnight/slice", ("price.1.amount", "fortnight")),
    "no source": ('source = "its page"', "", ("price.1", "source")),
    "empty source": ('source = "its page"', 'source = ""', ("price.1.source",)),
    "no provider": ('provider = "Cloud"', 'provider = ""', ("price.1.provider",)),
    "unknown commitment": ('"3y"', '"for ever"', ("price.1.commitment",)),
    "date as text": ("2023-03-29", '"2023"', ("price.1.date",)),
    "date with a time": ("2023-03-29", "2023-03-29T10:00:00", ("price.1.date",)),
    "unknown key": ('source = "its page"', 'source = "its page"\nrabatt = 3', ("price.1", "rabatt")),
    "several devices without a note": ('["tpu-v4"]', '["tpu-v4", "tpu-v3"]', ("note",)),
}


@pytest.mark.parametrize("case", BROKEN_PRICES)
def test_broken_prices_are_refused(case: str, tmp_path: Path) -> None:
    old, new, words = BROKEN_PRICES[case]
    assert old in PRICE, case
    path = tmp_path / "price.toml"
    path.write_text(PRICE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read_prices(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_own_prices_are_taken_by_path(tmp_path: Path) -> None:
    path = tmp_path / "price.toml"
    path.write_text(PRICE, encoding="utf-8")
    assert prices(str(path))[0].per_hour == pytest.approx(33849 / 730.5 / 32)
    assert prices(str(tmp_path))[0].sale.chips == 32
    (tmp_path / "device.toml").write_text(GOOD, encoding="utf-8")
    assert prices(str(tmp_path / "device.toml")) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title = "x"\ndevice = "l4"\nchips = 0\n', ("chips",)),
        ('title = "x"\ndevice = "l4"\nchips = 8\ndomain = 0\n', ("domain",)),
        (
            'title = "x"\ndevice = "l4"\nchips = 8\nnetwork = { value = 1, unit = "GB/s/node", source = "x" }\n',
            ("nics",),
        ),
        (
            'title = "x"\ndevice = "l4"\nchips = 8\nnics = 1\nnetwork = { value = 1, unit = "GB/s", source = "x" }\n',
            ("network.unit",),
        ),
        ('title = "x"\nchips = 8\n', ("device",)),
        ('title = "x"\ndevice = "l4"\nchips = 8\nwheels = 4\n', ("wheels",)),
    ],
)
def test_broken_nodes_are_refused(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read_node(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('"g CO2e/kWh"', '"g/kWh"', "grid.1.intensity.unit"),
        ("year = 2023", "year = 3", "grid.1.year"),
        ('source = "x"', 'source = ""', "grid.1.intensity.source"),
        ("56", "-56", "grid.1.intensity.value"),
    ],
)
def test_broken_grids_are_refused(old: str, new: str, word: str, tmp_path: Path) -> None:
    good = (
        '[[grid]]\nname = "fr"\ntitle = "F"\nkind = "country"\nyear = 2023\n'
        'intensity = { value = 56, unit = "g CO2e/kWh", source = "x" }\n'
    )
    path = tmp_path / "grids.toml"
    path.write_text(good, encoding="utf-8")
    assert read_grids(path)[0].intensity.value == pytest.approx(56e-3 / 3.6e6)
    path.write_text(good.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read_grids(path)
    assert word in str(caught.value)
    assert str(path) in str(caught.value)


def test_messages_of_missing_figures_name_what_there_is() -> None:
    with pytest.raises(IsoflopError) as caught:
        device("a100-sxm-80gb").peak_rate("fp4")
    assert str(caught.value) == (
        "a100-sxm-80gb: no peak rate for 'fp4' is catalogued; there are: fp64, fp64-matrix, fp32, tf32, fp16, bf16, "
        "int8. Take one of these, or give peak_rate=."
    )
    with pytest.raises(IsoflopError, match=r"no dtype 'bf17'. Did you mean 'bf16'"):
        device("a100-sxm-80gb").peak_rate("bf17")
    with pytest.raises(IsoflopError, match=r"no sparse peak for 'bf16-sparse' is catalogued; there are: none"):
        device("tpu-v4").peak_rate("bf16-sparse")
