"""What an account takes for granted, and a figure of it: shared by the account of one run and that of many."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.errors import BadInput

HOUR, YEAR = 3600.0, 8766 * 3600.0
KWH = 3.6e6
MONTH = 730.5 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an account takes for granted where nobody says, each an assumption of that name.

    `power_ratio` is the machines' power over the board's TDP at full load; None: as measured, where an owner of such
    chips has (TPU v3, v4, V100), else 1.1. `development` is the work before the run that counted over its own (half
    again in one open project [morrison2025]); `evaluation` the time of evaluations over that of steps;
    `checkpoint_rate` bytes a second that a chip writes; `kept` checkpoints kept to the end. `wue` is litres of water a
    kWh of the machines, on site. Prices of electricity [USD/J] and storage [USD/byte/s], capital [USD/chip, None:
    unknown], lifetime [s]. `text` is the text there is [bytes; None: as much as `epochs` needs], in a `language`; ""
    takes the measured `tokenizer` whose vocabulary is nearest to the model's.
    """

    chip_mtbf: float = 50_000 * HOUR
    restart_time: float = 600.0
    checkpoint_rate: float = 0.25e9
    kept: int = 20
    evaluation: float = 0.02
    development: float = 0.5
    power_ratio: float | None = None
    pue: float = 1.1
    grid: str = "us"
    wue: float = 1.8
    electricity_price: float = 0.08 / KWH
    chip_capital: float | None = None
    lifetime: float = 4 * YEAR
    utilisation: float = 0.8
    storage_price: float = 0.02 / 1e9 / MONTH
    epochs: float = 1.0
    text: float | None = None
    tokenizer: str = ""
    language: str = "en"

    def __post_init__(self) -> None:
        for name in ("chip_mtbf", "restart_time", "checkpoint_rate", "pue", "lifetime", "utilisation", "epochs"):
            if not 0 < getattr(self, name) < 1e18:
                raise BadInput(f"{name} = {getattr(self, name)!r}: give a number above 0")
        if self.pue < 1:
            raise BadInput(f"pue = {self.pue:g}: a building draws no less than its machines; give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A figure of an account: of a quantity of the glossary (its units), or in words; `note` says what it is from."""

    name: str
    value: float
    quantity: str = ""
    words: str = ""
    note: str = ""
