"""Published runs: table D.1 to its last printed digit, energy rows under their own conventions, broken files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from isoflop.errors import BadFile, UnknownName
from isoflop.model import Run, counts, model_names, preset, read_runs, recount, runs, table, tables
from isoflop.model.published import FOLDER

D1 = table("gpt3-table-d1")
DAY, HOUR, MWH = 86_400.0, 3_600.0, 3.6e9

# printed / exact parameters - 1: what the rounding, or the slip, of the table comes to.
D1_AGAINST_EXACT = {
    "T5-Small": -0.008,
    "T5-Base": -0.013,
    "T5-Large": 0.044,
    "T5-3B (XL)": 0.052,
    "T5-11B (XXL)": -0.027,
    "BERT-Base": -0.004,
    "BERT-Large": 0.059,
    "RoBERTa-Base": 0.003,
    "RoBERTa-Large": -0.001,
    "GPT-3 Small": -0.002,
    "GPT-3 Medium": 0.000,
    "GPT-3 Large": -0.000,
    "GPT-3 XL": 0.003,
    "GPT-3 2.7B": -0.001,
    "GPT-3 6.7B": 0.000,
    "GPT-3 13B": -0.000,
    "GPT-3 175B": -0.000,
}


def half_digit(value: float, digits: int = 3) -> float:
    """Half a unit of the last of `digits` digits."""
    return 0.5 * 10.0 ** (math.floor(math.log10(value)) - digits + 1)


def test_table_d1_is_whole() -> None:
    assert len(D1) == 17
    assert all(run.verified for run in D1)
    assert [run.work.counts for run in D1] == ["3nd"] * 5 + ["6nd"] * 12


@pytest.mark.parametrize("run", D1, ids=lambda run: run.model)
def test_table_d1_follows_from_its_printed_sizes_to_three_digits(run: Run) -> None:
    work = run.work
    assert work.flops_printed is not None
    assert work.flops_nd is not None
    assert abs(work.flops_nd - work.flops_printed) <= half_digit(work.flops_printed) * (1 + 1e-9)
    assert work.model_flops == work.flops_printed
    assert work.hardware_flops is None


@pytest.mark.parametrize("run", D1, ids=lambda run: run.model)
def test_table_d1_beside_the_exact_counts(run: Run) -> None:
    found = recount(run)
    assert found is not None
    assert found.params_ratio - 1 == pytest.approx(D1_AGAINST_EXACT[run.model], abs=6e-4)
    assert found.exact_params == counts(preset(run.preset).spec).params
    assert found.flops_from_printed / found.flops_from_exact == pytest.approx(found.params_ratio)


def test_gpt3_took_3640_petaflop_days() -> None:
    gpt3 = D1[-1]
    assert gpt3.work.flops_printed == 3.14e23
    assert gpt3.work.flops_nd is not None
    assert gpt3.work.flops_nd / (1e15 * DAY) == pytest.approx(3640, rel=0.002)


def test_the_history_of_models() -> None:
    found = runs()
    assert len(found) == 123
    assert len({run.model for run in found}) == 123
    assert sum(run.verified for run in found) == 34
    assert all(run.source and run.date for run in found)
    for run in found:
        if run.preset:
            assert run.preset in model_names()
            assert run.work.params == pytest.approx(counts(preset(run.preset).spec).params, rel=0.06)


def test_what_is_called_6nd_is_6nd_and_nine_rows_are_far_from_it() -> None:
    far = {}
    for run in runs():
        if run.work.flops_printed is None or run.work.flops_nd is None:
            continue
        ratio = run.work.flops_printed / run.work.flops_nd
        if run.work.counts in {"6nd", "3nd"}:
            assert ratio == pytest.approx(1, abs=0.03), run.model
        if abs(ratio - 1) > 0.1:
            far[run.model] = run.work.counts
    assert far == {
        "Meena": "measured",
        "Jurassic-1 Jumbo": "unknown",
        "Gopher 280B": "unknown",
        "OPT-175B": "hardware",
        "GPT-NeoX-20B": "unknown",
        "AlexaTM 20B": "unknown",
        "BloombergGPT": "hardware",
        "Cerebras-GPT-13B": "unknown",
        "OLMoE-1B-7B": "unknown",
    }


ENERGY = table("energy")


def test_there_are_32_energy_rows() -> None:
    assert len(ENERGY) == 32
    assert {run.model for run in ENERGY if "restates" in run.model} == {
        "OPT-175B as LLaMA restates it",
        "BLOOM-176B as LLaMA restates it",
    }


def machine_energy(run: Run) -> float | None:
    """What the machines drew by the owner's inputs, in J; None where one of them is not printed."""
    use, footprint = run.use, run.footprint
    held = use.chip_time
    if held is None and use.chips is not None and use.time is not None:
        held = use.chips * use.time
    return None if held is None or footprint.chip_power is None else held * footprint.chip_power


