from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import AmbiguousInput, UnitError, UnknownName
from isoflop.quantity import NUMBER, Unit, quantities, read, unit
from isoflop.quantity.unit_words import BASE, NOUNS, unit_words

if TYPE_CHECKING:
    import pint

WORDS = sorted(word for word, atoms in unit_words().items() if not atoms[0].even and not atoms[0].multiplier)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("$/chip-hour", "$/chip/h"),
        ("$/chip h", "$/chip/h"),
        ("$ per chip per hour", "$/chip/h"),
        ("FLOP slice/(chip $)", "FLOP/$*slice/chip"),
        ("PF/s-day", "PFLOP/s-days"),
        ("PF-days", "PFLOP*day/s"),
        ("kg CO2e/kWh", "kgCO2e/kWh"),
        ("1000 gCO2e/kWh", "kgCO2e/kWh"),
        ("byte²", "byte^2"),
        ("token⁻¹", "1/token"),
        ("W", "J/s"),
        ("kWh", "kW*h"),
        ("kW-h", "kWh"),
        ("Mtok/s", "M tokens/s"),
        ("bit", "B/8/1"),
        ("MAC", "2 FLOP"),
        ("GPU", "chip"),
        ("param^(1/2)", "param^0.5"),
        ("(s)", "s"),
    ],
)
def test_units_written_in_two_ways_are_the_same(text: str, same: str) -> None:
    assert unit(text).dims == unit(same).dims
    assert unit(text).scale == pytest.approx(unit(same).scale, rel=1e-15)


def test_arithmetic_adds_exponents_and_multiplies_scales() -> None:
    rate = unit("TFLOP") / unit("s") / unit("chip")
    assert rate.dims == (("FLOP", Fraction(1)), ("chip", Fraction(-1)), ("s", Fraction(-1)))
    assert rate * unit("chip") * unit("ms") == unit("GFLOP")
    assert unit("byte") ** 2 == unit("byte^2")
    assert unit("byte") ** Fraction(1, 2) * unit("byte") ** 0.5 == unit("byte")
    assert unit("chip") / unit("chip") == NUMBER
    assert (unit("chip") / unit("chip")).is_number
    assert 32 * unit("chip") == unit("32 chip")
    assert 1 / unit("s") == unit("1/s")
    assert unit("h").base == unit("s")
    assert not unit("h").same_kind(unit("chip h"))
    assert str(unit("GiB")) == "GiB"
    assert hash(unit("PF-days")) == hash(unit("PFLOP/s-days"))


@given(
    exponents=st.dictionaries(st.sampled_from(BASE), st.fractions(-4, 4, max_denominator=3).filter(bool), max_size=4),
    scale=st.sampled_from([1.0, 0.001, 1e15, 3600.0, 1 / 3]),
)
def test_every_unit_reads_back_from_its_text(exponents: dict[str, Fraction], scale: float) -> None:
    made = Unit(dims=tuple(sorted(exponents.items())), scale=1.0) * scale
    assert unit(made.text) == made


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_a_unit_whose_base_reads_back(word: str) -> None:
    found = unit(word)
    assert found.scale > 0
    assert unit(found.base.text) == found.base


@pytest.mark.parametrize("word", ["FLOPS", "TFLOPS", "TF", "flops"])
def test_words_without_a_preferred_reading_are_refused(word: str) -> None:
    with pytest.raises(AmbiguousInput, match=r"FLOP or .*FLOP/s"):
        unit(word)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("FLOP//s", "missing before"),
        ("FLOP/", "missing at its end"),
        ("(s", "not closed"),
        ("s)", "should end"),
        ("(" * 9 + "s" + ")" * 9, "nested deeper than 8"),
        ("s^", "exponent"),
        ("s^10", "exponent"),
        ("s^(1/0)", "exponent"),
        ("s^1.2.3", "behind a unit"),
        ("s!", "no meaning"),
        ("bit " * 6, "readings"),
        ("B " * 90, "too large"),
        ("chip 32", "behind a unit"),
        ("1e400 chip", "too large"),
        ("/0", "too large or too small"),
        ("chip/(1e-300 s)^9", "too large or too small"),
        ("(1e300 s)^9", "too large or too small"),
        ("1,5 chip", "comma"),
        ("s" * 201, "characters"),
        ("EUR", "US dollars"),
    ],
)
def test_what_is_no_unit_is_refused(text: str, match: str) -> None:
    with pytest.raises(UnitError, match=match):
        unit(text)


def test_unknown_words_give_close_matches() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'tokens'") as caught:
        unit("tokans/s")
    assert "tokens" in caught.value.matches


def test_ties_are_words_for_one_call() -> None:
    slices = {"slice": unit("chip") * 32}
    assert unit("FLOP/slice/s", slices) * 32 == unit("FLOP/chip/s")
    assert unit("slices", slices) == unit("32 chip")
    assert unit("slice") != unit("slice", slices)
    with pytest.raises(UnknownName):
        unit("pod")


def test_nouns_are_dimensions() -> None:
    kinds = {unit(noun).dims for noun in NOUNS}
    assert len(kinds) == len(NOUNS)
    assert unit("nat").dims != unit("bit").dims


@pytest.fixture(scope="module")
def registry() -> pint.UnitRegistry[float]:
    judge = pytest.importorskip("pint")
    return judge.UnitRegistry()  # type: ignore[no-any-return]


PHYSICAL = [
    "s", "ms", "us", "ns", "minute", "hour", "day", "week",
    "byte", "kbyte", "Mbyte", "Gbyte", "Tbyte", "Kibyte", "Mibyte", "Gibyte", "Tibyte", "bit", "Gbit",
    "J", "kJ", "MJ", "GJ", "W", "kW", "MW", "GW", "mW", "Wh", "kWh", "MWh", "GWh",
]  # fmt: skip
OURS = {"us": "us"} | {prefix + "byte": prefix + "B" for prefix in ("k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti")}


@pytest.mark.oracle
@given(data=st.data(), value=st.floats(1e-6, 1e12))
def test_plain_physical_units_agree_with_pint(
    registry: pint.UnitRegistry[float], data: st.DataObject, value: float
) -> None:
    above, below = data.draw(st.sampled_from(PHYSICAL)), data.draw(st.sampled_from([None, *PHYSICAL]))
    # pint's bit is dimensionless with byte = 8 bit: that ratio is taken out, since the byte is the base unit here.
    theirs = registry.Quantity(value, above if below is None else f"{above}/{below}").to_base_units()
    ours = read(f"{value!r} {OURS.get(above, above)}" + ("" if below is None else f"/{OURS.get(below, below)}"))
    bits = sum(sign for name, sign in ((above, 1), (below, -1)) if name and ("byte" in name or "bit" in name))
    assert ours.spread.median == pytest.approx(theirs.magnitude / 8.0**bits, rel=1e-12)


def test_units_of_the_glossary_keep_their_text() -> None:
    for entry in quantities().values():
        assert unit(entry.unit_text) == entry.unit
        assert unit(entry.unit.base.text) == entry.unit


def test_odd_but_harmless_units() -> None:
    assert read("7 chips chips").unit == unit("chip^2")
    assert read("6 (FLOP)").unit == unit("FLOP")
