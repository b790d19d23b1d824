"""Every family of transformers that we read, held against its real modules: as it is, in variants, field by field."""

from __future__ import annotations

import pytest

from isoflop.model.families import class_defaults, readers
from isoflop.model.parts import Attention, LatentAttention

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.oracle.model.defaults import table  # noqa: E402 - needs both
from tests.oracle.model.zoo import (  # noqa: E402
    SMALL,
    make_config,
    our_windows,
    read,
    real_windows,
    silent,
    sweep,
)

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("kind", sorted(kind for kind, entry in SMALL.items() if "unbuilt" not in entry))
def test_a_verified_reading_has_the_parameters_of_the_real_model(kind: str) -> None:
    """Whatever one field is set to, the count is exact or the reading says that it is not verified."""
    cases = list(sweep(kind))
    wrong = [f"{case.label}: {case.ours:,} for {case.real:,}" for case in cases if case.silently_wrong]
    assert not wrong
    default = cases[0]
    assert default.right, f"{default.ours:,} for {default.real:,} {default.error}"
    assert default.reading is not None
    assert default.reading.verified, (default.reading.not_understood, default.reading.doubts)


def test_every_family_that_transformers_knows_is_swept() -> None:
    known = set(readers()) & set(transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES)
    assert not known - set(SMALL)


@pytest.mark.parametrize("kind", sorted(SMALL))
def test_a_field_left_out_is_read_as_the_config_class_has_it(kind: str) -> None:
    wrong = [name for name, ours, real in silent(kind) if ours.verified and ours.spec != real.spec]
    assert not wrong


@pytest.mark.parametrize("kind", sorted(kind for kind, entry in SMALL.items() if "unbuilt" not in entry))
def test_windows_are_those_of_the_cache_that_is_made_for_the_config(kind: str) -> None:
    """For families whose layers all keep keys and values; what else is kept is compared by hand."""
    small = SMALL[kind].get("small", {})
    for entry in (
        () if "text_config" in small or SMALL[kind].get("cache") == "whole" else ({}, *SMALL[kind].get("variants", []))
    ):
        config = make_config(kind, **{**small, **entry})
        reading = read(config)
        if reading.spec.encoder is None and all(
            isinstance(mixer, Attention | LatentAttention) and mixer.causal for _, mixer in reading.spec.stack.mixers()
        ):
            assert our_windows(reading) == real_windows(config), entry


def test_the_table_of_defaults_is_that_of_the_config_classes() -> None:
    for kind, entry in table().items():
        assert entry.items() <= class_defaults(kind).items(), kind
