"""How checkpoints store weights: number formats, quantisation schemes, and which modules they take."""

from __future__ import annotations
