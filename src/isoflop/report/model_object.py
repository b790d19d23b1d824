"""A model as a JSON object: everything that is counted, in base units, under names that scripts can rely on."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING

from isoflop.model.sheet import RULES
from isoflop.report.json import SCHEMA_VERSION
from isoflop.report.model_derivation import model_steps
from isoflop.report.model_words import minded
from isoflop.report.words import finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.model import Stack
    from isoflop.model.headers import Tensors
    from isoflop.model.sheet import Sheet
    from isoflop.model.weight_bytes import Storage
    from isoflop.report.json import Json
    from isoflop.torchmodel.oracle import Opinion


def models_json(objects: Sequence[dict[str, Json]]) -> dict[str, Json]:
    """One model's object as it is, several as a list `models` of them."""
    return objects[0] if len(objects) == 1 else {"schema_version": SCHEMA_VERSION, "models": list(objects)}


def opinion_json(opinion: Opinion) -> Json:
    """What real modules count beside it."""
    return {
        "library": opinion.library,
        "params": opinion.params,
        "stored": opinion.stored,
        "same": opinion.same,
        "parts": [{"part": part, "params": ours, "oracle": real} for part, (ours, real) in opinion.parts.items()],
    }


def model_json(sheet: Sheet) -> dict[str, Json]:
    """Everything that is counted of one model."""
    described, spec = sheet.described, sheet.spec
    return {
        "schema_version": SCHEMA_VERSION,
        "name": spec.name,
        "model_type": described.model_type,
        "origin": described.origin,
        "source": spec.source,
        "verified": described.verified,
        "not_understood": list(described.not_understood),
        "doubts": list(described.doubts),
        "notes": list(spec.notes),
        "warnings": list(minded(sheet)),
        "dtype": described.dtype,
        "shape": {
            "layers": spec.stack.layers,
            "encoder_layers": spec.encoder.layers if spec.encoder else 0,
            "width": spec.width,
            "vocabulary": spec.vocabulary,
            "context": spec.context,
        },
        "params": _params(sheet),
        "flops": _flops(sheet),
        "state": _state(sheet),
        "weights": _weights(sheet),
        "activations": _activations(sheet),
        "training": _training(sheet),
        "components": [
            {
                "part": one.part,
                "params": one.params,
                "active_params": one.active_params,
                "flops_per_token": finite(one.flops, one.part),
                "bytes": finite(one.bytes, one.part),
            }
            for one in sheet.components
        ],
        "layers": _layers(sheet),
        "steps": [{**step._asdict(), "value": finite(step.value, step.gives)} for step in model_steps(sheet)],
    }


def _params(sheet: Sheet) -> Json:
    counted, described = sheet.counts, sheet.described
    return {
        "total": counted.params,
        "active": counted.active_params,
        "non_embedding": counted.non_embedding_params,
        "embedding": counted.embedding_params,
        "stored": counted.stored_params,
        "apart": [{"name": name, "params": size} for name, size in counted.apart],
        "published": described.published_params,
    }


def _flops(sheet: Sheet) -> Json:
    work, at = sheet.work, sheet.at
    tokens = at.sequence * (1 if sheet.spec.encoder is None else 2)
    decode: Json = None if work.decode is None else {"context": at.context, "flops": finite(work.decode, "decode")}
    return {
        "convention": at.convention,
        "sequence": at.sequence,
        "forward_per_token": _numbers(work.forward.items()),
        "training_per_token": _numbers(work.training.items()),
        "prefill": {"tokens": tokens, "flops": work.prefill, "flops_head_once": work.prefill_head_once},
        "decode": decode,
    }


def _state(sheet: Sheet) -> Json:
    kept, at = sheet.kept, sheet.at
    return {
        "context": at.context,
        "dtype": at.kv_dtype,
        "bytes_per_token": finite(kept.bytes_per_token, "state"),
        "bytes_per_further_token": finite(kept.bytes_per_further_token, "state"),
        "bytes_per_sequence": finite(kept.bytes_per_sequence, "state"),
        "bytes": finite(kept.total, "state"),
        "by_kind": _numbers(kept.kinds.items()),
    }


def _weights(sheet: Sheet) -> Json:
    storage, tensors = sheet.storage, sheet.described.tensors
    return {
        "bytes": _numbers(sheet.weights.items()),
        "stored": storage_json(storage) if storage else None,
        "files": tensors_json(tensors) if tensors else None,
    }


def storage_json(storage: Storage) -> Json:
    """How a config says that weights are stored: bytes by part and by number format."""
    ledger = storage.ledger
    return {
        "scheme": storage.scheme,
        "dtype": storage.dtype,
        "bytes": finite(ledger.total, "weights"),
        "bits_per_weight": finite(storage.bits_per_weight, "weights"),
        "terms": [{"part": term.name, "form": term.note, "bytes": term.value} for term in ledger.terms],
        "apart": [{"part": term.name, "form": term.note, "bytes": term.value} for term in storage.apart],
        "doubts": list(storage.doubts),
    }


def tensors_json(tensors: Tensors) -> dict[str, Json]:
    """What the headers of files list, exactly."""
    return {
        "kind": tensors.kind,
        "files": list(tensors.files),
        "tensors": len(tensors.tensors),
        "numbers": tensors.numbers,
        "bytes": tensors.bytes,
        "by_dtype": {dtype: {**held._asdict()} for dtype, held in tensors.by_dtype().items()},
        "doubts": list(tensors.doubts),
    }


def _activations(sheet: Sheet) -> Json:
    kept, length = sheet.activations, sheet.at.sequence
    return {
        "bytes_per_token": finite(kept.bytes_per_token, "activations"),
        "by_part": _numbers(kept.parts.items()),
        "logits_bytes_per_token": kept.logits,
        "sequence": length,
        "bytes": finite(kept.bytes_per_token * length, "activations"),
    }


def _training(sheet: Sheet) -> Json:
    params = sheet.counts.params
    return {
        "rules": [
            {
                "name": rule.name,
                "bytes_per_param": rule.bytes_per_param,
                "bytes": rule.bytes_per_param * params,
                "parts": rule.words,
            }
            for rule in RULES
        ],
        "activation_guess_right_at_tokens": finite(8 * params / sheet.activations.bytes_per_token, "training"),
    }


def _numbers(values: Iterable[tuple[str, float]]) -> Json:
    return {name: finite(value, name) for name, value in values}


def _layers(sheet: Sheet) -> Json:
    spec = sheet.spec
    stacks = [("encoder", spec.encoder)] if spec.encoder else []
    stacks.append(("decoder" if spec.encoder or spec.causal else "encoder", spec.stack))
    return [group for name, stack in stacks for group in _groups(name, stack)]


def _groups(name: str, stack: Stack) -> list[Json]:
    """Runs of equal layers in order."""
    return [{"stack": name, "times": times, "layer": plain(layer)} for times, layer in stack.groups]


def plain(part: object) -> Json:
    """A part as an object: its kind, and the fields that are not at their default."""
    if is_dataclass(part) and not isinstance(part, type):
        found: dict[str, Json] = {"kind": type(part).__name__}
        for field in fields(part):
            value = getattr(part, field.name)
            if field.default is MISSING or value != field.default:
                found[field.name if field.name != "kind" else "form"] = plain(value)
        return found
    if isinstance(part, tuple):
        return [plain(one) for one in part]
    assert part is None or isinstance(part, str | int | float)
    return part
