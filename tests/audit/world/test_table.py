"""Tables of claims: rows that cannot be true are found, the others are left alone."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import pytest

from isoflop.audit import Finding, audit_text
from isoflop.audit.world.table import columns_of, read_table
from isoflop.errors import BadFile

TRUTH = Path(__file__).resolve().parents[4] / "shared" / "truth" / "models_history.csv"
HEADER = "model,N,D,C,chips,device,days,gpu_hours,mfu,cost,energy_mwh"
SOUND = {
    "dense": "dense,70e9,1.4e12,5.9e23,1024,h100-sxm,20,491520,0.34,983040,430",
    "small": "small,1.3e9,26e9,2.03e20,8,a100-sxm-80gb,1.7,326,0.55,,",
    "sparse": "sparse,13e9,300e9,2.34e22,256,a100-sxm-40gb,8.5,,0.4,,",
}
SLIPS = {
    "forward": ("dense", "5.9e23", "1.97e23"),
    "decimal": ("dense", "491520", "49152"),
    "nodes": ("dense", "1024", "128"),
    "days": ("small", ",1.7,", ",40.8,"),
    "share": ("sparse", "0.4", "1.4"),
    "money": ("dense", "983040", "9830400000"),
    "energy": ("dense", ",430", ",0.43"),
}


def wrong(text: str) -> list[Finding]:
    return [finding for finding in audit_text(text, "claims.csv").findings if finding.is_wrong]


def test_sound_rows_are_left_alone() -> None:
    assert not wrong("\n".join([HEADER, *SOUND.values()]))


@pytest.mark.parametrize("slip", [key for key in SLIPS if key not in {"share", "money"}])
def test_a_slip_is_found_in_its_row_and_nowhere_else(slip: str) -> None:
    name, said, instead = SLIPS[slip]
    rows = [row.replace(said, instead) if key == name else row for key, row in SOUND.items()]
    found = wrong("\n".join([HEADER, *rows]))
    assert {finding.span.line for finding in found} == {2 + list(SOUND).index(name)}


FLEET = "model,chips,device,gpu_hours,cost,energy_mwh"


def fleet(*, cost: float = 1.0, energy: float = 1.0) -> str:
    """Six rows of one device at about one price; the fourth is off by what is given."""
    rows = []
    for place, hours in enumerate((61_000, 146_000, 279_000, 1_500_000, 4_460_000, 562_000)):
        off = (cost, energy) if place == 3 else (1.0, 1.0)
        paid, used = hours * (2.2 + 0.1 * place) * off[0], hours * 770e-6 * off[1]
        rows.append(f"run-{place},1024,h100-sxm,{hours},{paid:.4g},{used:.4g}")
    return "\n".join([FLEET, *rows])


def test_a_row_is_held_against_the_others_of_its_device() -> None:
    assert not wrong(fleet())
    assert not wrong(fleet(cost=2.5))  # prices differ that much
    (found,) = wrong(fleet(cost=10.0))
    assert (found.kind, found.span.line, found.step) == ("decimal_slip", 5, "L5.3")
    assert found.factor == pytest.approx(10.0, rel=0.06)
    assert [one.span.line for one in wrong(fleet(energy=1e-3))] == [5]


def test_the_cell_that_is_wrong_is_the_one_marked() -> None:
    report = audit_text("\n".join([HEADER, SOUND["dense"].replace("491520", "20480")]), "claims.csv")
    steps = {step.number: step.label for step in report.document.steps}
    assert [steps[one.step] for one in report.findings if one.is_wrong] == ["chip time of dense"]


def test_headers_are_read_as_people_write_them() -> None:
    columns = columns_of(["Model", "Params (B)", "Training tokens", "GPU hours", "Energy (MWh)", "MFU", "GPU type"])
    assert {key: (one.header, one.unit) for key, one in columns.items()} == {
        "params": ("Params (B)", "B"),
        "tokens": ("Training tokens", ""),
        "chip_time": ("GPU hours", "chip h"),
        "train_energy": ("Energy (MWh)", "MWh"),
        "mfu": ("MFU", ""),
        "device": ("GPU type", ""),
    }


def test_a_table_without_known_columns_says_which_are_known() -> None:
    with pytest.raises(BadFile, match="Headers look like"):
        read_table("a,b\n1,2\n")


@pytest.mark.skipif(not TRUTH.is_file(), reason="the table of trained models is not part of the repository")
def test_published_runs_that_contradict_themselves() -> None:
    text = TRUTH.read_text(encoding="utf-8")
    rows = list(csv.DictReader(StringIO(text)))
    found = audit_text(text, "models_history.csv").findings
    named = {rows[finding.span.line - 2]["model"] for finding in found if finding.is_wrong}
    assert named == {"Megatron-LM 8.3B", "GPT-NeoX-20B", "GPT-J-6B", "PanGu-Sigma"}