@pytest.mark.parametrize("run", ENERGY, ids=lambda run: run.model)
def test_printed_energy_follows_from_the_printed_inputs(run: Run) -> None:
    """Within 1 %, or half of the last digit printed (36 MWh and 14 t are rounded harder than that)."""
    footprint = run.footprint
    machines, pue = machine_energy(run), footprint.pue or 1.0
    within = machines is not None and footprint.scope == "facility"
    energy = None if machines is None else machines * (pue if within else 1.0)
    if energy is not None and footprint.energy is not None:
        assert energy == pytest.approx(footprint.energy, rel=0.01)
    known = footprint.energy or energy
    if known is not None and footprint.grid_intensity is not None and footprint.emissions is not None:
        emissions = known * footprint.grid_intensity * (1.0 if footprint.scope == "facility" else pue)
        assert emissions == pytest.approx(footprint.emissions, rel=0.014)


def test_the_same_run_under_two_conventions() -> None:
    by_name = {run.model: run.footprint.emissions for run in ENERGY}
    for owner, factor in (("OPT-175B", 1.83), ("BLOOM-176B", 7.41)):
        restated, own = by_name[f"{owner} as LLaMA restates it"], by_name[owner]
        assert restated is not None
        assert own is not None
        assert restated / own == pytest.approx(factor, abs=0.01)


def test_values_are_in_base_units() -> None:
    gpt3 = next(run for run in ENERGY if run.model == "GPT-3 175B")
    assert gpt3.use.time == pytest.approx(14.8 * DAY)
    assert gpt3.footprint.energy == pytest.approx(1287 * MWH)
    assert gpt3.footprint.emissions == pytest.approx(552.1e3)
    assert gpt3.footprint.grid_intensity == pytest.approx(0.429 / 3.6e6)
    llama = next(run for run in runs() if run.model == "LLaMA-65B")
    assert llama.use.chip_time == pytest.approx(1_022_362 * HOUR)


def test_tables_by_name() -> None:
    assert tables() == ("energy", "gpt3-table-d1", "history")
    with pytest.raises(UnknownName, match=r"no published table 'enrgy'\. Did you mean 'energy'"):
        table("enrgy")


GOOD = """units = { params = "param", time = "day" }
source = "s"
evidence = "primary"
[[run]]
model = "M"
organisation = "O"
date = "2020"
params = 1e9
time = 3
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('params = "param"', 'params = "token"'), r"units.params = 'token' does not fit"),
        (('params = "param"', 'params = "prm"'), "prm"),
        (('params = "param"', 'colour = "param"'), "colour"),
        (('params = "param", ', ""), "gives params, but 'units' names no unit"),
        (('source = "s"\n', ""), "lacks a source"),
        (('evidence = "primary"\n', ""), "lacks a source or its evidence"),
        (('evidence = "primary"', 'evidence = "heard"'), "heard"),
        (("params = 1e9", "params = -1e9"), "run"),
        (("params = 1e9", "params = inf"), "params"),
        (("params = 1e9", "params = 1e9\nmfu = 1.5"), "mfu"),
        (("params = 1e9", "params = 1e9\nparams = 2e9"), "TOML"),
        (("params = 1e9", "parms = 1e9"), "parms"),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    broken = tmp_path / "broken.toml"
    text = GOOD.replace(*change, 1)
    assert text != GOOD
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile, match=says) as caught:
        read_runs(broken)
    assert "broken.toml" in str(caught.value)


def test_a_row_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.toml"
    path.write_text(GOOD + GOOD[GOOD.index("[[run]]") :], encoding="utf-8")
    with pytest.raises(BadFile, match="run 'M' stands there twice"):
        read_runs(path)


def test_a_good_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(GOOD, encoding="utf-8")
    (run,) = read_runs(path)
    assert run.use.time == 3 * DAY
    assert run.work.flops_printed is run.work.flops_nd is run.footprint.energy is None
    assert recount(run) is None
    assert FOLDER.is_dir()
