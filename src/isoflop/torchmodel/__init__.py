"""Real modules of torch: a decoder to train, and what transformers builds from a config without memory behind it.

`Shape` is a decoder of equal layers; `spec_of` and `shape_of` take it to a `ModelSpec` and back, so that the tensors
are counted as every other model is. The decoder itself needs torch and is imported from `isoflop.torchmodel.decoder`.
"""

from __future__ import annotations

from isoflop.torchmodel.shape import Shape, config_of, published_name, shape_of, spec_of

__all__ = ["Shape", "config_of", "published_name", "shape_of", "spec_of"]
