"""Power, energy and emissions of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.relation import relation

if TYPE_CHECKING:
    from isoflop.quantity import Real


@relation(kind="rule")
def chip_power(tdp: Real, power_ratio: Real = 1.1) -> Real:
    """Power of the machines while training, for each chip.

    The ratio to the maker's TDP is an estimate: hosts and network add, chips that wait draw less. Measured: V100 1.10
    to 1.14, TPU v3 1.1 to 1.4, TPU v4 2.0 (small chips carry more host each). Reports that give TDP alone use 1
    (LLaMA, BLOOM) and miss GPT-3 by 9 %. Neglects: how power varies in a run, between 15 and 85 % of the maximum in
    one [morrison2025].
    Source: [patterson2021 table 4] [chowdhery2022 App. B]
    >>> round(chip_power(300.0))  # V100
    330
    """
    return tdp * power_ratio


@relation
def machine_energy(chip_time: Real, chip_power: Real) -> Real:
    """Electricity that the machines draw in a run.

    Neglects: machines that stand idle for the project (BLOOM: another 59 %), and the runs before the one that
    counted.
    Source: [patterson2021 §2] [luccioni2022 §4.2]
    >>> round(machine_energy(3.552e6 * 3600, 330) / 3.6e9)  # GPT-3, MWh
    1172
    """
    return chip_time * chip_power


@relation
def train_energy(machine_energy: Real, pue: Real = 1.1) -> Real:
    """Electricity of a run at the meter of the building, cooling and power supply included.

    1.1 is what large clouds report; ordinary data centres are near 1.6, which adds 45 %. Neglects: how PUE varies
    with weather and load (a few percent), and making the machines (`embodied_emissions`).
    Source: [patterson2021 table 4]
    >>> round(train_energy(1172e3 * 3.6e6) / 3.6e9)  # GPT-3, MWh
    1289
    """
    return machine_energy * pue


@relation
def train_emissions(train_energy: Real, grid_intensity: Real) -> Real:
    """Greenhouse gases of the electricity of a run.

    Grids differ 20-fold (Norway 0.03, India 0.71 kg/kWh), two tables of one grid by up to a third (France 0.041 and
    0.056). Neglects: the hour of the day and contracts for green power.
    Source: [patterson2021 §2]
    >>> round(train_emissions(1287e3 * 3.6e6, 0.429 / 3.6e6) / 1e3)  # GPT-3, tonnes
    552
    """
    return train_energy * grid_intensity


@relation
def flops_per_joule(train_flops: Real, train_energy: Real) -> Real:
    """Model work for each joule at the meter.

    Neglects: nothing, by definition.
    Source: [definition]
    >>> f"{flops_per_joule(3.14e23, 1287e3 * 3.6e6):.2g}"  # GPT-3
    '6.8e+10'
    """
    return train_flops / train_energy


@relation(kind="rule")
def embodied_emissions(chip_time: Real, lifetime: Real, utilisation: Real, chip_embodied: Real = 462.5) -> Real:
    """Greenhouse gases of making the machines, the run's share of them.

    462.5 kg for each chip is BLOOM's figure: 150 for the card and an eighth of a 2,500 kg server. Card figures differ
    tenfold between studies (15 to 164 kg). Neglects: network, storage and the building.
    Source: [luccioni2022 §4.1]
    >>> six_years = 6 * 365 * 86400
    >>> round(embodied_emissions(1_082_990 * 3600, six_years, 0.85) / 1e3, 1)  # BLOOM, tonnes
    11.2
    """
    return chip_time * chip_embodied / (lifetime * utilisation)
