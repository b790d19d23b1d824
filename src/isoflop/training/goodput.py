"""What part of the time a run makes steps that count."""

from __future__ import annotations

GOODPUT = 0.9
"""Where nobody says: over 90 % on 16,384 chips [llama2024 3.3.4]; small runs lose less, early ones more."""
