"""How fast, and how long: peak and achieved rates, chips, time, utilisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real


@relation
def chip_time(chips: Real, train_time: Real) -> Real:
    """Chips times the time they are held: what a run occupies and what is paid for.

    Neglects: spare machines held ready, and the runs before the one that counted: half as much again in one open
    project.
    Source: [definition] [morrison2025]
    >>> chip_time(10_000, 14.8 * 86400) / 3600 / 1e6  # GPT-3, million chip-hours
    3.552
    """
    return chips * train_time


@relation(gives="train_flops")
def train_flops_by_mfu(mfu: Real, peak_rate: Real, chip_time: Real) -> Real:
    """Work that chips do in a time: this defines model FLOP utilisation (MFU).

    Peak is the dense peak of the data type used; MFU counts what the model needs and no recomputation, over the whole
    time held, standstill included. Neglects: nothing, by definition. Papers that count attention scores in the work
    report a higher MFU for the same run (PaLM: 46.2 % with, 45.7 % without).
    Source: [chowdhery2022 App. B]
    >>> train_flops_by_mfu(0.197, 125e12, 3.552e6 * 3600)  # GPT-3 on V100
    3.148848e+23
    """
    return mfu * peak_rate * chip_time


@relation
def achieved_rate(mfu: Real, peak_rate: Real) -> Real:
    """Model work that one chip does per second.

    Neglects: nothing, by definition.
    Source: [chowdhery2022 App. B]
    >>> achieved_rate(0.4, 312e12) / 1e12
    124.8
    """
    return mfu * peak_rate


@relation
def fleet_rate(chips: Real, achieved_rate: Real) -> Real:
    """Model work that all chips together do per second.

    Neglects: nothing; what chips lose by waiting for each other is in the achieved rate.
    Source: [definition]
    >>> fleet_rate(8, 125e12) / 1e15  # eight V100 at full efficiency
    1.0
    """
    return chips * achieved_rate


@relation
def fleet_peak_rate(chips: Real, peak_rate: Real) -> Real:
    """Peak rate of all chips together.

    Neglects: nothing. Dense peaks: with 2:4 sparsity makers print twice as much, for work that models rarely do.
    Source: [definition]
    >>> fleet_peak_rate(2, 312e12) / 1e12  # two A100: 62 % of a PFLOP/s
    624.0
    """
    return chips * peak_rate


@relation(gives="train_flops")
def train_flops_by_fleet(fleet_rate: Real, train_time: Real) -> Real:
    """Work that a rate does in a time: a PFLOP/s held for a day is 8.64e19 FLOP, a "PF-day".

    Neglects: nothing; the rate is the mean over the whole time.
    Source: [brown2020 App. D]
    >>> train_flops_by_fleet(1e15, 86400.0)
    8.64e+19
    """
    return fleet_rate * train_time


@relation
def hfu(mfu: Real, hardware_overhead: Real = 1.0) -> Real:
    """Hardware FLOP utilisation: as MFU, with recomputed work counted.

    Neglects: nothing, by definition; says how busy the chips are, not how fast training goes.
    Source: [chowdhery2022 App. B] [korthikanti2022 §6]
    >>> round(hfu(0.42, 4 / 3), 3)
    0.56
    """
    return mfu * hardware_overhead


@relation
def tokens_per_second(tokens: Real, train_time: Real) -> Real:
    """Tokens trained on per second, all chips together.

    Neglects: nothing; the mean over the whole time, standstill included.
    Source: [chowdhery2022 §4.1]
    >>> round(tokens_per_second(1.4e12, 21 * 86400))  # LLaMA 65B
    771605
    """
    return tokens / train_time


@relation
def tokens_per_second_per_chip(tokens_per_second: Real, chips: Real) -> Real:
    """Tokens trained on per second by each chip.

    Neglects: nothing, by definition.
    Source: [definition]
    >>> round(tokens_per_second_per_chip(771_605, 2048))  # LLaMA 65B; its paper rounds to "around 380"
    377
    """
    return tokens_per_second / chips


@relation
def step_time(train_time: Real, steps: Real) -> Real:
    """Time of one optimizer step.

    Neglects: that some of the time nothing runs: standstill is spread over the steps, so that a goodput of 90 % reads
    as steps 11 % longer than a stopwatch shows.
    Source: [definition]
    >>> step_time(21 * 86400.0, 350_000)
    5.184
    """
    return train_time / steps


@relation
def goodput(busy_time: Real, train_time: Real) -> Real:
    """Share of the time held in which steps are made that count.

    Neglects: nothing, by definition. Llama 3 405B on 16,384 chips kept above 90 % with 419 unexpected stops in 54
    days.
    Source: [llama2024 §3.3.4]
    >>> goodput(45.0, 50.0)
    0.9
    """
    return busy_time / train_time


@relation(gives="chips")
def chips_of_nodes(nodes: Real, chips_per_node: Real) -> Real:
    """Chips of so many machines.

    Neglects: nothing; a machine whose chip is missing counts as whole.
    Source: [definition]
    >>> chips_of_nodes(256, 8)
    2048
    """
    return nodes * chips_per_node


@relation(gives="chips")
def chips_of_slices(slices: Real, chips_per_slice: Real) -> Real:
    """Chips of so many slices. A TPU v4 slice is named by its cores, two to a chip: v4-64 has 32 chips.

    Neglects: nothing.
    Source: [google-tpu-v4]
    >>> chips_of_slices(2, 32)
    64
    """
    return slices * chips_per_slice
