"""Long runs: failures, checkpoints and what they cost in time; data that have to be read, and bytes that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real

HOUR = 3600.0


@relation(kind="rule")
def run_mtbf(chips: Real, chip_mtbf: Real = 50_000 * HOUR) -> Real:
    """Time between interruptions of a run on so many chips.

    50,000 chip-hours is an estimate for large fleets of 2024: one interruption in three hours on 16,384 chips
    [llama2024 3.3.4]. Neglects: that a new fleet fails more often, and one bad node again and again.
    Source: [llama2024 3.3.4]
    >>> round(run_mtbf(16384) / HOUR, 1)
    3.1
    """
    return chip_mtbf / chips


@relation
def checkpoint_bytes(params: Real, checkpoint_bytes_per_param: Real = 14) -> Real:
    """Size of a checkpoint that training can go on from.

    14 bytes a parameter: weights in 16 bit, fp32 copies and both moments of Adam. Neglects: the place in the data and
    random states (kilobytes).
    Source: [definition]
    >>> checkpoint_bytes(70e9) / 1e12
    0.98
    """
    return params * checkpoint_bytes_per_param


@relation
def checkpoint_time(checkpoint_bytes: Real, checkpoint_rate: Real) -> Real:
    """Time that training stands still while a checkpoint is written.

    All of the writing; where it goes on beside the steps, give the rate at which it leaves the chips' memory. Neglects:
    the barrier before it (seconds).
    Source: [definition]
    >>> checkpoint_time(0.98e12, 100e9)
    9.8
    """
    return checkpoint_bytes / checkpoint_rate


@relation(kind="rule")
def checkpoint_interval(checkpoint_time: Real, run_mtbf: Real) -> Real:
    """Time between checkpoints that loses least, to first order.

    Young's sqrt(2 t M): checkpoints cost t / tau of the time, failures tau / 2 of each M. Neglects: Daly's next terms,
    which change it by about t, and what is lost by less than a percent where t is under a hundredth of M.
    Source: [young1974] [daly2006]
    >>> round(checkpoint_interval(9.8, 3.1 * HOUR) / 60, 1)  # minutes
    7.8
    """
    return (2 * checkpoint_time * run_mtbf) ** 0.5


@relation(kind="rule")
def checkpoint_loss(checkpoint_time: Real, run_mtbf: Real) -> Real:
    """Time that checkpoints and steps done again cost, over that of steps that count, at the best interval.

    t / tau + tau / (2 M) at Young's tau. Neglects: checkpoints more seldom than is best, which lose more.
    Source: [young1974] [daly2006]
    >>> round(checkpoint_loss(9.8, 3.1 * HOUR), 3)  # 70B on 16,384 chips
    0.042
    """
    return (2 * checkpoint_time / run_mtbf) ** 0.5


@relation(kind="rule")
def restart_loss(run_mtbf: Real, restart_time: Real = 600) -> Real:
    """Time that restarts cost, over that of steps that count.

    10 minutes is an estimate: finding the node, starting again, loading. Neglects: failures while restarting.
    Source: [young1974]
    >>> round(restart_loss(3.1 * HOUR), 3)
    0.054
    """
    return restart_time / run_mtbf


@relation
def failure_goodput(checkpoint_loss: Real, restart_loss: Real) -> Real:
    """Share of the time that failures and checkpoints leave for steps that count.

    Neglects: slow nodes, evaluation between steps, changes of plan: for the whole of a run see `goodput`.
    Source: [definition]
    >>> round(failure_goodput(0.042, 0.054), 2)
    0.91
    """
    return 1 / (1 + checkpoint_loss + restart_loss)


@relation
def dataset_bytes(unique_tokens: Real, stored_bytes_per_token: Real) -> Real:
    """Size of a dataset as it is stored.

    2 bytes a token where the vocabulary is below 65,536, else 4; as English text about 4. Neglects: documents' ends and
    indexes (about 1 %), compression (text shrinks to a third).
    Source: [definition]
    >>> dataset_bytes(15e12, 4) / 1e12
    60.0
    """
    return unique_tokens * stored_bytes_per_token


@relation(gives="unique_tokens")
def tokens_of_text(text_bytes: Real, tokens_per_byte: Real) -> Real:
    """Tokens that a tokenizer makes of a text.

    What a byte gives depends on tokenizer and language: 0.20 to 0.23 in English, 0.14 to 0.84 in 20 others, as measured
    on manuals. Neglects: what is filtered out of a raw text, and what stands in it twice.
    Source: [definition]
    >>> round(tokens_of_text(2e12, 0.2575) / 1e9)  # 2 TB of German by the tokenizer of Llama 3
    515
    """
    return text_bytes * tokens_per_byte


@relation
def read_rate(tokens_per_second: Real, stored_bytes_per_token: Real) -> Real:
    """Bytes a second that have to be read so that chips do not wait for data.

    Neglects: that ranks of one replica may each read the same, and shuffling that reads more than it uses.
    Source: [definition]
    >>> read_rate(10e6, 4) / 1e6
    40.0
    """
    return tokens_per_second * stored_bytes_per_token


@relation
def storage_cost(stored_bytes: Real, storage_time: Real, storage_price: Real) -> Real:
    """Money for keeping bytes for a while.

    Neglects: requests, traffic out of a region, and copies that are kept for safety beyond what the price holds.
    Source: [definition]
    >>> month = 730.5 * HOUR
    >>> round(storage_cost(60e12, month, 0.02 / 1e9 / month))  # 60 TB for a month at 2 cents a GB and month
    1200
    """
    return stored_bytes * storage_time * storage_price


@relation
def break_even(
    chip_capital: Real,
    lifetime: Real,
    price: Real,
    chip_power: Real,
    electricity_price: Real,
    pue: Real = 1.1,
) -> Real:
    """Share of its lifetime that a bought chip has to work so that an hour of work costs no more than rent.

    Above 1 rent is cheaper whatever the use. Neglects: as `owned_price`: interest, building, people, resale.
    Source: [epoch-costs §2]
    >>> year, kwh = 8766 * HOUR, 3.6e6
    >>> round(break_even(40e3, 4 * year, 3.0 / HOUR, 1000, 0.08 / kwh), 2)  # an H100 with its share of a server
    0.39
    """
    return chip_capital / (lifetime * (price - chip_power * pue * electricity_price))
