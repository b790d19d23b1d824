"""The minimum of an Akima spline: a curve through the points that one odd point bends only nearby."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from isoflop.quantity import FloatArray


def slopes(x: FloatArray, y: FloatArray) -> FloatArray:
    """The derivative at each point, weighted by how much the secants on the other side turn."""
    secants = np.diff(y) / np.diff(x)
    m = np.concatenate([[3 * secants[0] - 2 * secants[1], 2 * secants[0] - secants[1]], secants])
    m = np.concatenate([m, [2 * secants[-1] - secants[-2], 3 * secants[-1] - 2 * secants[-2]]])
    before, after = np.abs(m[1:] - m[:-1])[:-2], np.abs(m[1:] - m[:-1])[2:]
    total = before + after
    flat = total < 1e-9 * total.max(initial=1e-300)
    weighted = (after * m[1:-2] + before * m[2:-1]) / np.where(flat, 1.0, total)
    return np.asarray(np.where(flat, 0.5 * (m[1:-2] + m[2:-1]), weighted))


def akima_minimum(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Place and height of the lowest point of the spline; points at one x are averaged."""
    places, member = np.unique(x, return_inverse=True)
    heights = np.bincount(member.reshape(-1), y) / np.bincount(member.reshape(-1))
    if len(places) < 3:
        return float("nan"), float("nan")
    slope = slopes(places, heights)
    best = (float(places[np.argmin(heights)]), float(heights.min()))
    for i in range(len(places) - 1):
        width, rise = places[i + 1] - places[i], heights[i + 1] - heights[i]
        cubic = (slope[i] + slope[i + 1]) * width - 2 * rise
        square = 3 * rise - (2 * slope[i] + slope[i + 1]) * width
        for root in np.roots([3 * cubic, 2 * square, slope[i] * width]):
            if abs(root.imag) < 1e-12 and 0 <= root.real <= 1:
                t = float(root.real)
                height = heights[i] + t * (slope[i] * width + t * (square + t * cubic))
                if height < best[1]:
                    best = (float(places[i] + t * width), float(height))
    return best
