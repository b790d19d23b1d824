"""Which column of a table of runs is which quantity: by name, by what the user says, never by position.

Each choice is recorded with how it was made. A choice between several columns, and a convention that no name gives
(which parameters, which loss), is a guess: shown, kept in the result, and refused where guesses are not wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import log
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, UnknownName, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PF_DAY = 8.64e19


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A quantity with the names its column goes by, best first, and those whose values are to be multiplied."""

    names: tuple[str, ...]
    scaled: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    pattern: str = "$^"


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_BITS = {name: log(2.0) for name in _names("loss_bits bits_per_token bpt val_loss_bits loss_bpt")}
_PFD = dict.fromkeys(_names("pf_days pfdays pf_day petaflop_days compute_pf_days"), PF_DAY)
_K = {"params_b": 1e9, "params_billion": 1e9, "params_m": 1e6, "n_b": 1e9, "model_size_b": 1e9, "params_millions": 1e6}
_T = {"tokens_b": 1e9, "tokens_billion": 1e9, "d_b": 1e9, "tokens_t": 1e12, "tokens_m": 1e6, "tokens_trillion": 1e12}

KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "loss": Known(
            names=_names(
                "val_loss validation_loss loss_validation eval_loss valid_loss test_loss loss_val eval_cross_entropy"
                " c4_val_loss final_val_loss loss final_loss lm_loss train_loss training_loss loss_train nll"
                " cross_entropy ce_loss eval_ce smoothed_loss l"
            ),
            scaled=MappingProxyType(_BITS),
            pattern=r"(^|_)(loss|nll|cross_entropy)($|_)",
        ),
        "perplexity": Known(names=_names("ppl perplexity val_ppl eval_ppl val_perplexity")),
        "bits_per_byte": Known(names=_names("bpb bits_per_byte val_bpb")),
        "bytes_per_token": Known(names=_names("bytes_per_token bytes_a_token")),
        "params": Known(
            names=_names(
                "params total_params params_total num_params n_params nparams parameters num_parameters n_parameters"
                " parameter_count model_params model_size model_parameters param_count size n dense_parameter_count"
            ),
            scaled=MappingProxyType(_K),
            pattern=r"(^|_)(params?|parameters?)($|_)",
        ),
        "active_params": Known(
            names=_names(
                "active_params params_active n_active params_active_precise activated_params active_parameters"
            )
        ),
        "non_embedding_params": Known(
            names=_names(
                "non_embedding_params params_non_embedding n_non_embedding non_embedding_param_size nonembedding_params"
                " non_emb_params params_no_embed non_embedding_parameters params_non_emb"
            )
        ),
        "tokens": Known(
            names=_names(
                "tokens train_tokens training_tokens tokens_seen num_tokens n_tokens total_tokens token_count"
                " num_input_tokens_seen tokens_trained data_size dataset_size data d ntokens train_tokens_seen"
                " consumed_tokens"
            ),
            scaled=MappingProxyType(_T),
            pattern=r"(^|_)tokens?($|_)",
        ),
        "unique_tokens": Known(names=_names("unique_tokens tokens_unique unique data_unique u unique_data")),
        "flops": Known(
            names=_names(
                "flops train_flops training_flops total_flops total_flos flop compute training_compute train_compute c"
                " flos"
            ),
            scaled=MappingProxyType(_PFD),
            pattern=r"(^|_)(flops?|flos|compute)($|_)",
        ),
        "tokens_per_param": Known(names=_names("tokens_per_param ratio token_multiplier tokens_per_parameter")),
        "width": Known(names=_names("width d_model hidden_size hidden n_embd embed_dim model_dim")),
        "depth": Known(names=_names("depth n_layers num_layers layers n_layer num_hidden_layers")),
        "learning_rate": Known(names=_names("learning_rate lr peak_lr max_lr peak_learning_rate")),
        "batch_tokens": Known(names=_names("batch_tokens global_batch_tokens tokens_per_batch batch_size_tokens")),
        "batch_sequences": Known(names=_names("bsz batch_size global_batch_size batch_sequences batch bs gbs")),
        "sequence_length": Known(names=_names("sequence_length seq_len seqlen context_length max_seq_len block_size")),
        "vocabulary": Known(names=_names("vocab_size vocabulary n_vocab vocab padded_vocab_size")),
        "experts": Known(names=_names("experts num_experts n_experts num_local_experts expert_count e")),
        "granularity": Known(names=_names("granularity g expert_granularity")),
        "weight_bits": Known(names=_names("weight_bits p_w bits_weights w_bits bits_w")),
        "activation_bits": Known(names=_names("activation_bits p_a bits_activations a_bits bits_a")),
        "kv_bits": Known(names=_names("kv_bits p_kv bits_kv kv_cache_bits")),
        "post_bits": Known(names=_names("post_bits p_post bits_post ptq_bits quantized_bits")),
        "warmup_tokens": Known(names=_names("warmup_tokens warm_up_tokens")),
        "schedule_tokens": Known(
            names=_names("schedule_tokens decay_tokens horizon_tokens lr_decay_tokens max_tokens")
        ),
        "weight": Known(names=_names("weight weights sample_weight")),
        "error": Known(names=_names("error err top1_error error_rate downstream_error avg_error")),
        "step": Known(names=_names("step steps global_step iteration iter _step")),
        "run": Known(names=_names("run run_name run_id runid experiment experiment_name name id model model_name uid")),
    }
)
"""Quantities a table of runs may hold. `run` is text."""

