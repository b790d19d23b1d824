"""Constants of practice are what measured steps say; on a part of the rows, for the time of it."""

from __future__ import annotations

from isoflop.accuracy import committed_rows, read_configs
from isoflop.accuracy.practised import practised, reached, scatters
from isoflop.training.practice import practice


def test_constants_of_practice_are_those_of_measured_steps() -> None:
    rows = committed_rows()
    kept = [one for one in rows if "llm-foundry" not in one.source and "InternEvo" not in one.source]
    few = [one for name in ("llm-foundry", "InternEvo") for one in [row for row in rows if name in row.source][::6]]
    steps = practised([*kept, *few], read_configs(None))
    assert len(steps) > 100
    for found, shipped in zip(scatters(steps), practice().measured, strict=True):
        assert found.experts == shipped.experts
        assert abs(found.longer / shipped.longer - 1) < 0.05
        assert abs(found.wide / shipped.wide - 1) < 0.1
    for (name, early), share in reached(steps).items():
        shipped_share = next(
            one.mfu
            for one in practice().reached
            if name in one.architectures and one.since <= (2022 if early else 2024) <= one.until
        )
        assert abs(share / shipped_share - 1) < 0.05, name
