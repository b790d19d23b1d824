"""Real modules of torch: what transformers builds from a config, without memory behind its tensors, and counts."""

from __future__ import annotations