TEXT = ("run",)
COUNTS = ("params", "active_params", "non_embedding_params")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """One column taken as a quantity: how that was decided, the factor on its values, the columns not taken."""

    quantity: str
    column: str
    how: str
    scale: float = 1.0
    instead_of: tuple[str, ...] = ()

    @property
    def guessed(self) -> bool:
        """Whether another reading was possible."""
        return bool(self.instead_of) or self.how == "guessed"


def normal(name: str) -> str:
    """A column's name without case, path of a logger, spaces and punctuation."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def map_columns(names: Sequence[str], said: Mapping[str, str]) -> tuple[Mapped, ...]:
    """What each column is; `said` (quantity -> column) goes before any name."""
    found: dict[str, Mapped] = {}
    for quantity, column in said.items():
        if quantity not in KNOWN:
            raise UnknownName("quantity of a run", quantity, KNOWN, hint=f"Known are {', '.join(KNOWN)}.")
        if column not in names:
            listed = ", ".join(shorten(name, most=30) for name in names[:20])
            raise BadInput(f"no column '{shorten(column)}' for {quantity}; the table has: {listed}")
        meant = _truly(quantity, column)
        scale = KNOWN[meant].scaled.get(normal(column), 1.0)
        found[meant] = Mapped(quantity=meant, column=column, how="given", scale=scale)
    taken = {one.column for one in found.values()}
    for quantity in KNOWN:
        if quantity not in found:
            one = _by_name(quantity, [name for name in names if name not in taken])
            if one is not None:
                found[quantity] = one
                taken |= {one.column, *(one.instead_of if quantity == "loss" else ())}
    return tuple(found.values())


def _truly(quantity: str, column: str) -> str:
    """What a column said to be the loss is: one that is called perplexity or bits per byte is not in nats per token."""
    others = ("perplexity", "bits_per_byte") if quantity == "loss" else ()
    return next((other for other in others if set(KNOWN[other].names) & set(_readings(column))), quantity)


def _readings(name: str) -> tuple[str, ...]:
    """What a column may be called without the path of its logger: summary.eval/loss is eval_loss before it is loss."""
    parts = re.split(r"[/.]", name)
    return tuple(dict.fromkeys((normal(name), normal("_".join(parts[-2:])), normal(parts[-1]))))


def _by_name(quantity: str, names: Sequence[str]) -> Mapped | None:
    known = KNOWN[quantity]
    last = {name: _readings(name) for name in names}
    ranked = [
        (rank, name)
        for rank, wanted in enumerate((*known.names, *known.scaled))
        for name in names
        if wanted in last[name]
    ]
    if ranked:
        chosen = ranked[0][1]
        others = tuple(dict.fromkeys(name for _, name in ranked if name != chosen))
        scale = next((known.scaled[word] for word in last[chosen] if word in known.scaled), 1.0)
        return Mapped(quantity=quantity, column=chosen, how="by name", scale=scale, instead_of=others)
    elsewhere = {word for other in KNOWN.values() for word in (*other.names, *other.scaled)}
    loose = [name for name in names if re.search(known.pattern, last[name][0]) and not elsewhere & set(last[name])]
    if not loose:
        return None
    return Mapped(quantity=quantity, column=loose[0], how="guessed", instead_of=tuple(loose[1:]))
