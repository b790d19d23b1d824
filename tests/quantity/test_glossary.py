from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

import pytest

import isoflop.quantity
from isoflop.errors import UnknownName
from isoflop.quantity import Domain, Quantity, quantities, quantity, read, unit, write
from isoflop.quantity.glossary import Section
from isoflop.quantity.unit_words import NOUNS, unit_words

ALL = list(quantities().values())
each = pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)

CORE = """
params active_params non_embedding_params tokens tokens_per_param flops_per_param_token flops_per_token train_flops
hardware_flops hardware_overhead attention_flops_per_token forward_flops_per_token layers width heads vocabulary
sequence_length batch_tokens batch_sequences steps layer_inputs layer_outputs neuron_flops_exact neuron_flops_2mn
neuron_macs peak_rate mfu hfu achieved_rate fleet_rate chips train_time chip_time step_time tokens_per_second goodput
chips_per_slice train_cost price flops_per_usd usd_per_param tokens_per_usd chip_capital lifetime utilisation
owned_price electricity_price energy_cost tdp power_ratio chip_power pue train_energy grid_intensity train_emissions
flops_per_joule weight_bytes_per_param gradient_bytes_per_param master_bytes_per_param optimizer_bytes_per_param
activation_rule_bytes_per_param weight_bytes gradient_bytes master_bytes optimizer_bytes train_state_bytes
rule_of_thumb_bytes memory state_chips kv_heads head_width kv_bytes_per_element kv_bytes_per_token context sequences
kv_cache_bytes loss irreducible_loss perplexity bits_per_byte tokens_per_byte optimal_params learning_rate serve_tokens
serve_flops lifetime_flops decode_bytes_per_token memory_bandwidth decode_time_per_token serve_cost
"""


def test_there_are_enough_quantities_and_the_core_ones() -> None:
    assert len(ALL) >= 80
    assert set(CORE.split()) <= set(quantities())


def test_names_and_aliases_are_unique_and_no_nouns() -> None:
    names = [name for entry in ALL for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name == name.lower() for name in names)
    assert not set(names) & (set(NOUNS) | {"bit", "FLOP", "slices_"})


def test_no_quantity_is_called_like_a_unit_of_measure() -> None:
    counted = {"words", "chips", "nodes", "slices", "params", "tokens", "sequences", "requests", "gpus", "accelerators",
               "parameters"}  # fmt: skip
    assert not ({name for entry in ALL for name in (entry.name, *entry.aliases)} & set(unit_words())) - counted


def test_symbols_are_unique() -> None:
    for texts in ([entry.symbol for entry in ALL], [entry.latex for entry in ALL]):
        assert sorted(texts) == sorted(set(texts))


@each
def test_an_entry_is_complete(entry: Quantity) -> None:
    assert entry.domain in get_args(Domain)
    assert entry.section in get_args(Section)
    assert entry.symbol
    assert entry.latex.count("{") == entry.latex.count("}")
    assert entry.meaning.endswith(".")
    assert 20 < len(entry.meaning) < 240
    assert entry.display


@each
def test_units_are_base_units_and_those_for_people_fit(entry: Quantity) -> None:
    assert entry.unit.scale == 1.0
    assert unit(entry.unit_text) == entry.unit
    assert "kg" not in dict(entry.unit.dims)
    middle = (entry.plausible[0] * entry.plausible[1]) ** 0.5
    for shown in entry.display:
        assert read(write(middle, entry, 6, shown=shown), entry).spread.median == pytest.approx(middle, rel=1e-4)


@each
def test_plausible_values_lie_within_the_domain(entry: Quantity) -> None:
    low, high = entry.plausible
    assert low < high
    if entry.domain != "real":
        assert low > 0
    if entry.domain == "fraction":
        assert high <= 1


def test_names_are_found_by_alias_and_as_flags() -> None:
    assert quantity("budget") is quantity("train_cost") is quantity("train-cost")
    assert quantity("time") is quantity("train_time")
    with pytest.raises(UnknownName, match="isoflop quantities") as caught:
        quantity("train_flop")
    assert "train_flops" in caught.value.matches


def test_the_file_is_read_once_and_cannot_be_changed() -> None:
    assert quantities() is quantities()
    with pytest.raises(TypeError):
        quantities()["new"] = ALL[0]  # type: ignore[index]


def test_the_file_is_grouped_by_section() -> None:
    path = Path(isoflop.quantity.__file__).with_name("glossary.toml")
    sections = [entry["section"] for entry in tomllib.loads(path.read_text(encoding="utf-8")).values()]
    starts = [one for one, before in zip(sections, [None, *sections], strict=False) if one != before]
    assert starts == list(get_args(Section))
