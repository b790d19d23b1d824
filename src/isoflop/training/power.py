"""Power of a board by how busy it is: from steps that were measured on an H200 and an H100."""

from __future__ import annotations

IDLE, SLOPE = 0.24, 2.8
"""Board power over TDP is 0.24 + 2.8 x MFU, up to 1: 71 training steps in bf16 of 45M to 3B parameters on an H200 and
an H100 SXM of 700 W, counted by the boards' own meters (the measured rows of the accuracy page); 3 % off in the mean,
21 % at most. From an MFU of 27 % up a board draws all it may."""


def board_share(mfu: float) -> float:
    """Board power over TDP at a utilisation (of model FLOP). Other devices are taken to behave alike.

    >>> round(board_share(0.1), 2), board_share(0.4)
    (0.52, 1.0)
    """
    return min(1.0, IDLE + SLOPE * max(0.0, mfu))


def machine_ratio(ratio: float, share: float) -> float:
    """Power of the machines over the board's TDP, from that at full load and what the boards draw of it.

    Host and network are taken to draw as much whatever the boards do.

    >>> round(machine_ratio(1.1, 0.52), 2)
    0.62
    """
    return ratio - 1.0 + share
