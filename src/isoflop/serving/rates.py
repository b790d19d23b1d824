"""Constants of inference as data (`pace.toml`): what shares of its peaks a device reaches under which software.

Each constant is a base value by mechanism (number format, kind of link, software) times ratios that its device class,
software and era of it have been measured to differ by. A class that was never measured has no ratio: it gets the base.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec

from isoflop.errors import BadFile, close_matches
from isoflop.quantity.toml_file import read_toml
from isoflop.serving.runtime import version_key
from isoflop.serving.step import Rates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.hardware import Device
    from isoflop.serving.spec import Runtime

FILE = Path(__file__).with_name("pace.toml")

_Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Table = dict[str, _Positive]

RATIOS = ("memory", "device", "software", "era", "pair")
"""Tables of a constant that multiply its base, each by the key of its name."""


class Slot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One constant: `base` by the keys that `by` names, and ratios. `spread`: how far a fit may move each table."""

    by: tuple[str, ...] = ()
    base: Table
    memory: Table = {}
    device: Table = {}
    software: Table = {}
    era: Table = {}
    pair: Table = {}
    spread: Table = {}


class Era(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Versions of a runtime that take alike: from version `since` on, or from `month` where no version is known.

    `whole_heads`: keys and values of grouped heads are read once for every query head (TensorRT-LLM before 0.7).
    """

    name: str
    software: str
    since: str = ""
    month: str = ""
    whole_heads: bool = False


class Constants(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All constants; `interval` maps a quantity and a kind of case to the factor that 80 % of residuals stay in."""

    fitted: str
    eras: dict[str, tuple[Era, ...]]
    slots: dict[str, Slot]
    interval: dict[str, dict[str, float]]


class Keys(NamedTuple):
    """What constants depend on.

    `device` is the class ("hopper/hbm"), `software` and `era` name the runtime, `format` and `experts` classes of
    number formats of matrices and of routed experts, `link` "switch" or "bus", `vendor` of the chip, `tuned` whether
    somebody tuned the settings for the largest load.
    """

    device: str
    software: str
    era: str
    format: str
    experts: str
    link: str = "bus"
    vendor: str = "other"
    tuned: str = "plain"

    @property
    def memory(self) -> str:
        """The kind of memory of the device class: what a class without measurements still shares with others."""
        return self.device.partition("/")[2]

    @property
    def kind(self) -> str:
        """Whether one user's machine or a server runs it: "local" or "served"."""
        return "local" if self.software == "llama.cpp" else "served"

    @property
    def pair(self) -> str:
        """Software and format of the experts, which come in kernels of their own."""
        return f"{self.software}/{self.experts}"


@cache
def constants() -> Constants:
    """The shipped constants."""
    return read_constants(FILE)


def read_constants(path: Path) -> Constants:
    """The constants of a file of this form."""
    try:
        found = msgspec.convert(read_toml(path), Constants)
    except msgspec.ValidationError as error:
        raise BadFile(f"{path}: {error}. For the form see {FILE}") from error
    missing = set(Rates._fields) - set(found.slots)
    if missing:
        raise BadFile(f"{path}: no constants {', '.join(sorted(missing))}. For the form see {FILE}")
    return found


def read_own(path: str | Path) -> Constants:
    """The shipped constants with entries of a TOML file in their place: `[slots.read.device]` and the like."""
    plain = msgspec.to_builtins(constants())
    found = read_toml(Path(path))
    slots, interval = found.get("slots", {}), found.get("interval", {})
    if not isinstance(slots, dict) or not isinstance(interval, dict) or set(found) - {"slots", "interval", "fitted"}:
        raise BadFile(f"{path}: holds [slots.NAME.TABLE] and [interval.QUANTITY] only. For the form see {FILE}")
    unknown = next((name for name in slots if name not in plain["slots"]), None)
    if unknown is not None:
        close = close_matches(unknown, plain["slots"])
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise BadFile(f"{path}: no constant '{unknown[:60]}'.{hint}")
    for base, changes in ((plain["slots"], slots), (plain["interval"], interval)):
        for name, tables in changes.items():
            if not isinstance(tables, dict):
                raise BadFile(f"{path}: '{name}' is no table")
            for key, value in tables.items():
                own = base.setdefault(name, {}).get(key)
                base[name][key] = {**own, **value} if isinstance(own, dict) and isinstance(value, dict) else value
    try:
        return msgspec.convert(plain, Constants)
    except msgspec.ValidationError as error:
        raise BadFile(f"{path}: {error}. For the form see {FILE}") from error


@lru_cache(maxsize=1024)
def _shipped_rates(keys: Keys) -> Rates:
    return _rates(keys, constants())


def rates_of(keys: Keys, own: Constants | None = None) -> Rates:
    """The constants of one kind of case; of those in `own`, where given, else the shipped ones."""
    return _shipped_rates(keys) if own is None else _rates(keys, own)


def _rates(keys: Keys, own: Constants) -> Rates:
    return Rates(**{name: value_of(own.slots[name], keys) for name in Rates._fields})


def value_of(slot: Slot, keys: Keys) -> float:
    """One constant: its base, and the ratios that are known."""
    value = slot.base[base_key(slot, keys)]
    for name in RATIOS:
        value *= getattr(slot, name).get(getattr(keys, name), 1.0)
    return float(value)


def base_key(slot: Slot, keys: Keys) -> str:
    """The entry of the base that holds: its own, else "other"."""
    wanted = "/".join(getattr(keys, name) for name in slot.by) or "all"
    return wanted if wanted in slot.base else "other"


_MEMORIES: Mapping[str, str] = {"HBM": "hbm", "GDDR": "gddr", "DDR": "ddr"}


def device_class(device: Device) -> str:
    """Architecture and kind of memory ("ada/gddr"): what silicon's constants depend on."""
    kind = device.memory.kind.upper()
    memory = "lpddr" if "LPDDR" in kind else next((word for part, word in _MEMORIES.items() if part in kind), "other")
    built = device.identity.architecture or (device.vendor if device.kind == "SoC" else device.kind)
    return f"{built.lower().removesuffix(' ultra')}/{memory}"


OTHER = Era(name="other", software="other")


def pace_era(runtime: Runtime, month: str = "", own: Constants | None = None) -> Era:
    """The era of a runtime: by its version, else by the month, else the newest."""
    listed = (own or constants()).eras.get(runtime.name)
    if not listed:
        return OTHER
    if runtime.version:
        wanted = version_key(runtime.version)
        return next((one for one in reversed(listed) if version_key(one.since or "0") <= wanted), listed[0])
    if month:
        return next((one for one in reversed(listed) if one.month <= month), listed[0])
    return listed[-1]
