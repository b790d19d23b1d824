"""A deployment for scripts, in base units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from isoflop.report.json import Json
    from isoflop.serving.advice import Service
    from isoflop.serving.disaggregate import Slow, Split
    from isoflop.serving.inverse import Room
    from isoflop.serving.pace import Band
    from isoflop.serving.search import Candidate
    from isoflop.serving.spec import Placement

UNITS = {
    "ttft": "s", "tpot": "s/token", "output_rate": "token/s", "prompt_rate": "token/s", "power": "W",
    "energy": "J/token",
}  # fmt: skip


def serving_json(service: Service) -> dict[str, Json]:
    """The answer for scripts; the intervals hold 80 %."""
    from isoflop.report.json import SCHEMA_VERSION, ledger_json
    from isoflop.report.serving_steps import derivation

    made, pace = service.deployment, service.pace
    weights = made.formats.weights
    return {
        "schema_version": SCHEMA_VERSION,
        "interval": 0.8,
        "fits": service.good,
        "verdict": service.room.verdict,
        "model": made.model.name,
        "device": made.device.name,
        "chips": service.chips,
        "runtime": {"name": made.runtime.name, "version": made.runtime.version},
        "formats": {"weights": weights if isinstance(weights, str) else weights.words, "kv": made.formats.kv_name},
        "placement": placement_json(made.placements[0]),
        "traffic": {name: _one(getattr(service.traffic, name)) for name in service.traffic.__dataclass_fields__},
        "memory": ledger_json(service.memory),
        "room": room_json(service.room),
        "times": None if pace is None else {name: band_json(getattr(pace, name), unit) for name, unit in UNITS.items()},
        "batch": None if pace is None else _one(pace.flow.batch),
        "step": None if service.step is None else ledger_json(service.step),
        "slow": _fields_json(service.slow, ("level", "ttft", "tpot")),
        "prompts_apart": _fields_json(service.apart, _APART),
        "bill": _bill_json(service),
        "comparison": _comparison_json(service),
        "lifetime": _lifetime_json(service),
        **_choices_json(service),
        "steps": list(derivation(service)),
        "assumptions": list(service.assumed),
        "warnings": [*service.notes, *([service.untimed] if service.untimed else [])],
    }


def _choices_json(service: Service) -> dict[str, Json]:
    """What was found beside: the best under the goal, the front, what would hold more, other devices."""
    found = service.searched
    return {
        "best": None if found is None or found.best is None else candidate_json(found.best),
        "pareto": [] if found is None else [candidate_json(one) for one in found.pareto],
        "changes": [{"says": one.says, **room_json(one.room)} for one in service.changes],
        "fewest": None if service.fewest is None else placement_json(service.fewest),
        "devices": [
            {
                "device": one.device.name,
                "placement": placement_json(one.placement),
                "price": one.price,
                "tpot": one.token,
                "output_rate": one.rate,
            }
            for one in service.devices
        ],
    }


_APART = ("ratio", "chips_ratio", "first", "token", "transfer", "output_rate", "rate_per_chip")


def _fields_json(found: Slow | Split | None, names: tuple[str, ...]) -> Json:
    """Fields as numbers; what grows without end is null."""
    if found is None:
        return None
    values = {name: _one(getattr(found, name)) for name in names}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def placement_json(found: Placement) -> dict[str, Json]:
    """Degrees and chips."""
    return {**{name: getattr(found, name) for name in found.__dataclass_fields__}, "chips": found.chips}


def room_json(room: Room) -> dict[str, Json]:
    """What an instance holds."""
    return {
        "length": room.length,
        "tokens": _three(room.tokens, "token"),
        "sequences": _three(room.sequences, "sequence"),
        "largest_context": room.context,
        "longest": room.longest,
        "verdict": room.verdict,
    }


def band_json(band: Band, unit: str) -> Json:
    """A value with its interval; what grows without end is null."""
    middle, low, high = (_one(value) for value in band)
    if not np.isfinite(middle):
        return None
    return {"value": middle, "low": low, "high": high, "unit": unit}


def candidate_json(found: Candidate) -> dict[str, Json]:
    """A placement at a load."""
    figures = {name: getattr(found, name) for name in ("load", "first", "token", "rate", "power")}
    kept = {name: value if np.isfinite(value) else None for name, value in figures.items()}
    return {"placement": placement_json(found.placement), **kept}


def _bill_json(service: Service) -> Json:
    bill, tariff = service.bill, service.wish.tariff
    if bill is None:
        return None
    money = bill.usd_per_output_token
    return {
        "usd_per_output_token": None if money is None else _three(money, "$/token"),
        "usd_per_token": bill.usd_per_token,
        "joules_per_output_token": _three(bill.joules_per_output_token, "J/token"),
        "watts": bill.watts,
        "overhead": bill.overhead,
        "use": bill.use,
        "price": None
        if tariff is None
        else {"value": tariff.amount, "unit": "$/chip/s", "note": tariff.note, "source": tariff.source},
    }


def _comparison_json(service: Service) -> Json:
    found = service.comparison
    if found is None:
        return None
    figures = {"api": found.api, "own": found.own, "break_even_request_rate": found.break_even, "use": found.use}
    return {**figures, "unit": "$/request"}


def _lifetime_json(service: Service) -> Json:
    found = service.lifetime
    if found is None:
        return None
    names = ("train_cost", "serve_cost", "serve_energy", "equal", "total", "flops_per_param_token")
    best = found.best
    split: Json = None
    if best is not None:
        split = {"params": float(best.params), "tokens": float(best.tokens), "law": found.law}
    return {**{name: getattr(found, name) for name in names}, "best": split}


def _three(values: tuple[float, float, float], unit: str) -> Json:
    return {"value": values[0], "low": values[1], "high": values[2], "unit": unit}


def _one(values: object) -> float:
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])
