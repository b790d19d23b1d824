"""Config files as they were released: read without a doubt, with the parameters and FLOP of the real modules.

Those of `own_code.json` run by code that came with their weights: `params` is what the released weights hold. `bytes`
is the size of released files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isoflop.model import counts, forward_flops
from isoflop.model.config import reading_of
from isoflop.model.weight_bytes import storage_of
from isoflop.quantity.json_file import read_json
from isoflop.quantity.toml_file import read_toml

FOLDER = Path(__file__).parent / "released"
CASES: dict[str, Any] = {
    name: case
    for file in sorted(FOLDER.iterdir())
    for name, case in (read_json(file, infinity=True) if file.suffix == ".json" else read_toml(file)).items()
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_released_config_is_read_exactly(name: str) -> None:
    case = CASES[name]
    reading = reading_of(case["config"], "config.json", name)
    assert reading.verified, (reading.not_understood, reading.doubts)
    assert counts(reading.spec).params == case["params"]
    if "bytes" in case:
        assert storage_of(reading).ledger.total == case["bytes"]
    if "forward_flops" in case:
        whole = 1024 * forward_flops(reading.spec, 1024, convention="full-attention").total
        assert whole == pytest.approx(case["forward_flops"], rel=1e-9)
