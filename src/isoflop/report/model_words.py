"""A model's layers in words, and the rows that stand under its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model import Attention, LatentAttention, Mlp, Moe, Recurrent
from isoflop.model.sheet import RULES
from isoflop.report.blocks import Row
from isoflop.report.words import percent, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.model import Layer, Stack
    from isoflop.model.parts import Mixer
    from isoflop.model.sheet import Sheet
_PLAIN = {"fp32": "", "bf16": "or fp16", "int8": "or fp8, without scales", "int4": "without scales"}


def title(sheet: Sheet) -> str:
    """The first line: name, size, the share that is active, the family."""
    counted = sheet.counts
    said = f"{sheet.spec.name}: {say(counted.params, 'params')} parameters"
    if counted.active_params != counted.params:
        said += f", {say(counted.active_params, 'active_params')} active"
    kind = sheet.described.model_type
    return f"{said} ({kind})" if kind else said


def head_rows(sheet: Sheet) -> tuple[Row, ...]:
    """What the model is: its shape, its layers, where it comes from, how sure that is."""
    spec = sheet.spec
    depth = str(spec.stack.layers) if spec.encoder is None else f"{spec.encoder.layers} + {spec.stack.layers}"
    context = f"context {spec.context:,}" if spec.context else "no longest context named"
    shape = f"{depth} layers x {spec.width}, {context}, vocabulary {spec.vocabulary:,}"
    rows = [Row(label="shape", value=shape)]
    if spec.encoder is not None:
        rows += _layer_rows(spec.encoder, "encoder")
    rows += _layer_rows(spec.stack, "decoder" if spec.encoder is not None else "layers")
    source = f"{sheet.described.origin}: {spec.source}" if spec.source else sheet.described.origin
    return (*rows, Row(label="read from", value=source), Row(label="verified", value=verdict(sheet)))


def verdict(sheet: Sheet) -> str:
    """Whether the reading is known to be complete, and why not."""
    described = sheet.described
    if not described.verified:
        return f"no: {'; '.join(described.why)}"
    if described.origin == "size":
        return "a shape made from a size, not a released model"
    return "yes: every field that matters was understood" if described.model_type else "yes"


def _layer_rows(stack: Stack, label: str) -> Iterator[Row]:
    """A row for every kind of layer, in the order in which they first appear."""
    times: dict[str, int] = {}
    for many, layer in stack.groups:
        text = layer_words(layer)
        times[text] = times.get(text, 0) + many
    for place, (text, many) in enumerate(times.items()):
        yield Row(label="" if place else label, value=f"{many} x {text}")


def layer_words(layer: Layer) -> str:
    """A layer in a few words.

    >>> from isoflop.model import model
    >>> layer_words(model("mixtral-8x7b").stack.groups[0].layer)
    'attention, 32 heads of 128, 8 KV heads; 8 experts of 14,336, 2 active'
    """
    found = [mixer_words(mixer) for mixer in layer.mixers]
    if layer.cross is not None:
        found.append(f"cross-attention, {layer.cross.heads} heads of {layer.cross.head_width}")
    if layer.mlp is not None:
        found.append(mlp_words(layer.mlp))
    return ("" if layer.held else "the weights of an earlier layer: ") + ("; ".join(found) or "norms alone")


def mixer_words(mixer: Mixer) -> str:
    """A mixer in a few words."""
    if isinstance(mixer, Recurrent):
        memory = f", {mixer.heads} memories of {mixer.key_width} x {mixer.value_width}" if mixer.heads else ""
        return f"{mixer.part}{memory}"
    if isinstance(mixer, LatentAttention):
        words = f"latent attention, {mixer.heads} heads, latent {mixer.kv_rank} + {mixer.rope_width}"
    elif isinstance(mixer, Attention):
        words = f"attention, {mixer.heads} heads of {mixer.head_width}"
        words += f", {mixer.kv_heads} KV heads" if mixer.kv_heads != mixer.heads else ""
        words += ", keys and values of an earlier layer" if mixer.kv == "earlier" else ""
        words += "" if mixer.causal else ", no mask"
    else:
        return type(mixer).__name__.lower()
    reach = mixer.reach
    words += f", window {reach.window:,}" if reach.window else f", chunks of {reach.chunk:,}" if reach.chunk else ""
    return words + (f", index picks {mixer.index.top:,}" if mixer.index else "")


def mlp_words(mlp: Mlp | Moe) -> str:
    """A feed-forward part in a few words."""
    if isinstance(mlp, Mlp):
        return f"{'gated mlp' if mlp.gated else 'mlp'} {mlp.width:,}"
    shared = f", shared {mlp.shared.width:,}" if mlp.shared else ""
    return f"{mlp.experts:,} experts of {mlp.expert.width:,}, {mlp.active} active{shared}"


def count_rows(sheet: Sheet) -> Iterator[Row]:
    """The parameter counts, each under its name."""
    counted = sheet.counts
    total = counted.params
    yield Row(label="total", value=f"{total:,}", remark="tied matrices once")
    share = "all of them" if counted.active_params == total else f"{percent(counted.active_params / total)} of them"
    yield Row(label="active", value=f"{counted.active_params:,}", remark=f"{share} for each token")
    without = "less input embedding, positions, untied head"
    yield Row(label="non-embedding", value=f"{counted.non_embedding_params:,}", remark=without)
    if counted.stored_params != total:
        more = f"with {counted.stored_params - total:,} that no optimizer trains"
        yield Row(label="stored", value=f"{counted.stored_params:,}", remark=more)
    for name, size in counted.apart:
        yield Row(label="apart", value=f"{size:,}", remark=f"{name}, in none of these")
    published = sheet.described.published_params
    if published is not None:
        yield Row(label="published", value=f"{published:,.0f}", remark=sheet.described.published_source)


def work_rows(sheet: Sheet) -> Iterator[Row]:
    """FLOP, always with convention and length."""
    work, at = sheet.work, sheet.at
    length = f"{at.sequence:,.0f} tokens"
    for label, rates, name in (
        ("forward", work.forward, "forward_flops_per_token"),
        ("training", work.training, "flops_per_token"),
    ):
        first = say(rates[at.convention], name)
        yield Row(label=label, value=first, remark=f"convention '{at.convention}' at {length}")
        for other, value in rates.items():
            if other != at.convention and label == "forward":
                yield Row(label="", value=say(value, name), remark=f"convention '{other}'")
    if sheet.spec.encoder is not None:
        yield Row(label="sequence", value=say(work.prefill, "train_flops"), remark=f"reads and writes {length}")
    elif work.decode is not None:
        once = say(work.prefill_head_once, "train_flops")
        yield Row(label="prefill", value=once, remark=f"{length}, head on the last alone")
    if work.decode is not None:
        context = f"one new token that sees {at.context:,.0f}"
        yield Row(label="decode", value=say(work.decode, "train_flops"), remark=context)


def state_rows(sheet: Sheet) -> Iterator[Row]:
    """What is kept of a sequence while it is written."""
    kept, at = sheet.kept, sheet.at
    if not kept.kinds:
        yield Row(label="a sequence", value="nothing", remark="the model does not write")
        return
    if kept.bytes_per_token:
        value = say(kept.bytes_per_token, "kv_bytes_per_token")
        yield Row(label="a token", value=value, remark="while no window is full")
    if kept.bytes_per_further_token < 0.999 * kept.bytes_per_token:
        further = say(kept.bytes_per_further_token, "kv_bytes_per_token")
        yield Row(label="a later one", value=further, remark=f"after {at.context:,.0f} tokens")
    if kept.bytes_per_sequence:
        fixed = say(kept.bytes_per_sequence, "state_bytes")
        yield Row(label="what is fixed", value=fixed, remark="memories and convolutions of recurrent layers")
    yield Row(label="a sequence", value=say(kept.total, "state_bytes"), remark=f"at {at.context:,.0f} tokens")


def weight_rows(sheet: Sheet) -> Iterator[Row]:
    """Bytes of the weights, one number format beside the other."""
    for dtype in ("fp32", "bf16", "int8", "int4"):
        yield Row(label=dtype, value=say(sheet.weights[dtype], "weight_bytes"), remark=_PLAIN.get(dtype, ""))
    storage, tensors = sheet.storage, sheet.described.tensors
    if storage is not None:
        each = f"{storage.bits_per_weight:.3g} bits a weight, with all that stands beside it"
        yield Row(label="as stored", value=say(storage.ledger.total, "weight_bytes"), remark=each)
        for term in storage.apart:
            yield Row(label="apart", value=say(term.value, "weight_bytes"), remark=term.name)
    if tensors is not None:
        held = f"{len(tensors.tensors):,} tensors, from the headers"
        yield Row(label="in the files", value=say(tensors.bytes, "weight_bytes"), remark=held)


def weight_notes(sheet: Sheet) -> tuple[str, ...]:
    """In which number formats the weights are stored."""
    tensors = sheet.described.tensors
    notes = [f"As stored: {sheet.storage.scheme}."] if sheet.storage else []
    if tensors is not None:
        formats = (f"{dtype} {say(held.bytes, 'weight_bytes')}" for dtype, held in tensors.by_dtype().items())
        notes.append(f"In the files: {', '.join(formats)}.")
    return tuple(notes)


def training_rows(sheet: Sheet) -> Iterator[Row]:
    """Rules of bytes a parameter, and what activations really take."""
    params, kept, length = sheet.counts.params, sheet.activations, sheet.at.sequence
    for rule in RULES:
        size = say(rule.bytes_per_param * params, "train_state_bytes")
        yield Row(label=f"{rule.bytes_per_param} bytes", value=size, remark=rule.words)
    each = f"{say(kept.bytes_per_token, 'activation_bytes')}/token"
    yield Row(label="activations", value=each, remark="16-bit, nothing recomputed")
    whole = say(kept.bytes_per_token * length, "activation_bytes")
    yield Row(label="", value=whole, remark=f"for one sequence of {length:,.0f} tokens")
    if kept.logits:
        scores = f"{say(kept.logits, 'activation_bytes')}/token"
        yield Row(label="scores", value=scores, remark="of all words in FP32, unless the loss is fused")


def minded(sheet: Sheet) -> tuple[str, ...]:
    """What a reader should know: what is not verified, what the source notes, what files lack."""
    described, storage = sheet.described, sheet.storage
    doubts = (*(storage.doubts if storage else ()), *(described.tensors.doubts if described.tensors else ()))
    return tuple(dict.fromkeys(text for text in (described.warning, *sheet.spec.notes, *doubts) if text))


def training_note(sheet: Sheet) -> str:
    """Where the rule of 24 bytes is wrong."""
    right_at = 8 * sheet.counts.params / sheet.activations.bytes_per_token
    return (
        "The 24 bytes guess 8 for activations, but these follow batch x sequence and not parameters: here the guess is "
        f"right at {right_at:,.0f} tokens in flight, too low above and too high below."
    )
